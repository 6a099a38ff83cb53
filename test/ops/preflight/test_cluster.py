"""Clusters of ECS as moto has them."""

from __future__ import annotations

import boto3
import pytest

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

SPOT = ["FARGATE", "FARGATE_SPOT"]


@pytest.fixture
def cluster(world: World) -> str:
    """The name of a cluster that offers Fargate Spot."""
    boto3.client("ecs").create_cluster(clusterName="shared", capacityProviders=SPOT)
    return "shared"


def asked(world: World, name: str, *providers: str) -> list[Finding]:
    question = {"Ask": "cluster", "Cluster": name, "CapacityProviders": providers}
    return ask({"Backend/Cluster": question}, world, 20)


def test_one_that_offers_spot(world: World, cluster: str) -> None:
    assert asked(world, cluster, "FARGATE_SPOT") == []


def test_one_that_does_not(world: World) -> None:
    boto3.client("ecs").create_cluster(clusterName="shared", capacityProviders=["FARGATE"])

    (found,) = asked(world, "shared", "FARGATE_SPOT")

    assert found.severity == "error"
    assert found.wrong == "the cluster shared does not offer FARGATE_SPOT"
    assert found.found == "it offers FARGATE"
    assert "--capacity-providers FARGATE FARGATE_SPOT " in found.fix


def test_one_that_is_not_there(world: World) -> None:
    (found,) = asked(world, "other", "FARGATE_SPOT")

    assert found.wrong == "the cluster other does not exist"


def test_one_that_was_deleted(world: World, cluster: str) -> None:
    boto3.client("ecs").delete_cluster(cluster=cluster)

    (found,) = asked(world, cluster, "FARGATE_SPOT")

    assert found.wrong == "the cluster shared does not exist"
