"""Reading logs of CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from time import sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from galv_ops.answers import AWS_ERRORS, error_code
from galv_ops.query.aws import Aws
from galv_ops.redact import redact

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        FilterLogEventsRequestPaginateTypeDef,
        GetLogEventsResponseTypeDef,
    )

NOT_FOUND = "ResourceNotFoundException"
_POLL_SECONDS = 2
# CloudWatch shows events some seconds late, and not in order.
_LATE_MILLISECONDS = 30_000


@dataclass(frozen=True)
class Line:
    """A line of a log."""

    when: datetime
    stream: str
    text: str
    id: str

    @property
    def source(self) -> str:
        """The beginning of the id of the task that wrote it."""
        return self.stream.rpartition("/")[2][:8]


def read(aws: Aws, group: str, *, since: datetime, pattern: str = "") -> Iterator[Line]:
    """Yield the lines of a log group since a time, oldest first."""
    query: FilterLogEventsRequestPaginateTypeDef = {
        "logGroupName": group,
        "startTime": _milliseconds(since),
    }
    if pattern:
        query["filterPattern"] = pattern
    for page in aws.logs.get_paginator("filter_log_events").paginate(**query):
        for event in page["events"]:
            yield _line(event)


def follow(aws: Aws, group: str, *, since: datetime, pattern: str = "") -> Iterator[Line]:
    """Yield the lines of a log group as they come, without end."""
    seen: dict[str, int] = {}
    start = _milliseconds(since)
    while True:
        for line in read(aws, group, since=time_of(start), pattern=pattern):
            if line.id not in seen:
                seen[line.id] = _milliseconds(line.when)
                yield line
        newest = max(seen.values(), default=start)
        start = max(start, newest - _LATE_MILLISECONDS)
        seen = {id: when for id, when in seen.items() if when >= start}
        sleep(_POLL_SECONDS)


def tail(aws: Aws, group: str, stream: str, limit: int = 20) -> list[str]:
    """Return the last lines of a stream, which others are shown too: without what is secret.

    None if there is no such log.
    """
    lines: list[str] = []
    token = ""
    try:
        # An answer may be empty although there are lines: the token says whether there are more.
        while not lines:
            answer = _events(aws, group, stream, token, limit=limit, startFromHead=False)
            lines = _lines(answer)
            if answer["nextBackwardToken"] == token:
                break
            token = answer["nextBackwardToken"]
    except AWS_ERRORS as error:
        if error_code(error) != NOT_FOUND:
            return [f"(its log could not be read: {error_code(error) or type(error).__name__})"]
    return redact("\n".join(lines)).split("\n") if lines else []


class Tail:
    """The lines of one stream as they come."""

    def __init__(self, aws: Aws, group: str, stream: str) -> None:
        self._aws = aws
        self._group = group
        self._stream = stream
        self._token = ""

    def more(self) -> list[str]:
        """Return what has come since the last time; nothing before the stream is there."""
        lines: list[str] = []
        while True:
            try:
                answer = _events(
                    self._aws, self._group, self._stream, self._token, startFromHead=True
                )
            except AWS_ERRORS as error:
                if error_code(error) == NOT_FOUND:
                    return lines
                raise
            lines += _lines(answer)
            # At the end of a stream the same token comes back.
            before, self._token = self._token, answer["nextForwardToken"]
            if self._token == before:
                return lines


def _events(
    aws: Aws, group: str, stream: str, token: str, **query: Any
) -> GetLogEventsResponseTypeDef:
    if token:
        query["nextToken"] = token
    return aws.logs.get_log_events(logGroupName=group, logStreamName=stream, **query)


def _lines(answer: GetLogEventsResponseTypeDef) -> list[str]:
    return [event.get("message", "").rstrip() for event in answer["events"]]


def _line(event: Mapping[str, object]) -> Line:
    timestamp = event.get("timestamp", 0)
    stream, text = str(event.get("logStreamName", "")), str(event.get("message", "")).rstrip()
    assert isinstance(timestamp, int)  # noqa: S101 - the service model says so
    # Where there is no id, these three are as good.
    id = str(event.get("eventId") or f"{timestamp} {stream} {text}")
    return Line(time_of(timestamp), stream, text, id)


def time_of(milliseconds: int) -> datetime:
    """Return the time that CloudWatch means."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)


def _milliseconds(when: datetime) -> int:
    return round(when.timestamp() * 1000)


@dataclass(frozen=True)
class Stream:
    """A stream of a log: when it was created, and when it was written to last."""

    name: str
    created: datetime
    written: datetime


def streams(aws: Aws, group: str, *, limit: int) -> Iterator[Stream]:
    """Yield the streams of a log group, the one that was written to last first."""
    pages = aws.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=group,
        orderBy="LastEventTime",
        descending=True,
        PaginationConfig={"MaxItems": limit},
    )
    try:
        for page in pages:
            for stream in page["logStreams"]:
                created = stream.get("creationTime", 0)
                yield Stream(
                    name=stream.get("logStreamName", ""),
                    created=time_of(created),
                    written=time_of(stream.get("lastEventTimestamp", created)),
                )
    except ClientError as error:
        if error_code(error) != NOT_FOUND:
            raise
