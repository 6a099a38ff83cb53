"""Whether given subnets lead where tasks need to go, and have addresses left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code, error_message
from .question import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("ec2:DescribeRouteTables", "ec2:DescribeSubnets")
ROUTES = ("nat", "internet", "none")
_EVERYWHERE = "0.0.0.0/0"
_ABSENT = "InvalidSubnetID.NotFound"


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `SubnetIds` of `VpcId`, each with so many `Addresses` and the `Route`.

    `internet` is a default route to an internet gateway, `nat` one to anything else that leads out,
    and `none` asks for none.
    """
    vpc, ids = question.text("VpcId"), question.texts("SubnetIds")
    route = question.text("Route", "none")
    if route not in ROUTES:
        raise ArgumentError(f"Route must be one of {', '.join(ROUTES)}, got {route!r}")
    if not ids:
        raise ArgumentError("SubnetIds must name a subnet")
    ec2 = world.client("ec2")
    try:
        subnets = ec2.describe_subnets(SubnetIds=ids)["Subnets"]
    except AWS_ERRORS as error:
        if error_code(error) != _ABSENT:
            raise
        yield question.error(
            f"not all of the subnets {', '.join(ids)} exist",
            error_message(error),
            "pass subnets of the VPC in this account and region",
        )
        return
    foreign = [subnet for subnet in subnets if subnet["VpcId"] != vpc]
    if foreign:
        yield question.error(
            f"subnets are not in the VPC {vpc}",
            ", ".join(f"{subnet['SubnetId']} is in {subnet['VpcId']}" for subnet in foreign),
            "pass subnets of the VPC",
        )
    wanted = question.number("Addresses")
    full = [subnet for subnet in subnets if subnet["AvailableIpAddressCount"] < wanted]
    if full:
        yield question.error(
            f"subnets have fewer than {wanted} addresses left",
            ", ".join(
                f"{subnet['SubnetId']} has {subnet['AvailableIpAddressCount']}" for subnet in full
            ),
            "pass larger subnets, or free addresses in them",
        )
    if route != "none":
        pages = ec2.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )
        tables = [table for page in pages for table in page["RouteTables"]]
        for subnet in subnets:
            if subnet["VpcId"] == vpc:
                yield from _leads(question, subnet["SubnetId"], tables, route)


def _leads(
    question: Question, subnet: str, tables: list[dict[str, Any]], wanted: str
) -> Iterable[Finding]:
    """Tell where the default route of a subnet does not lead where it should.

    https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
    """
    own = [t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"])]
    main = [t for t in tables if any(a.get("Main") for a in t["Associations"])]
    routes = [
        route
        for table in (own or main)[:1]
        for route in table["Routes"]
        if route.get("DestinationCidrBlock") == _EVERYWHERE
    ]
    target = "an internet gateway" if wanted == "internet" else "a NAT gateway"
    fix = f"add a route for {_EVERYWHERE} to {target}, or pass other subnets"
    if not routes:
        yield question.error(
            f"the subnet {subnet} has no route to the internet",
            f"its route table has none for {_EVERYWHERE}",
            fix,
        )
        return
    (found,) = routes
    to = next(
        (
            found[key]
            for key in (
                "NatGatewayId",
                "TransitGatewayId",
                "NetworkInterfaceId",
                "VpcPeeringConnectionId",
                "GatewayId",
                "InstanceId",
                "LocalGatewayId",
                "CoreNetworkArn",
            )
            if found.get(key)
        ),
        "nothing",
    )
    if found.get("State") == "blackhole":
        yield question.error(
            f"the route of the subnet {subnet} to the internet leads nowhere",
            f"{to} was deleted, and the route is a black hole",
            fix,
        )
    elif to.startswith("igw-") != (wanted == "internet"):
        why = (
            "tasks without a public address reach nothing through it"
            if wanted == "nat"
            else "nothing reaches them from the internet"
        )
        yield question.error(
            f"the subnet {subnet} does not route to {target}",
            f"its route for {_EVERYWHERE} leads to {to}, and {why}",
            fix,
        )
