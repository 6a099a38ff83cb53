"""Who reaches the load balancer of a backend: everybody, some ranges, or the VPC."""

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from backends import MakeBackend, RefusedBackend, Synth, backend_in, regional_stack
from templates import Json, ingress_rules, of_type, only, only_id, synthesize

from galv_constructs import GalvNetwork

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


def allowed(template: Json) -> set[tuple[int, str]]:
    """Ports of the load balancer, with the ranges that reach them."""
    rules = ingress_rules(
        template, only_id(template, "AWS::EC2::SecurityGroup", "BackendLoadBalancer")
    )
    return {(rule["FromPort"], str(rule.get("CidrIp") or rule["CidrIpv6"])) for rule in rules}


@pytest.fixture(scope="module")
def internal() -> Json:
    """A backend whose load balancer has private addresses."""
    stack = regional_stack()
    backend_in(stack, internet_facing=False)
    return synthesize(stack)


@pytest.fixture(scope="module")
def dual_stack() -> Json:
    """A backend in a network with IPv6."""
    stack = regional_stack()
    backend_in(stack, network=GalvNetwork(stack, "Network", ipv6=True))
    return synthesize(stack)


class TestAllowedCidrs:
    def test_everybody_reaches_it_when_none_are_given(self, default: Json) -> None:
        assert allowed(default) == {(80, "0.0.0.0/0"), (443, "0.0.0.0/0")}

    def test_the_given_ranges_reach_it_and_nobody_else(self, synth: Synth) -> None:
        template = synth(allowed_cidrs=["192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"])

        assert allowed(template) == {
            (port, cidr) for port in (80, 443) for cidr in ("192.0.2.0/24", "2001:db8::/32")
        }
        assert only(template, BALANCER)["Scheme"] == "internet-facing"

    def test_nobody_reaches_it_with_an_empty_list(self, synth: Synth) -> None:
        assert allowed(synth(allowed_cidrs=[])) == set()

    def test_more_may_be_allowed_by_its_security_group(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        backend = make_backend(allowed_cidrs=[])
        peer = ec2.Peer.ipv4("198.51.100.7/32")
        backend.load_balancer_security_group.connections.allow_from(peer, ec2.Port.tcp(443))

        assert allowed(synthesize(stack)) == {(443, "198.51.100.7/32")}

    @pytest.mark.parametrize("value", ["192.0.2.1/24", "office", 7, "pl-0123456789abcdef0"])
    def test_refuses_what_is_no_range(self, refused_backend: RefusedBackend, value: object) -> None:
        assert refused_backend(allowed_cidrs=["192.0.2.0/24", value]) == (
            "allowed_cidrs[1] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' whose "
            f"host bits are zero, got {value!r}"
        )

    def test_refuses_text_in_place_of_a_list(self, refused_backend: RefusedBackend) -> None:
        assert "allowed_cidrs must be a list" in refused_backend(allowed_cidrs="192.0.2.0/24")

    def test_takes_as_many_ranges_as_a_security_group_has_room_for(self, synth: Synth) -> None:
        ranges = [f"192.0.2.{number}/32" for number in range(30)]

        assert len(allowed(synth(allowed_cidrs=[*ranges, "2001:db8::/32"]))) == 62

    def test_refuses_more_ranges_than_that(self, refused_backend: RefusedBackend) -> None:
        ranges = [f"192.0.2.{number}/32" for number in range(31)]

        text = refused_backend(allowed_cidrs=ranges)

        assert text.startswith("allowed_cidrs has 31 IPv4 ranges, and a security group has room")
        assert "ec2.Peer.prefix_list(" in text


class TestInternal:
    def test_is_in_the_subnets_of_the_tasks(self, internal: Json) -> None:
        balancer = only(internal, BALANCER)
        tasks = only(internal, "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]

        assert balancer["Scheme"] == "internal"
        assert balancer["Subnets"] == tasks["Subnets"]

    def test_the_vpc_reaches_it_and_nobody_else(self, internal: Json) -> None:
        cidr = {"Fn::GetAtt": [only_id(internal, "AWS::EC2::VPC"), "CidrBlock"]}

        assert allowed(internal) == {(80, str(cidr)), (443, str(cidr))}

    def test_the_given_ranges_reach_it_in_place_of_the_vpc(self, synth: Synth) -> None:
        template = synth(internet_facing=False, allowed_cidrs=["10.8.0.0/16"])

        assert allowed(template) == {(80, "10.8.0.0/16"), (443, "10.8.0.0/16")}

    def test_its_target_group_is_another_one(self, internal: Json, default: Json) -> None:
        """A target group cannot be another load balancer's while the old one is there."""
        kind = "AWS::ElasticLoadBalancingV2::TargetGroup"

        assert only_id(internal, kind) != only_id(default, kind)

    def test_takes_a_vpc_without_public_subnets(self, synth: Synth, stack: Stack) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Given",
            vpc_id="vpc-1",
            vpc_cidr_block="10.1.0.0/16",
            availability_zones=["a", "b"],
            private_subnet_ids=["subnet-1", "subnet-2"],
            private_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
        )

        template = synth(internet_facing=False, network=GalvNetwork.from_vpc(vpc))

        assert only(template, BALANCER)["Subnets"] == ["subnet-1", "subnet-2"]

    def test_refuses_tasks_in_one_availability_zone(
        self, refused_backend: RefusedBackend, stack: Stack
    ) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Given",
            vpc_id="vpc-1",
            availability_zones=["a", "b"],
            private_subnet_ids=["subnet-1", "subnet-2"],
            private_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
        )
        one = ec2.SubnetSelection(availability_zones=["a"])
        network = GalvNetwork.from_vpc(vpc, task_subnets=one)

        text = refused_backend(internet_facing=False, network=network)

        assert text.startswith("network has task_subnets in one Availability Zone, a,")

    def test_refuses_what_is_neither_true_nor_false(self, refused_backend: RefusedBackend) -> None:
        assert "internet_facing must be true or false" in refused_backend(internet_facing="no")


class TestIpv6:
    def test_the_load_balancer_answers_over_both(self, dual_stack: Json) -> None:
        assert only(dual_stack, BALANCER)["IpAddressType"] == "dualstack"
        records = of_type(dual_stack, "AWS::Route53::RecordSet").values()
        assert sorted(record["Properties"]["Type"] for record in records) == ["A", "AAAA"]
        assert {(port, cidr) for port in (80, 443) for cidr in ("0.0.0.0/0", "::/0")} == allowed(
            dual_stack
        )

    def test_tasks_and_database_have_no_address_of_ipv6(self, dual_stack: Json) -> None:
        subnets = of_type(dual_stack, "AWS::EC2::Subnet").values()

        assert len(subnets) == 6
        assert {one["Properties"]["AssignIpv6AddressOnCreation"] for one in subnets} == {False}

    def test_is_off_when_not_asked_for(self, default: Json) -> None:
        assert only(default, BALANCER).get("IpAddressType") in (None, "ipv4")
        assert of_type(default, "AWS::EC2::VPCCidrBlock") == {}
        assert len(of_type(default, "AWS::Route53::RecordSet")) == 1
