"""The evidence that a failed deployment leaves in AWS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.errors import is_gone
from galv_ops.query.aws import EDGE_REGION
from galv_ops.query.certificates import certificate_arns, describe_certificate
from galv_ops.query.deployment import SERVICE, WEB, Deployment, describe_service
from galv_ops.query.events import Change, Failure, last_change
from galv_ops.query.log import tail
from galv_ops.query.task import Task, describe_task, why_ended
from galv_ops.query.tasks import exit_code, known_runs
from galv_ops.text import moment, one_line

if TYPE_CHECKING:
    from types_boto3_acm.type_defs import CertificateDetailTypeDef
    from types_boto3_elbv2.type_defs import TargetHealthDescriptionTypeDef

_TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
# Of each task: a service that cannot start leaves one every minute.
_STOPPED_TASKS = 3


@dataclass(frozen=True)
class Stopped:
    """A task that has stopped."""

    task: Task
    when: datetime
    reason: str
    exit_code: int | None
    arn: str
    started_by: str

    def __str__(self) -> str:
        """Return it in a line."""
        return f"{self.task.name}, {moment(self.when)}: {self.reason}"


# What a diagnosis explains, so that it is not told again.
Source = Failure | Stopped


@dataclass(frozen=True)
class Diagnosis:
    """A likely cause in plain words, what shows it, and what to do."""

    cause: str
    shown_by: Sequence[str]
    remedy: str
    sources: Sequence[Source] = ()
    is_now: bool = False
    """Whether it is so at this moment, and not at the time of its sources."""


@dataclass(frozen=True)
class Reason:
    """A reason that AWS gives for a failure, or an event of the web service."""

    text: str
    sources: Sequence[Source] = ()


class Evidence:
    """The answers of AWS about a deployment, each asked for once and only if needed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    @cached_property
    def failures(self) -> list[Failure]:
        """The failures in the last change of each stack, oldest first."""
        found = [failure for change in self._changes.values() for failure in change.failures]
        return sorted(found, key=lambda failure: failure.when)

    @cached_property
    def stopped(self) -> list[Stopped]:
        """The newest runs of each task that stopped since the last change began."""
        if not self.deployment.has_backend:
            return []
        return [
            stopped for task in self.deployment.tasks.values() for stopped in self._stopped(task)
        ]

    @cached_property
    def service_events(self) -> list[str]:
        """The events of the web service in ECS since the last change began."""
        service = describe_service(self.deployment) if self.deployment.has_backend else None
        events = [] if service is None else service.get("events", [])
        return [
            event.get("message", "")
            for event in events
            if event.get("createdAt", self._began) >= self._began
        ]

    @cached_property
    def unhealthy_targets(self) -> list[TargetHealthDescriptionTypeDef]:
        """Web tasks that the load balancer does not send requests to."""
        groups = [group for _, group in self.deployment.resources(_TARGET_GROUP)]
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
        """The certificates of the deployment, but for those that are gone."""
        found = (self._certificate(arn) for arn in certificate_arns(self.deployment))
        return [reason for reason in found if reason is not None]

    @cached_property
    def regions_without_bootstrap(self) -> list[str]:
        """Regions that CDK deploys to and that are not prepared for it."""
        deployment = self.deployment
        return [
            region
            for region in sorted({deployment.region, EDGE_REGION})
            if not self._is_bootstrapped(region)
        ]

    def reasons(self) -> Iterator[Reason]:
        """Yield all that AWS gives as reasons: of stopped tasks, of failures, of the service."""
        for stopped in self.stopped:
            yield Reason(str(stopped), [stopped, *self.failures_of(stopped)])
        for failure in self.failures:
            yield Reason(f"{failure.resource} ({failure.stack}): {failure.reason}", [failure])
        for event in self.service_events:
            yield Reason(event, self.service_failures)

    @property
    def service_failures(self) -> list[Failure]:
        """Failures of the web service in CloudFormation, which never say the cause."""
        return [
            failure
            for failure in self.failures
            if failure.type == SERVICE and self._is_web(failure)
        ]

    def failures_of(self, stopped: Stopped) -> list[Failure]:
        """Return what failed in CloudFormation because a task stopped."""
        if stopped.task.name == WEB:
            return self.service_failures
        return [
            failure for failure in self.failures if stopped.reason[:100] in one_line(failure.reason)
        ]

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

    def _certificate(self, arn: str) -> CertificateDetailTypeDef | None:
        try:
            return describe_certificate(self.deployment, arn)
        except ClientError as error:
            if not is_gone(error):
                raise
            return None

    def _is_web(self, failure: Failure) -> bool:
        return self.deployment.has_backend and failure.stack == self.deployment.backend.name

    def _stopped(self, task: Task) -> list[Stopped]:
        found = [
            run
            for run in known_runs(self.deployment, task)
            if run.get("lastStatus") == "STOPPED"
            and run.get("createdAt", self._began) >= self._began
        ]
        return [
            Stopped(
                task=self._as_it_ran(task, run.get("taskDefinitionArn", task.definition)),
                when=run.get("stoppedAt", self._began),
                reason=why_ended(run, task.name),
                exit_code=exit_code(run, task.name),
                arn=run.get("taskArn", ""),
                started_by=run.get("startedBy", ""),
            )
            for run in found[:_STOPPED_TASKS]
        ]

    def _as_it_ran(self, task: Task, definition: str) -> Task:
        """Return the task of a revision that a rollback has replaced."""
        if definition == task.definition:
            return task
        return describe_task(self.deployment.aws, definition)

    def _is_bootstrapped(self, region: str) -> bool:
        # What CDK's templates ask for too; another qualifier has another name.
        names = [stack.parameters.get("BootstrapVersion", "") for stack in self.deployment.stacks]
        name = next(
            (parameter for parameter in names if parameter.startswith("/")), _BOOTSTRAP_VERSION
        )
        try:
            self.deployment.aws.in_region(region).ssm.get_parameter(Name=name)
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            return False
        return True
