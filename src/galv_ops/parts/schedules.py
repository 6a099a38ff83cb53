"""The schedules and their last runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from galv_ops.parts.last_run import last_run
from galv_ops.parts.part import Part, told
from galv_ops.query.deployment import Deployment
from galv_ops.query.sleep import ASLEEP_MARK
from galv_ops.query.task import Task

_RUNS = "Runs"


def schedules(deployment: Deployment) -> Iterator[Part]:
    """Tell of each schedule when it is due and how its last run went."""
    stack = deployment.backend
    groups = {group.stem: group.id for group in stack.resources("AWS::Scheduler::ScheduleGroup")}
    logs = {log_group.stem: log_group.id for log_group in stack.resources("AWS::Logs::LogGroup")}
    for schedule in stack.resources("AWS::Scheduler::Schedule"):
        # <task>RunsSchedule, <task>RunsGroup, <task>RunsLogGroup, <task>TaskTaskDefinition
        runs = schedule.stem.removesuffix("Schedule")
        task = _task(deployment, runs.removesuffix(_RUNS))
        if task is None or f"{runs}Group" not in groups:
            continue
        name = schedule.id.rpartition("/")[2].rpartition("|")[2]
        failures = logs.get(f"{runs}LogGroup", "")
        yield told(
            task.name,
            partial(_schedule, deployment, task, groups[f"{runs}Group"], name, failures),
        )


def _schedule(deployment: Deployment, task: Task, group: str, name: str, failures: str) -> Part:
    answer = deployment.aws.scheduler.get_schedule(Name=name, GroupName=group)
    expression = answer.get("ScheduleExpression", "")
    enabled = answer.get("State") != "DISABLED"
    run = last_run(deployment, task, failures)
    last = run.text if run.state == "off" else f"last run {run.text}"
    return Part(
        task.name,
        run.state if enabled else "off",
        f"{_due(expression, answer.get('Description', ''), enabled=enabled)}; {last}",
        data={"schedule": expression, "enabled": enabled, **run.data},
    )


def _due(expression: str, description: str, *, enabled: bool) -> str:
    if enabled:
        return expression
    return f"{expression}, asleep" if description.endswith(ASLEEP_MARK) else "disabled by hand"


def _task(deployment: Deployment, stem: str) -> Task | None:
    definitions = {
        resource.stem: resource.id
        for resource in deployment.backend.resources("AWS::ECS::TaskDefinition")
    }
    arn = definitions.get(f"{stem}TaskTaskDefinition")
    return next((task for task in deployment.tasks.values() if task.definition == arn), None)
