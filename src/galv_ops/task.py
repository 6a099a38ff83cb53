"""A task of the deployment: its definition, where its log is, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from galv_ops.aws import Aws

if TYPE_CHECKING:
    from types_boto3_ecs.literals import AssignPublicIpType


@dataclass(frozen=True, kw_only=True)
class Network:
    """Where a task runs."""

    cluster: str
    subnets: Sequence[str]
    security_groups: Sequence[str]
    assign_public_ip: AssignPublicIpType


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task definition of the deployment."""

    name: str
    definition: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    log_group: str
    log_stream_prefix: str
    security_groups: Sequence[str]

    @property
    def family(self) -> str:
        """The task definition without its revision."""
        return self.definition.rpartition("/")[2].partition(":")[0]

    def log_stream(self, task_arn: str) -> str:
        """Return the log stream of one of its runs."""
        return f"{self.log_stream_prefix}/{self.name}/{short(task_arn)}"


def describe_task(aws: Aws, definition: str, security_groups: Sequence[str] = ()) -> Task:
    """Read a task definition, which does not say in which security groups it is to run."""
    answer = aws.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
    # The main container is the first, and has the name of the task.
    container = answer.get("containerDefinitions", [])[0]
    options = container.get("logConfiguration", {}).get("options", {})
    return Task(
        name=container.get("name", ""),
        definition=definition,
        image=container.get("image", ""),
        command=container.get("command", []),
        environment={
            one.get("name", ""): one.get("value", "") for one in container.get("environment", [])
        },
        secrets={one["name"]: one["valueFrom"] for one in container.get("secrets", [])},
        log_group=options.get("awslogs-group", ""),
        log_stream_prefix=options.get("awslogs-stream-prefix", ""),
        security_groups=security_groups,
    )


def short(arn: str) -> str:
    """Return the last part of an ARN."""
    return arn.rpartition("/")[2]
