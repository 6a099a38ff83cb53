"""The Application Load Balancer and its two listeners."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, standards
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.protection import CLOSED_AT_THE_END
from galv_constructs.load_balancer._access import allow_access, is_open
from galv_constructs.log_bucket._delivery import log_requests_to_load_balancer
from galv_constructs.network import IGalvNetwork


class LoadBalancer(Construct):
    """An Application Load Balancer that answers HTTPS with 421 unless a rule knows the name."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: IGalvNetwork,
        policy: DeploymentPolicy,
        internet_facing: bool,
        allowed_cidrs: Sequence[str] | None,
        domain_name: str,
        hosted_zone: route53.IHostedZone | None,
        certificate: acm.ICertificate | None,
        request_timeout: Duration,
        log_bucket: s3.IBucket | None,
        web_acl_arn: str | None,
        content_security_policy: str,
    ) -> None:
        super().__init__(scope, id)
        everybody = is_open(internet_facing=internet_facing, allowed_cidrs=allowed_cidrs)
        if certificate is None:
            certificate = acm.Certificate(
                self,
                "Certificate",
                domain_name=domain_name,
                validation=acm.CertificateValidation.from_dns(hosted_zone),
            )
        self.certificate = certificate
        self.security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=network.vpc,
            description="Galv load balancer",
            allow_all_outbound=False,
        )
        allow_access(
            self.security_group,
            network,
            internet_facing=internet_facing,
            allowed_cidrs=allowed_cidrs,
        )
        self.resource = elbv2.ApplicationLoadBalancer(
            self,
            "Resource",
            vpc=network.vpc,
            vpc_subnets=network.load_balancer_subnets if internet_facing else network.task_subnets,
            security_group=self.security_group,
            internet_facing=internet_facing,
            ip_address_type=elbv2.IpAddressType.DUAL_STACK if network.has_ipv6 else None,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elbv2.DesyncMitigationMode.DEFENSIVE,
            idle_timeout=request_timeout,
            http2_enabled=True,
        )
        # CDK says "false" where nothing is given, and would turn off what `Protection` turned on.
        self.resource.remove_attribute("deletion_protection.enabled")
        if log_bucket is not None:
            log_requests_to_load_balancer(self.resource, log_bucket)
        self.https = self.resource.add_listener(
            "Https",
            port=443,
            protocol=elbv2.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            ssl_policy=elbv2.SslPolicy.RECOMMENDED_TLS,
            open=everybody,
            default_action=elbv2.ListenerAction.fixed_response(
                421,
                content_type="text/plain",
                message_body="Nothing here has this host name.\n"
                if "*" in domain_name
                else f"This is https://{domain_name}/ and no other host.\n",
            ),
        )
        _add_headers(self.https, content_security_policy)
        self.http = self.resource.add_redirect(open=everybody)
        if web_acl_arn is not None:
            association = wafv2.CfnWebACLAssociation(
                self,
                "WebAclAssociation",
                resource_arn=self.resource.load_balancer_arn,
                web_acl_arn=web_acl_arn,
            )
            # No request is answered before the web ACL has seen it.
            for listener in (self.https, self.http):
                listener.node.add_dependency(association)
        acknowledge(self.http, _REDIRECT_FINDINGS)
        acknowledge(self, _PROTECTED if policy.deletion_protection else _UNPROTECTED)
        if everybody:
            acknowledge(self, _OPEN)
        elif allowed_cidrs is None:
            acknowledge(self.security_group, _OPEN_TO_VPC)


_OPEN = {
    "AwsSolutions-EC23": "The API is a public site: anyone may reach its load balancer on "
    "443, and on 80 to be redirected there. Nothing else is open."
}
_VPC_ALONE = (
    "The VPC alone may reach it, on 443, and on 80 to be redirected there. Its range is not known "
    "at synthesis, and so the rule cannot see that it is not everybody's."
)
_OPEN_TO_VPC = {"AwsSolutions-EC23": _VPC_ALONE} | standards(
    {"EC2RestrictedCommonPorts": _VPC_ALONE, "EC2RestrictedSSH": _VPC_ALONE}
)
_PROTECTED = standards({"ELBDeletionProtectionEnabled": CLOSED_AT_THE_END})
_UNPROTECTED = standards(
    {
        "ELBDeletionProtectionEnabled": "Deletion protection is off for this deployment: it is "
        "meant to be deleted whole."
    }
)
_REDIRECT_FINDINGS = standards(
    {
        "ELBv2ACMCertificateRequired": "It answers on port 80 with the address on 443 "
        "and nothing else."
    }
)


def _add_headers(listener: elbv2.ApplicationListener, content_security_policy: str) -> None:
    """Set headers of every answer, those of the load balancer itself too.

    Where the application sends one of them itself, the value here takes its place:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
    "Available for ALBs in all commercial AWS Regions, AWS GovCloud (US) Regions and China Regions":
    https://aws.amazon.com/about-aws/whats-new/2024/11/aws-application-load-balancer-header-modification-enhanced-traffic-control-security/
    """
    resource = listener.node.default_child
    assert isinstance(resource, elbv2.CfnListener)  # noqa: S101 - what an L2 listener is made of
    attributes = {
        "routing.http.response.content_security_policy.header_value": content_security_policy,
        "routing.http.response.server.enabled": "false",
        # A year. Other hosts of the domain are not this construct's business.
        "routing.http.response.strict_transport_security.header_value": "max-age=31536000",
        "routing.http.response.x_content_type_options.header_value": "nosniff",
    }
    resource.listener_attributes = [
        elbv2.CfnListener.ListenerAttributeProperty(key=key, value=value)
        for key, value in attributes.items()
    ]
