"""The VPC, with subnets for the load balancer, the tasks and the database."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable

from galv_constructs._core.acknowledge import acknowledge, standards
from galv_constructs._core.placement import if_told
from galv_constructs._core.regions import azs_with_smtp_endpoint
from galv_constructs._core.validation import (
    check_boolean,
    check_construct,
    check_known,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.log_bucket._delivery import check_log_bucket, ready_for_logs
from galv_constructs.preflight._needs import Needs, check_preflight
from galv_constructs.preflight.check import PreflightCheck


class NetworkPreset(Enum):
    """How tasks reach the internet, and what that costs."""

    NAT_GATEWAY = "natGateway"
    """Tasks in private subnets, one NAT gateway: nothing to maintain."""

    NAT_INSTANCE = "natInstance"
    """Tasks in private subnets, one small EC2 instance as the NAT device: a tenth of the cost of a
    NAT gateway, but traffic stops while the instance is replaced, which any deployment does
    after Amazon has published a new image for it."""

    PUBLIC = "public"
    """Tasks in public subnets with public addresses, closed to the outside by their security
    groups: the cheapest."""

    ENDPOINTS = "endpoints"
    """No way to the internet: tasks reach the AWS services that they use through interface
    endpoints. Images have to come from Amazon ECR."""


class IGalvNetwork(Protocol):
    """A VPC and where in it things go: a `GalvNetwork`, or what `GalvNetwork.from_vpc` returns."""

    @property
    def vpc(self) -> ec2.IVpc:
        """The VPC."""

    @property
    def load_balancer_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the load balancer."""

    @property
    def task_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the tasks."""

    @property
    def database_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the database."""

    @property
    def assign_public_ip(self) -> bool:
        """Whether tasks get public addresses, which they need in public subnets."""

    @property
    def has_internet(self) -> bool:
        """Whether tasks can reach the internet."""

    @property
    def has_s3_endpoint(self) -> bool:
        """Whether tasks reach S3 through an endpoint of the VPC, of which S3 can tell the VPC."""

    @property
    def has_ipv6(self) -> bool:
        """Whether the subnets of the load balancer have IPv6, so that it answers over that too."""

    @property
    def connectivity(self) -> Sequence[IDependable]:
        """The routes and endpoints that have to exist before a task can reach what it needs."""


@dataclass(frozen=True, kw_only=True)
class _GivenNetwork:
    vpc: ec2.IVpc
    load_balancer_subnets: ec2.SubnetSelection
    task_subnets: ec2.SubnetSelection
    database_subnets: ec2.SubnetSelection
    assign_public_ip: bool
    has_internet: bool
    has_s3_endpoint: bool
    has_ipv6: bool
    connectivity: Sequence[IDependable]


