"""How often tasks of the application start, as far as their schedules say."""

import re

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_scheduler as scheduler
from constructs import IConstruct

from galv_constructs.tasks.scheduled_task import GalvScheduledTask

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
# One that starts several times an hour: `*`, or a step as in `0/5`.
_CRON = re.compile(r"cron\((?:\*|(?:\*|\d+)/(\d+)) .*")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def frequent_tasks(root: IConstruct, peer: ec2.Connections, seconds: float) -> list[str]:
    """Return the paths of the tasks that connect to a peer so often, or more often."""
    return sorted(
        child.node.path
        for child in root.node.find_all()
        if isinstance(child, GalvScheduledTask)
        and any(one is peer for one in child._task.runtime.connects_to)  # noqa: SLF001 - of this wing
        and _interval(child) <= seconds
    )


def _interval(task: GalvScheduledTask) -> float:
    """Return the seconds between two runs, where they are the same all the time."""
    resource = None if task.schedule is None else task.schedule.node.default_child
    if not isinstance(resource, scheduler.CfnSchedule):
        return float("inf")
    expression = resource.schedule_expression
    rate, cron = _RATE.fullmatch(expression), _CRON.fullmatch(expression)
    if rate is not None:
        return int(rate[1]) * _SECONDS[rate[2]]
    return float("inf") if cron is None else 60 * int(cron[1] or 1)
