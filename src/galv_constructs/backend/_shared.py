"""Checks of a load balancer that a backend shares, and of the arguments beside it."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53
from constructs import Construct

from galv_constructs._core.certificates import check_certificate_source
from galv_constructs._core.listener_rules import (
    HIGHEST_PRIORITY,
    check_priority,
    worked_out_priority,
)
from galv_constructs._core.placement import check_place, check_vpc
from galv_constructs._core.validation import check_construct, check_range, is_token
from galv_constructs.load_balancer.load_balancer import IGalvLoadBalancer, covers
from galv_constructs.network import IGalvNetwork


def check_load_balancer(
    scope: Construct,
    load_balancer: IGalvLoadBalancer | None,
    *,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
    rule_priority: int | None,
    request_timeout: Duration | None,
    its_own: Mapping[str, object],
) -> None:
    """Check what belongs to a shared load balancer, or to one of the backend's own.

    Args:
        scope: Parent of the backend.
        load_balancer: The shared one; none for one of its own.
        domain_name: Host name of the backend.
        hosted_zone: Zone that the name is in.
        certificate: Certificate for the name.
        rule_priority: Number of the rule at the shared one.
        request_timeout: How long the backend may take to answer.
        its_own: Arguments that only a load balancer of its own has, with what was given where that
            is not the default.

    Raises:
        ValueError: If an argument is for the other kind, or contradicts the shared one.
    """
    check_construct(
        "load_balancer",
        load_balancer,
        "IGalvLoadBalancer",
        "GalvLoadBalancer.from_listener(listener, load_balancer=…)",
    )
    if load_balancer is None:
        check_certificate_source(domain_name, hosted_zone, certificate)
        if rule_priority is not None:
            raise ValueError(
                "rule_priority is given without load_balancer, and the only rule of a load "
                "balancer of its own needs none: drop it"
            )
        return
    if not hasattr(load_balancer, "domain_names"):
        raise ValueError(
            f"load_balancer must be a GalvLoadBalancer, got {type(load_balancer).__name__}: use "
            "GalvLoadBalancer.from_listener(listener, load_balancer=…)"
        )
    _check_certificate(load_balancer, domain_name, hosted_zone, certificate)
    given = [name for name, value in its_own.items() if value is not None]
    if given:
        raise ValueError(
            f"{', '.join(given)}: for a load balancer of the backend's own, and load_balancer is "
            "given: pass it to GalvLoadBalancer(…)"
        )
    if rule_priority is None and is_token(domain_name):
        raise ValueError(
            "domain_name is not known at synthesis, and the number of its rule at load_balancer is "
            "worked out from it: pass rule_priority too"
        )
    if rule_priority is not None:
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
        check_range("rule_priority", rule_priority, 1, HIGHEST_PRIORITY)
    check_priority(
        "rule_priority",
        worked_out_priority(domain_name) if rule_priority is None else rule_priority,
        load_balancer.listener,
        worked_out_from=f"domain_name {domain_name!r}" if rule_priority is None else "",
    )
    _check_timeout(load_balancer, request_timeout)
    check_place(scope, "load_balancer", load_balancer.load_balancer)


def network_beside(
    load_balancer: IGalvLoadBalancer | None,
    network: IGalvNetwork | None,
    cluster: ecs.ICluster | None,
) -> IGalvNetwork | None:
    """Return the network that is given, or that of a load balancer that is."""
    if load_balancer is None or network is not None or cluster is not None:
        return network
    if load_balancer.network is None:
        raise ValueError(
            "network is not given, and load_balancer does not tell its VPC: pass "
            "network=GalvNetwork.from_vpc(vpc) with the VPC that it is in"
        )
    return load_balancer.network


def check_same_vpc(load_balancer: IGalvLoadBalancer | None, vpc: ec2.IVpc | None) -> None:
    """Refuse a load balancer that cannot reach the tasks."""
    if load_balancer is not None and load_balancer.network is not None and vpc is not None:
        check_vpc("load_balancer", load_balancer.network.vpc, vpc)


def _check_certificate(
    load_balancer: IGalvLoadBalancer,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
) -> None:
    if not (hosted_zone is None and certificate is None):
        check_certificate_source(domain_name, hosted_zone, certificate)
    elif not covers(load_balancer.domain_names, domain_name):
        raise ValueError(
            f"neither hosted_zone nor certificate is given, and no certificate of load_balancer is "
            f"known to cover {domain_name!r}: pass one of the two, or a load balancer for "
            f"'*.{domain_name.partition('.')[2]}'"
        )


def _check_timeout(load_balancer: IGalvLoadBalancer, request_timeout: Duration | None) -> None:
    longest = load_balancer.request_timeout
    if longest is None or request_timeout is None:
        return
    given, most = request_timeout.to_seconds(), longest.to_seconds()
    if given > most:
        raise ValueError(
            f"request_timeout is {given:g} seconds, and load_balancer ends requests after "
            f"{most:g}: pass a longer one to it, or a shorter one here"
        )
