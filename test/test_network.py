import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from backends import ENVIRONMENT, Refusal, RefusedBackend, backend_in, new_app, regional_stack
from templates import Json, of_type, only, only_id, synthesize

from galv_constructs import GalvNetwork, NetworkPreset
from galv_constructs.network import check_layout

ISOLATED = ec2.SubnetType.PRIVATE_ISOLATED


def network(**arguments: Any) -> Json:
    stack = Stack(new_app(), "Stack")
    GalvNetwork(stack, "Network", **arguments)
    return synthesize(stack)


def subnets(template: Json, group: str) -> dict[str, Any]:
    """The CIDRs of the subnets of a group, by logical id."""
    return {
        logical_id: resource["Properties"]["CidrBlock"]
        for logical_id, resource in of_type(template, "AWS::EC2::Subnet").items()
        if {"Key": "aws-cdk:subnet-name", "Value": group} in resource["Properties"]["Tags"]
    }


def default_route(template: Json, group: str) -> set[str]:
    """Where traffic to the internet goes from the subnets of a group."""
    return {
        target
        for route in of_type(template, "AWS::EC2::Route").values()
        if route["Properties"]["RouteTableId"]["Ref"].startswith(f"NetworkVpc{group}Subnet")
        for target in ("GatewayId", "NatGatewayId", "InstanceId")
        if target in route["Properties"]
    }


@pytest.fixture(scope="module")
def presets() -> dict[NetworkPreset, Json]:
    return {preset: network(preset=preset) for preset in NetworkPreset}


class TestPresets:
    def test_uses_a_nat_gateway_when_no_preset_is_given(
        self, presets: dict[NetworkPreset, Json]
    ) -> None:
        assert network() == presets[NetworkPreset.NAT_GATEWAY]

    @pytest.mark.parametrize(
        ("preset", "counts", "way_out"),
        [
            (NetworkPreset.NAT_GATEWAY, {"gateways": 1}, {"NatGatewayId"}),
            (NetworkPreset.NAT_INSTANCE, {"instances": 1}, {"InstanceId"}),
            (NetworkPreset.PUBLIC, {}, set()),
            (NetworkPreset.ENDPOINTS, {"endpoints": 5}, set()),
        ],
    )
    def test_creates_the_route_to_the_internet_of_the_preset(
        self,
        presets: dict[NetworkPreset, Json],
        preset: NetworkPreset,
        counts: dict[str, int],
        way_out: set[str],
    ) -> None:
        template = presets[preset]

        assert len(of_type(template, "AWS::EC2::NatGateway")) == counts.get("gateways", 0)
        assert len(of_type(template, "AWS::EC2::Instance")) == counts.get("instances", 0)
        assert len(_interface_endpoints(template)) == counts.get("endpoints", 0)
        assert default_route(template, "Tasks") == way_out
        assert bool(subnets(template, "Tasks")) is (preset is not NetworkPreset.PUBLIC)

    @pytest.mark.parametrize("preset", NetworkPreset)
    def test_leaves_the_database_where_it_is_when_the_preset_changes(
        self, presets: dict[NetworkPreset, Json], preset: NetworkPreset
    ) -> None:
        assert subnets(presets[preset], "Database") == {
            "NetworkVpcDatabaseSubnet1Subnet75A30C75": "10.0.128.0/19",
            "NetworkVpcDatabaseSubnet2Subnet7C7CA9F8": "10.0.160.0/19",
        }
        assert default_route(presets[preset], "Database") == set()

    @pytest.mark.parametrize("preset", NetworkPreset)
    def test_every_preset_is_closed_where_it_can_be(
        self, presets: dict[NetworkPreset, Json], preset: NetworkPreset
    ) -> None:
        template = presets[preset]

        assert len(of_type(template, "Custom::VpcRestrictDefaultSG")) == 1
        assert default_route(template, "Public") == {"GatewayId"}
        assert not any(
            subnet["Properties"]["MapPublicIpOnLaunch"]
            for subnet in of_type(template, "AWS::EC2::Subnet").values()
        )

    @pytest.mark.parametrize("preset", NetworkPreset)
    def test_reaches_s3_without_the_internet_from_every_route_table(
        self, presets: dict[NetworkPreset, Json], preset: NetworkPreset
    ) -> None:
        template = presets[preset]
        (endpoint,) = (
            resource["Properties"]
            for resource in of_type(template, "AWS::EC2::VPCEndpoint").values()
            if resource["Properties"]["VpcEndpointType"] == "Gateway"
        )

        assert {table["Ref"] for table in endpoint["RouteTableIds"]} == set(
            of_type(template, "AWS::EC2::RouteTable")
        )

    def test_hardens_the_nat_instance(self, presets: dict[NetworkPreset, Json]) -> None:
        template = presets[NetworkPreset.NAT_INSTANCE]
        instance = only(template, "AWS::EC2::Instance")
        (interface,) = instance["NetworkInterfaces"]
        (group_id,) = (group["Fn::GetAtt"][0] for group in interface["GroupSet"])

        assert instance["BlockDeviceMappings"] == [
            {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}
        ]
        assert instance["MetadataOptions"] == {"HttpTokens": "required"}
        assert instance["InstanceType"] == "t4g.nano"
        assert instance["SourceDestCheck"] is False
        ingress = template["Resources"][group_id]["Properties"]["SecurityGroupIngress"]
        assert [rule["CidrIp"] for rule in ingress] == ["10.0.0.0/16"]

    def test_creates_the_endpoints_that_tasks_need(
        self, presets: dict[NetworkPreset, Json]
    ) -> None:
        template = presets[NetworkPreset.ENDPOINTS]
        endpoints = _interface_endpoints(template)
        tasks = set(subnets(template, "Tasks"))

        assert {_service(endpoint) for endpoint in endpoints} == {
            "ecr.api",
            "ecr.dkr",
            "logs",
            "secretsmanager",
            "sts",
        }
        for endpoint in endpoints:
            assert endpoint["PrivateDnsEnabled"] is True
            assert {subnet["Ref"] for subnet in endpoint["SubnetIds"]} == tasks
            (group_id,) = (group["Fn::GetAtt"][0] for group in endpoint["SecurityGroupIds"])
            (rule,) = template["Resources"][group_id]["Properties"]["SecurityGroupIngress"]
            assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
            assert rule["CidrIp"] == "10.0.0.0/16"


