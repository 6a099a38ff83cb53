"""Tags of Galv's releases, and which of them the constructs work with."""

import re
from datetime import date, datetime

from galv_constructs._core.today import today
from galv_constructs._core.validation import check_image_tag, is_token

LATEST = "latest"
"""The tag of whatever is newest."""

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


def check_digest(name: str, tag: object, *, whose: str, example: str) -> object:
    """Refuse what stands after the `@` of a tag and is no SHA-256; return what is before it."""
    if is_token(tag) or not isinstance(tag, str):
        return tag
    plain, at, digest = tag.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ValueError(
            f"{name} must have the digest of {whose} after '@', such as '{example}@sha256:' and 64 "
            f"digits from 0-9 and a-f, got {tag!r}: leave it out, or copy it from where it is "
            "published"
        )
    return plain


def check_frontend_tag(name: str, tag: object) -> None:
    """Refuse what is not the tag of a release, and a digest of the one that is newest some day."""
    plain = check_digest(name, tag, whose="frontend-build.tar.gz", example="v2.2.0")
    check_image_tag(name, plain)
    refuse_digest_of_latest(name, tag)


def refuse_digest_of_latest(name: str, tag: object) -> None:
    """Refuse a digest of what is something else some day."""
    if isinstance(tag, str) and tag.startswith(f"{LATEST}@"):
        raise ValueError(
            f"{name} must not have a digest for 'latest', which is other files with each release, "
            f"got {tag!r}: name the release, or leave the digest out"
        )


def check_day(name: str, day: object, tag_name: str, tag: str) -> None:
    """Refuse what is no day, one that is to come, and a day of another tag than `latest`."""
    if day is None:
        return
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValueError(f"{name} must be a datetime.date, got {day!r}")
    now = today()
    if day > now:
        raise ValueError(
            f"{name} must be a day that has come, got {day}, and in UTC it is {now}: pass that or "
            "an earlier one"
        )
    if tag != LATEST:
        raise ValueError(
            f"{name} is the day that {tag_name}='latest' is of, and {tag_name} is {tag!r}: leave "
            f"{name} out"
        )


def check_backend_tag(name: str, tag: object) -> None:
    """Refuse what is not a tag, with or without a digest, and a release that is too old."""
    plain = check_digest(name, tag, whose="the image", example="v2.11.4")
    check_image_tag(name, plain)
    refuse_digest_of_latest(name, tag)
    match = _VERSION.match(str(plain))
    if match and tuple(map(int, match.groups())) < OLDEST_BACKEND:
        oldest = "v" + ".".join(map(str, OLDEST_BACKEND))
        raise ValueError(
            f"{name} must be {oldest} or later, or another tag such as 'latest', got {tag!r}: "
            "earlier releases do not answer the load balancer's health checks, or were never "
            "tried. Releases are listed at https://github.com/galv-team/galv-backend/releases"
        )
