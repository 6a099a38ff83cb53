"""The common part of the constructs that run one task."""

import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from galv_constructs.tasks._task import Task


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class TaskConstruct(Construct):
    """Shows the parts of its task, which its initializer creates."""

    _task: Task

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The task role."""
        return self._task.task_role.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        """Network connections of the task."""
        return self._task.connections

    @property
    def task_role(self) -> iam.IRole:
        """Role that the task runs with."""
        return self._task.task_role

    @property
    def task_definition(self) -> ecs.FargateTaskDefinition:
        """The task definition, which can be run by hand too."""
        return self._task.task_definition

    @property
    def security_group(self) -> ec2.ISecurityGroup:
        """Security group of the task."""
        return self._task.security_group

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group of the task."""
        return self._task.log_group
