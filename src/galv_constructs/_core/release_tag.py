"""Tags of Galv's releases, and which of them the constructs work with."""

import re

from galv_constructs._core.validation import check_image_tag, is_token

OLDEST_BACKEND = (2, 11, 3)
"""The oldest release whose behaviour is known."""

_PLAIN = re.compile(r"(\d+\.\d+\.\d+)(@.*)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


def release_tag(tag: str) -> str:
    """Return the tag that is meant: `v2.11.4` for `2.11.4`, any other tag as it is.

    Galv tags its releases with a `v`, and its images are tagged as its sources are.
    """
    return f"v{tag}" if _PLAIN.fullmatch(tag) else tag


def check_backend_tag(name: str, tag: object) -> None:
    """Refuse what is not a tag, with or without a digest, and a release that is too old."""
    plain, at, digest = tag.partition("@") if isinstance(tag, str) else (tag, "", "")
    if at and not is_token(tag) and not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"{name} must have the digest of an image after '@', such as 'v2.11.4@sha256:' and 64 "
            f"digits from 0-9 and a-f, got {tag!r}: leave it out, or copy it from the page of the "
            "image"
        )
    check_image_tag(name, tag if is_token(tag) else plain)
    match = _VERSION.match(str(plain))
    if match and tuple(map(int, match.groups())) < OLDEST_BACKEND:
        oldest = "v" + ".".join(map(str, OLDEST_BACKEND))
        raise ValueError(
            f"{name} must be {oldest} or later, or another tag such as 'latest', got {tag!r}: "
            "earlier releases do not answer the load balancer's health checks, or were never "
            "tried. Releases are listed at https://github.com/galv-team/galv-backend/releases"
        )
