"""A task of the deployment: its definition, where its log is, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from galv_ops.answers import why_stopped
from galv_ops.query.aws import Aws
from galv_ops.query.version import Version, version_of
from galv_ops.redact import redact
from galv_ops.text import one_line

if TYPE_CHECKING:
    from types_boto3_ecs.literals import AssignPublicIpType
    from types_boto3_ecs.type_defs import TaskTypeDef


_SPOT_TAG = "galv:spot"


@dataclass(frozen=True, kw_only=True)
class Network:
    """The cluster and the network of a task."""

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
    version: Version
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    log_group: str
    log_stream_prefix: str
    security_groups: Sequence[str]
    spot: bool = False
    """Whether single runs are for Fargate Spot."""
    in_service: bool = False
    """Whether a service keeps it running."""

    def log_stream(self, task_arn: str) -> str:
        """Return the log stream of one of its runs."""
        return f"{self.log_stream_prefix}/{self.name}/{short(task_arn)}"


def describe_task(aws: Aws, definition: str, security_groups: Sequence[str] = ()) -> Task:
    """Read a task definition, which does not say in which security groups it is to run."""
    described = aws.ecs.describe_task_definition(taskDefinition=definition, include=["TAGS"])
    answer = described["taskDefinition"]
    tags = {tag.get("key", ""): tag.get("value", "") for tag in described.get("tags", [])}
    # The main container is the first, and has the name of the task.
    container = answer.get("containerDefinitions", [])[0]
    options = container.get("logConfiguration", {}).get("options", {})
    return Task(
        name=container.get("name", ""),
        definition=definition,
        image=container.get("image", ""),
        version=version_of(container.get("image", ""), tags),
        command=container.get("command", []),
        environment={
            variable.get("name", ""): variable.get("value", "")
            for variable in container.get("environment", [])
        },
        secrets={secret["name"]: secret["valueFrom"] for secret in container.get("secrets", [])},
        log_group=options.get("awslogs-group", ""),
        log_stream_prefix=options.get("awslogs-stream-prefix", ""),
        security_groups=security_groups,
        spot=tags.get(_SPOT_TAG) == "true",
    )


def short(arn: str) -> str:
    """Return the last part of an ARN."""
    return arn.rpartition("/")[2]


def why_ended(found: TaskTypeDef, name: str) -> str:
    """Return what ECS says about the end of a task, in a line and without what is secret."""
    return redact(one_line(why_stopped(found, name)))
