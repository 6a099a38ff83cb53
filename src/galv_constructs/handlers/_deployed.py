"""Tags in Amazon ECR that say what was deployed when: they keep an image from the lifecycle policy.

An image has one for each time that a deployment, or its rollback, went over to it:
`deployed-20261127T094500.123456Z`, in UTC. The rule of the repository for these tags expires
nothing, and "an image that matches the tagging requirements of a rule cannot be expired or archived
by a rule with a lower priority":
https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
"""

from __future__ import annotations

import logging
import re
from datetime import datetime, timezone
from typing import Any

from ._answers import AWS_ERRORS, error_code
from ._aws import client

PREFIX = "deployed-"
# Of an image that is gone back to again and again, the newest ones: it may have 1,000 tags.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
TAGS_AN_IMAGE = 10
_TAG = re.compile(rf"{PREFIX}\d{{8}}T\d{{6}}\.\d{{6}}Z")
# Otherwise ECR may send the manifest in a form that has another digest.
_ACCEPTED = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# What ECR takes in one call.
_TAGS_A_CALL = 100

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class NotMarkedError(Exception):
    """The image has no tag that keeps it; the text says why."""


def mark(repository: str, digest: str, keep: int) -> None:
    """Tag an image as deployed now, unless it is what was deployed last.

    Then take the tags from images that `keep` other ones were deployed after.

    Raises:
        NotMarkedError: The image has no tag. Tags that cannot be taken away only keep more.
    """
    try:
        tags = _tags(repository)
        found = _newest_first(tags)
        if not found or tags[found[0]] != digest:
            found = [_put(repository, digest), *found]
            tags[found[0]] = digest
    except AWS_ERRORS as error:
        raise NotMarkedError(str(error)) from error
    try:
        _remove(repository, _beyond(found, tags, keep))
    except AWS_ERRORS as error:
        log.warning("older tags %s… stay, and keep their images: %s", PREFIX, error)


def _tags(repository: str) -> dict[str, str]:
    """Return the digest that each tag of the repository means."""
    pages = (
        client("ecr")
        .get_paginator("list_images")
        .paginate(repositoryName=repository, filter={"tagStatus": "TAGGED"})
    )
    return {one["imageTag"]: one["imageDigest"] for page in pages for one in page["imageIds"]}


def _newest_first(tags: dict[str, str]) -> list[str]:
    return sorted((tag for tag in tags if _TAG.fullmatch(tag)), reverse=True)


def _put(repository: str, digest: str) -> str:
    """Put one more tag on an image.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
    """
    ecr: Any = client("ecr")
    tag = f"{PREFIX}{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}"
    found = ecr.batch_get_image(
        repositoryName=repository,
        imageIds=[{"imageDigest": digest}],
        acceptedMediaTypes=list(_ACCEPTED),
    )
    if not found["images"]:
        why = ", ".join(one["failureReason"] for one in found["failures"])
        raise NotMarkedError(f"{digest}: {why}")
    (image,) = found["images"]
    media_type = image.get("imageManifestMediaType")
    try:
        ecr.put_image(
            repositoryName=repository,
            imageManifest=image["imageManifest"],
            **({"imageManifestMediaType": media_type} if media_type else {}),
            imageTag=tag,
            imageDigest=digest,
        )
    except AWS_ERRORS as error:
        # boto3 asked again where no answer came, and the first time had been enough.
        if error_code(error) != "ImageAlreadyExistsException":
            raise
    return tag


def _beyond(found: list[str], tags: dict[str, str], keep: int) -> list[str]:
    """Return the tags of all images but the newest `keep`, and what is too many of one image."""
    kept: dict[str, int] = {}
    beyond = []
    for tag in found:
        digest = tags[tag]
        if digest in kept or len(kept) < keep:
            kept[digest] = kept.get(digest, 0) + 1
        if kept.get(digest, TAGS_AN_IMAGE + 1) > TAGS_AN_IMAGE and _has_another(tag, found, tags):
            beyond.append(tag)
    return beyond


def _has_another(tag: str, found: list[str], tags: dict[str, str]) -> bool:
    """Whether an image has a tag of its version: without its last tag ECR would delete it."""
    return any(digest == tags[tag] and name not in found for name, digest in tags.items())


def _remove(repository: str, tags: list[str]) -> None:
    for start in range(0, len(tags), _TAGS_A_CALL):
        # By their tags alone: by its digest the image would go.
        answer = client("ecr").batch_delete_image(
            repositoryName=repository,
            imageIds=[{"imageTag": tag} for tag in tags[start : start + _TAGS_A_CALL]],
        )
        for failure in answer["failures"]:
            log.warning("a tag stays, and keeps its image: %s", failure.get("failureReason"))
