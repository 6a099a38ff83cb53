"""The task that checks whether Galv reaches its database, S3 and mail."""

import re
import shlex
from collections.abc import Sequence
from typing import Literal

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from galv_constructs._core.acknowledge import acknowledge_wildcards
from galv_constructs._core.validation import is_token
from galv_constructs.tasks._release_run import ReleaseRun
from galv_constructs.tasks._stack_contents import contents_of_stack
from galv_constructs.tasks._task import Task
from galv_constructs.tasks.release_steps import check_command
from galv_constructs.tasks.runtime import TaskRuntime

_RUNS = ("off", "warn", "fail")
TASK_NAME = "check-status"


def backend_path(backend: Construct) -> str:
    """Path of a backend: the name of its stack, and its path there, in letters that names take."""
    stack = Stack.of(backend)
    path = backend.node.path.removeprefix(stack.node.path).strip("/")
    return f"{stack.stack_name}/{re.sub(r'[^A-Za-z0-9._/-]', '-', path)}"


def check_family(backend: str) -> str:
    """Family of the task definition that checks a backend.

    A role that is there before the stack can name it, and no other: no name of a stack has `_`.
    """
    return f"{re.sub(r'[./]', '_', backend)}_{TASK_NAME}"[-255:]


def check_role_path(backend: str) -> str:
    """Path of the two roles of that task, whose names CloudFormation generates."""
    return f"/{backend}/{TASK_NAME}/"


def check_status_check(run: object, command: object) -> None:
    """Check the arguments of `GalvBackend` that are about this task."""
    if run not in _RUNS:
        raise ValueError(f"check_status must be one of {', '.join(_RUNS)}, got {run!r}")
    if command is not None:
        check_command("check_status_command", command)


class StatusCheck(Construct):
    """A task definition to run by hand, and if asked for a run at the end of a deployment."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        command: Sequence[str],
        run: Literal["off", "warn", "fail"],
        after: Sequence[IDependable],
    ) -> None:
        super().__init__(scope, id)
        backend = backend_path(scope)
        self.task = Task(
            self,
            "Task",
            runtime=runtime,
            name=TASK_NAME,
            # The name of a nested stack is known when it is there: nothing can be named after it.
            family=None if is_token(backend) else check_family(backend),
            command=command,
            cpu=256,
            memory_limit_mib=1024,
        )
        let_list_buckets(self.task)
        # By their path a role for pipelines can be allowed to pass these two and no others.
        for role in (self.task.task_role, self.task.execution_role):
            resource = role.node.default_child
            assert isinstance(resource, iam.CfnRole)  # noqa: S101 - what an L2 role is made of
            resource.path = check_role_path(backend)
        if run != "off":
            release = ReleaseRun(
                self,
                "Run",
                task=self.task,
                command_text=shlex.join(command),
                timeout=Duration.minutes(5),
                on_failure=run,
                deployment=contents_of_stack(self),
            )
            release.resource.node.add_dependency(*after)


def let_list_buckets(task: Task) -> None:
    """Let a task see whether S3 answers, as `check_status` does."""
    task.task_definition.add_to_task_role_policy(
        iam.PolicyStatement(actions=["s3:ListAllMyBuckets"], resources=["*"])
    )
    acknowledge_wildcards(task.task_role, {"*": _LIST_BUCKETS})


_LIST_BUCKETS = (
    "The check lists buckets to see whether S3 answers; s3:ListAllMyBuckets has "
    "no resource-level permissions."
)
