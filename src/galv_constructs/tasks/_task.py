"""One task of a `TaskRuntime`: its definition, roles, security group and log group."""

from collections.abc import Mapping, Sequence
from functools import cache

from aws_cdk import Duration, Fn, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct, IDependable

from galv_constructs._core.acknowledge import (
    OWN_POLICIES,
    acknowledge,
    acknowledge_wildcards,
    standards,
)
from galv_constructs._core.dependencies import set_dependency_roots
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.validation import is_token
from galv_constructs.images._image import ARCHITECTURES
from galv_constructs.network import selected_task_subnets
from galv_constructs.tasks._spot import offer_spot
from galv_constructs.tasks.runtime import TaskRuntime

LONGEST_STOP = 120
"""Seconds that Fargate waits at most for a container that it stops, before it kills it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
"""
_FAMILY_TAG = "galv:task-family"
# Says to those who start single runs that they are for Fargate Spot.
_SPOT_TAG = "galv:spot"
_PLATFORMS = {
    name: ecs.RuntimePlatform(
        cpu_architecture=ecs.CpuArchitecture.of(name),
        operating_system_family=ecs.OperatingSystemFamily.LINUX,
    )
    for name in ARCHITECTURES
}
# Once for all tasks, as each is a message to the process that CDK runs in.
_ANYONE = ec2.Peer.any_ipv4()
_tcp = cache(ec2.Port.tcp)
# Type of the metadata at a stack that says which log groups its tasks have.
_LOG_GROUP = "galv-constructs:taskLogGroup"


