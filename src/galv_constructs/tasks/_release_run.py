"""Running a task to completion during a deployment."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import Construct

from galv_constructs._core.acknowledge import (
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
)
from galv_constructs._core.handler import (
    handled_resource,
    handler_function,
    handler_role,
    service_timeout,
)
from galv_constructs._core.logs import new_log_group
from galv_constructs.tasks._longest_run import bound_run
from galv_constructs.tasks._task import Task

# CloudFormation waits an hour for a custom resource, which has to answer before that.
LONGEST_TIMEOUT = timedelta(minutes=55)


class ReleaseRun(Construct):
    """A custom resource that succeeds when a task of its own has exited with 0."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        task: Task,
        command_text: str,
        timeout: Duration,
        on_failure: Literal["fail", "warn"] = "fail",
        deployment: str | None = None,
    ) -> None:
        """Define the run.

        Without `deployment` it is repeated when the task definition changes, otherwise also when
        that text does.
        """
        super().__init__(scope, id)
        self._task = task
        self._seconds = round(timeout.to_seconds())
        runtime = task.runtime
        bound_run(task, timeout)
        self.log_group = new_log_group(
            self,
            retention=runtime.log_retention,
            removal_policy=runtime.log_removal_policy,
            encryption_key=runtime.encryption_key,
        )
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        self.role = role = self._role()
        self.resource = handled_resource(
            self,
            resource_type="Custom::GalvReleaseTask",
            on_event=self._function("OnEvent", "on_event", role),
            is_complete=self._function("IsComplete", "is_complete", role),
            log_group=self.log_group,
            timeout=timeout,
            properties={
                **self._place,
                "TaskDefinition": task.task_definition.task_definition_arn,
                "Command": command_text,
                "OnFailure": on_failure,
                **({} if deployment is None else {"Deployment": deployment}),
            },
        )
        self.resource.node.add_dependency(*task.needed_to_run, *runtime.gates)

    @property
    def _place(self) -> dict[str, object]:
        """The settings of a run: cluster, network, log, and values to leave out of reasons."""
        task = self._task
        return {
            "Cluster": task.runtime.cluster.cluster_arn,
            "ContainerName": task.container.container_name,
            "Subnets": task.subnet_ids,
            "SecurityGroups": [task.security_group.security_group_id],
            "AssignPublicIp": task.assign_public_ip,
            "LogGroup": task.log_group.log_group_name,
            "LogStreamPrefix": task.name,
            # Names alone: the handlers may read no secret, and no reason may quote one.
            "SecretNames": task.secret_names,
        }

    def run_before(
        self, id: str, *, resource_type: str, properties: Mapping[str, object]
    ) -> CustomResource:
        """Let the same handlers do something before the run, which has as long as the run."""
        resource = CustomResource(
            self,
            id,
            resource_type=resource_type,
            service_token=self._service_token,
            service_timeout=service_timeout(self._seconds),
            properties={**properties, "TimeoutSeconds": str(self._seconds)},
        )
        self.resource.node.add_dependency(resource)
        return resource

    @property
    def _service_token(self) -> str:
        provider = self.node.find_child("Provider")
        assert isinstance(provider, cr.Provider)  # noqa: S101 - what a handled resource has
        return provider.service_token

    def run_when_replaced(
        self, id: str, *, resource_type: str, value: str, command: Sequence[str], command_text: str
    ) -> CustomResource:
        """Run another command in this task when a deployment has replaced a value by another.

        It runs for the old value at the very end, when nothing can go back to it; after a rollback
        for the new one. It is not run when the stack is deleted.
        """
        resource = CustomResource(
            self,
            id,
            resource_type=resource_type,
            service_token=self._service_token,
            service_timeout=Duration.minutes(15),
            properties={
                **self._place,
                # Not one revision: the old one may be gone by then.
                "TaskDefinition": self._task.task_definition.family,
                "Command": command_text,
                "CommandOverride": list(command),
                "RunWhenReplaced": value,
                "TimeoutSeconds": str(round(Duration.minutes(5).to_seconds())),
            },
        )
        # Deleted, and so run, while all that the task needs is there.
        resource.node.add_dependency(self.resource)
        return resource

    def _role(self) -> iam.Role:
        """The role of both handlers: just what they call."""
        task, stack = self._task, Stack.of(self)
        role = handler_role(self)
        self.log_group.grant_write(role)
        task.grant_run(role)
        streams = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{task.log_group.log_group_name}:log-stream:{task.name}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(iam.PolicyStatement(actions=["logs:GetLogEvents"], resources=[streams]))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[stack.stack_id]
            )
        )
        acknowledge_wildcards(role, {streams: _ANY_STREAM})
        return role

    def _function(self, id: str, entry: str, role: iam.Role) -> lambda_.Function:
        return handler_function(
            self,
            id,
            module="release_task",
            parts=["restore_point"],
            entry=entry,
            description=f"Release gate of {self._task.node.path}: {entry}",
            role=role,
            log_group=self.log_group,
            timeout=Duration.minutes(10),
        )


_ANY_STREAM = "A log stream is named after a task, whose id is not known before."