class TestSmtpEndpoint:
    """Some AZs cannot have it, and the name of an AZ says nothing about which: accounts differ."""

    def made(self, network: GalvNetwork) -> Json:
        return only(
            synthesize(Stack.of(network)), "AWS::EC2::VPCEndpoint", "NetworkVpcSmtpEndpoint"
        )

    def in_virginia(self, *, supported: list[str] | None) -> GalvNetwork:
        where = f"account={ENVIRONMENT.account}:region=us-east-1"
        context: Json = {f"availability-zones:{where}": ["us-east-1a", "us-east-1b"]}
        if supported is not None:
            service = "serviceName=com.amazonaws.us-east-1.email-smtp"
            context[f"endpoint-service-availability-zones:{where}:{service}"] = supported
        env = Environment(account=ENVIRONMENT.account, region="us-east-1")
        stack = Stack(new_app(context), "Stack", env=env)
        return GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

    def test_creates_one_endpoint_in_one_az(self, stack: Stack) -> None:
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

        network.add_smtp_endpoint()
        network.add_smtp_endpoint()

        endpoint = self.made(network)
        assert endpoint["SubnetIds"] == [{"Ref": _task_subnet(stack, 1)}]
        assert endpoint["PrivateDnsEnabled"] is True
        (group_id,) = (group["Fn::GetAtt"][0] for group in endpoint["SecurityGroupIds"])
        (rule,) = synthesize(stack)["Resources"][group_id]["Properties"]["SecurityGroupIngress"]
        assert (rule["FromPort"], rule["ToPort"]) == (587, 587)
        assert rule["CidrIp"] == "10.0.0.0/16"

    @pytest.mark.parametrize(
        "preset", [preset for preset in NetworkPreset if preset is not NetworkPreset.ENDPOINTS]
    )
    def test_is_not_created_where_there_is_a_way_to_the_internet(
        self, stack: Stack, presets: dict[NetworkPreset, Json], preset: NetworkPreset
    ) -> None:
        GalvNetwork(stack, "Network", preset=preset).add_smtp_endpoint()

        assert synthesize(stack) == presets[preset]

    @pytest.mark.parametrize(("supported", "subnet"), [("ac", 1), ("bc", 2)])
    def test_creates_it_in_an_az_that_can_have_it(self, supported: str, subnet: int) -> None:
        network = self.in_virginia(supported=[f"us-east-1{letter}" for letter in supported])

        network.add_smtp_endpoint()

        wanted = _task_subnet(Stack.of(network), subnet)
        assert self.made(network)["SubnetIds"] == [{"Ref": wanted}]

    def test_refuses_azs_of_which_none_can_have_it(self, refusal: Refusal) -> None:
        network = self.in_virginia(supported=["us-east-1c", "us-east-1d"])

        text = refusal(network.add_smtp_endpoint)

        assert text.startswith(
            "network (Stack/Network) is in the Availability Zones us-east-1a, us-east-1b, and "
            "Amazon SES has an SMTP endpoint in none of them: "
        )
        assert "GalvNetwork.from_vpc(…)" in text

    def test_asks_cdk_to_look_it_up(self) -> None:
        network = self.in_virginia(supported=None)

        network.add_smtp_endpoint()

        app = network.node.root
        assert isinstance(app, App)
        manifest = json.loads((Path(app.synth().directory) / "manifest.json").read_text())
        (missing,) = manifest["missing"]
        assert missing["provider"] == "endpoint-service-availability-zones"
        assert missing["props"]["serviceName"] == "com.amazonaws.us-east-1.email-smtp"

    def test_refuses_such_a_region_without_an_account(self, refusal: Refusal) -> None:
        stack = Stack(new_app(), "Stack", env=Environment(region="us-east-1"))
        network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)

        text = refusal(network.add_smtp_endpoint)

        assert text.startswith(
            "the stack Stack is in us-east-1, where not every Availability Zone can have"
        )
        assert "env=Environment(account=…, region=…)" in text


