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
    """Ask for `SubnetIds` of `VpcId`, with free addresses and the `Route`.

    All together need `Addresses`, because ECS spreads tasks over them, and each needs
    `AddressesEach`. `internet` is a default route to an internet gateway, `nat` one to anything
    else that leads out, and `none` asks for none.
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
    yield from _addresses(question, subnets)
    if route != "none":
        pages = ec2.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )
        tables = [table for page in pages for table in page["RouteTables"]]
        for subnet in subnets:
            if subnet["VpcId"] == vpc:
                yield from _leads(question, subnet["SubnetId"], tables, route)


def _addresses(question: Question, subnets: list[Any]) -> Iterable[Finding]:
    """Tell where too few addresses are left."""
    fix = "pass larger subnets, or free addresses in them"
    left = {subnet["SubnetId"]: subnet["AvailableIpAddressCount"] for subnet in subnets}
    wanted, each = question.number("Addresses"), question.number("AddressesEach")
    full = {subnet: count for subnet, count in left.items() if count < each}
    if full:
        yield question.error(f"subnets have fewer than {each} addresses left", _counted(full), fix)
    if sum(left.values()) < wanted:
        yield question.error(
            f"the subnets together have fewer than {wanted} addresses left", _counted(left), fix
        )


def _counted(left: dict[str, int]) -> str:
    return ", ".join(f"{subnet} has {count}" for subnet, count in sorted(left.items()))


def _leads(
    question: Question, subnet: str, tables: list[dict[str, Any]], wanted: str
) -> Iterable[Finding]:
    """Tell where the default route of a subnet does not lead where it should.

    https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
    An endpoint may be that of a firewall in front of the internet gateway:
    https://docs.aws.amazon.com/network-firewall/latest/developerguide/arch-single-zone-igw.html
    What lies behind another target, such as a network interface or a transit gateway, is not known.
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
                "CarrierGatewayId",
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
    elif to.startswith("igw-" if wanted == "nat" else "nat-"):
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
    elif wanted == "internet" and not to.startswith(("igw-", "vpce-")):
        yield question.warning(
            f"the subnet {subnet} may not be reached from the internet",
            f"its route for {_EVERYWHERE} leads to {to}, and not to {target}",
            f"see whether the internet reaches the subnet through {to}, or {fix}",
        )
