"""Whether a deployment rests, and when it wakes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from galv_ops.errors import OpsError
from galv_ops.query.deployment import Deployment, describe_service

_END = "Custom::GalvSleep"
# <id of the construct>WakingLast, …Function, …Group, …WakeSchedule and …SleepSchedule
_LAST = "WakingLast"
_CRON = re.compile(r"cron\((\d+) (\d+) \? \* (\S+) \*\)")
# At the end of the description of a schedule that rests: galv_constructs/handlers/sleep.py.
ASLEEP_MARK = "[asleep]"


@dataclass(frozen=True)
class Sleep:
    """A `GalvSleep` of the stack: its function, and its schedules as group and name."""

    function: str
    wake: tuple[str, str]
    sleep: tuple[str, str]


def sleeps(deployment: Deployment) -> list[Sleep]:
    """Return what lets the deployment rest; nothing where it never does."""
    stack = deployment.backend
    stems = [found.stem.removesuffix(_LAST) for found in stack.resources(_END)]
    functions = {found.stem: found.id for found in stack.resources("AWS::Lambda::Function")}
    groups = {found.stem: found.id for found in stack.resources("AWS::Scheduler::ScheduleGroup")}
    schedules = {found.stem: found.id for found in stack.resources("AWS::Scheduler::Schedule")}

    def schedule(stem: str, kind: str) -> tuple[str, str]:
        id = schedules.get(f"{stem}{kind}Schedule", "")
        return groups.get(f"{stem}Group", ""), id.rpartition("/")[2].rpartition("|")[2]

    return [
        Sleep(
            function=functions[f"{stem}Function"],
            wake=schedule(stem, "Wake"),
            sleep=schedule(stem, "Sleep"),
        )
        for stem in stems
        if f"{stem}Function" in functions
    ]


def is_asleep(deployment: Deployment) -> bool:
    """Tell whether the web service has no task because the deployment rests."""
    if not sleeps(deployment):
        return False
    service = describe_service(deployment)
    return service is not None and not service.get("desiredCount")


def moment_of(deployment: Deployment, schedule: tuple[str, str]) -> str:
    """Return when a schedule is due, in words."""
    group, name = schedule
    answer = deployment.aws.scheduler.get_schedule(GroupName=group, Name=name)
    zone = answer.get("ScheduleExpressionTimezone", "UTC")
    expression = answer.get("ScheduleExpression", "")
    found = _CRON.fullmatch(expression)
    if found is None:
        return f"{expression} {zone}"
    minute, hour, days = found.groups()
    when = "every day" if days == "*" else ", ".join(day.title() for day in days.split(","))
    return f"{int(hour):02}:{int(minute):02} {zone}, {when}"


def refuse_asleep(deployment: Deployment) -> None:
    """Refuse to run anything while the database is stopped.

    Raises:
        OpsError: If the deployment is asleep.
    """
    if is_asleep(deployment):
        raise OpsError(
            "the deployment is asleep, and its database is stopped: `galv-ops wake` wakes it, in "
            "five to ten minutes"
        )
