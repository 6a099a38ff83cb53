"""Subnets and their routes as moto has them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

EVERYWHERE = "0.0.0.0/0"


class Network:
    """A VPC with a subnet to the internet, one behind a NAT gateway, and one without a route."""

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.public, self.private, self.isolated = (self.subnet(n) for n in range(3))
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(VpcId=self.vpc, InternetGatewayId=gateway)
        self.route(self.public, GatewayId=gateway)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = self.ec2.create_nat_gateway(SubnetId=self.public, AllocationId=address)
        self.route(self.private, NatGatewayId=nat["NatGateway"]["NatGatewayId"])

    def subnet(self, number: int, size: int = 24, vpc: str | None = None) -> str:
        made = self.ec2.create_subnet(VpcId=vpc or self.vpc, CidrBlock=f"10.0.{number}.0/{size}")
        return str(made["Subnet"]["SubnetId"])

    def route(self, subnet: str, **target: str) -> None:
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=EVERYWHERE, **target)


@pytest.fixture
def network(world: World) -> Network:
    return Network()


def asked(world: World, vpc: str, *subnets: str, **more: str) -> list[Finding]:
    question = {"Ask": "subnets", "VpcId": vpc, "SubnetIds": list(subnets), **more}
    return ask({"Backend/Subnets": question}, world, 20)


def test_finds_subnets_that_lead_where_they_should(world: World, network: Network) -> None:
    assert asked(world, network.vpc, network.private, Route="nat", Addresses="8") == []
    assert asked(world, network.vpc, network.public, Route="internet") == []
    assert asked(world, network.vpc, network.isolated, network.private, Route="none") == []


@pytest.mark.parametrize(
    ("name", "route", "told"),
    [
        ("public", "nat", ("does not route to a NAT gateway", "without a public address")),
        ("private", "internet", ("does not route to an internet gateway", "leads to nat-")),
        ("isolated", "nat", ("has no route to the internet", "has none for 0.0.0.0/0")),
        ("isolated", "internet", ("has no route to the internet", "has none for 0.0.0.0/0")),
    ],
)
def test_tells_a_subnet_that_leads_elsewhere(
    world: World, network: Network, name: str, route: str, told: tuple[str, str]
) -> None:
    subnet = getattr(network, name)

    (found,) = asked(world, network.vpc, subnet, Route=route)

    assert (found.severity, found.wrong) == ("error", f"the subnet {subnet} {told[0]}")
    assert told[1] in found.found


def test_takes_the_main_route_table_where_a_subnet_has_none(world: World, network: Network) -> None:
    (main,) = network.ec2.describe_route_tables(
        Filters=[
            {"Name": "vpc-id", "Values": [network.vpc]},
            {"Name": "association.main", "Values": ["true"]},
        ]
    )["RouteTables"]
    gateway = network.ec2.describe_internet_gateways()["InternetGateways"][0]
    network.ec2.create_route(
        RouteTableId=main["RouteTableId"],
        DestinationCidrBlock=EVERYWHERE,
        GatewayId=gateway["InternetGatewayId"],
    )

    assert asked(world, network.vpc, network.isolated, Route="internet") == []


SUBNET: dict[str, Any] = {
    "SubnetId": "subnet-1",
    "VpcId": "vpc-1",
    "AvailableIpAddressCount": 9,
}


def asked_with_routes(
    world: World, wanted: str, *routes: dict[str, str], associated: str = "subnet-1"
) -> list[Finding]:
    """A subnet with routes that moto does not have."""
    table = {"Associations": [{"SubnetId": associated}], "Routes": routes}
    with Stubber(world.client("ec2")) as stub:
        stub.add_response("describe_subnets", {"Subnets": [SUBNET]})
        stub.add_response("describe_route_tables", {"RouteTables": [table]})
        return asked(world, "vpc-1", "subnet-1", Route=wanted)


def asked_with_a_route(world: World, wanted: str, **route: str) -> list[Finding]:
    return asked_with_routes(world, wanted, {"DestinationCidrBlock": EVERYWHERE, **route})


@pytest.mark.parametrize("wanted", ["nat", "internet"])
def test_tells_a_route_to_a_gateway_that_was_deleted(world: World, wanted: str) -> None:
    (found,) = asked_with_a_route(world, wanted, NatGatewayId="nat-1", State="blackhole")

    assert found.severity == "error"
    assert found.found == "nat-1 was deleted, and the route is a black hole"


@pytest.mark.parametrize("wanted", ["nat", "internet"])
def test_accepts_the_endpoint_of_a_firewall(world: World, wanted: str) -> None:
    """https://docs.aws.amazon.com/network-firewall/latest/developerguide/arch-single-zone-igw.html."""
    assert asked_with_a_route(world, wanted, GatewayId="vpce-1", State="active") == []


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("NetworkInterfaceId", "eni-1"),
        ("InstanceId", "i-1"),
        ("TransitGatewayId", "tgw-1"),
        ("GatewayId", "vgw-1"),
        ("CarrierGatewayId", "cagw-1"),
        ("LocalGatewayId", "lgw-1"),
        ("CoreNetworkArn", "arn:aws:networkmanager::123456789012:core-network/core-network-1"),
    ],
)
def test_warns_of_a_target_behind_which_nobody_knows_what_lies(
    world: World, key: str, target: str
) -> None:
    (found,) = asked_with_a_route(world, "internet", **{key: target})

    assert (found.severity, asked_with_a_route(world, "nat", **{key: target})) == ("warning", [])
    assert found.wrong == "the subnet subnet-1 may not be reached from the internet"
    assert target in found.found


