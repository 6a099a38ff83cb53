"""Differences between AWS regions: one table, each line with the page that says so.

A stack for any region (without `env`) is taken to be in one of the regions that every account has,
as its region is not known at synthesis.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Annotations, Aws, ContextProvider, Names, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.validation import is_token

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
EDGE_REGION = "us-east-1"
"""Region that certificates and web ACLs of CloudFront are in."""

# Those that AWS introduced before 20 March 2019:
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
# All others, and those still to come, an account has to opt in to. For their buckets S3 answers 400
# at the global host name: https://docs.aws.amazon.com/AmazonS3/latest/API/UsingRouting.html
# and CloudFront does not deliver its standard logs to them:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
_DEFAULT_REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)

# Regions in which an account has no namespace of its own for buckets:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
_WITHOUT_BUCKET_NAMESPACE = frozenset({"me-central-1", "me-south-1"})

# "SES does not support SMTP VPC endpoints in the following Availability Zones":
# https://docs.aws.amazon.com/ses/latest/dg/send-email-set-up-vpc-endpoints.html
# These are ids. Which name such an AZ has differs from account to account: "AWS maps the physical
# Availability Zones randomly to the Availability Zone names for each AWS account",
# https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html
AZS_WITHOUT_SMTP_ENDPOINT = {
    "ap-northeast-2": ("apne2-az4",),
    "ca-central-1": ("cac1-az3", "cac1-az4"),
    "us-east-1": ("use1-az2", "use1-az3", "use1-az5"),
    "us-west-1": ("usw1-az2",),
    "us-west-2": ("usw2-az4",),
}


CLOUDFRONT_LOGS_REFUSED = {
    "AwsSolutions-CFR3": "CloudFront refuses a distribution that logs to a bucket in a region that "
    "an account opts in to."
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service, and where it is missing. A test compares it with CloudFormation's registry."""

    name: str
    missing: frozenset[str]
    """Regions without it, or starts of their names."""

    source: str
    """Page that lists its regions."""


CLOUDFRONT = Service(
    name="Amazon CloudFront with functions and origin access controls",
    missing=frozenset({"cn-", "eu-isoe-", "eusc-", "us-gov-", "us-iso"}),
    source="https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/setting-up-cloudfront.html, "
    "https://docs.amazonaws.cn/en_us/aws/latest/userguide/cloudfront.html",
)
CODEBUILD = Service(
    name="AWS CodeBuild",
    missing=frozenset({"ap-east-2", "ca-west-1", "mx-central-1"}),
    source="https://docs.aws.amazon.com/general/latest/gr/codebuild.html",
)
SES = Service(
    name="Amazon SES",
    missing=frozenset(
        {
            "ap-east-1",
            "ap-east-2",
            "ap-southeast-4",
            "ap-southeast-6",
            "ap-southeast-7",
            "cn-",
            "eu-isoe-",
            "eu-south-2",
            "eusc-",
            "mx-central-1",
            "us-iso",
        }
    ),
    source="https://docs.aws.amazon.com/general/latest/gr/ses.html",
)
SERVICES = (CLOUDFRONT, CODEBUILD, SES)


def known_region(scope: Construct) -> str | None:
    """The region of the stack, where it is known at synthesis."""
    region: str = Stack.of(scope).region
    return None if is_token(region) else region


def is_opt_in(region: str | None) -> bool:
    """Whether an account has to opt in to a region; one that is not known is taken for another."""
    return region is not None and region not in _DEFAULT_REGIONS


def has_bucket_namespace(scope: Construct) -> bool:
    """Whether the region of the stack has a namespace of buckets for each account."""
    return known_region(scope) not in _WITHOUT_BUCKET_NAMESPACE


def check_services(scope: Construct, needs: Iterable[tuple[Service, str]]) -> None:
    """Refuse a region without a service; what to do instead is told with each."""
    region = known_region(scope)
    for service, instead in needs:
        if region is not None and region.startswith(tuple(service.missing)):
            raise ValueError(
                f"the stack {Stack.of(scope).stack_name} is in {region}, which does not have "
                f"{service.name} ({service.source}): {instead}"
            )


def s3_endpoint(region: str | None) -> str | None:
    """The S3 endpoint to use where the global host name never works, otherwise none.

    It is used path-style. Only there, because with it an application reaches no bucket of another
    region, and Galv's laboratories may have some.
    """
    return f"https://s3.{region}.amazonaws.com" if is_opt_in(region) else None


def azs_with_smtp_endpoint(scope: Construct, names: Sequence[str]) -> list[str]:
    """Return the Availability Zones, of those named, where Amazon SES can have an SMTP endpoint."""
    region = known_region(scope)
    if region not in AZS_WITHOUT_SMTP_ENDPOINT:
        return list(names)
    stack = Stack.of(scope)
    if is_token(stack.account):
        raise ValueError(
            f"the stack {stack.stack_name} is in {region}, where not every Availability Zone can "
            "have the endpoint of Amazon SES, and which ones can differs from account to account: "
            "give the stack its account, env=Environment(account=…, region=…), so that CDK can "
            "look it up"
        )
    supported = ContextProvider.get_value(
        scope,
        provider="endpoint-service-availability-zones",
        props={"serviceName": f"com.amazonaws.{region}.email-smtp"},
        # Of the pass that finds out what is to be looked up, whose template is thrown away.
        dummy_value=list(names),
    ).value
    return [name for name in names if name in supported]


def cloudfront_log_bucket(
    distribution_scope: Construct, log_bucket: s3.IBucket | None
) -> s3.IBucket | None:
    """The bucket that a distribution can log to: none in a region that an account opts in to.

    CloudFront refuses the distribution otherwise.
    """
    if log_bucket is None:
        return None
    region: Any = log_bucket.env.region
    if is_token(region) or not is_opt_in(region):
        return log_bucket
    Annotations.of(distribution_scope).add_info_v2(
        "galv-constructs:noCloudFrontLogs",
        f"CloudFront delivers no logs to buckets in {region}, so requests to this distribution are "
        "not logged; all else is.",
    )
    return None


def global_name(scope: Construct, id: str, length: int) -> str:
    """A name for what CloudFront wants to be unique in all regions of an account.

    CDK's own name has the path alone, so a second region could not have the same stack.
    """
    longest_region = 16
    name = Names.unique_resource_name(
        scope, max_length=length - longest_region - len(id) - 2, separator="-"
    )
    return f"{Aws.REGION}-{name}-{id}"
