"""Running a task to completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import TYPE_CHECKING, Protocol

from galv_ops.answers import AWS_ERRORS, NotStartedError, start_task
from galv_ops.errors import TIMED_OUT, OpsError
from galv_ops.query.deployment import Deployment
from galv_ops.query.log import Tail
from galv_ops.query.sleep import refuse_asleep
from galv_ops.query.task import Task, short, why_ended
from galv_ops.query.tasks import exit_code
from galv_ops.text import count, one_line

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ContainerOverrideTypeDef, TaskTypeDef

STARTED_BY = "galv-ops"
_POLL_SECONDS = 2
# How long a log must be quiet after the end of its task: CloudWatch shows lines some seconds late.
_QUIET_SECONDS = 2


class Progress(Protocol):
    """Tells how a run goes."""

    def __call__(self, text: str, *, passing: bool = False) -> None:
        """Tell it; what is `passing` is no change."""


@dataclass
class Outcome:
    """The end of a run."""

    task: str
    exit_code: int
    seconds: int
    lines: list[str] = field(default_factory=list)


def run_task(
    deployment: Deployment,
    task: Task,
    *,
    command: Sequence[str] | None,
    environment: Mapping[str, str] | None = None,
    timeout_minutes: int,
    show: Callable[[str], None],
    progress: Progress,
) -> Outcome:
    """Run a task until it has ended, and show its log meanwhile.

    Args:
        deployment: Where it runs.
        task: Task to run.
        command: Command instead of the task's own.
        environment: Variables in addition to the task's own.
        timeout_minutes: After which it is stopped.
        show: Called with each line of its log.
        progress: Called with how it goes.

    Raises:
        OpsError: If the deployment is asleep, or the task was not started, never began, or was
            stopped.
    """
    refuse_asleep(deployment)
    aws, network = deployment.aws, deployment.network(task)
    override: ContainerOverrideTypeDef = {"name": task.name}
    if command is not None:
        override["command"] = list(command)
    if environment:
        override["environment"] = [{"name": n, "value": v} for n, v in environment.items()]
    try:
        arn = start_task(
            aws.ecs,
            cluster=network.cluster,
            task_definition=task.definition,
            network={
                "subnets": list(network.subnets),
                "securityGroups": list(network.security_groups),
                "assignPublicIp": network.assign_public_ip,
            },
            started_by=STARTED_BY,
            # A command in the image of a service is somebody's, who waits for it.
            spot=task.spot and not task.in_service,
            overrides={"containerOverrides": [override]},
        )
    except NotStartedError as error:
        raise OpsError(one_line(f"ECS did not start {task.name}: {error}")) from error
    run = _Run(deployment, task, network.cluster, arn)
    progress(f"{task.name}: started task {run.id}")
    try:
        return run.watch(timeout_minutes, show, progress)
    except (KeyboardInterrupt, *AWS_ERRORS):
        progress(
            f"{task.name}: task {run.id} goes on; to stop it: aws ecs stop-task --cluster "
            f"{network.cluster} --task {run.id} --region {aws.region}"
        )
        raise


class _Run:
    def __init__(self, deployment: Deployment, task: Task, cluster: str, arn: str) -> None:
        self._ecs = deployment.aws.ecs
        self._cluster = cluster
        self._task = task
        self._arn = arn
        self.id = short(arn)
        self._log = Tail(deployment.aws, task.log_group, task.log_stream(arn))
        self._lines: list[str] = []

    def watch(
        self, timeout_minutes: int, show: Callable[[str], None], progress: Progress
    ) -> Outcome:
        began, status = monotonic(), ""
        while True:
            found = self._describe()
            self._show(show)
            before, status = status, found.get("lastStatus", "")
            passed = f"{monotonic() - began:.0f} s"
            progress(f"{self._task.name}: {status} after {passed}", passing=status == before)
            if status == "STOPPED":
                break
            if monotonic() - began > timeout_minutes * 60:
                limit = count(timeout_minutes, "minute")
                reason = f"Not done after {limit}"
                self._ecs.stop_task(cluster=self._cluster, task=self._arn, reason=reason)
                raise OpsError(
                    f"{self._task.name} was stopped: not done after {limit}; pass --timeout for "
                    "more",
                    TIMED_OUT,
                )
            sleep(_POLL_SECONDS)
        quiet = 0
        while quiet < _QUIET_SECONDS:
            sleep(1)
            quiet = 0 if self._show(show) else quiet + 1
        return Outcome(self.id, self._exit_code(found), round(monotonic() - began), self._lines)

    def _describe(self) -> TaskTypeDef:
        tasks = self._ecs.describe_tasks(cluster=self._cluster, tasks=[self._arn])["tasks"]
        # ECS may not know a task in its first moment.
        return tasks[0] if tasks else {"lastStatus": "PROVISIONING"}

    def _show(self, show: Callable[[str], None]) -> int:
        lines = self._log.more()
        self._lines += lines
        for line in lines:
            show(line)
        return len(lines)

    def _exit_code(self, found: TaskTypeDef) -> int:
        name = self._task.name
        code = exit_code(found, name)
        if code is None:
            raise OpsError(f"{name} never ran: {why_ended(found, name)}")
        return code
