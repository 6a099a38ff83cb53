"""What there is to see of a deployment that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from galv_constructs.ops.aws import EDGE_REGION
from galv_constructs.ops.deployment import Deployment
from galv_constructs.ops.errors import code_of
from galv_constructs.ops.events import Change, Failure, last_change
from galv_constructs.ops.log import tail
from galv_constructs.ops.output import moment
from galv_constructs.ops.parts.certificates import describe_certificates
from galv_constructs.ops.parts.web import describe_service
from galv_constructs.ops.run import why_stopped
from galv_constructs.ops.task import Task, describe_task
from galv_constructs.ops.tasks import exit_code, known_runs

if TYPE_CHECKING:
    from types_boto3_acm.type_defs import CertificateDetailTypeDef
    from types_boto3_elbv2.type_defs import TargetHealthDescriptionTypeDef

_TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
# Of each task: a service that cannot start leaves one every minute.
_STOPPED_TASKS = 3


@dataclass(frozen=True)
class Diagnosis:
    """A likely cause in plain words, what shows it, and what to do."""

    cause: str
    shown_by: Sequence[str]
    remedy: str


@dataclass(frozen=True)
class Stopped:
    """A task that has stopped."""

    task: Task
    when: str
    reason: str
    exit_code: int | None
    arn: str

    def __str__(self) -> str:
        """Return it in a line."""
        return f"{self.task.name}, {self.when}: {self.reason}"


class Evidence:
    """What AWS tells about a deployment, each thing asked for once and only if needed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    @cached_property
    def failures(self) -> list[Failure]:
        """What failed in the last change of each stack, oldest first."""
        found = [one for change in self._changes.values() for one in change.failures]
        return sorted(found, key=lambda one: one.when)

    @cached_property
    def stopped(self) -> list[Stopped]:
        """The newest runs of each task that stopped since the last change began."""
        if not self.deployment.has_backend:
            return []
        return [one for task in self.deployment.tasks.values() for one in self._stopped(task)]

    @cached_property
    def service_events(self) -> list[str]:
        """What ECS said about the web service since the last change began."""
        service = describe_service(self.deployment) if self.deployment.has_backend else None
        events = [] if service is None else service.get("events", [])
        return [
            one.get("message", "")
            for one in events
            if one.get("createdAt", self._began) >= self._began
        ]

    @cached_property
    def unhealthy_targets(self) -> list[TargetHealthDescriptionTypeDef]:
        """Web tasks that the load balancer does not send requests to."""
        groups = [one for _, one in self.deployment.resources(_TARGET_GROUP)]
        return [
            target
            for group in groups
            for target in self.deployment.aws.elbv2.describe_target_health(TargetGroupArn=group.id)[
                "TargetHealthDescriptions"
            ]
            if target.get("TargetHealth", {}).get("State") == "unhealthy"
        ]

    @cached_property
    def certificates(self) -> list[CertificateDetailTypeDef]:
        """The certificates of the deployment."""
        return describe_certificates(self.deployment)

    @cached_property
    def regions_without_bootstrap(self) -> list[str]:
        """Regions that CDK deploys to and that are not prepared for it."""
        deployment = self.deployment
        return [
            region
            for region in sorted({deployment.region, EDGE_REGION})
            if not self._is_bootstrapped(region)
        ]

    @property
    def account(self) -> str:
        """The account's number."""
        return self.deployment.stacks[0].id.split(":")[4]

    def reasons(self) -> Iterator[str]:
        """Yield all that AWS gives as reasons: of stopped tasks, of failures, of the service."""
        for stopped in self.stopped:
            yield str(stopped)
        for failure in self.failures:
            yield f"{failure.resource} ({failure.stack}): {failure.reason}"
        yield from self.service_events

    def log_tail(self, stopped: Stopped, limit: int = 20) -> list[str]:
        """Return the last lines that a stopped task wrote."""
        task = stopped.task
        return tail(self.deployment.aws, task.log_group, task.log_stream(stopped.arn), limit)

    def running_log(self, task: Task, limit: int = 100) -> list[str]:
        """Return the last lines that the newest run of a task wrote."""
        newest = next(iter(known_runs(self.deployment, task)), None)
        if newest is None:
            return []
        stream = task.log_stream(newest.get("taskArn", ""))
        return tail(self.deployment.aws, task.log_group, stream, limit)

    @cached_property
    def _changes(self) -> dict[str, Change]:
        return {stack.id: last_change(stack) for stack in self.deployment.stacks}

    @property
    def _began(self) -> datetime:
        """When the last change of the backend began: what was before it explains nothing."""
        began = self._changes[self.deployment.backend.id].began
        # Not every service counts in less than seconds.
        return began.replace(microsecond=0)

    def _stopped(self, task: Task) -> list[Stopped]:
        found = [
            one
            for one in known_runs(self.deployment, task)
            if one.get("lastStatus") == "STOPPED"
            and one.get("createdAt", self._began) >= self._began
        ]
        return [
            Stopped(
                task=self._as_it_ran(task, one.get("taskDefinitionArn", task.definition)),
                when=moment(one.get("stoppedAt")),
                reason=why_stopped(one),
                exit_code=exit_code(one, task.name),
                arn=one.get("taskArn", ""),
            )
            for one in found[:_STOPPED_TASKS]
        ]

    def _as_it_ran(self, task: Task, definition: str) -> Task:
        """Return the task of a revision that a rollback has replaced."""
        if definition == task.definition:
            return task
        return describe_task(self.deployment.aws, definition)

    def _is_bootstrapped(self, region: str) -> bool:
        # What CDK's templates ask for too; another qualifier has another name.
        names = [stack.parameters.get("BootstrapVersion", "") for stack in self.deployment.stacks]
        name = next((one for one in names if one.startswith("/")), _BOOTSTRAP_VERSION)
        ssm = self.deployment.aws.in_region(region).ssm
        try:
            ssm.get_parameter(Name=name)
        except ssm.exceptions.ClientError as error:
            if code_of(error) != "ParameterNotFound":
                raise
            return False
        return True
