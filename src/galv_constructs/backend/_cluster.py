"""The ECS cluster and the network of a backend's tasks."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.placement import check_place, vpc_of
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_construct, is_token
from galv_constructs.network import (
    GalvNetwork,
    IGalvNetwork,
    check_is_network,
    check_layout,
    check_task_ranges,
)


def check_network(
    scope: Construct,
    network: IGalvNetwork | None,
    cluster: ecs.ICluster | None,
    *,
    creates_database: bool,
    internet_facing: bool | None,
) -> ec2.IVpc | None:
    """Check that network and cluster are in one VPC, and have the subnets that are needed.

    `internet_facing` is that of the load balancer that is created; none if none is.

    Returns:
        The VPC that tasks run in; none for a new one.
    """
    if network is not None:
        check_is_network(network)
    check_construct(
        "cluster",
        cluster,
        "aws_ecs.ICluster",
        "ecs.Cluster.from_cluster_attributes(scope, id, cluster_name=…, vpc=…)",
    )
    cluster_vpc = None if cluster is None else vpc_of(cluster)
    if cluster is not None and cluster_vpc is None:
        raise ValueError(
            f"cluster ({cluster.node.path}) does not tell its VPC: import it with "
            "ecs.Cluster.from_cluster_attributes(scope, id, cluster_name=…, vpc=…)"
        )
    check_place(scope, "cluster", cluster)
    if network is None:
        if cluster_vpc is not None:
            layout = GalvNetwork.from_vpc(cluster_vpc)
            check_layout(
                "cluster",
                layout,
                creates_database=creates_database,
                internet_facing=internet_facing,
            )
            check_task_ranges("cluster", layout)
        return cluster_vpc
    check_place(scope, "network", network.vpc)
    check_layout(
        "network", network, creates_database=creates_database, internet_facing=internet_facing
    )
    check_task_ranges("network", network)
    if cluster_vpc is None:
        return network.vpc
    ids = (network.vpc.vpc_id, cluster_vpc.vpc_id)
    # A token and a literal may be the same VPC.
    if is_token(ids[0]) == is_token(ids[1]) and ids[0] != ids[1]:
        raise ValueError(
            f"network ({network.vpc.node.path}) and cluster ({cluster_vpc.node.path}) are in "
            "different VPCs: pass one of them alone, or a cluster in the network's VPC"
        )
    return network.vpc


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
        execute_command = None
        if policy.execute_command:
            audit_log = new_log_group(
                self,
                "ExecLogGroup",
                retention=policy.log_retention,
                removal_policy=policy.data_removal,
                encryption_key=encryption_key,
            )
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
            acknowledge(self, _NO_INSIGHTS)


_NO_INSIGHTS = {
    "AwsSolutions-ECS4": "Container Insights is off as asked for: it is billed by the metric, and "
    "the free service metrics remain."
}