class TestArguments:
    def test_uses_the_given_range(self) -> None:
        template = network(cidr="10.20.0.0/20", preset=NetworkPreset.NAT_INSTANCE)

        assert only(template, "AWS::EC2::VPC")["CidrBlock"] == "10.20.0.0/20"
        assert set(subnets(template, "Public").values()) == {"10.20.0.0/23", "10.20.2.0/23"}
        assert '"CidrIp": "10.20.0.0/20"' in str(template).replace("'", '"')

    def test_uses_10_0_when_no_range_is_given(self, presets: dict[NetworkPreset, Json]) -> None:
        vpc = only(presets[NetworkPreset.NAT_GATEWAY], "AWS::EC2::VPC")

        assert vpc["CidrBlock"] == "10.0.0.0/16"

    def test_uses_the_given_number_of_azs(self) -> None:
        stack = regional_stack()
        GalvNetwork(stack, "Network", max_azs=3)
        template = synthesize(stack)

        assert {len(subnets(template, group)) for group in ("Public", "Tasks", "Database")} == {3}
        assert len(of_type(template, "AWS::EC2::NatGateway")) == 1

    def test_uses_two_azs_when_no_number_is_given(self, presets: dict[NetworkPreset, Json]) -> None:
        template = presets[NetworkPreset.NAT_GATEWAY]

        assert {len(subnets(template, group)) for group in ("Public", "Tasks", "Database")} == {2}

    @pytest.mark.parametrize("preset", ["natGateway", None, 1])
    def test_refuses_an_invalid_preset(self, stack: Stack, refusal: Refusal, preset: Any) -> None:
        assert refusal(lambda: GalvNetwork(stack, "Network", preset=preset)) == (
            "preset must be one of NetworkPreset.NAT_GATEWAY, NetworkPreset.NAT_INSTANCE, "
            f"NetworkPreset.PUBLIC, NetworkPreset.ENDPOINTS, got {preset!r}"
        )

    @pytest.mark.parametrize("count", [1, 4])
    def test_refuses_too_few_or_too_many_azs(
        self, stack: Stack, refusal: Refusal, count: int
    ) -> None:
        assert refusal(lambda: GalvNetwork(stack, "Network", max_azs=count)) == (
            f"max_azs must be from 2 to 3, got {count}"
        )

    @pytest.mark.parametrize(
        ("cidr", "max_azs"),
        [
            ("10.0.0.0/15", 2),
            ("10.0.0.0/25", 2),
            ("10.0.0.0/24", 3),
            ("10.0.0.1/16", 2),
            ("10.0.0.0", 2),
            ("10.0.0.0/255.255.0.0/1", 2),
            ("fd00::/16", 2),
            ("", 2),
        ],
    )
    def test_refuses_a_range_that_cannot_be_divided(
        self, stack: Stack, refusal: Refusal, cidr: str, max_azs: int
    ) -> None:
        text = refusal(lambda: GalvNetwork(stack, "Network", cidr=cidr, max_azs=max_azs))

        assert f"cidr must be an IPv4 range from /16 to /{26 - max_azs}" in text
        assert f"got {cidr!r}" in text

    def test_refuses_a_range_that_is_not_known_at_synthesis(
        self, stack: Stack, refusal: Refusal
    ) -> None:
        token = CfnParameter(stack, "Cidr").value_as_string

        assert "cidr must be known" in refusal(lambda: GalvNetwork(stack, "Network", cidr=token))

    @pytest.mark.parametrize(("cidr", "max_azs"), [("10.0.0.0/24", 2), ("10.0.0.0/23", 3)])
    def test_the_smallest_ranges_have_room_for_a_load_balancer(
        self, stack: Stack, cidr: str, max_azs: int
    ) -> None:
        GalvNetwork(stack, "Network", cidr=cidr, max_azs=max_azs)

        for subnet in of_type(synthesize(stack), "AWS::EC2::Subnet").values():
            assert int(subnet["Properties"]["CidrBlock"].partition("/")[2]) <= 27

    @pytest.mark.parametrize("cidr", [10, ["10.0.0.0/16"]])
    def test_refuses_a_range_that_is_not_text(
        self, stack: Stack, refusal: Refusal, cidr: Any
    ) -> None:
        text = refusal(lambda: GalvNetwork(stack, "Network", cidr=cidr))

        assert "cidr must be an IPv4 range such as '10.0.0.0/16'" in text
        assert f"got {cidr!r}" in text


