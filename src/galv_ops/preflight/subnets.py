"""Whether given subnets lead where tasks need to go, and have addresses left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code, error_message
from .question import ArgumentError
from .routes import leads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("ec2:DescribeRouteTables", "ec2:DescribeSubnets")
ROUTES = ("nat", "internet", "none")
_BLOCKS = ("block-bidirectional", "block-ingress")
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
    ipv6 = [subnet["SubnetId"] for subnet in subnets if subnet.get("Ipv6Native")]
    if ipv6:
        # The target group of an Application Load Balancer with IPv4 takes IPv4 addresses alone:
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html
        yield question.error(
            f"the subnets {', '.join(ipv6)} have no IPv4 addresses",
            "they are for IPv6 only, and the load balancer and its tasks have IPv4 addresses",
            "pass subnets with an IPv4 range",
        )
    subnets = [subnet for subnet in subnets if subnet["SubnetId"] not in ipv6]
    yield from _addresses(question, subnets)
    if route != "none":
        pages = ec2.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )
        tables = [table for page in pages for table in page["RouteTables"]]
        for subnet in subnets:
            if subnet["VpcId"] == vpc:
                yield from leads(question, subnet["SubnetId"], tables, route)
        yield from _blocked(question, subnets, route)


def _blocked(question: Question, subnets: list[Any], route: str) -> Iterable[Finding]:
    """Tell where VPC Block Public Access is in the way.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html
    `block-ingress` lets out what goes through a NAT gateway.
    """
    in_the_way = ("block-bidirectional",) if route == "nat" else _BLOCKS
    modes = {
        subnet["SubnetId"]: subnet.get("BlockPublicAccessStates", {}).get(
            "InternetGatewayBlockMode", "off"
        )
        for subnet in subnets
    }
    blocked = [f"{subnet} has {mode}" for subnet, mode in modes.items() if mode in in_the_way]
    if blocked:
        yield question.warning(
            "VPC Block Public Access may keep the subnets from the internet",
            ", ".join(blocked),
            "see whether they are excluded from it, or create an exclusion for the VPC",
        )


def _addresses(question: Question, subnets: list[Any]) -> Iterable[Finding]:
    """Tell where too few addresses are left."""
    fix = "pass larger subnets, or free addresses in them"
    left = {subnet["SubnetId"]: subnet["AvailableIpAddressCount"] for subnet in subnets}
    wanted, each = question.number("Addresses"), question.number("AddressesEach")
    full = {subnet: count for subnet, count in left.items() if count < each}
    if full:
        yield question.error(f"subnets have fewer than {each} addresses left", _counted(full), fix)
    if left and sum(left.values()) < wanted:
        yield question.error(
            f"the subnets together have fewer than {wanted} addresses left", _counted(left), fix
        )


def _counted(left: dict[str, int]) -> str:
    return ", ".join(f"{subnet} has {count}" for subnet, count in sorted(left.items()))
