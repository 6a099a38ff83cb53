"""Tags of Galv's releases, and which of them the constructs work with."""

import re

from galv_constructs._validation import check_image_tag

OLDEST_BACKEND = (2, 11, 3)
"""The oldest release whose behaviour is known."""

_PLAIN = re.compile(r"\d+\.\d+\.\d+")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def release_tag(tag: str) -> str:
    """Return the tag that is meant: `v2.11.4` for `2.11.4`, any other tag as it is.

    Galv tags its releases with a `v`, and its images are tagged as its sources are.
    """
    return f"v{tag}" if _PLAIN.fullmatch(tag) else tag


def check_backend_tag(name: str, tag: object) -> None:
    """Refuse what is not a tag, and the tag of a release that is too old."""
    check_image_tag(name, tag)
    match = _VERSION.match(str(tag))
    if match and tuple(map(int, match.groups())) < OLDEST_BACKEND:
        oldest = "v" + ".".join(map(str, OLDEST_BACKEND))
        raise ValueError(
            f"{name} must be {oldest} or later, or another tag such as 'latest', got {tag!r}: "
            "earlier releases do not answer the load balancer's health checks, or were never "
            "tried. Releases are listed at https://github.com/galv-team/galv-backend/releases"
        )