class GalvNetwork(Construct):
    """A VPC in two Availability Zones, laid out for Galv.

    Defines public subnets for the load balancer, subnets for the tasks as the preset says, isolated
    subnets for the database, and an S3 gateway endpoint (free) on every route table. Where it
    differs from `ec2.Vpc`: one NAT gateway instead of one per AZ; subnets do not give out public
    addresses; the default security group is closed.

    What costs money, per month at list prices of us-east-1: a NAT gateway $32.85 and its address
    $3.65; a NAT instance (t4g.nano) about $3 and its address $3.65; interface endpoints $7.30 each
    in each AZ, five of them, and $7.30 for that of Amazon SES, which is in one AZ.

    Example:
        ```python
        network = GalvNetwork(self, "Network", preset=NetworkPreset.PUBLIC)
        GalvBackend(
            self, "Backend", domain_name="api.example.com", hosted_zone=zone, network=network
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        preset: NetworkPreset = NetworkPreset.NAT_GATEWAY,
        cidr: str | None = None,
        max_azs: int = 2,
        ipv6: bool = False,
        log_bucket: s3.IBucket | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the VPC.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            preset: How tasks reach the internet. Changing it later moves the tasks to other
                subnets; the database stays. Default: one NAT gateway.
            cidr: IPv4 range of the VPC, from /16 to /24, or to /23 with three AZs. Changing it
                replaces the VPC and all that is in it. Default: 10.0.0.0/16.
            max_azs: Number of Availability Zones, 2 or 3; the load balancer and the database need
                two. It cannot be changed later: the new subnets would overlap the old ones.
                Default: 2.
            ipv6: Whether the VPC gets a range of IPv6 from Amazon, so that a load balancer answers
                over IPv6 too. Tasks and database stay with IPv4. Default: false.
            log_bucket: Bucket for flow logs, which say who connected to what, such as
                `GalvLogBucket.bucket`. Default: there are none.
            preflight: Whether a deployment first asks whether the account has room for the VPC: see
                `GalvPreflight`. A list leaves out checks, by their kinds or ids. Default: true.

        Raises:
            ValueError: If an argument has the wrong type or is out of range.
        """
        if not isinstance(preset, NetworkPreset):
            allowed = ", ".join(f"NetworkPreset.{member.name}" for member in NetworkPreset)
            raise ValueError(f"preset must be one of {allowed}, got {preset!r}")
        check_range("max_azs", max_azs, 2, 3)
        check_boolean("ipv6", ipv6)
        if cidr is not None:
            _check_cidr(cidr, max_azs)
        check_log_bucket(log_bucket)
        check_preflight(preflight)
        super().__init__(scope, id)
        self._preset = preset
        self._ipv6 = ipv6
        self._cidr = "10.0.0.0/16" if cidr is None else cidr

        nat = _nat_instance() if preset is NetworkPreset.NAT_INSTANCE else None
        has_nat = preset in (NetworkPreset.NAT_GATEWAY, NetworkPreset.NAT_INSTANCE)
        self._vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(self._cidr),
            max_azs=max_azs,
            nat_gateways=1 if has_nat else 0,
            nat_gateway_provider=nat,
            restrict_default_security_group=True,
            ip_protocol=ec2.IpProtocol.DUAL_STACK if ipv6 else None,
            subnet_configuration=_subnets(preset, ipv6=ipv6),
        )
        self._endpoints: list[ec2.IVpcEndpoint] = [
            self._vpc.add_gateway_endpoint(
                "S3Endpoint", service=ec2.GatewayVpcEndpointAwsService.S3
            )
        ]
        for subnet in self._vpc.public_subnets:
            acknowledge(subnet, _PUBLIC_SUBNET_FINDINGS)
        self._flow_log = None if log_bucket is None else self._log_flows(log_bucket)
        if nat is not None:
            self._harden_nat_instance(nat)
        if preset is NetworkPreset.ENDPOINTS:
            self._add_interface_endpoints()
        needs = Needs(self, preflight=preflight)
        for quota in (
            "vpc",
            "internet-gateway",
            *(["eip"] if preset is NetworkPreset.NAT_GATEWAY else []),
        ):
            needs.ask(f"Quotas/{quota}", PreflightCheck.quota(quota))
        if preflight is not False:
            # Each of what there may be no room for: two of them refer to no VPC.
            kinds = (ec2.CfnInternetGateway, ec2.CfnEIP)
            parts = (part for part in self._vpc.node.find_all() if isinstance(part, kinds))
            needs.hold(self._vpc, *parts)

    @staticmethod
    def from_vpc(
        vpc: ec2.IVpc,
        *,
        load_balancer_subnets: ec2.SubnetSelection | None = None,
        task_subnets: ec2.SubnetSelection | None = None,
        database_subnets: ec2.SubnetSelection | None = None,
        assign_public_ip: bool = False,
        has_internet: bool = True,
        has_s3_endpoint: bool = False,
        has_ipv6: bool = False,
    ) -> IGalvNetwork:
        """Use a VPC that exists, or that you define yourself.

        Args:
            vpc: The VPC. Tasks need a way to STS, Secrets Manager, CloudWatch Logs, the registry
                of the image and the mail server, by the internet or by endpoints. One imported
                with `from_vpc_attributes` needs the IPv4 ranges of the tasks' subnets.
            load_balancer_subnets: Subnets of the load balancer, in at least two AZs.
                Default: the public subnets.
            task_subnets: Subnets of the tasks. Default: the public subnets if `assign_public_ip`
                is true, the isolated subnets if `has_internet` is false, otherwise the private
                subnets with egress.
            database_subnets: Subnets of the database, in at least two AZs. Default: the isolated
                subnets if the VPC has any, otherwise the private subnets with egress.
            assign_public_ip: Whether tasks get public addresses. Default: false.
            has_internet: Whether tasks can reach the internet. When it is false, an image that is
                not in Amazon ECR is refused. Default: true.
            has_s3_endpoint: Whether the route tables of the tasks' subnets have a gateway endpoint
                for S3. When it is true, the tasks' roles write, delete and list objects from
                within the VPC alone; without an endpoint they could not any more. Default: false.
            has_ipv6: Whether the subnets of the load balancer have ranges of IPv6, and it should
                answer over that too. Default: false.

        Raises:
            ValueError: If an argument has the wrong type, no subnet is as one says, or tasks should
                have public addresses but no internet.
        """
        check_construct("vpc", vpc, "aws_ec2.IVpc", "ec2.Vpc.from_lookup(scope, id, vpc_id=…)")
        check_boolean("assign_public_ip", assign_public_ip)
        check_boolean("has_internet", has_internet)
        check_boolean("has_s3_endpoint", has_s3_endpoint)
        check_boolean("has_ipv6", has_ipv6)
        if assign_public_ip and not has_internet:
            raise ValueError(
                "assign_public_ip=True with has_internet=False: public addresses are of use only "
                "where there is a way to the internet; set one of the two"
            )
        load_balancer_subnets = _findable("load_balancer_subnets", vpc, load_balancer_subnets)
        task_subnets = _findable("task_subnets", vpc, task_subnets)
        database_subnets = _findable("database_subnets", vpc, database_subnets)
        if task_subnets is None:
            if assign_public_ip:
                task_subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
            elif has_internet:
                task_subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
            else:
                task_subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        if database_subnets is None:
            database_subnets = ec2.SubnetSelection(
                subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                if vpc.isolated_subnets
                else ec2.SubnetType.PRIVATE_WITH_EGRESS
            )
        return _GivenNetwork(
            vpc=vpc,
            load_balancer_subnets=load_balancer_subnets
            or ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            task_subnets=task_subnets,
            database_subnets=database_subnets,
            assign_public_ip=assign_public_ip,
            has_internet=has_internet,
            has_s3_endpoint=has_s3_endpoint,
            has_ipv6=has_ipv6,
            connectivity=[_select(vpc, task_subnets).internet_connectivity_established],
        )

    @property
    def vpc(self) -> ec2.IVpc:
        """The VPC."""
        return self._vpc

    @property
    def load_balancer_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the load balancer: the public ones."""
        return ec2.SubnetSelection(subnet_group_name="Public")

    @property
    def task_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the tasks, as the preset says."""
        return ec2.SubnetSelection(subnet_group_name="Public" if self.assign_public_ip else "Tasks")

    @property
    def database_subnets(self) -> ec2.SubnetSelection:
        """Subnets of the database: no route leads out of them or in from outside the VPC."""
        return ec2.SubnetSelection(subnet_group_name="Database")

    @property
    def assign_public_ip(self) -> bool:
        """Whether tasks get public addresses."""
        return self._preset is NetworkPreset.PUBLIC

    @property
    def has_internet(self) -> bool:
        """Whether tasks can reach the internet."""
        return self._preset is not NetworkPreset.ENDPOINTS

    @property
    def has_s3_endpoint(self) -> bool:
        """Whether tasks reach S3 through an endpoint of the VPC: always."""
        return True

    @property
    def has_ipv6(self) -> bool:
        """Whether a load balancer answers over IPv6 too."""
        return self._ipv6

    @property
    def connectivity(self) -> Sequence[IDependable]:
        """The routes and endpoints that have to exist before a task can reach what it needs."""
        return [
            _select(self._vpc, self.task_subnets).internet_connectivity_established,
            *self._endpoints,
        ]

    @property
    def endpoints(self) -> Sequence[ec2.IVpcEndpoint]:
        """The VPC endpoints: S3's, and those that the preset needs."""
        return list(self._endpoints)

    @property
    def flow_log(self) -> ec2.CfnFlowLog | None:
        """The flow log, if there is one."""
        return self._flow_log

    def add_execute_command_endpoint(self) -> None:
        """Make ECS Exec work without the internet; where there is a way to it, do nothing."""
        id = "SsmMessagesEndpoint"
        if not self.has_internet and self._vpc.node.try_find_child(id) is None:
            self._add_interface_endpoint(id, ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES)

    def add_smtp_endpoint(self) -> None:
        """Let tasks send through Amazon SES without the internet, by an endpoint in one AZ.

        Where there is a way to the internet, do nothing. `GalvBackend` calls it when it has `mail`.

        Some AZs of us-east-1, us-west-1, us-west-2, ap-northeast-2 and ca-central-1 cannot have
        the endpoint. CDK looks up which can, if the account and the region of the stack are known.
        In a stack for any region, the first AZ gets it, and the deployment fails if it cannot.

        Raises:
            ValueError: If no AZ of this network can have it, or CDK cannot look that up because
                the stack has one of these regions but no account.
        """
        id = "SmtpEndpoint"
        if self.has_internet or self._vpc.node.try_find_child(id) is not None:
            return
        subnets = _select(self._vpc, self.task_subnets).subnets
        names = [subnet.availability_zone for subnet in subnets]
        possible = azs_with_smtp_endpoint(self, names)
        if not possible:
            raise ValueError(
                f"network ({self.node.path}) is in the Availability Zones {', '.join(names)}, and "
                "Amazon SES has an SMTP endpoint in none of them: use GalvNetwork.from_vpc(…) with "
                "a VPC in others (ec2.Vpc(availability_zones=…)), or choose another NetworkPreset"
            )
        # One will do: when its AZ fails, mail alone has to wait.
        self._add_interface_endpoint(
            id,
            # The port of STARTTLS; CDK's constant has 443, which this service does not serve.
            ec2.InterfaceVpcEndpointAwsService("email-smtp", port=587),
            ec2.SubnetSelection(subnets=[subnets[names.index(possible[0])]]),
        )

    def _log_flows(self, log_bucket: s3.IBucket) -> ec2.CfnFlowLog:
        flow_log = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_type="VPC",
            resource_id=self._vpc.vpc_id,
            traffic_type="ALL",
            log_destination_type="s3",
            log_destination=log_bucket.bucket_arn,
            max_aggregation_interval=600,
        )
        flow_log.node.add_dependency(*ready_for_logs(log_bucket))
        return flow_log

    def _harden_nat_instance(self, nat: ec2.NatInstanceProviderV2) -> None:
        nat.connections.allow_from(
            ec2.Peer.ipv4(self._cidr), ec2.Port.all_traffic(), "From the VPC only"
        )
        acknowledge(nat.security_group, _NAT_SECURITY_GROUP_FINDINGS)
        for instance in nat.gateway_instances:
            resource = instance.node.default_child
            assert isinstance(resource, ec2.CfnInstance)  # noqa: S101 - what an L2 instance is made of
            # The root volume of Amazon Linux; the provider has no argument for it.
            resource.block_device_mappings = [
                ec2.CfnInstance.BlockDeviceMappingProperty(
                    device_name="/dev/xvda",
                    ebs=ec2.CfnInstance.EbsProperty(encrypted=True, volume_type="gp3"),
                )
            ]
            resource.metadata_options = ec2.CfnInstance.MetadataOptionsProperty(
                http_tokens="required"
            )
            acknowledge(instance, _NAT_INSTANCE_FINDINGS)

    def _add_interface_endpoints(self) -> None:
        services = {
            "EcrApiEndpoint": ec2.InterfaceVpcEndpointAwsService.ECR,
            "EcrDockerEndpoint": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
            "LogsEndpoint": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
            "SecretsManagerEndpoint": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            "StsEndpoint": ec2.InterfaceVpcEndpointAwsService.STS,
        }
        for id, service in services.items():
            self._add_interface_endpoint(id, service)

    def _add_interface_endpoint(
        self,
        id: str,
        service: ec2.IInterfaceVpcEndpointService,
        subnets: ec2.SubnetSelection | None = None,
    ) -> None:
        endpoint = self._vpc.add_interface_endpoint(
            id,
            service=service,
            subnets=subnets or self.task_subnets,
            private_dns_enabled=True,
            open=False,
        )
        endpoint.connections.allow_default_port_from(ec2.Peer.ipv4(self._cidr), "From the VPC only")
        self._endpoints.append(endpoint)


