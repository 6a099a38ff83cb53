"""Tasks that run or have run: ECS tells of stopped ones for about an hour."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from galv_ops.answers import container_of, error_code, tasks_of_family
from galv_ops.query.deployment import Deployment
from galv_ops.query.task import Task

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import TaskTypeDef

_GONE = {"ClusterNotFoundException", "InvalidParameterException"}


def known_runs(deployment: Deployment, task: Task) -> list[TaskTypeDef]:
    """Return the runs of a task that ECS still knows, newest first, but for one-off commands."""
    cluster = deployment.cluster
    if cluster is None:
        return []
    found: list[TaskTypeDef] = []
    try:
        for status in ("RUNNING", "STOPPED"):
            found += tasks_of_family(deployment.aws.ecs, cluster, task.definition, status)
    except ClientError as error:
        # Rolled back with the first deployment.
        if error_code(error) not in _GONE:
            raise
    runs = (run for run in found if not _is_one_off(run))
    return sorted(runs, key=_created, reverse=True)


def running(deployment: Deployment, task: Task) -> list[TaskTypeDef]:
    """Return the runs of a task that are going on, newest first."""
    found = known_runs(deployment, task)
    return [run for run in found if run.get("lastStatus") != "STOPPED"]


def exit_code(task: TaskTypeDef, name: str) -> int | None:
    """Return the exit code of the container of that name; none if it never ran."""
    return container_of(task, name).get("exitCode")


def _is_one_off(found: TaskTypeDef) -> bool:
    overrides = found.get("overrides", {}).get("containerOverrides", [])
    return any(override.get("command") for override in overrides)


def _created(task: TaskTypeDef) -> datetime:
    return task.get("createdAt", datetime.min.replace(tzinfo=timezone.utc))
