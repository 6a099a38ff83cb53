"""The site as the world sees it: bucket, distribution, certificate and DNS records."""

import json
from collections.abc import Sequence
from pathlib import Path

from aws_cdk import Annotations, Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, standards
from galv_constructs._core.buckets import INCOMPLETE_UPLOADS, private_bucket
from galv_constructs._core.placement import check_place
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.regions import (
    CLOUDFRONT_LOGS_REFUSED,
    EDGE_REGION,
    cloudfront_log_bucket,
    global_name,
)
from galv_constructs._core.validation import (
    arn_pattern,
    check_domain_name,
    check_list,
    check_type,
    is_in_domain,
    is_token,
)
from galv_constructs.frontend._edge import edge_certificate
from galv_constructs.frontend._headers import security_headers
from galv_constructs.log_bucket._delivery import (
    check_log_bucket,
    log_requests_to_bucket,
    ready_for_logs,
)
from galv_constructs.log_bucket.log_bucket import CLOUDFRONT_LOGS

# The handler knows these too, and imports nothing from here.
SITE_PREFIX = "site/"
INCOMING_PREFIX = "incoming/"
# What the handler writes to, and no build.
WRITTEN_PREFIXES = (SITE_PREFIX, "releases/")
SUPERSEDED_TAG = "superseded"

_ROUTING = Path(__file__).parents[1] / "site" / "routing.js"
_WEB_ACL = arn_pattern("wafv2", "global/webacl/.+", region=EDGE_REGION)


def check_alternatives(
    domain_name: str,
    alternatives: Sequence[str] | None,
    hosted_zone: route53.IHostedZone | None,
) -> None:
    """Check the other names of the site."""
    if alternatives is None:
        return
    argument = "alternative_domain_names"
    check_list(argument, alternatives, "a list of host names")
    for index, name in enumerate(alternatives):
        if is_token(name):
            raise ValueError(f"{argument}[{index}] must be known at synthesis, got a token")
        check_domain_name(f"{argument}[{index}]", name)
        zone = hosted_zone.zone_name if hosted_zone is not None else None
        outside = zone is not None and not is_in_domain(name, zone)
        if outside and not is_token(zone):
            raise ValueError(
                f"{argument}[{index}] {name!r} is not in hosted_zone {zone!r}: leave it out, or "
                "pass certificate, one for all names, and create the records yourself"
            )
    if len({domain_name, *alternatives}) != len(alternatives) + 1:
        raise ValueError(
            f"{argument} must be different from each other and from domain_name {domain_name!r}, "
            f"got {list(alternatives)!r}"
        )


def check_hosting(
    scope: Construct,
    *,
    price_class: cloudfront.PriceClass | None,
    web_acl_arn: str | None,
    log_bucket: s3.IBucket | None,
) -> None:
    """Check what is about CloudFront and S3."""
    check_log_bucket(log_bucket, for_buckets=True)
    if price_class is not None and not isinstance(price_class, cloudfront.PriceClass):
        raise ValueError(
            "price_class must be a cloudfront.PriceClass, such as "
            f"cloudfront.PriceClass.PRICE_CLASS_ALL, got {price_class!r}"
        )
    if web_acl_arn is not None and not is_token(web_acl_arn):
        check_type("web_acl_arn", web_acl_arn, str, "the ARN of a web ACL")
        if not _WEB_ACL.fullmatch(web_acl_arn):
            raise ValueError(
                "web_acl_arn must be the ARN of a WAFv2 web ACL for CloudFront, which is in "
                f"{EDGE_REGION} and has ':global/webacl/' in it, got {web_acl_arn!r}"
            )
    check_place(scope, "web_acl_arn", web_acl_arn, region=EDGE_REGION)
    check_place(scope, "log_bucket", log_bucket)


