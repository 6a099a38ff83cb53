"""Tasks that run or have run: ECS tells of stopped ones for about an hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from galv_ops.deployment import Deployment
from galv_ops.errors import code_of
from galv_ops.log import NOT_FOUND, read, tail, time_of
from galv_ops.output import moment
from galv_ops.parts.part import State
from galv_ops.run import why_stopped
from galv_ops.task import Task, short

if TYPE_CHECKING:
    from types_boto3_ecs.literals import DesiredStatusType
    from types_boto3_ecs.type_defs import TaskTypeDef

_STATUSES: tuple[DesiredStatusType, ...] = ("RUNNING", "STOPPED")
# How setup begins the lines about its steps.
_STEP = "[release]"
# What setup writes behind the name of a step that has succeeded, or was left out.
_OVER = (": done", ": skipped, only for the first release")
# One-off commands write to the log of setup too.
_STREAMS = 100
_GONE = {"ClusterNotFoundException", "InvalidParameterException"}


@dataclass(frozen=True)
class LastRun:
    """The newest run of a task."""

    state: State
    text: str
    task: str = ""
    when: datetime | None = None
    exit_code: int | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The run for programs."""
        return {
            "lastRun": self.when,
            "lastRunState": self.state,
            "lastRunTask": self.task,
            "exitCode": self.exit_code,
        }


def known_runs(deployment: Deployment, task: Task) -> list[TaskTypeDef]:
    """Return the runs of a task that ECS still knows, newest first, but for one-off commands."""
    return [one for one in _known(deployment, task.family) if not _is_one_off(one)]


def _known(deployment: Deployment, family: str) -> list[TaskTypeDef]:
    ecs, cluster = deployment.aws.ecs, deployment.cluster
    if cluster is None:
        return []
    found: list[TaskTypeDef] = []
    try:
        for status in _STATUSES:
            pages = ecs.get_paginator("list_tasks").paginate(
                cluster=cluster, family=family, desiredStatus=status
            )
            for page in pages:
                # At most 100, which is what DescribeTasks takes; it refuses none.
                if page["taskArns"]:
                    answer = ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])
                    found += answer["tasks"]
    except ClientError as error:
        # Rolled back with the first deployment.
        if code_of(error) not in _GONE:
            raise
    return sorted(found, key=_created, reverse=True)


def running(deployment: Deployment, task: Task) -> list[TaskTypeDef]:
    """Return the runs of a task that are going on, newest first."""
    found = known_runs(deployment, task)
    return [one for one in found if one.get("lastStatus") != "STOPPED"]


def exit_code(task: TaskTypeDef, name: str) -> int | None:
    """Return the exit code of the container of that name; none if it never ran."""
    for container in task.get("containers", []):
        if container.get("name") == name:
            return container.get("exitCode")
    return None


def last_run(deployment: Deployment, task: Task, failures: str = "") -> LastRun:
    """Say how the newest run of a task went.

    Args:
        deployment: Where it ran.
        task: What ran.
        failures: Log group with a line for each run that failed, of a schedule. It is looked at
            for a run that ECS knows no longer.
    """
    found = known_runs(deployment, task)
    if found:
        return _of_task(found[0], task)
    return _of_log(deployment, task, failures)


def _of_task(found: TaskTypeDef, task: Task) -> LastRun:
    id, when = short(found.get("taskArn", "")), _created(found)
    code = exit_code(found, task.name)
    if found.get("lastStatus") != "STOPPED":
        return LastRun("busy", f"running since {moment(when)}", id, when)
    if code == 0 and found.get("stopCode", "EssentialContainerExited") != "UserInitiated":
        return LastRun("ok", f"succeeded {moment(when)}", id, when, code)
    what = "never ran" if code is None else f"exited with code {code}"
    return LastRun("bad", f"{what} {moment(when)}: {why_stopped(found)}", id, when, code)


def _of_log(deployment: Deployment, task: Task, failures: str) -> LastRun:
    for stream in _streams(deployment, task):
        id, when = short(stream.name), stream.written
        if failures:
            query = f'"FAILED: {id}"'
            said = next(read(deployment.aws, failures, since=stream.made, pattern=query), None)
            text = "succeeded" if said is None else said.text.strip()
            return LastRun("ok" if said is None else "bad", f"{text} {moment(when)}", id, when)
        lines = tail(deployment.aws, task.log_group, stream.name, 1000)
        steps = [line for line in lines if line.startswith(_STEP)]
        # Others are one-off commands in the same task.
        if steps:
            well = steps[-1].endswith(_OVER)
            text = steps[-1] if well or "failed with" in steps[-1] else f"ended after {steps[-1]!r}"
            return LastRun("ok" if well else "bad", f"{text} {moment(when)}", id, when)
    return LastRun("off", "never ran")


@dataclass(frozen=True)
class _Stream:
    name: str
    made: datetime
    written: datetime


def _streams(deployment: Deployment, task: Task) -> Iterator[_Stream]:
    """Yield the streams of the log of a task, the one that was written to last first."""
    pages = deployment.aws.logs.get_paginator("describe_log_streams").paginate(
        logGroupName=task.log_group,
        orderBy="LastEventTime",
        descending=True,
        PaginationConfig={"MaxItems": _STREAMS},
    )
    try:
        for page in pages:
            for one in page["logStreams"]:
                made = one.get("creationTime", 0)
                yield _Stream(
                    name=one.get("logStreamName", ""),
                    made=time_of(made),
                    written=time_of(one.get("lastEventTimestamp", made)),
                )
    except ClientError as error:
        if code_of(error) != NOT_FOUND:
            raise


def _is_one_off(found: TaskTypeDef) -> bool:
    overrides = found.get("overrides", {}).get("containerOverrides", [])
    return any(one.get("command") for one in overrides)


def _created(task: TaskTypeDef) -> datetime:
    return task.get("createdAt", datetime.min.replace(tzinfo=timezone.utc))
