"""What a lifecycle policy of Amazon ECR expires, as its document says.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html, "Lifecycle policy
evaluation rules":

> All rules are evaluated at the same time, regardless of rule priority. After all rules are
> evaluated, they are then applied based on rule priority.
> An image is expired or archived by exactly one or zero rules.
> An image that matches the tagging requirements of a rule cannot be expired or archived by a rule
> with a lower priority.
> Rules can never mark images that are marked by higher priority rules, but can still identify them
> as if they haven't been expired or archived.
> With `countType = imageCountMoreThan`, images are sorted from youngest to oldest based on
> `pushed_at_time` and then all images greater than the specified count are expired or archived.
> When using the `tagPrefixList`, an image is successfully matched if all of the tags in the
> `tagPrefixList` value are matched against any of the image's tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Pushed(NamedTuple):
    """An image of a repository."""

    name: str
    tags: Sequence[str]
    days_ago: float = 0


def expired(policy: dict[str, Any], images: Sequence[Pushed]) -> set[str]:
    """Return the names of the images that expire, of all images, the oldest one first."""
    gone: set[str] = set()
    seen: set[str] = set()
    for rule in sorted(policy["rules"], key=lambda rule: int(rule["rulePriority"])):
        assert rule["action"] == {"type": "expire"}
        selection = rule["selection"]
        matched = [image for image in images if _matches(selection, image)]
        gone |= {image.name for image in _marked(selection, matched)} - seen
        seen |= {image.name for image in matched}
    return gone


def _matches(selection: dict[str, Any], image: Pushed) -> bool:
    if selection["tagStatus"] == "any":
        return True
    if selection["tagStatus"] == "untagged":
        return not image.tags
    return all(
        any(tag.startswith(prefix) for tag in image.tags) for prefix in selection["tagPrefixList"]
    )


def _marked(selection: dict[str, Any], matched: list[Pushed]) -> list[Pushed]:
    number: int = selection["countNumber"]
    # The document: "Acceptable values are positive integers (0 is not an accepted value)."
    assert number > 0
    if selection["countType"] == "sinceImagePushed":
        return [image for image in matched if image.days_ago > number]
    assert selection["countType"] == "imageCountMoreThan"
    return matched[: max(0, len(matched) - number)]
