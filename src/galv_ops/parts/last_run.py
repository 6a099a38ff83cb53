"""The outcome of a task's newest run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from galv_ops.parts.part import State
from galv_ops.query.deployment import Deployment
from galv_ops.query.log import read, streams, tail
from galv_ops.query.task import Task, short, why_ended
from galv_ops.query.tasks import exit_code, known_runs
from galv_ops.text import moment

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import TaskTypeDef

# How setup begins the lines about its steps.
_STEP = "[release]"
# What setup writes behind the name of a step that has succeeded, or was left out.
_OVER = (": done", ": skipped, only for the first release")
# One-off commands write to the log of setup too.
_STREAMS = 100


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


def last_run(deployment: Deployment, task: Task, failures: str = "") -> LastRun:
    """Say how the newest run of a task went.

    Args:
        deployment: Where it ran.
        task: Task whose run it was.
        failures: Log group with a line for each run that failed, of a schedule. It is looked at
            for a run that ECS knows no longer.
    """
    found = known_runs(deployment, task)
    if found:
        return _of_task(found[0], task)
    return _of_log(deployment, task, failures)


def _of_task(found: TaskTypeDef, task: Task) -> LastRun:
    id, when = short(found.get("taskArn", "")), found.get("createdAt")
    code = exit_code(found, task.name)
    if found.get("lastStatus") != "STOPPED":
        return LastRun("busy", f"running since {moment(when)}", id, when)
    if code == 0 and found.get("stopCode", "EssentialContainerExited") != "UserInitiated":
        return LastRun("ok", f"succeeded {moment(when)}", id, when, code)
    what = "did not start" if code is None else f"exited with code {code}"
    return LastRun("bad", f"{what} {moment(when)}: {why_ended(found, task.name)}", id, when, code)


def _of_log(deployment: Deployment, task: Task, failures: str) -> LastRun:
    for stream in streams(deployment.aws, task.log_group, limit=_STREAMS):
        id, when = short(stream.name), stream.written
        if failures:
            query = f'"FAILED: {id}"'
            said = next(read(deployment.aws, failures, since=stream.created, pattern=query), None)
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
