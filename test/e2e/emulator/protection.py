"""Databases and load balancers that refuse to be deleted while their protection is on."""

from collections.abc import Callable
from functools import partial
from typing import Any

from e2e.emulator.private import alb, provisioners, rds
from e2e.emulator.types import Json


def _database(id: str) -> None:
    if rds.instances.get(id, {}).get("DeletionProtection"):
        raise ValueError(f"Cannot delete protected DB Instance {id}, please disable protection")


def _cluster(id: str) -> None:
    if rds.clusters.get(id, {}).get("DeletionProtection"):
        raise ValueError(f"Cannot delete protected Cluster {id}, please disable protection")


def _load_balancer(arn: str) -> None:
    attributes = {one["Key"]: one["Value"] for one in alb.lb_attrs.get(arn, [])}
    if attributes.get("deletion_protection.enabled") == "true":
        raise ValueError(f"Load balancer '{arn}' cannot be deleted: deletion protection is enabled")


def _guarded(check: Callable[[str], None], act: Any, id: str, properties: Json) -> Any:
    check(id)
    return act(id, properties)


def install() -> None:
    """Check before anything is deleted, and before a last snapshot is made."""
    for name, check, actions in (
        ("AWS::RDS::DBInstance", _database, ("delete", "snapshot")),
        ("AWS::RDS::DBCluster", _cluster, ("delete", "snapshot")),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", _load_balancer, ("delete",)),
    ):
        handler = provisioners.RESOURCE_HANDLERS[name]
        for action in actions:
            handler[action] = partial(_guarded, check, handler[action])
