"""A task that runs when somebody asks for it."""

from collections.abc import Mapping, Sequence

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs.tasks._checks import check_task
from galv_constructs.tasks._task import Task
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.release_steps import check_command
from galv_constructs.tasks.runtime import TaskRuntime


class GalvTask(TaskConstruct):
    """A task that is ready to be run: by a person, a program or a pipeline.

    Defines a task definition with roles, a security group and a log group of its own. Nothing runs
    it in a deployment: that is a `GalvReleaseTask`, and on a schedule a `GalvScheduledTask`.

    Run it with `galv-ops run` and the name of the task, with `run_command`, with *Run new task* in
    the console of ECS, or from code that `grant_run` lets do so.

    As an `iam.IGrantable` it is the task role, as an `ec2.IConnectable` the task's security group.

    Costs nothing until it runs.

    Example:
        ```python
        export = GalvTask(
            self, "Export", runtime=backend.runtime, command=["python", "manage.py", "export"]
        )
        exports_bucket.grant_write(export)
        export.grant_run(backend)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        command: Sequence[str],
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int = 256,
        memory_limit_mib: int = 1024,
        ephemeral_storage_gib: int | None = None,
        spot: bool = False,
    ) -> None:
        """Define the task.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            runtime: Image, environment, secrets, network and logs, such as `backend.runtime`.
            command: Program and arguments. A run may be given others.
            name: Name of the container, the log group and the log stream, and what `galv-ops run`
                takes. Default: `id` in lower case, with dashes.
            environment: Variables in addition to those of `runtime`. Default: none.
            secrets: Variables from Secrets Manager in addition to those of `runtime`.
                Default: none.
            cpu: CPU units; 1024 is one vCPU. Default: 256.
            memory_limit_mib: Memory in MiB. Default: 1024.
            ephemeral_storage_gib: Disk of a run in GiB, from 21 to 200. Default: 20 GiB, which
                Fargate charges nothing for.
            spot: Whether `run_command` and `galv-ops run` use Fargate Spot, for up to 70% less. AWS
                may stop a run with two minutes' notice, and may have no room for one. The cluster
                is told to offer it; a cluster that was imported has to offer it already.
                Default: false.

        Raises:
            ValueError: If an argument is malformed or out of range.
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
            spot=spot,
        )
        check_command("command", command)
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
            spot=spot,
            environment=environment,
            secrets=secrets,
        )

    @property
    def run_command(self) -> str:
        """Shell command, of the AWS CLI, that runs the task once and follows its log."""
        return self._task.run_command

    def grant_run(self, grantee: iam.IGrantable) -> None:
        """Let a role start runs of this task, watch them and stop them.

        A run may be given another command, so that the role gets what the task may do and read:
        IAM has no condition on that.

        Args:
            grantee: Function, task or role. Its code calls RunTask with the cluster, the subnets
                and the security group of this task, and with `propagateTags="TASK_DEFINITION"`:
                it may stop the runs that have the tags of this task.
        """
        self._task.grant_run(grantee)
