"""The releases of a backend and of a site: what ran when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.query.changes import Setup, StackChange
from galv_ops.query.deployment import SITE_RELEASE, Deployment
from galv_ops.query.log import read
from galv_ops.query.task import Task, short
from galv_ops.query.version import Version, version_of

State = Literal["runs", "ran", "rolled back", "deploying"]

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push.html names repositories like so.
_REPOSITORY = re.compile(r"\d+\.dkr\.ecr\.[a-z0-9.-]+/([^@:]+)")
# Tags that MirroredImage gives.
_DEPLOYED = re.compile(r"deployed-(\d{8}T\d{6}\.\d{6})Z")
_VERSION = re.compile(r"(.+?)(?:-[0-9a-f]{64})?(?:-\d{4}-\d\d-\d\d)?-(?:amd64|arm64)-[0-9a-f]{8}")
# How long a deployment may take until the task definition is there, from the image's arrival.
_ONE_DEPLOYMENT = timedelta(hours=1)
_PUBLISHED = re.compile(r"published \w+: version (\S*), commit (\S*), \d+ files")
_LOG_GROUP = "AWS::Logs::LogGroup"


@dataclass(frozen=True)
class Release:
    """An image that web tasks ran, or would have."""

    at: datetime
    version: Version
    image: str
    state: State = "ran"
    setup: Setup = "not known"
    by: str = ""
    findings: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Publication:
    """A release of the site that was published."""

    at: datetime
    version: str
    commit: str


@dataclass(frozen=True)
class _Mirror:
    """The repository that images are copied to."""

    deployed: Sequence[tuple[datetime, str]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def releases_of(deployment: Deployment, web: Task, limit: int) -> list[Release]:
    """Return what web tasks ran, newest first, without what is known of deployments."""
    found = [*_revisions(deployment, web, limit)]
    repository = _REPOSITORY.match(web.image)
    mirror = _mirror(deployment, repository[1]) if repository else _Mirror()
    for at, digest in mirror.deployed:
        known = [one for one in found if one.version.digest == digest]
        if not any(abs(one.at - at) <= _ONE_DEPLOYMENT for one in known):
            name = mirror.names.get(digest, "")
            image = known[0].image if known else f"{web.image.partition('@')[0]}@{digest}"
            found.append(Release(at, Version(name, digest), image))
    found.sort(key=lambda one: one.at)
    changed = [
        one
        for before, one in zip([None, *found], found, strict=False)
        if before is None or before.version != one.version
    ]
    return [
        replace(
            one,
            version=Version(
                one.version.name or mirror.names.get(one.version.digest, ""), one.version.digest
            ),
            findings=mirror.findings.get(one.version.digest),
        )
        for one in changed[: -limit - 1 : -1]
    ]


def with_changes(
    release: Release, changes: Sequence[StackChange], who: Mapping[StackChange, str]
) -> Release:
    """Add what is known of the deployment that a release came with."""
    for change in changes:
        if change.began <= release.at and (change.ended is None or release.at <= change.ended):
            state: State = (
                "rolled back"
                if change.was_rolled_back
                else "deploying"
                if change.ended is None
                else "ran"
            )
            return replace(release, state=state, setup=change.setup, by=who.get(change, ""))
    return release


def _revisions(deployment: Deployment, web: Task, limit: int) -> Iterator[Release]:
    """Yield the revisions of the web task, also those that CloudFormation took back since."""
    ecs = deployment.aws.ecs
    family = short(web.definition).partition(":")[0]
    arns: list[str] = []
    for status in ("ACTIVE", "INACTIVE"):
        pages = ecs.get_paginator("list_task_definitions").paginate(
            familyPrefix=family,
            status=status,
            sort="DESC",
            # Some differ in nothing but a variable.
            PaginationConfig={"MaxItems": 3 * limit},
        )
        arns += [arn for page in pages for arn in page["taskDefinitionArns"]]
    arns.sort(key=lambda arn: int(arn.rpartition(":")[2]), reverse=True)
    for arn in arns[: 3 * limit]:
        answer = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        found = answer["taskDefinition"]
        tags = {tag.get("key", ""): tag.get("value", "") for tag in answer.get("tags", [])}
        container = found.get("containerDefinitions", [])[0]
        image = container.get("image", "")
        if "registeredAt" in found:
            yield Release(found["registeredAt"], version_of(image, tags), image)


def _mirror(deployment: Deployment, repository: str) -> _Mirror:
    images: list[dict[str, Any]] = []
    try:
        pages = deployment.aws.ecr.get_paginator("describe_images")
        for page in pages.paginate(repositoryName=repository):
            images += page["imageDetails"]
    except ClientError as error:
        # Somebody deleted it.
        if error_code(error) != "RepositoryNotFoundException":
            raise
    deployed, names, findings = [], {}, {}
    for image in images:
        digest = image["imageDigest"]
        for tag in sorted(image.get("imageTags", []), reverse=True):
            if match := _DEPLOYED.fullmatch(tag):
                at = datetime.strptime(match[1], "%Y%m%dT%H%M%S.%f").replace(tzinfo=timezone.utc)
                deployed.append((at, digest))
            elif match := _VERSION.fullmatch(tag):
                names[digest] = match[1]
        summary = image.get("imageScanFindingsSummary", {})
        if "findingSeverityCounts" in summary:
            findings[digest] = summary["findingSeverityCounts"]
    return _Mirror(deployed, names, findings)


def publications(deployment: Deployment, limit: int) -> list[Publication]:
    """Return what was published of the sites, newest first, from the log of what publishes."""
    found = []
    for stack, resource in deployment.resources(SITE_RELEASE):
        for group in stack.resources(_LOG_GROUP):
            if group.stem != f"{resource.stem}LogGroup":
                continue
            since = datetime(1970, 1, 2, tzinfo=timezone.utc)
            lines = read(stack.aws, group.id, since=since, pattern='"published" "version"')
            found += [
                Publication(line.when, match[1], match[2])
                for line in lines
                if (match := _PUBLISHED.search(line.text))
            ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]