class TestFromVpc:
    @pytest.fixture
    def vpc(self, stack: Stack) -> ec2.IVpc:
        """A VPC with subnets of every type."""
        return _imported(stack, "Vpc", "public", "private", "isolated")

    def selected(self, vpc: ec2.IVpc, selection: ec2.SubnetSelection) -> list[str]:
        return vpc.select_subnets(
            subnet_type=selection.subnet_type, subnets=selection.subnets
        ).subnet_ids

    def test_uses_the_given_subnets(self, stack: Stack, vpc: ec2.IVpc) -> None:
        subnet = ec2.Subnet.from_subnet_attributes(
            stack, "Chosen", subnet_id="subnet-chosen", availability_zone="a"
        )
        chosen = ec2.SubnetSelection(subnets=[subnet])

        given = GalvNetwork.from_vpc(
            vpc, load_balancer_subnets=chosen, task_subnets=chosen, database_subnets=chosen
        )

        assert given.vpc is vpc
        for selection in (
            given.load_balancer_subnets,
            given.task_subnets,
            given.database_subnets,
        ):
            assert self.selected(vpc, selection) == ["subnet-chosen"]

    @pytest.mark.parametrize(
        ("arguments", "tasks"),
        [
            ({}, "private"),
            ({"assign_public_ip": True}, "public"),
            ({"has_internet": False}, "isolated"),
        ],
    )
    def test_has_an_endpoint_for_s3_only_if_has_s3_endpoint_says_so(
        self, vpc: ec2.IVpc, arguments: Json, tasks: str
    ) -> None:
        del tasks

        assert not GalvNetwork.from_vpc(vpc, **arguments).has_s3_endpoint
        assert GalvNetwork.from_vpc(vpc, has_s3_endpoint=True, **arguments).has_s3_endpoint

    def test_refuses_has_s3_endpoint_that_is_not_a_boolean(self, vpc: ec2.IVpc) -> None:
        endpoint: Any = "vpce-1"
        with pytest.raises(ValueError, match="has_s3_endpoint must be true or false, got 'vpce-1'"):
            GalvNetwork.from_vpc(vpc, has_s3_endpoint=endpoint)

    @pytest.mark.parametrize(
        ("arguments", "tasks"),
        [
            ({}, "private"),
            ({"assign_public_ip": True}, "public"),
            ({"has_internet": False}, "isolated"),
        ],
    )
    def test_chooses_subnets_when_none_are_given(
        self, vpc: ec2.IVpc, arguments: Json, tasks: str
    ) -> None:
        chosen = GalvNetwork.from_vpc(vpc, **arguments)

        assert self.selected(vpc, chosen.task_subnets) == [f"subnet-{tasks}-a", f"subnet-{tasks}-b"]
        assert self.selected(vpc, chosen.load_balancer_subnets)[0] == "subnet-public-a"
        assert self.selected(vpc, chosen.database_subnets)[0] == "subnet-isolated-a"
        assert chosen.assign_public_ip is arguments.get("assign_public_ip", False)
        assert chosen.has_internet is arguments.get("has_internet", True)

    def test_chooses_private_subnets_for_the_database_where_none_are_isolated(
        self, stack: Stack
    ) -> None:
        vpc = _imported(stack, "Vpc", "public", "private")

        chosen = GalvNetwork.from_vpc(vpc)

        assert self.selected(vpc, chosen.database_subnets)[0] == "subnet-private-a"

    @pytest.mark.parametrize("vpc", ["vpc-1", {"vpc_id": "vpc-1"}])
    def test_refuses_anything_but_a_vpc(self, refusal: Refusal, vpc: Any) -> None:
        assert refusal(lambda: GalvNetwork.from_vpc(vpc)) == (
            f"vpc must be an aws_ec2.IVpc, got {vpc!r}: use "
            "ec2.Vpc.from_lookup(scope, id, vpc_id=…)"
        )

    @pytest.mark.parametrize("argument", ["assign_public_ip", "has_internet"])
    def test_refuses_a_flag_that_is_not_a_boolean(
        self, vpc: ec2.IVpc, refusal: Refusal, argument: str
    ) -> None:
        arguments: Json = {argument: "false"}

        assert refusal(lambda: GalvNetwork.from_vpc(vpc, **arguments)) == (
            f"{argument} must be true or false, got 'false' (str)"
        )

    def test_refuses_public_addresses_without_the_internet(
        self, vpc: ec2.IVpc, refusal: Refusal
    ) -> None:
        text = refusal(lambda: GalvNetwork.from_vpc(vpc, assign_public_ip=True, has_internet=False))

        assert text.startswith("assign_public_ip=True with has_internet=False: ")
        assert "set one of the two" in text


