"""A load balancer that several backends and services share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import jsii
from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.certificates import check_certificate_source
from galv_constructs._core.content_policy import api_policy, check_policy_additions
from galv_constructs._core.placement import check_key, check_place
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.protection import Protection
from galv_constructs._core.validation import (
    check_construct,
    check_domain_name,
    check_duration,
    check_list,
)
from galv_constructs.load_balancer._access import check_access, check_vpc_range
from galv_constructs.load_balancer._resource import LoadBalancer
from galv_constructs.log_bucket._delivery import check_access_logs
from galv_constructs.log_bucket.log_bucket import GalvLogBucket
from galv_constructs.network import IGalvNetwork, check_is_network, check_load_balancer_subnets
from galv_constructs.preflight._needs import Needs, check_preflight
from galv_constructs.preflight.check import PreflightCheck
from galv_constructs.web_acl.web_acl import GalvWebAcl, check_web_acl

# The header is the listener's, which is there before the distributions of its backends are.
_ANY_DISTRIBUTION = "https://*.cloudfront.net"


class IGalvLoadBalancer(Protocol):
    """A load balancer for HTTPS: a `GalvLoadBalancer`, or a given one by `from_listener`."""

    @property
    def load_balancer(self) -> elbv2.IApplicationLoadBalancer:
        """The load balancer."""

    @property
    def listener(self) -> elbv2.IApplicationListener:
        """Its HTTPS listener."""

    @property
    def network(self) -> IGalvNetwork | None:
        """The network that it is in, where that is known."""

    @property
    def domain_names(self) -> Sequence[str]:
        """Host names that its certificates are known to cover, such as `*.example.com`."""

    @property
    def request_timeout(self) -> Duration | None:
        """Its idle timeout, where that is known."""

    @property
    def has_ipv6(self) -> bool:
        """Whether it answers over IPv6 too."""


@dataclass(frozen=True, kw_only=True)
class _GivenLoadBalancer:
    load_balancer: elbv2.IApplicationLoadBalancer
    listener: elbv2.IApplicationListener
    network: IGalvNetwork | None
    domain_names: Sequence[str]
    request_timeout: Duration | None
    has_ipv6: bool


@jsii.implements(ec2.IConnectable)
class GalvLoadBalancer(Construct):
    """An Application Load Balancer for several backends and services, with one web ACL and one log.

    Each `GalvBackend` that it is given to adds a rule for its host name, and its certificate unless
    `domain_name` covers that name already. Whatever no rule knows is answered with 421. Where it
    differs from `elbv2.ApplicationLoadBalancer`: only TLS 1.2 and 1.3 are spoken, port 80
    redirects, invalid headers are dropped, security headers are added to every answer, requests are
    logged, a web ACL looks at them, and in production it refuses to be deleted.

    It has room for 100 rules, and for 25 certificates beside its own; AWS raises both on request:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html

    Costs $16.43 a month, $3.65 for each public address, of which it has one in each Availability
    Zone, and $13 for its web ACL, at list prices of us-east-1: once, and not for each backend.

    As an `ec2.IConnectable` it is its security group.

    Example:
        ```python
        network = GalvNetwork(self, "Network")
        shared = GalvLoadBalancer(
            self,
            "LoadBalancer",
            network=network,
            domain_name="*.example.com",
            hosted_zone=zone,
        )
        for name in ("stage", "demo"):
            GalvBackend(
                self,
                name.title(),
                domain_name=f"{name}.example.com",
                hosted_zone=zone,
                load_balancer=shared,
            )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: IGalvNetwork,
        domain_name: str,
        hosted_zone: route53.IHostedZone | None = None,
        certificate: acm.ICertificate | None = None,
        internet_facing: bool = True,
        allowed_cidrs: Sequence[str] | None = None,
        request_timeout: Duration | None = None,
        log_bucket: s3.IBucket | None = None,
        access_logs: bool = True,
        web_acl_arn: str | None = None,
        web_acl: bool = True,
        admin_cidrs: Sequence[str] | None = None,
        alarm_topic: sns.ITopic | None = None,
        content_security_policy: Mapping[str, Sequence[str]] | None = None,
        encryption_key: kms.IKey | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        deletion_protection: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the load balancer.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            network: VPC and subnets that it is in, and its backends too.
            domain_name: Host name of its first certificate: `*.example.com` covers every backend
                that is one label below `example.com`.
            hosted_zone: Route 53 zone that `domain_name` is in, where the certificate is
                validated. Give either this or `certificate`.
            certificate: Certificate for `domain_name` in the region of the stack.
            internet_facing: Whether it has public addresses. If not, it is in the subnets of the
                tasks, and its names lead to private addresses: browsers need a way into the VPC,
                such as a VPN. Changing it replaces the load balancer. Default: true.
            allowed_cidrs: IPv4 and IPv6 ranges that may reach it, 30 of each at most; `[]` is
                nobody but what `connections` allows. Default: everybody, or where it is not
                internet-facing the VPC.
            request_timeout: Its idle timeout, in whole seconds from 30 to 3600; that of no backend
                may be longer. Default: 2 minutes.
            log_bucket: Bucket for access logs, such as `GalvLogBucket.bucket`. Default: that of a
                new `GalvLogBucket`.
            access_logs: Whether requests to it and to its web ACL are logged. Default: true.
            web_acl_arn: ARN of a regional WAFv2 web ACL, such as `GalvWebAcl.web_acl_arn`.
                Default: that of a new `GalvWebAcl`.
            web_acl: Whether it has a web ACL. Default: true.
            admin_cidrs: IPv4 and IPv6 ranges that may use Django's admin of its backends,
                everything below `/admin/`; `[]` is nobody. Default: all addresses.
            alarm_topic: SNS topic that is told when the new web ACL blocks requests with passwords
                or codes. Default: nobody is told.
            content_security_policy: Sources to add to the directives of the policy that browsers
                get with every answer of the listener, also those of services that are not Galv.
                Default: what the pages of Galv's API need, with static files from any CloudFront
                distribution.
            encryption_key: KMS key for the log of the function that closes deletion protection.
                Default: keys that AWS owns.
            production: Whether people rely on it. Default: true.
            removal_protection: Whether logs outlive the stack. Default: the same as `production`.
            deletion_protection: Whether it refuses to be deleted, and with it the stack, once a
                deployment has succeeded. Default: the same as `removal_protection`.
            preflight: Whether a deployment first asks for the zone or the certificate: see
                `GalvPreflight`. A list leaves out checks, by their kinds or ids. Default: true.

        Raises:
            ValueError: If an argument is malformed, out of range, or contradicts another one.
        """
        check_is_network(network)
        check_place(scope, "network", network.vpc)
        _check_covered("domain_name", domain_name)
        check_certificate_source(domain_name, hosted_zone, certificate)
        check_place(scope, "certificate", certificate)
        check_access(internet_facing, allowed_cidrs)
        check_load_balancer_subnets("network", network, internet_facing=internet_facing)
        check_vpc_range(
            "network",
            network.vpc,
            internet_facing=internet_facing,
            allowed_cidrs=allowed_cidrs,
        )
        check_duration(
            "request_timeout", request_timeout, timedelta(seconds=30), timedelta(hours=1)
        )
        check_access_logs(
            scope, log_bucket, access_logs, for_web_acl=web_acl is True and web_acl_arn is None
        )
        check_web_acl(
            scope,
            web_acl_arn,
            web_acl=web_acl,
            admin_cidrs=admin_cidrs,
            alarm_topic=alarm_topic,
            topic_has_other_use=False,
        )
        check_policy_additions(content_security_policy)
        check_key(scope, encryption_key)
        check_switches(
            production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
        )
        check_preflight(preflight)
        super().__init__(scope, id)
        self._network = network
        self._domain_name = domain_name
        self._timeout = Duration.minutes(2) if request_timeout is None else request_timeout
        policy = DeploymentPolicy.of(
            production=production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
        )
        if access_logs and log_bucket is None:
            log_bucket = GalvLogBucket(
                self, "LogBucket", production=production, removal_protection=removal_protection
            ).bucket
        self._log_bucket = log_bucket
        self._web_acl: GalvWebAcl | None = None
        if web_acl and web_acl_arn is None:
            self._web_acl = GalvWebAcl(
                self,
                "WebAcl",
                admin_cidrs=admin_cidrs,
                log_bucket=log_bucket,
                alarm_topic=alarm_topic,
            )
            web_acl_arn = self._web_acl.web_acl_arn
        self._web_acl_arn = web_acl_arn
        self._balancer = LoadBalancer(
            self,
            "LoadBalancer",
            network=network,
            policy=policy,
            internet_facing=internet_facing,
            allowed_cidrs=allowed_cidrs,
            domain_name=domain_name,
            hosted_zone=hosted_zone,
            certificate=certificate,
            request_timeout=self._timeout,
            log_bucket=log_bucket,
            web_acl_arn=web_acl_arn,
            content_security_policy=api_policy(_ANY_DISTRIBUTION, content_security_policy or {}),
        )
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
        )
        if hosted_zone is not None:
            needs.ask(
                "HostedZone",
                PreflightCheck.hosted_zone(hosted_zone, [domain_name], certificate=True),
            )
        if certificate is not None:
            needs.ask("Certificate", PreflightCheck.certificate(certificate, [domain_name]))
        needs.hold(
            self._balancer.resource,
            *([self._balancer.certificate] if certificate is None else []),
        )
        Protection(
            self,
            "Protection",
            policy=policy,
            databases=[],
            load_balancers=[self._balancer.resource],
            encryption_key=encryption_key,
            after=[self._balancer],
        )

    @staticmethod
    def from_listener(
        listener: elbv2.IApplicationListener,
        *,
        load_balancer: elbv2.IApplicationLoadBalancer,
        domain_names: Sequence[str] = (),
        request_timeout: Duration | None = None,
        has_ipv6: bool = False,
    ) -> IGalvLoadBalancer:
        """Use an HTTPS listener that exists, or that you define yourself.

        Its security group must let requests in. What it lets out is added where CDK may change the
        group. Headers, logs and web ACL stay as they are.

        Args:
            listener: The HTTPS listener.
            load_balancer: Its load balancer: DNS records lead to it. One that is imported needs its
                DNS name and hosted zone, as
                `ApplicationLoadBalancer.from_lookup` has them.
            domain_names: Host names that its certificates cover, such as `*.example.com`: backends
                with these names add no certificate of their own. Default: none.
            request_timeout: Its idle timeout; that of no backend may be longer. Default: it is not
                known, and not checked.
            has_ipv6: Whether it is dual-stack: names then get AAAA records too. Default: false.

        Raises:
            ValueError: If an argument has the wrong type.
        """
        for name, value, expected, how in (
            ("listener", listener, "IApplicationListener", "ApplicationListener.from_lookup(…)"),
            (
                "load_balancer",
                load_balancer,
                "IApplicationLoadBalancer",
                "ApplicationLoadBalancer.from_lookup(…)",
            ),
        ):
            check_construct(name, value, f"aws_elasticloadbalancingv2.{expected}", f"elbv2.{how}")
            if value is None:
                raise ValueError(f"{name} must be an elbv2.{expected}, got None: use elbv2.{how}")
        check_list("domain_names", domain_names, "a list of host names")
        for index, name in enumerate(domain_names):
            _check_covered(f"domain_names[{index}]", name)
        check_duration("request_timeout", request_timeout, timedelta(seconds=1), timedelta(hours=2))
        return _GivenLoadBalancer(
            load_balancer=load_balancer,
            listener=listener,
            network=None,
            domain_names=list(domain_names),
            request_timeout=request_timeout,
            has_ipv6=has_ipv6,
        )

    @property
    def load_balancer(self) -> elbv2.ApplicationLoadBalancer:
        """The load balancer."""
        return self._balancer.resource

    @property
    def listener(self) -> elbv2.ApplicationListener:
        """Its HTTPS listener."""
        return self._balancer.https

    @property
    def http_listener(self) -> elbv2.ApplicationListener:
        """Its HTTP listener, which redirects to HTTPS."""
        return self._balancer.http

    @property
    def network(self) -> IGalvNetwork:
        """The network that it is in."""
        return self._network

    @property
    def domain_names(self) -> Sequence[str]:
        """The host name of its own certificate."""
        return [self._domain_name]

    @property
    def request_timeout(self) -> Duration:
        """Its idle timeout."""
        return self._timeout

    @property
    def has_ipv6(self) -> bool:
        """Whether it answers over IPv6 too: where its network has IPv6."""
        return self._network.has_ipv6

    @property
    def certificate(self) -> acm.ICertificate:
        """Its own certificate."""
        return self._balancer.certificate

    @property
    def connections(self) -> ec2.Connections:
        """Network connections of its security group, on port 443."""
        return self._balancer.https.connections

    @property
    def security_group(self) -> ec2.ISecurityGroup:
        """Its security group."""
        return self._balancer.security_group

    @property
    def log_bucket(self) -> s3.IBucket | None:
        """Bucket for access logs, if there are any."""
        return self._log_bucket

    @property
    def web_acl_arn(self) -> str | None:
        """ARN of its web ACL, if it has one."""
        return self._web_acl_arn

    @property
    def web_acl(self) -> GalvWebAcl | None:
        """The web ACL that was created; none for a given one, or without one."""
        return self._web_acl


def covers(names: Sequence[str], domain_name: str) -> bool:
    """Whether a certificate with some names is one for a host name.

    The asterisk of a name stands for one label:
    https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
    """
    parent = domain_name.partition(".")[2]
    return domain_name in names or f"*.{parent}" in names


def _check_covered(argument: str, name: object) -> None:
    """Refuse what is no name of a certificate."""
    check_domain_name(argument, name.removeprefix("*.") if isinstance(name, str) else name)
