"""Permissions to ask what `galv-ops preflight` asks, but for secrets, images and functions."""

from collections.abc import Iterator, Sequence

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

_READS_ALL = (
    "What preflight reads here knows no resource-level permissions, and it changes nothing."
)
_ANY = "Which ones a pull request asks about is not known before."
_EVERYWHERE = (
    "cloudfront:ListCachePolicies",
    "cloudfront:ListDistributions",
    "cloudfront:ListResponseHeadersPolicies",
    "cloudwatch:GetMetricStatistics",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:DescribePullThroughCacheRules",
    "rds:DescribeOrderableDBInstanceOptions",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
    "ses:GetAccount",
)


def preflight_reads(
    *, stacks: Sequence[str], regions: Sequence[str], qualifiers: Sequence[str]
) -> Iterator[tuple[iam.PolicyStatement, dict[str, str]]]:
    """Return statements, each with the reasons for its wildcards.

    Args:
        stacks: ARNs of the stacks.
        regions: Regions of what is asked about.
        qualifiers: Qualifiers of the bootstraps.
    """
    arn, account = f"arn:{Aws.PARTITION}:", Aws.ACCOUNT_ID
    roles = f"{arn}iam::{account}:role/"
    yield from (
        _allowed(_EVERYWHERE, ["*"], _READS_ALL),
        _allowed(
            ["cloudformation:DescribeStackResource", "cloudformation:ListStackResources"],
            stacks,
            _ANY,
        ),
        _allowed(
            ["route53:GetHostedZone", "route53:ListResourceRecordSets"],
            [f"{arn}route53:::hostedzone/*"],
            _ANY,
        ),
        _allowed(
            ["iam:GetRole"],
            # A role that is not there has no path, and IAM says so only to who may ask.
            [f"{roles}aws-service-role/*", f"{roles}AWSServiceRoleFor*"],
            _ANY,
        ),
        _allowed(
            ["iam:SimulatePrincipalPolicy"],
            [
                f"{roles}cdk-{qualifier}-cfn-exec-role-{account}-{region}"
                for region in regions
                for qualifier in qualifiers
            ],
        ),
    )
    for action, resource in (
        ("acm:DescribeCertificate", "certificate/*"),
        ("ecs:DescribeClusters", "cluster/*"),
        ("rds:DescribeDBClusterSnapshots", "cluster-snapshot:*"),
        ("rds:DescribeDBClusters", "cluster:*"),
        ("rds:DescribeDBInstances", "db:*"),
        ("rds:DescribeDBSnapshots", "snapshot:*"),
        ("ses:GetEmailIdentity", "identity/*"),
    ):
        service = action.partition(":")[0]
        arns = [f"{arn}{service}:{region}:{account}:{resource}" for region in regions]
        yield _allowed([action], arns, _ANY)


def _allowed(
    actions: Sequence[str], resources: Sequence[str], reason: str = ""
) -> tuple[iam.PolicyStatement, dict[str, str]]:
    statement = iam.PolicyStatement(actions=list(actions), resources=list(resources))
    return statement, dict.fromkeys(resources, reason) if reason else {}