@pytest.mark.parametrize("wanted", ["nat", "internet"])
def test_tells_that_peering_leads_to_no_gateway_of_another_vpc(world: World, wanted: str) -> None:
    """https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations."""
    (found,) = asked_with_a_route(world, wanted, VpcPeeringConnectionId="pcx-1")

    assert (found.severity, found.wrong) == (
        "error",
        "the subnet subnet-1 has no route to the internet",
    )
    assert "pcx-1" in found.found


LOWER, UPPER = "0.0.0.0/1", "128.0.0.0/1"


def halves(lower: str, upper: str) -> list[dict[str, str]]:
    return [
        {"DestinationCidrBlock": LOWER, "NatGatewayId": lower},
        {"DestinationCidrBlock": UPPER, "NatGatewayId": upper},
    ]


def test_takes_two_halves_for_a_default_route(world: World) -> None:
    assert asked_with_routes(world, "nat", *halves("nat-1", "nat-1")) == []
    # Each half is preferred to the route for everything.
    rest = {"DestinationCidrBlock": EVERYWHERE, "GatewayId": "igw-1"}
    assert asked_with_routes(world, "nat", rest, *halves("nat-1", "nat-2")) == []


def test_tells_halves_that_lead_elsewhere_once_for_each_target(world: World) -> None:
    found = asked_with_routes(world, "internet", *halves("nat-1", "nat-1"))
    assert [one.found for one in found] == [
        f"its route for {LOWER} leads to nat-1, and nothing reaches them from the internet"
    ]

    assert len(asked_with_routes(world, "internet", *halves("nat-1", "nat-2"))) == 2


def test_tells_one_half_alone(world: World) -> None:
    lower, upper = halves("nat-1", "nat-2")
    (found,) = asked_with_routes(world, "nat", lower)
    assert (found.severity, found.found) == ("error", "its route table has none for 0.0.0.0/0")

    rest = {"DestinationCidrBlock": EVERYWHERE, "GatewayId": "igw-1"}
    (found,) = asked_with_routes(world, "nat", rest, upper)
    assert found.found.startswith(f"its route for {EVERYWHERE} leads to igw-1")


def test_tells_a_subnet_that_routes_ipv6_alone(world: World) -> None:
    route = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"}

    (found,) = asked_with_routes(world, "nat", route)

    assert (found.severity, found.found) == (
        "error",
        "its route table has none for 0.0.0.0/0, only one for ::/0",
    )


def test_tells_subnets_that_have_no_ipv4(world: World) -> None:
    subnet = {**SUBNET, "AvailableIpAddressCount": 0, "Ipv6Native": True}
    with Stubber(world.client("ec2")) as stub:
        stub.add_response("describe_subnets", {"Subnets": [subnet]})
        stub.add_response("describe_route_tables", {"RouteTables": []})
        (found,) = asked(world, "vpc-1", "subnet-1", Route="nat", Addresses="4", AddressesEach="8")

    assert (found.severity, found.wrong) == (
        "error",
        "the subnets subnet-1 have no IPv4 addresses",
    )


