"""Who may reach a load balancer."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2

from galv_constructs._core.ip_ranges import ranges_by_version
from galv_constructs._core.placement import if_told
from galv_constructs._core.validation import check_boolean
from galv_constructs.network import IGalvNetwork

# A security group has 60 inbound rules by default, IPv4 and IPv6 counted by themselves:
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
# Each range has a rule for HTTPS, and one for the redirect to it.
MOST_RANGES = 30
_PORTS = {443: "HTTPS", 80: "HTTP, to be redirected"}


def check_access(internet_facing: object, allowed_cidrs: Sequence[str] | None) -> None:
    """Refuse ranges that are none, or too many for a security group."""
    check_boolean("internet_facing", internet_facing)
    if allowed_cidrs is not None:
        check_ranges("allowed_cidrs", allowed_cidrs)


def check_vpc_range(
    argument: str,
    vpc: ec2.IVpc | None,
    *,
    internet_facing: bool | None,
    allowed_cidrs: Sequence[str] | None,
) -> None:
    """Refuse a VPC whose range is not known, for an internal load balancer that lets that in."""
    if vpc is None or internet_facing is not False or allowed_cidrs is not None:
        return
    if if_told(vpc, "vpc_cidr_block") is None:
        raise ValueError(
            f"{argument} is a VPC without its IPv4 range ({vpc.node.path}), which an internal load "
            "balancer lets in: import it with ec2.Vpc.from_lookup(…) or with vpc_cidr_block=…, or "
            "pass allowed_cidrs"
        )


def check_ranges(name: str, ranges: Sequence[str]) -> None:
    """Refuse ranges that are none, or too many for a security group."""
    for version, given in ranges_by_version(name, ranges, allows_all=True).items():
        if len(given) > MOST_RANGES:
            raise ValueError(
                f"{name} has {len(given)} IPv{version} ranges, and a security group has room for "
                f"{MOST_RANGES}: join ranges, or allow a prefix list in the load balancer's "
                "security group, connections.allow_from(ec2.Peer.prefix_list(…), …)"
            )


def allow_access(
    security_group: ec2.ISecurityGroup,
    network: IGalvNetwork,
    *,
    internet_facing: bool,
    allowed_cidrs: Sequence[str] | None,
) -> None:
    """Open a security group for HTTPS, and for the redirect to it, to some ranges alone."""
    if allowed_cidrs is None:
        peers = [] if internet_facing else [ec2.Peer.ipv4(network.vpc.vpc_cidr_block)]
    else:
        by_version = ranges_by_version("allowed_cidrs", allowed_cidrs, allows_all=True)
        peers = [
            (ec2.Peer.ipv4 if version == 4 else ec2.Peer.ipv6)(value)
            for version, ranges in by_version.items()
            for value in dict.fromkeys(ranges)
        ]
    for peer in peers:
        for port, use in _PORTS.items():
            security_group.connections.allow_from(peer, ec2.Port.tcp(port), use)


def is_open(*, internet_facing: bool, allowed_cidrs: Sequence[str] | None) -> bool:
    """Whether everybody reaches the load balancer."""
    return internet_facing and allowed_cidrs is None