_PUBLIC_SUBNET_FINDINGS = standards(
    {
        "VPCNoUnrestrictedRouteToIGW": "A public subnet is one with a way to the "
        "internet: for the load balancer and for what tasks reach the internet by."
    }
)
_NAT_SECURITY_GROUP_FINDINGS = standards(
    {
        "EC2RestrictedCommonPorts": "It forwards what the VPC sends, on whatever port, "
        "and lets in nothing from outside it."
    }
)
_NAT_INSTANCE_FINDINGS = {
    "AwsSolutions-EC28": "The instance forwards packets and keeps nothing: the "
    "basic five-minute metrics and EC2's own status checks say what there is to "
    "know.",
    "AwsSolutions-EC29": "The instance keeps nothing and is replaced by a "
    "deployment; protection from termination would make that deployment fail.",
} | standards(
    {
        "EC2InstanceDetailedMonitoringEnabled": "The instance forwards packets and "
        "keeps nothing: the basic metrics say what there is to know.",
        "EC2InstanceNoPublicIp": "A NAT device is what has a public address in "
        "place of the tasks; it lets in nothing but what comes from the VPC.",
        "EC2InstancesInVPC": "It is in the VPC, by its network interface, which "
        "the rule does not look at.",
    }
)


def _check_cidr(cidr: object, max_azs: int) -> None:
    """Refuse a range that cannot be divided into three subnets in each Availability Zone.

    "Each subnet … must have a CIDR block with at least a /27 bitmask … and at least eight free IP
    addresses": https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
    A VPC has at most a /16: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    """
    check_type("cidr", cidr, str, "an IPv4 range such as '10.0.0.0/16'")
    check_known("cidr", cidr)
    smallest = 24 if max_azs == 2 else 23
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError:
        network = None
    if network is None or "/" not in str(cidr) or not 16 <= network.prefixlen <= smallest:
        raise ValueError(
            f"cidr must be an IPv4 range from /16 to /{smallest} with max_azs={max_azs}, whose "
            f"host bits are zero, such as '10.0.0.0/16', got {cidr!r}"
        )