@pytest.mark.parametrize(
    ("mode", "route", "count"),
    [
        ("off", "internet", 0),
        ("block-ingress", "internet", 1),
        ("block-bidirectional", "internet", 1),
        ("block-ingress", "nat", 0),
        ("block-bidirectional", "nat", 1),
    ],
)
def test_warns_of_public_access_that_is_blocked(
    world: World, mode: str, route: str, count: int
) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html."""
    subnet = {**SUBNET, "BlockPublicAccessStates": {"InternetGatewayBlockMode": mode}}
    target = "igw-1" if route == "internet" else "vgw-1"
    table = {
        "Associations": [{"SubnetId": "subnet-1"}],
        "Routes": [{"DestinationCidrBlock": EVERYWHERE, "GatewayId": target}],
    }
    with Stubber(world.client("ec2")) as stub:
        stub.add_response("describe_subnets", {"Subnets": [subnet]})
        stub.add_response("describe_route_tables", {"RouteTables": [table]})
        found = asked(world, "vpc-1", "subnet-1", Route=route)

    assert [one.severity for one in found] == ["warning"] * count


def test_warns_of_a_prefix_list_that_may_be_for_everything(world: World) -> None:
    route = {"DestinationPrefixListId": "pl-0123456789abcdef0", "TransitGatewayId": "tgw-1"}

    (found,) = asked_with_routes(world, "nat", route)

    assert found.severity == "warning"
    assert "pl-0123456789abcdef0 to tgw-1" in found.found


def test_takes_the_endpoint_of_one_service_for_no_way_out(world: World) -> None:
    route = {"DestinationPrefixListId": "pl-63a5400a", "GatewayId": "vpce-1"}

    (found,) = asked_with_routes(world, "nat", route)

    assert found.severity == "error"


def test_knows_nothing_of_subnets_whose_route_table_is_not_shown(world: World) -> None:
    """As it may be where another account shares the VPC."""
    (found,) = asked_with_routes(world, "nat", associated="subnet-2")

    assert found.severity == "unanswered"


def test_tells_a_subnet_without_addresses(world: World, network: Network) -> None:
    small = network.subnet(9, 28)  # of 16, AWS keeps five

    assert asked(world, network.vpc, small, AddressesEach="11") == []
    (found,) = asked(world, network.vpc, small, network.private, AddressesEach="12")
    assert found.wrong == "subnets have fewer than 12 addresses left"
    assert found.found == f"{small} has 11"


def test_tells_subnets_that_together_lack_addresses(world: World, network: Network) -> None:
    small = sorted(network.subnet(number, 28) for number in (9, 10))

    assert asked(world, network.vpc, *small, Addresses="22") == []
    (found,) = asked(world, network.vpc, *small, Addresses="23")
    assert found.severity == "error"
    assert found.wrong == "the subnets together have fewer than 23 addresses left"
    assert found.found == f"{small[0]} has 11, {small[1]} has 11"


def test_tells_subnets_that_are_not_there(world: World, network: Network) -> None:
    (found,) = asked(world, network.vpc, network.public, "subnet-00000000")

    assert found.severity == "error"
    assert found.wrong == f"not all of the subnets {network.public}, subnet-00000000 exist"
    assert "does not exist" in found.found


def test_tells_subnets_of_another_vpc(world: World, network: Network) -> None:
    other = network.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    foreign = network.subnet(1, vpc=other)

    (found,) = asked(world, network.vpc, network.private, foreign, Route="nat")

    assert found.found == f"{foreign} is in {other}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"Route": "vpn"}, "Route must be one of nat, internet, none, got 'vpn'"),
        ({"Addresses": "many"}, "Addresses must be a whole number, got 'many'"),
        ({"SubnetIds": ""}, "SubnetIds must name a subnet"),
    ],
)
def test_refuses_arguments_that_it_cannot_read(
    world: World, network: Network, more: dict[str, str], said: str
) -> None:
    (found,) = asked(world, network.vpc, network.private, **more)

    assert found.found == said
