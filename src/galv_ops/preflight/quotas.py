"""Whether the account's quotas leave room for what a deployment creates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from .aws_errors import AWS_ERRORS, error_code
from .question import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = (
    "cloudfront:ListCachePolicies",
    "cloudfront:ListDistributions",
    "cloudfront:ListResponseHeadersPolicies",
    "cloudwatch:GetMetricStatistics",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeVpcs",
    "rds:DescribeDBInstances",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
)

GLOBAL = "us-east-1"


class Quota(NamedTuple):
    """One quota, as Service Quotas names it."""

    service: str
    code: str
    name: str
    """Its name, by which a wrong code would show."""

    used: Callable[[World, str], int] | None = None
    """Counts what an account has; where it is absent, the quota's own metric does."""

    is_global: bool = False
    """Whether it is told in us-east-1 only."""

    is_queued: bool = False
    """Whether what is too much waits, so that only the quota itself counts."""


def _paged(service: str, operation: str, key: str) -> Callable[[World, str], int]:
    """Count what belongs to the account, and not what others share with it."""

    def count(world: World, account: str) -> int:
        pages = world.client(service).get_paginator(operation).paginate()
        owners = [thing.get("OwnerId", account) for page in pages for thing in page[key]]
        return len([owner for owner in owners if owner == account or not account])

    return count


def _addresses(world: World, _: str) -> int:
    return len(world.client("ec2").describe_addresses()["Addresses"])


def _distributions(world: World, _: str = "") -> int:
    pages = world.client("cloudfront", GLOBAL).get_paginator("list_distributions").paginate()
    return sum(len(page["DistributionList"].get("Items", [])) for page in pages)


def _policies(kind: str) -> Callable[[World, str], int]:
    """Count policies of CloudFront that are not CloudFront's own, which the quotas leave out."""

    def count(world: World, _: str) -> int:
        client = world.client("cloudfront", GLOBAL)
        # It has no paginator. A page has 100, and an account as many as the quota at most.
        answer = getattr(client, f"list_{kind}_policies")(Type="custom", MaxItems="100")
        (listed,) = (value for key, value in answer.items() if key.endswith("PolicyList"))
        return len(listed.get("Items", []))

    return count


# The names are those of https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html,
# in the page of each service, whose links have the codes.
QUOTAS = {
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
    "fargate-vcpu": Quota("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count"),
    "fargate-spot-vcpu": Quota("fargate", "L-36FBB829", "Fargate Spot vCPU resource count"),
    # The site is built on one of this size. A build above the quota waits, one of a quota of zero
    # is refused: https://docs.aws.amazon.com/codebuild/latest/userguide/builds-working.html
    "codebuild": Quota(
        "codebuild",
        "L-2DC20C30",
        "Concurrently running builds for Linux/Medium environment",
        is_queued=True,
    ),
    # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    "eip": Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", _addresses),
    "vpc": Quota("vpc", "L-F678F1CE", "VPCs per Region", _paged("ec2", "describe_vpcs", "Vpcs")),
    "internet-gateway": Quota(
        "vpc",
        "L-A4707A72",
        "Internet gateways per Region",
        _paged("ec2", "describe_internet_gateways", "InternetGateways"),
    ),
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
    "db-instance": Quota(
        "rds", "L-7B6409FD", "DB instances", _paged("rds", "describe_db_instances", "DBInstances")
    ),
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
    "cloudfront": Quota(
        "cloudfront",
        "L-24B04930",
        "distributions per AWS account",
        _distributions,
        is_global=True,
    ),
    "cache-policy": Quota(
        "cloudfront",
        "L-7D134442",
        "cache policies per AWS account",
        _policies("cache"),
        is_global=True,
    ),
    "response-headers-policy": Quota(
        "cloudfront",
        "L-CF0D4FC5",
        "response headers policies per AWS account",
        _policies("response_headers"),
        is_global=True,
    ),
}


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask whether there is room for `Needs`, such as `fargate-vcpu=4`, in `Account`."""
    for name, amount in needs_of(question):
        yield from _room(question, world, name, amount)
        if name == "cloudfront" and not _distributions(world):
            # No API tells whether an account is verified; one with a distribution is.
            yield question.warning(
                "AWS may refuse a distribution until it has verified this account",
                "the account has no distribution so far, and no API tells",
                "where the deployment fails with 'Your account must be verified', ask AWS Support "
                "to verify it for CloudFront",
            )


def needs_of(question: Question) -> list[tuple[str, float]]:
    """Return the quotas that a question needs, each with how much of it.

    Raises:
        ArgumentError: If they cannot be read.
    """
    return [_need(entry) for entry in question.texts("Needs")]


def _need(entry: str) -> tuple[str, float]:
    name, equals, amount = entry.partition("=")
    try:
        value = float(amount) if equals else 1.0
    except ValueError as error:
        raise ArgumentError(f"Needs must be such as 'eip=1', got {entry!r}") from error
    if name not in QUOTAS:
        raise ArgumentError(f"Needs must name {', '.join(sorted(QUOTAS))}, got {entry!r}")
    return name, value


def _room(question: Question, world: World, name: str, amount: float) -> Iterator[Finding]:
    quota = QUOTAS[name]
    client = world.client("service-quotas", GLOBAL if quota.is_global else None)
    found = _found(client, quota)
    where = f"the quota {quota.name!r} ({quota.service} {quota.code}) in {client.meta.region_name}"
    if found is None or quota.name.lower() not in found["QuotaName"].lower():
        said = "there is none" if found is None else f"it is called {found['QuotaName']!r}"
        yield question.warning(
            f"Service Quotas does not know {where}",
            said,
            f"see in the console of Service Quotas whether it leaves {amount:g}",
        )
        return
    limit = float(found["Value"])
    account = question.text("Account", "")
    used = 0.0 if quota.is_queued else _used(world, quota, found, account)
    if used + amount > limit:
        fix = (
            "request an increase: aws service-quotas request-service-quota-increase "
            f"--service-code {quota.service} --quota-code {quota.code} "
            f"--desired-value {max(used + amount, limit + 1):g} --region {client.meta.region_name}"
        )
        if not found.get("Adjustable", True):
            fix = "delete what is not needed; AWS does not raise this quota"
        askers = question.arguments.get("Askers", {}).get(name, "")
        yield question.error(
            f"{where} leaves no room for {amount:g} more",
            f"the quota is {limit:g}, and {used:g} are in use"
            + (f"; needed are {askers}" if askers else ""),
            fix,
        )


def _found(client: Any, quota: Quota) -> Any:
    """Return the quota that applies, or AWS's default where none was ever applied.

    https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
    """
    which = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    return _asked(client.get_service_quota, which) or _asked(
        client.get_aws_default_service_quota, which
    )


def _asked(call: Callable[..., Any], which: dict[str, str]) -> Any:
    try:
        return call(**which)["Quota"]
    except AWS_ERRORS as error:
        if error_code(error) != "NoSuchResourceException":
            raise
    return None


def _used(world: World, quota: Quota, found: Any, account: str) -> float:
    if quota.used is not None:
        return quota.used(world, account)
    metric = found.get("UsageMetric")
    if not metric:
        return 0.0
    now = datetime.now(timezone.utc)
    statistic = metric.get("MetricStatisticRecommendation", "Maximum")
    points = world.client("cloudwatch").get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=[
            {"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()
        ],
        StartTime=now - timedelta(minutes=15),
        EndTime=now,
        Period=300,
        Statistics=[statistic],
    )["Datapoints"]
    newest = max(points, key=lambda point: point["Timestamp"], default={statistic: 0.0})
    return float(newest[statistic])