IDS = ec2.SubnetFilter.by_ids(["subnet-1", "subnet-2"])
CHOSEN = {
    "by group": ec2.SubnetSelection(subnet_group_name="Tasks"),
    "by id": ec2.SubnetSelection(subnet_filters=[IDS]),
    "by range": ec2.SubnetSelection(
        subnet_filters=[ec2.SubnetFilter.by_cidr_ranges(["10.4.0.0/24"])]
    ),
    "by zone": ec2.SubnetSelection(availability_zones=["eu-west-1a"]),
}


class TestChosenSubnets:
    """Subnets chosen in a VPC that is looked up: on the first pass CDK knows none of them."""

    @pytest.mark.parametrize("chosen", CHOSEN)
    @pytest.mark.parametrize(
        "argument", ["task_subnets", "load_balancer_subnets", "database_subnets"]
    )
    def test_synthesize_on_the_first_pass(self, argument: str, chosen: str) -> None:
        stack = regional_stack()
        vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-0123456789abcdef0")
        given: Json = {argument: CHOSEN[chosen]}

        backend_in(stack, network=GalvNetwork.from_vpc(vpc, **given))

        assert only(synthesize(stack), "AWS::ECS::Service") != {}

    def test_are_used_when_they_are_known(self) -> None:
        stack = regional_stack(looked_up_vpc())
        vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-0123456789abcdef0")

        chosen = GalvNetwork.from_vpc(vpc, task_subnets=CHOSEN["by id"])

        found = vpc.select_subnets(subnet_filters=chosen.task_subnets.subnet_filters)
        assert found.subnet_ids == ["subnet-1", "subnet-2"]

    def test_refuses_a_selection_without_subnets(self, refusal: Refusal) -> None:
        stack = regional_stack(looked_up_vpc())
        vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="vpc-0123456789abcdef0")
        none = ec2.SubnetSelection(subnet_filters=[ec2.SubnetFilter.by_ids(["subnet-9"])])

        assert refusal(lambda: GalvNetwork.from_vpc(vpc, task_subnets=none)) == (
            "task_subnets selects no subnet of vpc Stack/Vpc: choose subnets that it has"
        )


