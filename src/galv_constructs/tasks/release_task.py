"""A task that has to succeed before the rest of a deployment goes on."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from constructs import Construct

from galv_constructs._core.dependencies import set_dependency_roots
from galv_constructs._core.validation import check_duration
from galv_constructs.tasks._checks import check_task
from galv_constructs.tasks._release_run import LONGEST_TIMEOUT, ReleaseRun
from galv_constructs.tasks._task import Task
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.release_steps import (
    ReleaseStep,
    check_command,
    check_steps,
    shell_command,
)
from galv_constructs.tasks.runtime import TaskRuntime

_RESERVED = {"GALV_RELEASE_EVENT": "the deployment says in it whether it is a Create or an Update"}


class GalvReleaseTask(TaskConstruct):
    """Runs a task to completion in a deployment, and fails the deployment if the task fails.

    Defines a task definition with roles, a security group and a log group of its own, and a custom
    resource that runs it: at the first deployment, and again whenever the task definition changes
    (image, environment, command, size). What depends on this construct is created or updated only
    after the task has exited with 0.

    When the task fails, cannot start or hangs, the deployment fails and CloudFormation rolls it
    back; the reason says the command, the exit code, the last lines of the log and where the log
    is. During a rollback, and when the stack is deleted, nothing is run.

    It never runs on Fargate Spot, which AWS may stop in the middle: a migration would be cut off,
    and the deployment fail.

    As an `iam.IGrantable` it is the task role, as an `ec2.IConnectable` the task's security group.

    Costs nothing while no deployment runs.

    Example:
        ```python
        reindex = GalvReleaseTask(
            self, "Reindex", runtime=backend.runtime, command=["python", "manage.py", "reindex"]
        )
        search_service.node.add_dependency(reindex)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        command: Sequence[str] | None = None,
        steps: Sequence[ReleaseStep] | None = None,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int = 512,
        memory_limit_mib: int = 1024,
        ephemeral_storage_gib: int | None = None,
        timeout: Duration | None = None,
    ) -> None:
        """Define the task and its run.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            runtime: Image, environment, secrets, network and logs, such as `backend.runtime`.
            command: Program and arguments. Give either this or `steps`.
            steps: Commands that run one after another in one container, which needs `sh`. The
                first that fails ends the task with its exit code.
            name: Name of the container, the log group and the log stream. Default: `id` in lower
                case, with dashes.
            environment: Variables in addition to those of `runtime`. Default: none.
            secrets: Variables from Secrets Manager in addition to those of `runtime`.
                Default: none.
            cpu: CPU units; 1024 is one vCPU. Default: 512.
            memory_limit_mib: Memory in MiB. Default: 1024.
            ephemeral_storage_gib: Disk of a run in GiB, from 21 to 200. Default: 20 GiB, which
                Fargate charges nothing for.
            timeout: How long the task may take, from 1 to 55 minutes; CloudFormation waits an
                hour. A task that takes longer is stopped, and the deployment fails.
                Default: 15 minutes.

        Raises:
            ValueError: If an argument is malformed or out of range, or not exactly one of
                `command` and `steps` is given.
        """
        name = check_task(
            scope,
            id,
            runtime=runtime,
            name=name,
            environment=environment,
            secrets=secrets,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            reserved=_RESERVED,
        )
        check_duration("timeout", timeout, timedelta(minutes=1), LONGEST_TIMEOUT)
        if (command is None) == (steps is None):
            raise ValueError(
                "exactly one of command and steps must be given: command for one program, steps "
                "for several that run one after another"
            )
        if command is not None:
            check_command("command", command)
            text = shlex.join(command)
        else:
            check_steps("steps", steps)
            command = shell_command(steps or ())
            text = f"steps {', '.join(step.name for step in steps or ())}"
        super().__init__(scope, id)
        self._task = Task(
            self,
            "Task",
            runtime=runtime,
            name=name,
            command=command,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            environment=environment,
            secrets=secrets,
        )
        self._run = ReleaseRun(
            self,
            "Run",
            task=self._task,
            command_text=text,
            timeout=Duration.minutes(15) if timeout is None else timeout,
        )
        set_dependency_roots(self, lambda: [self._run.resource])

    @property
    def run_log_group(self) -> logs.ILogGroup:
        """Log group of what starts and watches the task."""
        return self._run.log_group

    @property
    def resource(self) -> CustomResource:
        """The custom resource that stands for a successful run."""
        return self._run.resource
