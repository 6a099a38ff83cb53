"""Audit of upkeep: old secrets and images, alarms that nobody gets, logs, the mail account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.audits.finding import Finding, is_older
from galv_ops.errors import is_gone
from galv_ops.query.aws import Aws
from galv_ops.query.deployment import WEB, Deployment
from galv_ops.query.mail import SANDBOX, ses_region
from galv_ops.text import count

_SECRET_DAYS = 365
_LOG_DAYS = 30
_IMAGE = re.compile(
    r"(\d+)\.dkr\.ecr\.([\w-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^@]+))?(?:@(sha256:\w+))?"
)


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """Tell which secrets have the same value for more than a year."""
    own = deployment.resources("AWS::SecretsManager::Secret")
    found = {secret.id: stack.aws for stack, secret in own}
    if deployment.has_backend:
        for task in deployment.tasks.values():
            # The ARN of a secret, and after it what of it.
            arns = (":".join(source.split(":")[:7]) for source in task.secrets.values())
            found |= {arn: deployment.aws for arn in arns if ":secretsmanager:" in arn}
    old = []
    for arn, aws in found.items():
        try:
            answer = aws.secretsmanager.list_secret_version_ids(SecretId=arn)
        except ClientError as error:
            if is_gone(error):
                continue
            raise
        current = [
            version
            for version in answer.get("Versions", [])
            if "AWSCURRENT" in version.get("VersionStages", [])
        ]
        if any(is_older(version.get("CreatedDate"), _SECRET_DAYS) for version in current):
            old.append(answer.get("Name", arn))
    if old:
        yield Finding(
            "low",
            f"Secrets that have not changed for a year: {', '.join(sorted(old))}.",
            "Give them new values; SMTP credentials by raising smtpRotation. A new secret key of "
            "Django signs everybody out.",
            sorted(old),
        )


def images(deployment: Deployment) -> Iterator[Finding]:
    """Tell which images in ECR have findings, or were never scanned.

    Of images in other registries AWS knows nothing.
    """
    tasks = deployment.tasks.values() if deployment.has_backend else ()
    for image in sorted({task.image for task in tasks}):
        match = _IMAGE.fullmatch(image)
        if match is None:
            continue
        registry, region, repository, tag, digest = match.groups()
        id = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        try:
            answer = deployment.aws.in_region(region).ecr.describe_image_scan_findings(
                registryId=registry, repositoryName=repository, imageId=id
            )
        except ClientError as error:
            if error_code(error) != "ScanNotFoundException":
                raise
            yield Finding(
                "low",
                f"The image {image} was never scanned.",
                "Turn on scanning on push in ECR.",
                [image],
            )
            continue
        counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
        serious = {kind: counts[kind] for kind in ("CRITICAL", "HIGH") if counts.get(kind)}
        if serious:
            listed = " and ".join(f"{number} {kind.lower()}" for kind, number in serious.items())
            yield Finding(
                "high" if "CRITICAL" in serious else "medium",
                f"The image {image} has known weaknesses: {listed}.",
                "Deploy a newer release.",
                [image],
            )


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """Tell which alarms nobody gets."""
    silent: list[str] = []
    for stack in deployment.stacks:
        names = [resource.id for resource in stack.resources("AWS::CloudWatch::Alarm")]
        for start in range(0, len(names), 100):
            answer = stack.aws.cloudwatch.describe_alarms(AlarmNames=names[start : start + 100])
            for alarm in answer["MetricAlarms"]:
                actions = alarm.get("AlarmActions", []) if alarm.get("ActionsEnabled", True) else []
                if not any(_tells_somebody(stack.aws, action) for action in actions):
                    silent.append(alarm["AlarmName"])
    if silent:
        yield Finding(
            "medium",
            f"{count(len(silent), 'alarm')} nobody gets: without an action, or by a topic that "
            f"nobody has confirmed a subscription of: {', '.join(silent)}.",
            "Set alarmEmail in cdk.json and confirm the mail from AWS, or pass alarm_topic.",
            silent,
        )


def logs(deployment: Deployment) -> Iterator[Finding]:
    """Tell which logs are kept for ever, or too short to look into an attack."""
    forever, short = [], []
    for stack, resource in deployment.resources("AWS::Logs::LogGroup"):
        answer = stack.aws.logs.describe_log_groups(logGroupNamePrefix=resource.id)
        for group in answer["logGroups"]:
            if group.get("logGroupName") == resource.id:
                days = group.get("retentionInDays")
                if days is None:
                    forever.append(resource.id)
                elif days < _LOG_DAYS:
                    short.append(resource.id)
    if forever:
        yield Finding(
            "low",
            f"Logs, which hold addresses of users, are kept for ever: {', '.join(forever)}.",
            "Set a retention, or deploy again.",
            forever,
        )
    if short:
        yield Finding(
            "low",
            f"Logs are kept for less than {_LOG_DAYS} days: {', '.join(short)}.",
            "Raise their retention, or deploy again.",
            short,
        )


def mail(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether the account is in the sandbox of Amazon SES."""
    web = deployment.tasks.get(WEB) if deployment.has_backend else None
    region = None if web is None else ses_region(web)
    if region is not None:
        account = deployment.aws.in_region(region).sesv2.get_account()
        if not account.get("ProductionAccessEnabled", False):
            yield Finding("low", f"{SANDBOX[0].upper()}{SANDBOX[1:]}", "Ask AWS to lift it.")


def _tells_somebody(aws: Aws, action: str) -> bool:
    if ":sns:" not in action:
        return True
    pages = aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=action)
    # One that waits has a word in its place: PendingConfirmation.
    return any(
        subscription.get("SubscriptionArn", "").startswith("arn:")
        for page in pages
        for subscription in page["Subscriptions"]
    )
