"""Fargate Spot as a capacity provider of a cluster."""

from aws_cdk import aws_ecs as ecs

_ID = "CapacityProviders"
# The id that this library gives to the L2 construct within one of its own.
_RESOURCE = "Resource"


def offer_spot(cluster: ecs.ICluster) -> None:
    """Associate Fargate Spot with a cluster of the application; one that is imported stays.

    "Only capacity providers that are already associated with a cluster and have an ACTIVE or
    UPDATING status can be used in a capacity provider strategy":
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
    """
    if not isinstance(cluster, ecs.Cluster):
        return
    if cluster.node.id != _RESOURCE:
        cluster.enable_fargate_capacity_providers()
    elif cluster.node.try_find_child(_ID) is None:
        # CDK gives what it creates the id of the cluster, and within it its own resource has that.
        ecs.CfnClusterCapacityProviderAssociations(
            cluster,
            _ID,
            cluster=cluster.cluster_name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            default_capacity_provider_strategy=[],
        )
