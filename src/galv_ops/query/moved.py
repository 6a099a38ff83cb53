"""Tags that were moved since they were deployed, as the last deployment found them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from botocore.exceptions import ClientError

from galv_ops.errors import explain, is_fatal
from galv_ops.query.deployment import SITE_RELEASE, Deployment
from galv_ops.query.log import read
from galv_ops.redact import redact

IMAGE = "Custom::GalvMirroredImage"
_LOG_GROUP = "AWS::Logs::LogGroup"
# What the functions of these resources write: see `handlers/` of galv-constructs.
_PATTERN = '"by now"'
# Of the longest function, and then CloudFormation takes a moment.
_BEFORE = timedelta(minutes=20)


def moved_tags(deployment: Deployment, kind: str) -> Iterator[str]:
    """Tell of each tag of an image, or of the site, that was moved before the last deployment."""
    for stack, resource in deployment.resources(kind):
        groups = [
            group.id
            for group in stack.resources(_LOG_GROUP)
            if group.stem == f"{resource.stem}LogGroup"
        ]
        for group in groups:
            found = read(stack.aws, group, since=resource.changed - _BEFORE, pattern=_PATTERN)
            try:
                last = [line.text for line in found][-1:]
            except ClientError as error:
                if is_fatal(error):
                    raise
                yield f"whether its tag was moved is not known: {explain(error)}"
                continue
            # Lambda writes a level, a time and an id before it.
            yield from (redact(text.rpartition("\t")[2].strip()) for text in last)


def moved_images(deployment: Deployment) -> list[str]:
    """Tell of tags of images that were moved."""
    return list(moved_tags(deployment, IMAGE))


def moved_sites(deployment: Deployment) -> list[str]:
    """Tell of tags of sites that were moved."""
    return list(moved_tags(deployment, SITE_RELEASE))
