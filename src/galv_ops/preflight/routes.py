"""Where the default route of a subnet leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .finding import Finding
    from .question import Question

EVERYWHERE = "0.0.0.0/0"
# Both together are everywhere too, and each is preferred to a route for it.
HALVES = ("0.0.0.0/1", "128.0.0.0/1")
# Each of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html but the gateway that
# is for IPv6 alone. A NAT instance is told with its network interface.
_TARGETS = (
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "GatewayId",
    "InstanceId",
    "NetworkInterfaceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)


def leads(
    question: Question, subnet: str, tables: list[dict[str, Any]], wanted: str
) -> Iterator[Finding]:
    """Tell where the default route of a subnet does not lead where it should.

    https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
    What lies behind a virtual private gateway, a transit gateway, a core network, a local or
    carrier gateway or a network interface is not known, and tasks may get out through each.
    """
    own = [t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"])]
    main = [t for t in tables if any(a.get("Main") for a in t["Associations"])]
    table = next(iter(own or main), None)
    if table is None:
        yield question.unanswered(
            f"where the subnet {subnet} routes to is not known",
            "AWS shows neither its route table nor the main one of its VPC, which another account "
            "may share",
            "let the owner of the VPC see that its default route leads to the internet",
        )
        return
    target = "an internet gateway" if wanted == "internet" else "a NAT gateway"
    fix = f"add a route for {EVERYWHERE} to {target}, or pass other subnets"
    routes = _default(table["Routes"])
    if not routes:
        yield _without_default(question, subnet, table["Routes"], fix)
    for route in routes:
        yield from _wrong(question, subnet, route, wanted, fix)


def _default(routes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the routes that together are for all of IPv4, one for each target; none otherwise."""
    by_range = {route.get("DestinationCidrBlock"): route for route in routes}
    halves = [by_range[half] for half in HALVES if half in by_range]
    found = [by_range[EVERYWHERE]] if EVERYWHERE in by_range else []
    if len(halves) == len(HALVES):
        found = []
    elif not found:
        return []
    # The first of those with one target.
    return [*{_target(route): route for route in reversed([*halves, *found])}.values()][::-1]


def _target(route: dict[str, Any]) -> str:
    return next((str(route[key]) for key in _TARGETS if route.get(key)), "nothing")


def _without_default(
    question: Question, subnet: str, routes: list[dict[str, Any]], fix: str
) -> Finding:
    # Those of gateway endpoints, such as that of S3, lead to one service alone.
    lists = [
        f"{route['DestinationPrefixListId']} to {_target(route)}"
        for route in routes
        if route.get("DestinationPrefixListId") and not _target(route).startswith("vpce-")
    ]
    if lists:
        return question.warning(
            f"the subnet {subnet} may have no route to the internet",
            f"its route table has none for {EVERYWHERE}, and prefix lists, whose ranges are not "
            f"looked at: {', '.join(lists)}",
            f"see whether they are for the whole internet, or {fix}",
        )
    has_ipv6 = any(route.get("DestinationIpv6CidrBlock") == "::/0" for route in routes)
    return question.error(
        f"the subnet {subnet} has no route to the internet",
        f"its route table has none for {EVERYWHERE}{', only one for ::/0' if has_ipv6 else ''}",
        fix,
    )


def _wrong(
    question: Question, subnet: str, route: dict[str, Any], wanted: str, fix: str
) -> Iterator[Finding]:
    """Tell what is wrong with one of the routes of a subnet that are for everywhere."""
    to, where = _target(route), route["DestinationCidrBlock"]
    kind = to.partition("-")[0]
    if route.get("State") == "blackhole":
        yield question.error(
            f"the route of the subnet {subnet} to the internet leads nowhere",
            f"{to} was deleted, and the route is a black hole",
            fix,
        )
    elif kind == "pcx":
        # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations
        yield question.error(
            f"the subnet {subnet} has no route to the internet",
            f"its route for {where} leads to {to}, and nothing gets through another VPC's internet "
            "or NAT gateway by a peering connection",
            fix,
        )
    elif kind == ("igw" if wanted == "nat" else "nat"):
        target = "a NAT gateway" if wanted == "nat" else "an internet gateway"
        why = (
            "tasks without a public address reach nothing through it"
            if wanted == "nat"
            else "nothing reaches them from the internet"
        )
        yield question.error(
            f"the subnet {subnet} does not route to {target}",
            f"its route for {where} leads to {to}, and {why}",
            fix,
        )
    # An endpoint may be that of a firewall in front of the internet gateway:
    # https://docs.aws.amazon.com/network-firewall/latest/developerguide/arch-single-zone-igw.html
    elif wanted == "internet" and kind not in ("igw", "vpce"):
        yield question.warning(
            f"the subnet {subnet} may not be reached from the internet",
            f"its route for {where} leads to {to}, and not to an internet gateway",
            f"see whether the internet reaches the subnet through {to}, or {fix}",
        )
