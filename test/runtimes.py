"""Runtimes of tasks that have nothing to do with Galv."""

from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from templates import Json

from galv_constructs import GalvNetwork, TaskRuntime


def runtime_in(stack: Stack, **overrides: Any) -> TaskRuntime:
    """A runtime with a cluster of the stack."""
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
    return _runtime(ecs.Cluster(stack, "Cluster", vpc=vpc), overrides)


def given_runtime(stack: Stack, **overrides: Any) -> TaskRuntime:
    """A runtime that adds nothing to the stack: its cluster is imported."""
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["a", "b"],
        private_subnet_ids=["subnet-1", "subnet-2"],
    )
    cluster = ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="c", vpc=vpc)
    return _runtime(cluster, overrides)


def _runtime(cluster: ecs.ICluster, overrides: Json) -> TaskRuntime:
    arguments: Json = {
        "cluster": cluster,
        "network": GalvNetwork.from_vpc(cluster.vpc),
        "image": ecs.ContainerImage.from_registry("reports:1.4.2"),
        "log_group_prefix": "/reports",
        **overrides,
    }
    return TaskRuntime(**arguments)
