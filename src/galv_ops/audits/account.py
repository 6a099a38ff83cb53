"""The account: its root user, its trail, GuardDuty, and whether S3 may be public."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.audits.finding import Finding
from galv_ops.query.deployment import Deployment

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def root_user(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether the root user has a second factor, and no access key."""
    found = deployment.aws.iam.get_account_summary()["SummaryMap"]
    if not found.get("AccountMFAEnabled"):
        yield Finding(
            "high",
            "The account's root user has no second factor.",
            "Sign in as root, and add one under Security credentials.",
        )
    if found.get("AccountAccessKeysPresent"):
        yield Finding(
            "high",
            "The account's root user has an access key, which no policy limits.",
            "Delete it: use roles instead.",
        )


def trail(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether CloudTrail records what is done in the account."""
    cloudtrail = deployment.aws.cloudtrail
    here = [
        trail
        for trail in cloudtrail.describe_trails()["trailList"]
        if trail.get("IsMultiRegionTrail") or trail.get("HomeRegion") == deployment.region
    ]
    logging = [
        trail
        for trail in here
        if cloudtrail.get_trail_status(Name=trail["TrailARN"]).get("IsLogging")
    ]
    if not logging:
        yield Finding(
            "high",
            f"No trail of CloudTrail records what is done in {deployment.region}: after an attack "
            "nobody can tell what happened.",
            "Create a trail for all regions, with validation of its files.",
        )
    elif not any(trail.get("LogFileValidationEnabled") for trail in logging):
        yield Finding(
            "low",
            "CloudTrail's files can be changed without a trace: their validation is off.",
            "Turn on LogFileValidationEnabled of the trail.",
            [trail["TrailARN"] for trail in logging],
        )


def guardduty(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether GuardDuty watches the region."""
    guard = deployment.aws.guardduty
    detectors = guard.list_detectors()["DetectorIds"]
    if not any(
        guard.get_detector(DetectorId=detector).get("Status") == "ENABLED" for detector in detectors
    ):
        yield Finding(
            "medium",
            f"GuardDuty is off in {deployment.region}: it would tell of stolen credentials and of "
            "tasks that talk to known attackers.",
            "Turn it on.",
        )


def public_access(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether a bucket of the account can be made public by mistake."""
    try:
        found = deployment.aws.s3control.get_public_access_block(AccountId=deployment.account)
    except ClientError as error:
        if error_code(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        found = {}
    blocks = found.get("PublicAccessBlockConfiguration", {})
    if not all(blocks.get(block) for block in BLOCKS):
        yield Finding(
            "medium",
            "The account lets buckets be public: one wrong policy is enough.",
            "Turn on all four settings of Block Public Access for the account; Galv needs no "
            "public bucket.",
        )
