"""Existing resources of the account: the hosted zone, and perhaps a VPC."""

from typing import Any

from aws_cdk import ContextProvider
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs import GalvConfig, GalvNetwork, IGalvNetwork, NetworkPreset


def hosted_zone(scope: Construct, config: GalvConfig) -> route53.IHostedZone | None:
    """Find the zone that the host names are in, if Route 53 has it."""
    if not config.is_route53_domain:
        return None
    name = config.hosted_zone_name
    if config.hosted_zone_id is not None:
        return route53.HostedZone.from_hosted_zone_attributes(
            scope, "Zone", hosted_zone_id=config.hosted_zone_id, zone_name=name
        )
    if _was_not_found(scope, "hosted-zone", {"domainName": name}):
        raise ValueError(
            f"Route 53 has no public zone named {name} in this account, or several. Set "
            "hostedZoneName to the name of the zone that the domain is in, which may be a domain "
            "above it; or hostedZoneName and hostedZoneId where there are several; or "
            "isRoute53Domain to false if the DNS is elsewhere"
        )
    return route53.HostedZone.from_lookup(scope, "Zone", domain_name=name)


def record_to_create(host: str, subdomain: str) -> str:
    """Say which record a host name outside Route 53 needs."""
    if subdomain == "":
        return (
            f"Create an ALIAS or ANAME record from {host} to this; a CNAME record only if {host} "
            "is not the top of its zone"
        )
    return f"Create a CNAME record from {host} to this"


def network(scope: Construct, config: GalvConfig, log_bucket: s3.IBucket) -> IGalvNetwork:
    """Define a network, or use the VPC that is given."""
    if config.vpc_id is None:
        return GalvNetwork(
            scope,
            "Network",
            preset=config.network_preset,
            log_bucket=log_bucket,
            preflight=config.preflight,
        )
    query = {"filter": {"vpc-id": config.vpc_id}, "returnAsymmetricSubnets": True}
    if _was_not_found(scope, "vpc-provider", query):
        raise ValueError(
            f"vpcId: no VPC {config.vpc_id} was found in this account and region; to look, the CDK "
            "CLI needs credentials for the account"
        )
    vpc = ec2.Vpc.from_lookup(scope, "Vpc", vpc_id=config.vpc_id)
    return GalvNetwork.from_vpc(
        vpc,
        load_balancer_subnets=_chosen(vpc, config, "loadBalancer"),
        task_subnets=_chosen(vpc, config, "tasks"),
        database_subnets=_chosen(vpc, config, "database"),
        assign_public_ip=config.network_preset is NetworkPreset.PUBLIC,
    )


def _chosen(vpc: ec2.IVpc, config: GalvConfig, part: str) -> ec2.SubnetSelection | None:
    ids = config.vpc_subnets.get(part)
    # On the first pass of a look-up no subnet is known.
    if ids is None or vpc.select_subnets(subnet_type=ec2.SubnetType.PUBLIC).is_pending_lookup:
        return None
    subnets = {
        subnet.subnet_id: subnet
        for subnet in (*vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets)
    }
    missing = [id for id in ids if id not in subnets]
    if missing:
        raise ValueError(f"vpcSubnets: {', '.join(missing)} for {part} is not in {config.vpc_id}")
    return ec2.SubnetSelection(subnets=[subnets[id] for id in ids])


def _was_not_found(scope: Construct, provider: str, query: dict[str, Any]) -> bool:
    """Whether the CDK CLI has looked for something in the account, and not found it."""
    key = ContextProvider.get_key(scope, provider=provider, props=query).key
    answer = scope.node.try_get_context(key)
    return isinstance(answer, dict) and "$providerError" in answer