def _subnets(preset: NetworkPreset, *, ipv6: bool) -> Sequence[ec2.SubnetConfiguration]:
    # Without addresses of IPv6, which no security group of theirs lets out, tasks never try it.
    without = False if ipv6 else None
    # Every preset divides the range in the same way, so that a change of preset leaves the
    # database's subnets, and with them the database, alone.
    return [
        ec2.SubnetConfiguration(
            name="Public",
            subnet_type=ec2.SubnetType.PUBLIC,
            map_public_ip_on_launch=False,
            ipv6_assign_address_on_creation=without,
        ),
        ec2.SubnetConfiguration(
            name="Tasks",
            subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
            if preset in (NetworkPreset.NAT_GATEWAY, NetworkPreset.NAT_INSTANCE)
            else ec2.SubnetType.PRIVATE_ISOLATED,
            reserved=preset is NetworkPreset.PUBLIC,
            ipv6_assign_address_on_creation=without,
        ),
        ec2.SubnetConfiguration(
            name="Database",
            subnet_type=ec2.SubnetType.PRIVATE_ISOLATED,
            ipv6_assign_address_on_creation=without,
        ),
    ]


def _nat_instance() -> ec2.NatInstanceProviderV2:
    return ec2.NatProvider.instance_v2(
        instance_type=ec2.InstanceType("t4g.nano"),
        associate_public_ip_address=True,
        default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
    )