class Site(Construct):
    """A private bucket that CloudFront serves under one name."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        policy: DeploymentPolicy,
        domain_name: str,
        alternative_domain_names: Sequence[str],
        hosted_zone: route53.IHostedZone | None,
        certificate: acm.ICertificate | None,
        content_security_policy: str,
        price_class: cloudfront.PriceClass,
        edge_notification_arns: Sequence[str] | None,
        web_acl_arn: str | None,
        log_bucket: s3.IBucket | None,
        release_retention: Duration,
    ) -> None:
        super().__init__(scope, id)
        names = [domain_name, *alternative_domain_names]
        self.bucket = _site_bucket(
            self,
            "Bucket",
            policy=policy,
            log_bucket=log_bucket,
            release_retention=release_retention,
        )
        if certificate is None and hosted_zone is not None:
            certificate = edge_certificate(
                self,
                "Certificate",
                domain_name=domain_name,
                alternative_domain_names=alternative_domain_names,
                hosted_zone=hosted_zone,
                notification_arns=edge_notification_arns,
            )
        assert certificate is not None  # noqa: S101 - one of the two is given
        self.certificate = certificate
        routing = cloudfront.Function(
            self,
            "Routing",
            comment=f"Routing of {scope.node.path}"[:128],
            code=cloudfront.FunctionCode.from_inline(
                routing_code(domain_name, alternative_domain_names)
            ),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        access_logs = cloudfront_log_bucket(self, log_bucket)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"Site of {scope.node.path}"[:128],
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(
                    self.bucket,
                    origin_path=f"/{SITE_PREFIX.rstrip('/')}",
                    origin_access_control=cloudfront.S3OriginAccessControl(
                        self,
                        "OriginAccessControl",
                        origin_access_control_name=global_name(self, "OriginAccessControl", 64),
                    ),
                    # Without LIST, S3 says 403 of what is missing. No request can list anything:
                    # each has the origin path in front, and CloudFront sends on no query.
                    origin_access_levels=[
                        cloudfront.AccessLevel.READ,
                        cloudfront.AccessLevel.LIST,
                    ],
                ),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
                response_headers_policy=security_headers(
                    self, "Headers", policy=content_security_policy
                ),
                function_associations=[
                    cloudfront.FunctionAssociation(
                        function=routing,
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                    )
                ],
                compress=True,
            ),
            default_root_object="index.html",
            domain_names=names,
            certificate=certificate,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            enable_ipv6=True,
            price_class=price_class,
            web_acl_id=web_acl_arn,
            log_bucket=access_logs,
            log_file_prefix=None if access_logs is None else CLOUDFRONT_LOGS,
        )
        if access_logs is not None:
            self.distribution.node.add_dependency(*ready_for_logs(access_logs))
        self.records: list[route53.RecordSet] = []
        if hosted_zone is not None:
            self._add_records(hosted_zone, domain_name, alternative_domain_names)
        # It comes even though the default root object is set.
        Annotations.of(self.distribution).acknowledge_warning(
            "@aws-cdk/aws-cloudfront-origins:listBucketSecurityRisk",
            _LISTS_NOTHING,
        )
        acknowledge(
            self.distribution,
            _FINDINGS
            | ({} if access_logs is log_bucket else CLOUDFRONT_LOGS_REFUSED)
            | (_NO_WEB_ACL if web_acl_arn is None else {}),
        )

    def _add_records(
        self, zone: route53.IHostedZone, domain_name: str, alternative_domain_names: Sequence[str]
    ) -> None:
        target = route53.RecordTarget.from_alias(targets.CloudFrontTarget(self.distribution))
        alternatives = Construct(self, "Alternatives")
        for scope, name in (
            (self, domain_name),
            # A name is what identifies a record: another one in the list must not replace it.
            *((Construct(alternatives, name), name) for name in alternative_domain_names),
        ):
            for id, record in (
                ("AliasRecord", route53.ARecord),
                ("AliasRecordIpv6", route53.AaaaRecord),
            ):
                # With the dot at the end it is whole, also where the name of the zone is a token.
                self.records.append(
                    record(scope, id, zone=zone, record_name=f"{name}.", target=target)
                )


_FINDINGS = {
    "AwsSolutions-CFR1": "Researchers use the site from wherever they are; what it shows "
    "them the API decides."
}
_NO_WEB_ACL = {
    "AwsSolutions-CFR2": "Public static files without any input; requests that do something go to "
    "the API, which has a web ACL of its own."
}
_LISTS_NOTHING = "No request can list anything: each has the origin path in front and no query."
_BUCKET_FINDINGS = standards(
    {
        "S3BucketVersioningEnabled": "Releases are kept as such, and what a new one "
        "supersedes for a while: versions of the same would only be more copies."
    }
)
_NOT_KMS = "It is encrypted with keys that S3 owns, and holds what everyone may read."


def _site_bucket(
    scope: Construct,
    id: str,
    *,
    policy: DeploymentPolicy,
    log_bucket: s3.IBucket | None,
    release_retention: Duration,
) -> s3.Bucket:
    bucket = private_bucket(
        scope,
        id,
        policy=policy,
        not_kms=_NOT_KMS,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        minimum_tls_version=1.2,
        lifecycle_rules=[
            INCOMPLETE_UPLOADS,
            # The handler has copied what it publishes of it.
            s3.LifecycleRule(
                id="WhatBuildsLeft", prefix=INCOMING_PREFIX, expiration=Duration.days(1)
            ),
            s3.LifecycleRule(
                id="SupersededFiles",
                tag_filters={SUPERSEDED_TAG: "true"},
                expiration=release_retention,
            ),
        ],
    )
    acknowledge(bucket, _BUCKET_FINDINGS)
    if log_bucket is not None:
        log_requests_to_bucket(bucket, log_bucket)
    return bucket


def routing_code(domain_name: str, alternative_domain_names: Sequence[str]) -> str:
    """The function, which also redirects from other names when there are any."""
    code = _ROUTING.read_text()
    if alternative_domain_names:
        code = code.replace("CANONICAL_NAME = ''", f"CANONICAL_NAME = '{domain_name}'").replace(
            "ALTERNATIVE_NAMES = []",
            f"ALTERNATIVE_NAMES = {json.dumps(list(alternative_domain_names))}",
        )
    return code
