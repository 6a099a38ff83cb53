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
    AwakeHours,
    GalvBackend,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvLoadBalancer,
    GalvMail,
    GalvNetwork,
    GalvSleep,
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

    awake: AwakeHours | None = None
    """When it is awake, if it sleeps."""


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


def _alone(app: App, *, awake: AwakeHours | None = None, **settings: Any) -> None:
    """One deployment with nothing around it, in public subnets and outside of production."""
    stack = _stack(app, "Galv")
    network = GalvNetwork(stack, "Network", preset=NetworkPreset.PUBLIC)
    trial = _backend(stack, "trial", network=network, production=False, **settings)
    _let_sleep(stack, trial, awake)


def _let_sleep(stack: Stack, backend: GalvBackend, awake: AwakeHours | None) -> None:
    if awake is not None:
        GalvSleep(stack, "Sleep", sleepers=[backend], awake=awake)


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


def _stage(
    app: App, *, own_database: bool, awake: AwakeHours | None = None, **settings: Any
) -> None:
    """A stage beside production, which has the load balancer, the network and the cluster."""
    shared = _shared(app, size="t4g.micro")
    server = shared.pop("database")
    database = GalvDatabase if own_database else server.add_database("stage")
    stack = _stack(app, "Galv")
    stage = _backend(stack, "stage", **shared, database=database, production=False, **settings)
    _let_sleep(stack, stage, awake)


def _laboratory(app: App, **settings: Any) -> None:
    """One of several laboratories, each with a database of the same server."""
    shared = _shared(app, size=_SHARED_SIZE)
    database = shared.pop("database").add_database("laboratory")
    _backend(_stack(app, "Galv"), "lab", **shared, database=database, max_tasks=2, **settings)


def _sleeping(define: Callable[..., object], awake: AwakeHours, **settings: Any) -> Shape:
    return Shape(partial(define, awake=awake, **settings), awake=awake)


def share_of_week(awake: AwakeHours | None) -> float:
    """Return for which part of a week a deployment is awake."""
    if awake is None:
        return 1
    _, _, _, _, days, _ = awake.wake_schedule.expression_string.split()
    begin, end = (
        int(hour) + int(minute) / 60
        for hour, minute in (time.split(":") for time in (awake.start, awake.end))
    )
    return len(days.split(",")) * (end - begin) / (7 * 24)


_TWELVE = AwakeHours(days="Mon-Fri", start="07:00", end="19:00")
_TEN = AwakeHours(days="Mon-Fri", start="08:00", end="18:00")
_TENTH = {"Platform": 1 / LABORATORIES}
SHAPES: dict[str, Shape] = {
    "trial": Shape(_alone),
    "trial that sleeps, awake for 12 hours on weekdays": _sleeping(_alone, _TWELVE),
    "the same, on Fargate Spot": _sleeping(_alone, _TWELVE, spot=True),
    "the same, without a WAF": _sleeping(_alone, _TWELVE, web_acl=False),
    "the same, without a WAF, on Fargate Spot": _sleeping(
        _alone, _TWELVE, web_acl=False, spot=True
    ),
    "trial that sleeps, awake for 10 hours on weekdays, without a WAF": _sleeping(
        _alone, _TEN, web_acl=False
    ),
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
    "stage on a shared load balancer that sleeps, awake for 12 hours on weekdays": _sleeping(
        _stage, _TWELVE, own_database=True
    ),
    "tenth laboratory in the account": Shape(_laboratory),
    "tenth laboratory, with a tenth of what all share": Shape(_laboratory, shared=_TENTH),
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
    costs = monthly_costs(
        (templates[name] for name in shape.stacks), awake=share_of_week(shape.awake)
    )
    for name, part in shape.shared.items():
        for item, cost in monthly_costs([templates[name]]).items():
            costs[item] = costs.get(item, 0) + part * cost
    return costs


if __name__ == "__main__":
    for name, costs in cheapest_costs().items():
        print(f"{sum(costs.values()):7.2f}  {name}", {k: round(v, 2) for k, v in costs.items()})
