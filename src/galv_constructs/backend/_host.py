"""The API's host name at a load balancer: certificate, DNS records, rule."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct, IConstruct

from galv_constructs._core.listener_rules import hashed, record_priority, worked_out_priority
from galv_constructs.backend._listener_certificate import add_certificate
from galv_constructs.load_balancer._resource import LoadBalancer
from galv_constructs.load_balancer.load_balancer import IGalvLoadBalancer, covers

RULE_PRIORITY = 100
"""Of the rule at a load balancer of its own; rules with a lower number come before it."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host name that a load balancer answers for."""

    place: Construct
    """The scope of the parts of the name."""

    domain_name: str
    load_balancer: elbv2.IApplicationLoadBalancer
    listener: elbv2.IApplicationListener
    certificate: acm.ICertificate | None
    records: Sequence[route53.ARecord | route53.AaaaRecord]
    """Those of the name: for IPv4, and for IPv6 where it has that."""

    target_group_id: str
    """Of the target group. A target group is one load balancer's, so that another one needs another
    group: the old one is deleted after it."""

    rule: tuple[Construct, str, int]
    """Place, id and priority of the rule."""

    own: LoadBalancer | None = None
    """The load balancer, where it is the backend's own."""

    def forward_to(self, target_group: elbv2.ApplicationTargetGroup) -> None:
        """Forward requests for this name, and no others.

        Django lets requests through whose `Host` is an address that health checks have, and health
        checks do not come this way.
        """
        scope, id, priority = self.rule
        elbv2.ApplicationListenerRule(
            scope,
            id,
            listener=self.listener,
            priority=priority,
            conditions=[elbv2.ListenerCondition.host_headers([self.domain_name])],
            target_groups=[target_group],
        )
        backend = self.place.node.scope
        record_priority(
            priority, self.listener, scope.node.path if backend is None else backend.node.path
        )

    def answer_after(self, service: IConstruct) -> None:
        """Let the name lead here when tasks answer here.

        A service is complete when its tasks are healthy at the load balancer. Where the backend
        moves from another one, that answers until then.
        """
        for record in self.records:
            record.node.add_dependency(service)

    @property
    def record(self) -> route53.ARecord | None:
        """The record for IPv4."""
        return next((one for one in self.records if isinstance(one, route53.ARecord)), None)

    @property
    def security_group(self) -> ec2.ISecurityGroup:
        """Security group of the load balancer."""
        return self.listener.connections.security_groups[0]


def own_host(
    load_balancer: LoadBalancer,
    *,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    has_ipv6: bool,
    internet_facing: bool,
) -> Host:
    """The name at the backend's own load balancer."""
    return Host(
        place=load_balancer,
        domain_name=domain_name,
        load_balancer=load_balancer.resource,
        listener=load_balancer.https,
        certificate=load_balancer.certificate,
        records=_records(
            load_balancer, domain_name, hosted_zone, load_balancer.resource, has_ipv6=has_ipv6
        ),
        target_group_id="TargetGroup" if internet_facing else "InternalTargetGroup",
        rule=(load_balancer.https, "WebRule", RULE_PRIORITY),
        own=load_balancer,
    )


def shared_host(
    scope: Construct,
    id: str,
    shared: IGalvLoadBalancer,
    *,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
    priority: int | None,
) -> Host:
    """The name at a load balancer that others have names at too."""
    place = Construct(scope, id)
    added: elbv2.ApplicationListenerCertificate | None = None
    if certificate is not None:
        added = add_certificate(place, shared.listener, certificate)
    elif not covers(shared.domain_names, domain_name):
        certificate = acm.Certificate(
            place,
            "Certificate",
            domain_name=domain_name,
            validation=acm.CertificateValidation.from_dns(hosted_zone),
        )
        added = elbv2.ApplicationListenerCertificate(
            place, "ListenerCertificate", listener=shared.listener, certificates=[certificate]
        )
    rule = Construct(place, "Rule")
    if added is not None:
        # No request is forwarded to a name that answers with a certificate of others.
        rule.node.add_dependency(added)
    return Host(
        place=place,
        domain_name=domain_name,
        load_balancer=shared.load_balancer,
        listener=shared.listener,
        certificate=certificate,
        records=_records(
            place, domain_name, hosted_zone, shared.load_balancer, has_ipv6=shared.has_ipv6
        ),
        target_group_id=f"TargetGroup{hashed(shared.listener.node.path):x}",
        rule=(rule, "Resource", worked_out_priority(domain_name) if priority is None else priority),
    )


def _records(
    scope: Construct,
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    load_balancer: elbv2.IApplicationLoadBalancer,
    *,
    has_ipv6: bool,
) -> list[route53.ARecord | route53.AaaaRecord]:
    if hosted_zone is None:
        return []
    # With the dot at the end it is whole, also where the name of the zone is a token.
    name = f"{domain_name}."
    target = route53.RecordTarget.from_alias(targets.LoadBalancerTarget(load_balancer))
    records: list[route53.ARecord | route53.AaaaRecord] = [
        route53.ARecord(scope, "AliasRecord", zone=hosted_zone, record_name=name, target=target)
    ]
    if has_ipv6:
        records.append(
            route53.AaaaRecord(
                scope, "AliasRecordIpv6", zone=hosted_zone, record_name=name, target=target
            )
        )
    return records
