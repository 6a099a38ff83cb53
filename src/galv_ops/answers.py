"""Answers of AWS to the handlers in Lambda and to galv-ops: errors, and runs of ECS tasks.

`galv_constructs.handlers` has a link to this file, and an asset has a copy, which can import
nothing of galv_ops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

if TYPE_CHECKING:
    from collections.abc import Mapping

AWS_ERRORS = (aws.ClientError, aws.BotoCoreError)

# What RDS says of an instance or a cluster, by whatever API: that it is just started, stopped,
# backed up or changed; and that there is none.
DATABASE_BUSY = {
    "InvalidDBClusterStateFault",
    "InvalidDBInstanceState",
    "InvalidDBInstanceStateFault",
}
DATABASE_GONE = {"DBClusterNotFoundFault", "DBInstanceNotFound", "DBInstanceNotFoundFault"}


class NotStartedError(Exception):
    """ECS answered RunTask without a task; the text is ECS's reason."""


def error_code(error: object) -> str:
    """Return AWS's code of an error; empty if it is none of AWS's."""
    answer = error.response if isinstance(error, aws.ClientError) else {}
    return str(answer.get("Error", {}).get("Code", ""))


def start_task(
    ecs: Any,
    *,
    cluster: str,
    task_definition: str,
    network: Mapping[str, Any],
    started_by: str,
    spot: bool = False,
    **options: Any,
) -> str:
    """Start a task on Fargate and return its ARN.

    Args:
        ecs: The client.
        cluster: Where it runs.
        task_definition: Task definition of the run.
        network: Its subnets, security groups and public address, as ECS names them.
        started_by: The mark on the task.
        spot: Whether it runs on Fargate Spot.
        **options: More that RunTask takes.

    Raises:
        NotStartedError: If ECS did not start it.
    """
    # ECS takes one of the two.
    capacity: Mapping[str, Any] = (
        {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        if spot
        else {"launchType": "FARGATE"}
    )
    answer = ecs.run_task(
        cluster=cluster,
        taskDefinition=task_definition,
        count=1,
        startedBy=started_by,
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        networkConfiguration={"awsvpcConfiguration": network},
        **capacity,
        **options,
    )
    if not answer["tasks"]:
        reasons = (
            f"{failure.get('reason')} {failure.get('detail', '')}" for failure in answer["failures"]
        )
        raise NotStartedError(", ".join(reason.strip() for reason in reasons))
    return str(answer["tasks"][0]["taskArn"])


def tasks_of_family(ecs: Any, cluster: str, task_definition: str, status: str) -> list[Any]:
    """Return the tasks of a family that ECS still knows, whatever their revision.

    Args:
        ecs: The client.
        cluster: Where they ran.
        task_definition: ARN of any revision.
        status: `RUNNING` or `STOPPED`.
    """
    family = task_definition.rpartition("/")[2].partition(":")[0]
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, family=family, desiredStatus=status
    )
    return [
        task
        for page in pages
        # A page has at most 100, which is also what DescribeTasks takes; none is refused.
        if page["taskArns"]
        for task in ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
    ]


def container_of(task: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the container of that name; empty if ECS does not tell of it."""
    return next(
        (container for container in task.get("containers", []) if container.get("name") == name), {}
    )


def why_stopped(task: Mapping[str, Any], container: str) -> str:
    """Return what ECS says about the end of a task and of the container that counts.

    What runs beside it may end as it likes.
    """
    own = container_of(task, container)
    parts = (task.get("stopCode"), task.get("stoppedReason"), own.get("reason"))
    return "; ".join(dict.fromkeys(part for part in parts if part))