def selected_task_subnets(network: IGalvNetwork) -> ec2.SelectedSubnets:
    """The subnets that tasks run in."""
    return _select(network.vpc, network.task_subnets)


_Route = Literal["nat", "internet", "none"]


def ask_for_subnets(
    needs: Needs, network: IGalvNetwork, *, tasks: int, internet_facing: bool | None
) -> None:
    """Ask for the subnets of a network that was given, for so many tasks and a load balancer.

    Args:
        needs: What asks.
        network: The network.
        tasks: How many tasks run at a time.
        internet_facing: Whether a load balancer that is created in it is; none if none is.
    """
    parts: list[tuple[str, ec2.SubnetSelection, _Route, int, int]] = [
        ("TaskSubnets", network.task_subnets, _route(network), tasks, 0)
    ]
    if internet_facing:
        # "verify that each Availability Zone subnet for your load balancer has … at least eight
        # free IP addresses per subnet":
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
        parts.append(("LoadBalancerSubnets", network.load_balancer_subnets, "internet", 0, 8))
    elif internet_facing is False:
        parts.append(("LoadBalancerSubnets", network.task_subnets, _route(network), 0, 8))
    for id, selection, route, addresses, addresses_each in parts:
        subnets = _select(network.vpc, selection)
        if not subnets.is_pending_lookup and subnets.subnet_ids:
            needs.ask(
                id,
                PreflightCheck.subnets(
                    network.vpc.vpc_id,
                    subnets.subnet_ids,
                    route=route,
                    addresses=addresses,
                    addresses_each=addresses_each,
                ),
            )


