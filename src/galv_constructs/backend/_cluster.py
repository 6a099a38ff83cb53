"""The ECS cluster that a backend makes when it is given none."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, log_group_findings
from galv_constructs._core.policy import DeploymentPolicy


class Cluster(Construct):
    """A cluster that records what is typed in ECS Exec shells."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        vpc: ec2.IVpc,
        policy: DeploymentPolicy,
        encryption_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, id)
        findings: dict[str, str] = {}
        execute_command = None
        if policy.execute_command:
            audit_log = logs.LogGroup(
                self,
                "ExecLogGroup",
                retention=policy.log_retention,
                removal_policy=policy.data_removal,
                encryption_key=encryption_key,
            )
            findings |= log_group_findings(encryption_key)
            execute_command = ecs.ExecuteCommandConfiguration(
                logging=ecs.ExecuteCommandLogging.OVERRIDE,
                log_configuration=ecs.ExecuteCommandLogConfiguration(
                    cloud_watch_log_group=audit_log,
                    cloud_watch_encryption_enabled=encryption_key is not None,
                ),
            )
        insights = (
            ecs.ContainerInsights.ENABLED
            if policy.container_insights
            else ecs.ContainerInsights.DISABLED
        )
        self.resource = ecs.Cluster(
            self,
            "Resource",
            vpc=vpc,
            container_insights_v2=insights,
            execute_command_configuration=execute_command,
        )
        if not policy.container_insights:
            findings["AwsSolutions-ECS4"] = (
                "Container Insights is off as asked for: it is billed by the metric, and the free "
                "service metrics remain."
            )
        if findings:
            acknowledge(self, findings)