class Task(Construct):
    """A Fargate task definition with one container, and all that it needs to run."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        name: str,
        command: Sequence[str],
        cpu: int,
        memory_limit_mib: int,
        ephemeral_storage_gib: int | None = None,
        spot: bool = False,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        port: int | None = None,
        read_only: bool = True,
        init_process: bool = True,
        stop_timeout: Duration | None = None,
        family: str | None = None,
    ) -> None:
        _claim_name(scope, runtime, name)
        super().__init__(scope, id)
        self.name = name
        self.runtime = runtime
        self.spot = spot
        secrets = {**runtime.secrets, **(secrets or {})}
        self.secret_names = sorted(secrets)
        self.secret_arns = [secret.arn for secret in secrets.values()]
        self.log_group = new_log_group(
            self,
            name=f"{runtime.log_group_prefix}/{name}",
            retention=runtime.log_retention,
            removal_policy=runtime.log_removal_policy,
            encryption_key=runtime.encryption_key,
        )
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=runtime.network.vpc,
            description=f"Galv task {name}",
            allow_all_outbound=False,
        )
        self.connections = ec2.Connections(security_groups=[self.security_group])
        for egress_port in runtime.egress_ports:
            self.security_group.add_egress_rule(
                _ANYONE, _tcp(egress_port), f"To any address on {egress_port}"
            )

        read_only = read_only and runtime.writable_paths is not None
        mounts = [
            ecs.MountPoint(
                container_path=path,
                source_volume=path.strip("/").replace("/", "-"),
                read_only=False,
            )
            for path in (runtime.writable_paths or () if read_only else ())
        ]
        self.task_definition = ecs.FargateTaskDefinition(
            self,
            "TaskDefinition",
            family=family,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            runtime_platform=_PLATFORMS[runtime.architecture],
            volumes=[ecs.Volume(name=mount.source_volume) for mount in mounts],
        )
        # Single runs copy it, for what may stop them:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/control-access-with-tags.html
        for key, value in {**runtime.tags, _FAMILY_TAG: self.task_definition.family}.items():
            Tags.of(self.task_definition).add(
                key,
                value,
                include_resource_types=[ecs.CfnTaskDefinition.CFN_RESOURCE_TYPE_NAME],
            )
        if spot:
            offer_spot(runtime.cluster)
            Tags.of(self.task_definition).add(
                _SPOT_TAG,
                "true",
                include_resource_types=[ecs.CfnTaskDefinition.CFN_RESOURCE_TYPE_NAME],
            )
        self.task_role = self.task_definition.task_role
        self.container = self.task_definition.add_container(
            "Container",
            container_name=name,
            image=runtime.image,
            entry_point=None if runtime.entry_point is None else list(runtime.entry_point),
            command=list(command),
            user=runtime.user,
            environment={**runtime.environment, **(environment or {})},
            secrets=secrets,
            logging=ecs.LogDriver.aws_logs(log_group=self.log_group, stream_prefix=name),
            port_mappings=None if port is None else [ecs.PortMapping(container_port=port)],
            readonly_root_filesystem=read_only,
            # Process 1 ignores signals that it does not handle, and most commands handle none. "Run
            # an init process inside the container that forwards signals and reaps processes", which
            # the page excludes for no launch type, unlike other parameters:
            # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinuxParameters.html
            linux_parameters=ecs.LinuxParameters(self, "Linux", init_process_enabled=True)
            if init_process
            else None,
            # Of the two minutes' notice that Fargate Spot gives, a command gets all.
            stop_timeout=Duration.seconds(LONGEST_STOP)
            if spot and stop_timeout is None
            else stop_timeout,
        )
        self.container.add_mount_points(*mounts)
        if runtime.user is not None and mounts:
            self._open_volumes(mounts)
        self.execution_role = self.task_definition.obtain_execution_role()

        rules = self._connect(runtime.connects_to)
        for grant in runtime.grants:
            grant(self.task_role)
        if runtime.encryption_key is not None:
            # CDK says so in the policy of the key only, and cannot where the key is imported.
            runtime.encryption_key.grant_decrypt(self.execution_role)
        acknowledge(self, _FINDINGS)
        if isinstance(runtime.image, ecs.EcrImage):
            acknowledge_wildcards(self.execution_role, {"*": _ECR_SIGN_IN})
        # What nothing in the definition refers to, though the task fails without it. Not whole
        # security groups: their other rules may belong to what waits for this very task.
        needed = [self.task_role, self.execution_role, *rules]
        set_dependency_roots(self, lambda: needed)

    def _open_volumes(self, mounts: Sequence[ecs.MountPoint]) -> None:
        """Let any user write to volumes before the command starts, as `/tmp` is.

        "By default, the volume permissions are set to 0755 and the owner as root":
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/bind-mounts.html
        """
        volumes = self.task_definition.add_container(
            "Volumes",
            # Another name than the main container's, within the 255 characters that ECS takes.
            container_name=f"{self.name[:246]}-volumes",
            image=self.runtime.image,
            essential=False,
            user="0",
            entry_point=["chmod"],
            command=["1777", *(mount.container_path for mount in mounts)],
            logging=ecs.LogDriver.aws_logs(log_group=self.log_group, stream_prefix=self.name),
            readonly_root_filesystem=True,
        )
        volumes.add_mount_points(*mounts)
        self.container.add_container_dependencies(
            ecs.ContainerDependency(
                container=volumes, condition=ecs.ContainerDependencyCondition.SUCCESS
            )
        )

    @property
    def subnet_ids(self) -> list[str]:
        """Subnets that a single run is started in."""
        return selected_task_subnets(self.runtime.network).subnet_ids

    @property
    def assign_public_ip(self) -> str:
        """Whether a single run gets a public address, as ECS spells it."""
        return "ENABLED" if self.runtime.network.assign_public_ip else "DISABLED"

    @property
    def needed_to_run(self) -> list[IDependable]:
        """The constructs that have to exist before a run can do its work."""
        # The cluster with its capacity providers, which are still in use until runs have ended.
        capacity = [self.runtime.cluster] if self.spot else []
        return [self, *self.runtime.network.connectivity, *self.runtime.depends_on, *capacity]

    @property
    def run_command(self) -> str:
        """Shell command, of the AWS CLI, that runs the task once and follows its log."""
        region = Stack.of(self).region
        capacity = (
            "--capacity-provider-strategy capacityProvider=FARGATE_SPOT,weight=1"
            if self.spot
            else "--launch-type FARGATE"
        )
        return (
            f"aws ecs run-task --region {region} --cluster {self.runtime.cluster.cluster_name}"
            f" --task-definition {self.task_definition.family} {capacity}"
            " --network-configuration 'awsvpcConfiguration={"
            f"subnets=[{Fn.join(',', self.subnet_ids)}],"
            f"securityGroups=[{self.security_group.security_group_id}],"
            f"assignPublicIp={self.assign_public_ip}}}'"
            f" && aws logs tail --region {region} --follow {self.log_group.log_group_name}"
        )

    def grant_run(self, grantee: iam.IGrantable) -> None:
        """Let a role start, watch and stop runs of this task."""
        principal = grantee.grant_principal
        stack = Stack.of(self)
        definition, cluster = self.task_definition, self.runtime.cluster
        on_cluster = {"ArnEquals": {"ecs:cluster": cluster.cluster_arn}}
        tasks = stack.format_arn(
            service="ecs", resource="task", resource_name=f"{cluster.cluster_name}/*"
        )
        family = stack.format_arn(
            service="ecs", resource="task-definition", resource_name=f"{definition.family}:*"
        )
        for statement in (
            iam.PolicyStatement(actions=["ecs:RunTask"], resources=[family], conditions=on_cluster),
            iam.PolicyStatement(
                actions=["ecs:TagResource"],
                resources=[tasks],
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
            iam.PolicyStatement(actions=["ecs:DescribeTasks"], resources=[tasks]),
            iam.PolicyStatement(
                actions=["ecs:StopTask"],
                resources=[tasks],
                conditions={"StringEquals": {f"aws:ResourceTag/{_FAMILY_TAG}": definition.family}},
            ),
            # ListTasks knows no resource but a container instance, which Fargate has none of.
            iam.PolicyStatement(actions=["ecs:ListTasks"], resources=["*"], conditions=on_cluster),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.task_role.role_arn, self.execution_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
        ):
            principal.add_to_principal_policy(statement)
        if isinstance(principal, Construct):
            acknowledge_wildcards(
                principal, {tasks: _ANY_TASK, family: _ANY_REVISION, "*": _LIST_TASKS}
            )

    def _connect(self, others: Sequence[ec2.IConnectable]) -> list[IConstruct]:
        """Allow connections to others, and return the rules that do."""
        for other in others:
            self.connections.allow_to_default_port(other)
        own = self.security_group.security_group_id
        groups = [
            self.security_group,
            *(group for other in others for group in other.connections.security_groups),
        ]
        rules = [
            child
            for group in dict.fromkeys(groups)
            for child in group.node.children
            if (isinstance(child, ec2.CfnSecurityGroupEgress) and child.group_id == own)
            or (
                isinstance(child, ec2.CfnSecurityGroupIngress)
                and child.source_security_group_id == own
            )
        ]
        for rule in rules:
            if isinstance(rule, ec2.CfnSecurityGroupIngress) and is_token(rule.from_port):
                acknowledge(rule, _UNREADABLE_PORT)
        return list(rules)


_FINDINGS = OWN_POLICIES | {
    "AwsSolutions-ECS2": "The plain variables are names, addresses and switches; every "
    "password and key is injected from Secrets Manager."
}
_PORT_UNKNOWN = (
    "One task's security group alone is let in, on the port of the database, which the "
    "rule cannot read because RDS tells it only when it is created."
)
_UNREADABLE_PORT = standards(
    {"EC2RestrictedCommonPorts": _PORT_UNKNOWN, "EC2RestrictedSSH": _PORT_UNKNOWN}
)
_ECR_SIGN_IN = "ecr:GetAuthorizationToken has no resource-level permissions."
# In a role that runs the task.
_ANY_TASK = (
    "A task's id is not known before it runs: the cluster is named, and for "
    "ecs:StopTask a condition names the family."
)
_ANY_REVISION = "Every deployment creates a revision of this one family."
_LIST_TASKS = "ecs:ListTasks has no resource-level permissions; a condition names the cluster."


def _claim_name(scope: Construct, runtime: TaskRuntime, name: str) -> None:
    """Refuse a name that another task has, as both would have one log group."""
    stack = Stack.of(scope)
    log_group_name = f"{runtime.log_group_prefix}/{name}"
    if any(
        entry.type == _LOG_GROUP and entry.data == log_group_name for entry in stack.node.metadata
    ):
        raise ValueError(
            f"a task of this runtime is named {name!r} already, and log groups are named after "
            "tasks: pass another name="
        )
    stack.node.add_metadata(_LOG_GROUP, log_group_name)