class TestLayout:
    """Subnets that a public load balancer or a database cannot be created in."""

    def test_refuses_a_vpc_in_one_az(self, stack: Stack, refused_backend: RefusedBackend) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-1",
            availability_zones=["eu-west-1a"],
            public_subnet_ids=["subnet-1"],
            isolated_subnet_ids=["subnet-2"],
        )

        assert refused_backend(network=GalvNetwork.from_vpc(vpc, assign_public_ip=True)) == (
            "network has load_balancer_subnets in one Availability Zone, eu-west-1a, and AWS wants "
            "two: pass network=GalvNetwork.from_vpc(vpc, load_balancer_subnets=…) with subnets in "
            "two AZs of a VPC that has them (vpcSubnets.loadBalancer in cdk.json)"
        )

    def test_refuses_the_vpc_of_a_cluster_in_one_az(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Vpc", max_azs=1))

        assert "cluster has load_balancer_subnets in one Availability Zone" in refused_backend(
            cluster=cluster
        )

    def test_refuses_a_new_database_in_one_az(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        vpc = _imported(stack, "Vpc", "public", "private", "isolated")
        one = ec2.SubnetSelection(availability_zones=["b"], subnet_type=ISOLATED)

        assert (
            "network has database_subnets in one Availability Zone, b, and AWS wants two"
            in refused_backend(network=GalvNetwork.from_vpc(vpc, database_subnets=one))
        )

    def test_takes_a_vpc_with_one_az_for_a_given_database(self, stack: Stack) -> None:
        vpc = _imported(stack, "Vpc", "public", "private", "isolated")
        one = ec2.SubnetSelection(availability_zones=["b"], subnet_type=ISOLATED)

        check_layout(
            "network",
            GalvNetwork.from_vpc(vpc, database_subnets=one),
            creates_database=False,
            internet_facing=True,
        )

    @pytest.mark.parametrize("kind", ["private", "isolated"])
    def test_refuses_private_subnets_for_the_load_balancer(
        self, stack: Stack, refused_backend: RefusedBackend, kind: str
    ) -> None:
        vpc = _imported(stack, "Vpc", "public", "private", "isolated")
        closed = ec2.SubnetSelection(
            subnet_type=ISOLATED if kind == "isolated" else ec2.SubnetType.PRIVATE_WITH_EGRESS
        )

        assert refused_backend(network=GalvNetwork.from_vpc(vpc, load_balancer_subnets=closed)) == (
            "network has load_balancer_subnets without a route from the internet, "
            f"Stack/Vpc/{kind.title()}Subnet1, Stack/Vpc/{kind.title()}Subnet2, and the load "
            "balancer is public: pass network=GalvNetwork.from_vpc(vpc, load_balancer_subnets=…) "
            "with public subnets (vpcSubnets.loadBalancer in cdk.json), or internet_facing=False "
            "(internetFacing)"
        )


def looked_up_vpc() -> App:
    """An app whose context has the answer to a look-up: a VPC with subnets 1 to 6."""
    where = f"account={ENVIRONMENT.account}"
    query = "filter.vpc-id=vpc-0123456789abcdef0"
    key = f"vpc-provider:{where}:{query}:region={ENVIRONMENT.region}:returnAsymmetricSubnets=true"
    groups = [
        {
            "name": kind,
            "type": kind,
            "subnets": [
                {
                    "subnetId": f"subnet-{number + first}",
                    "cidr": f"10.4.{number + first}.0/24",
                    "availabilityZone": f"{ENVIRONMENT.region}{letter}",
                    "routeTableId": f"rtb-{number + first}",
                }
                for number, letter in enumerate("ab")
            ],
        }
        for first, kind in ((1, "Private"), (3, "Public"), (5, "Isolated"))
    ]
    found = {"vpcId": "vpc-0123456789abcdef0", "vpcCidrBlock": "10.4.0.0/16"}
    return new_app({key: {**found, "availabilityZones": [], "subnetGroups": groups}})


def _imported(stack: Stack, id: str, *kinds: str) -> ec2.IVpc:
    ids: Json = {f"{kind}_subnet_ids": [f"subnet-{kind}-a", f"subnet-{kind}-b"] for kind in kinds}
    return ec2.Vpc.from_vpc_attributes(
        stack, id, vpc_id="vpc-1", availability_zones=["a", "b"], **ids
    )


def _task_subnet(stack: Stack, number: int) -> str:
    """The logical id of a subnet of the tasks."""
    return only_id(synthesize(stack), "AWS::EC2::Subnet", f"NetworkVpcTasksSubnet{number}Subnet")


def _interface_endpoints(template: Json) -> list[Json]:
    return [
        resource["Properties"]
        for resource in of_type(template, "AWS::EC2::VPCEndpoint").values()
        if resource["Properties"]["VpcEndpointType"] == "Interface"
    ]


def _service(endpoint: Json) -> str:
    """`ecr.api` of `com.amazonaws.<region>.ecr.api`, whose region is a reference."""
    name = endpoint["ServiceName"]
    parts = name["Fn::Join"][1] if isinstance(name, dict) else [name]
    return str(parts[-1]).removeprefix("com.amazonaws.").lstrip(".")


class TestPreflight:
    @pytest.mark.parametrize(
        ("preset", "quotas"),
        [
            (NetworkPreset.NAT_GATEWAY, {"vpc", "internet-gateway", "eip"}),
            (NetworkPreset.NAT_INSTANCE, {"vpc", "internet-gateway"}),
            (NetworkPreset.PUBLIC, {"vpc", "internet-gateway"}),
        ],
    )
    def test_asks_for_room_before_the_vpc(self, preset: NetworkPreset, quotas: set[str]) -> None:
        template = network(preset=preset)
        (id,) = of_type(template, "Custom::GalvPreflight")

        asked = only(template, "Custom::GalvPreflight")["Questions"]
        assert asked.keys() == {f"Network/Quotas/{name}" for name in quotas}
        for kind in ("AWS::EC2::VPC", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"):
            found = of_type(template, kind).values()
            assert len(found) == (kind != "AWS::EC2::EIP" or "eip" in quotas)
            assert all(id in resource["DependsOn"] for resource in found)

    def test_asks_nothing_where_that_is_left_out(self) -> None:
        plain = network(preflight=False)

        assert "Preflight" not in json.dumps(plain)
        assert network(preflight=["quotas"]) == plain

    def test_refuses_what_is_no_kind(self) -> None:
        with pytest.raises(ValueError, match="preflight leaves out 'vpc'"):
            network(preflight=["vpc"])
