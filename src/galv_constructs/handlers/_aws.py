"""Helpers of the handlers in this folder: AWS clients, transient errors, reasons that fit."""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from ._answers import AWS_ERRORS, error_code
from ._redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# CloudFormation shows about 1 kB. Counted in UTF-8 bytes, so it holds for characters too.
REASON_LIMIT = 900
ELLIPSIS = "…"
SERVER_ERROR = 500
# Lines of a log that are read for a reason: what helps can stand before a dump of variables.
LOG_LINES = 100

_PASSES = re.compile(
    r"throttl|slow ?down|too ?many ?requests|too ?many ?invalidations|rate exceeded"
    r"|request ?limit|time-?out|timed out|service ?unavailable|internal ?(server ?)?error"
    # A role created seconds ago is not known everywhere yet.
    r"|not authorized to perform: sts:AssumeRole",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


@functools.cache
def client(service: str) -> Any:
    """The client of an AWS service, created at its first use."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=32,
    )
    # One function for several services: the stubs know a type for each name only.
    create: Any = boto3.client
    return create(service, config=config)


def passes(error: Exception) -> bool:
    """Whether the same call may work later."""
    return is_unanswered(error) or bool(_PASSES.search(str(error)))


def is_unanswered(error: object) -> bool:
    """Whether AWS did not answer, or only that it cannot."""
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        return True
    answer = error.response if isinstance(error, aws.ClientError) else {}
    return bool(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR)


def clip(text: str, size: int, *, end: bool = False) -> str:
    """The text in at most `size` bytes of UTF-8: its beginning, or its end, and an ellipsis."""
    # A log can hold a lone surrogate, which has no UTF-8.
    data = text.encode(errors="replace")
    if len(data) <= size:
        return data.decode()
    keep = max(size - len(ELLIPSIS.encode()), 0)
    if end:
        return ELLIPSIS + data[len(data) - keep :].decode(errors="ignore")
    return data[:keep].decode(errors="ignore") + ELLIPSIS


def fit_reason(what: str, rest: str = "", log_lines: str = "") -> str:
    """The reason of a failure within CloudFormation's limit.

    `rest` stays whole as long as `what` keeps its first 60 bytes. The log has what is left, and
    loses its oldest lines first.
    """
    size = REASON_LIMIT
    if rest or log_lines:
        size = max(60, min(350, REASON_LIMIT - len(rest.encode())))
    reason = f"{clip(what, size)}{rest}"
    left = REASON_LIMIT - len(reason.encode()) - 1
    if log_lines and left > len(ELLIPSIS.encode()):
        reason += f"\n{clip(log_lines, left, end=True)}"
    return clip(reason, REASON_LIMIT)


def first_id(event: Mapping[str, Any]) -> str:
    """The physical id of a resource that is created: no other stack has it."""
    return f"{event['LogicalResourceId']}-{event['StackId'].rpartition('/')[2]}"


def kept_id(event: Mapping[str, Any]) -> str:
    """The physical id of before, or the first one.

    For another id CloudFormation would send Delete for the old one.
    """
    return str(event.get("PhysicalResourceId") or first_id(event))


def stack_status(stack_id: str) -> str:
    """The status of a stack; empty, with a line in the log, when AWS does not tell."""
    try:
        stacks = client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
    except AWS_ERRORS as error:
        log.warning("cannot describe the stack: %s", error)
        return ""
    return str(stacks[0]["StackStatus"])


def log_tail(
    group: str, stream: str, *, names: Iterable[str] = (), noise: re.Pattern[str] | None = None
) -> str:
    """The newest lines of a log, for a reason: without `noise`, and without what is secret.

    A log that cannot be read must not hide the failure.
    """
    query = {
        "logGroupName": group,
        "logStreamName": stream,
        "startFromHead": False,
        "limit": LOG_LINES,
    }
    try:
        events = client("logs").get_log_events(**query)["events"]
    except AWS_ERRORS as error:
        return f"(no log: {error_code(error) or type(error).__name__})"
    lines = [event["message"].rstrip() for event in events]
    kept = [line for line in lines if line and not (noise and noise.match(line))]
    return redact("\n".join(kept), names) or "(no log lines)"
