"""The cheapest shapes of Galv, each defined with the constructs of the library."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from example import CONTEXT
from prices import Costs, monthly_costs
from shapes import read_stacks

# Before jsii loads CDK: the templates are only read here.
os.environ["CDK_VALIDATION"] = "false"

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53

from galv_constructs import (
    GalvBackend,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvLoadBalancer,
    GalvMail,
    GalvNetwork,
    NetworkPreset,
)

LABORATORIES = 10
"""How many laboratories share what the account has once."""

_ENVIRONMENT = Environment(account="111122223333", region="us-east-1")
_DOMAIN = "example.com"
# Enough for the connections of 10 laboratories with two web tasks each.
_SHARED_SIZE = "t4g.medium"


@dataclass(frozen=True)
class Shape:
    """A shape: how its stacks are added to an app, and which of them it is charged for."""

    define: Callable[[App], object]
    stacks: tuple[str, ...] = ("Galv",)
    shared: Mapping[str, float] = field(default_factory=dict)
    """Stacks of which it is charged a share."""


def _stack(app: App, name: str) -> Stack:
    return Stack(app, name, env=_ENVIRONMENT)


def _backend(stack: Stack, name: str, **settings: Any) -> GalvBackend:
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789ABCDEFGHIJ", zone_name=_DOMAIN
    )
    return GalvBackend(
        stack,
        "Backend",
        domain_name=f"{name}.{_DOMAIN}",
        hosted_zone=zone,
        mail=GalvMail(stack, "Mail", sender=f"{name}@mail.{name}.{_DOMAIN}", hosted_zone=zone),
        **{"version": "v2.11.4", **settings},
    )


def _alone(app: App, **settings: Any) -> None:
    """One deployment with nothing around it, in public subnets and outside of production."""
    stack = _stack(app, "Galv")
    network = GalvNetwork(stack, "Network", preset=NetworkPreset.PUBLIC)
    _backend(stack, "trial", network=network, production=False, **settings)


def _shared(app: App, *, size: str) -> dict[str, Any]:
    """What stages and laboratories share, as arguments of a backend."""
    stack = _stack(app, "Platform")
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789ABCDEFGHIJ", zone_name=_DOMAIN
    )
    network = GalvNetwork(stack, "Network")
    return {
        "network": network,
        "cluster": ecs.Cluster(stack, "Cluster", vpc=network.vpc),
        "load_balancer": GalvLoadBalancer(
            stack,
            "LoadBalancer",
            network=network,
            domain_name=f"*.{_DOMAIN}",
            hosted_zone=zone,
        ),
        "database": GalvDatabase(
            stack, "Database", network=network, instance_type=ec2.InstanceType(size)
        ),
    }


def _stage(app: App, *, own_database: bool, **settings: Any) -> None:
    """A stage beside production, which has the load balancer, the network and the cluster."""
    shared = _shared(app, size="t4g.micro")
    server = shared.pop("database")
    database = GalvDatabase if own_database else server.add_database("stage")
    _backend(
        _stack(app, "Galv"), "stage", **shared, database=database, production=False, **settings
    )


def _laboratory(app: App, **settings: Any) -> None:
    """One of several laboratories, each with a database of the same server."""
    shared = _shared(app, size=_SHARED_SIZE)
    database = shared.pop("database").add_database("laboratory")
    _backend(_stack(app, "Galv"), "lab", **shared, database=database, max_tasks=2, **settings)


_TENTH = {"Platform": 1 / LABORATORIES}
SHAPES: dict[str, Shape] = {
    "trial": Shape(_alone),
    "trial, without a WAF": Shape(partial(_alone, web_acl=False)),
    "trial, without a WAF, on Fargate Spot": Shape(partial(_alone, web_acl=False, spot=True)),
    "trial, image for ARM64": Shape(
        partial(
            _alone,
            architecture="ARM64",
            image=ecs.ContainerImage.from_registry("registry.example.com/galv:v2.11.4"),
            version=None,
        )
    ),
    "trial, Aurora Serverless v2": Shape(partial(_alone, database=GalvDatabaseCluster)),
    "trial, Aurora Serverless v2, paused": Shape(
        partial(_alone, database=partial(GalvDatabaseCluster, min_capacity=0))
    ),
    "stage on a shared load balancer": Shape(partial(_stage, own_database=True)),
    "stage on a shared load balancer, on Fargate Spot": Shape(
        partial(_stage, own_database=True, spot=True)
    ),
    "stage on a shared load balancer, with a database of a shared server": Shape(
        partial(_stage, own_database=False)
    ),
    "tenth laboratory in the account": Shape(_laboratory),
    "the same, with a tenth of what all share": Shape(_laboratory, shared=_TENTH),
}


def cheapest_costs() -> dict[str, Costs]:
    """Return the costs of each of the cheapest shapes."""
    return {name: _costs(shape) for name, shape in SHAPES.items()}


def _costs(shape: Shape) -> Costs:
    app = App(
        context={
            # For its feature flags; its keys are read by nobody here.
            **CONTEXT,
            "aws:cdk:bundling-stacks": [],
            f"availability-zones:account={_ENVIRONMENT.account}:region={_ENVIRONMENT.region}": [
                "us-east-1a",
                "us-east-1b",
            ],
        }
    )
    shape.define(app)
    templates = {one.name: one.template for one in read_stacks(Path(app.synth().directory))}
    costs = monthly_costs(templates[name] for name in shape.stacks)
    for name, part in shape.shared.items():
        for item, cost in monthly_costs([templates[name]]).items():
            costs[item] = costs.get(item, 0) + part * cost
    return costs


if __name__ == "__main__":
    for name, costs in cheapest_costs().items():
        print(f"{sum(costs.values()):7.2f}  {name}", {k: round(v, 2) for k, v in costs.items()})