def _route(network: IGalvNetwork) -> _Route:
    if network.assign_public_ip:
        return "internet"
    return "nat" if network.has_internet else "none"


def check_is_network(network: object) -> None:
    """Refuse what is no network: a VPC, an id, or nothing."""
    check_construct("network", network, "IGalvNetwork", "GalvNetwork.from_vpc(vpc)")
    if not hasattr(network, "task_subnets"):
        raise ValueError(
            f"network must be a GalvNetwork, got {type(network).__name__}: use "
            "GalvNetwork.from_vpc(vpc) for a VPC"
        )


def check_layout(
    argument: str, network: IGalvNetwork, *, creates_database: bool, internet_facing: bool | None
) -> None:
    """Refuse subnets that a load balancer or a database cannot be created in.

    "Each DB subnet group should have subnets in at least two Availability Zones":
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html

    Args:
        argument: What the network was given in.
        network: The network.
        creates_database: Whether a database is created in it.
        internet_facing: Whether a load balancer that is created in it is; none if none is.
    """
    if internet_facing is not None:
        check_load_balancer_subnets(argument, network, internet_facing=internet_facing)
    if creates_database:
        check_database_layout(argument, network)


def check_task_ranges(argument: str, network: IGalvNetwork) -> None:
    """Refuse subnets of tasks whose ranges are not known: Galv has to trust health checks."""
    selected = selected_task_subnets(network)
    for subnet in [] if selected.is_pending_lookup else selected.subnets:
        if if_told(subnet, "ipv4_cidr_block") is None:
            raise ValueError(
                f"{argument} has the subnet {subnet.node.path} without its IPv4 range, which "
                "health checks come from: import the VPC with ec2.Vpc.from_lookup(…), or with "
                "private_subnet_ipv4_cidr_blocks=[…] of ec2.Vpc.from_vpc_attributes(…)"
            )


