"""What `GalvFrontend` refuses before it defines anything."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3

from galv_constructs._core.validation import (
    check_construct,
    check_domain_name,
    check_type,
    check_variables,
    is_token,
)
from galv_constructs.frontend._edge import EDGE_REGION
from galv_constructs.frontend._files import FetchedFiles, LocalFiles
from galv_constructs.frontend._urls import (
    ANALYTICS_URL_VARIABLE,
    API_URL_VARIABLE,
    check_analytics_url,
    check_storage_url,
)
from galv_constructs.frontend.source import FrontendSource
from galv_constructs.log_bucket._delivery import check_log_bucket

RESERVED_VARIABLES = {
    API_URL_VARIABLE: "pass api_url",
    ANALYTICS_URL_VARIABLE: "pass analytics_url",
}

RESERVED_PREFIXES = ("AWS_", "CODEBUILD_", "GALV_BUILD_")
_API_URL = re.compile(r"https://[a-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")
_WEB_ACL = re.compile(rf"arn:[a-z-]+:wafv2:{EDGE_REGION}:\d{{12}}:global/webacl/.+")


def check_api_url(api_url: object) -> None:
    """Check the URL, which the frontend puts in front of paths."""
    if is_token(api_url):
        return
    if not isinstance(api_url, str) or not _API_URL.fullmatch(api_url):
        raise ValueError(
            "api_url must be the HTTPS URL of the API without a slash at the end, such as "
            f"'https://api.example.com' or backend.url, got {api_url!r}"
        )


def check_alternatives(
    domain_name: str,
    alternatives: Sequence[str] | None,
    hosted_zone: route53.IHostedZone | None,
) -> None:
    """Check the other names of the site."""
    if alternatives is None:
        return
    argument = "alternative_domain_names"
    if isinstance(alternatives, str) or not isinstance(alternatives, Sequence):
        raise ValueError(f"{argument} must be a list of host names, got {alternatives!r}")
    for index, name in enumerate(alternatives):
        if is_token(name):
            raise ValueError(
                f"{argument}[{index}] must be known when the template is made, got a token"
            )
        check_domain_name(f"{argument}[{index}]", name)
        zone = hosted_zone.zone_name if hosted_zone is not None else None
        outside = zone is not None and name != zone and not name.endswith(f".{zone}")
        if outside and not is_token(zone):
            raise ValueError(
                f"{argument}[{index}] {name!r} is not in hosted_zone {zone!r}: leave it out, or "
                "pass certificate, one for all names, and make the records yourself"
            )
    if len({domain_name, *alternatives}) != len(alternatives) + 1:
        raise ValueError(
            f"{argument} must be different from each other and from domain_name {domain_name!r}, "
            f"got {list(alternatives)!r}"
        )


def check_edge_certificate(certificate: acm.ICertificate | None) -> None:
    """Check that CloudFront can use a given certificate, where its region is known."""
    if certificate is None:
        return
    arn = certificate.certificate_arn
    region = certificate.env.region if is_token(arn) else arn.split(":")[3]
    if not is_token(region) and region != EDGE_REGION:
        raise ValueError(
            f"certificate is in {region}, and CloudFront takes certificates from {EDGE_REGION} "
            f"only: request one there, with `aws acm request-certificate --region {EDGE_REGION}`"
        )


def check_source(
    source: FrontendSource | None,
    environment: Mapping[str, str] | None,
    secrets: Mapping[str, ecs.Secret] | None,
) -> None:
    """Check where the files come from and what their build is given."""
    if source is not None and not isinstance(source, FrontendSource):
        raise ValueError(
            f"source must be a FrontendSource, got {source!r}: use FrontendSource.release(…), "
            "git_tag(…), container_image(…) or directory(…)"
        )
    check_variables(environment or {}, secrets or {}, RESERVED_VARIABLES)
    for argument, variables in (("environment", environment), ("secrets", secrets)):
        for name in variables or {}:
            if name.startswith(RESERVED_PREFIXES):
                raise ValueError(
                    f"{argument} sets {name}, and names that start with "
                    f"{', '.join(RESERVED_PREFIXES)} are CodeBuild's and this construct's: use "
                    "another name"
                )
    files = None if source is None else source.files
    if secrets and not (files is None or (isinstance(files, FetchedFiles) and files.is_built)):
        raise ValueError(
            "secrets is given, and the files of source are built already, so that it would do "
            "nothing: use FrontendSource.release(…) or git_tag(…), or leave it out"
        )
    if environment and isinstance(files, LocalFiles) and not files.has_template:
        raise ValueError(
            "environment is given, and the files of source are built already and have no "
            "env.template.js, so that it would do nothing: use FrontendSource.release(…) or "
            "git_tag(…), or leave it out"
        )


def check_other_hosts(*, storage_urls: Sequence[str] | None, analytics_url: str | None) -> None:
    """Check what else than the API and the media bucket pages talk to."""
    if analytics_url is not None:
        check_analytics_url("analytics_url", analytics_url)
    if storage_urls is None:
        return
    if isinstance(storage_urls, str) or not isinstance(storage_urls, Sequence):
        raise ValueError(f"storage_urls must be a list of URLs, got {storage_urls!r}")
    for index, url in enumerate(storage_urls):
        check_storage_url(f"storage_urls[{index}]", url)


def check_hosting(
    *,
    storage_buckets: Sequence[s3.IBucket] | None,
    price_class: cloudfront.PriceClass | None,
    web_acl_arn: str | None,
    log_bucket: s3.IBucket | None,
) -> None:
    """Check what is about CloudFront and S3."""
    bucket: Any = ("aws_s3.IBucket", "s3.Bucket.from_bucket_name(scope, id, name)")
    if storage_buckets is not None:
        if isinstance(storage_buckets, str) or not isinstance(storage_buckets, Sequence):
            raise ValueError(f"storage_buckets must be a list of buckets, got {storage_buckets!r}")
        for index, value in enumerate(storage_buckets):
            check_construct(f"storage_buckets[{index}]", value, *bucket)
    check_log_bucket(log_bucket)
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


def check_retention(release_retention: Duration | None) -> None:
    """Check how long superseded files are kept: S3 counts in days."""
    if release_retention is None:
        return
    if not isinstance(release_retention, Duration):
        raise ValueError(
            f"release_retention must be a Duration, got {release_retention!r}: use Duration.days(…)"
        )
    if release_retention.is_unresolved():
        raise ValueError(
            "release_retention must be known when the template is made, got a token: pass a plain "
            "Duration"
        )
    days = release_retention.to_days(integral=False)
    if not 1 <= days <= 3650 or days != int(days):
        raise ValueError(f"release_retention must be whole days from 1 to 3650, got {days:g} days")