def check_load_balancer_subnets(
    argument: str, network: IGalvNetwork, *, internet_facing: bool
) -> None:
    """Refuse subnets that a load balancer cannot be created in.

    "You must select at least two Availability Zone subnets", and of an internet-facing one they are
    public: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html
    """
    vpc = network.vpc
    if not internet_facing:
        _check_azs(argument, vpc, "task_subnets", network.task_subnets)
        return
    public = _check_azs(argument, vpc, "load_balancer_subnets", network.load_balancer_subnets)
    closed = {subnet.node.path for subnet in [*vpc.private_subnets, *vpc.isolated_subnets]}
    wrong = [subnet.node.path for subnet in public if subnet.node.path in closed]
    if wrong:
        raise ValueError(
            f"{argument} has load_balancer_subnets without a route from the internet, "
            f"{', '.join(wrong)}, and the load balancer is public: pass "
            "network=GalvNetwork.from_vpc(vpc, load_balancer_subnets=…) with public subnets "
            "(vpcSubnets.loadBalancer in cdk.json), or internet_facing=False (internetFacing)"
        )


def check_database_layout(argument: str, network: IGalvNetwork) -> None:
    """Refuse subnets that a database cannot be created in."""
    _check_azs(argument, network.vpc, "database_subnets", network.database_subnets)


_KEYS = {
    "load_balancer_subnets": "loadBalancer",
    "task_subnets": "tasks",
    "database_subnets": "database",
}


def _check_azs(
    argument: str, vpc: ec2.IVpc, part: str, subnets: ec2.SubnetSelection
) -> Sequence[ec2.ISubnet]:
    """Return the subnets of a part, which have to be in two Availability Zones; none if unknown."""
    selected = _select(vpc, subnets)
    if selected.is_pending_lookup:
        return []
    azs = {subnet.availability_zone for subnet in selected.subnets}
    known = not any(map(is_token, azs))
    if len(selected.subnets) < 2 or (known and len(azs) < 2):
        key = _KEYS[part]
        raise ValueError(
            f"{argument} has {part} in one Availability Zone"
            f"{f', {next(iter(azs))},' if known and azs else ''} and AWS wants two: pass "
            f"network=GalvNetwork.from_vpc(vpc, {part}=…) with subnets in two AZs of a VPC "
            f"that has them (vpcSubnets.{key} in cdk.json)"
        )
    return selected.subnets


def _findable(
    argument: str, vpc: ec2.IVpc, subnets: ec2.SubnetSelection | None
) -> ec2.SubnetSelection | None:
    """Return a selection that selects something, also while CDK has yet to look up the VPC."""
    if subnets is None:
        return None
    selected = _select(vpc, subnets)
    if selected.subnets:
        return subnets
    if selected.is_pending_lookup:
        # The first pass of a look-up: no subnet has its name, id or AZ yet. CDK throws this
        # template away and synthesizes again with the answer.
        return ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    raise ValueError(
        f"{argument} selects no subnet of vpc {vpc.node.path}: choose subnets that it has"
    )


def _select(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> ec2.SelectedSubnets:
    return vpc.select_subnets(
        availability_zones=subnets.availability_zones,
        one_per_az=subnets.one_per_az,
        subnet_filters=subnets.subnet_filters,
        subnet_group_name=subnets.subnet_group_name,
        subnets=subnets.subnets,
        subnet_type=subnets.subnet_type,
    )
