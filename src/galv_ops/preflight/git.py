"""The tags of a git repository on the web, without git.

https://git-scm.com/docs/http-protocol (servers that are smart, and those that only have files).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .unreachable import UnreachableError

if TYPE_CHECKING:
    from .world import World

LATEST = "latest"
RELEASE_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_TAGS = "refs/tags/"
_SERVICE = "git-upload-pack"


class NoRepositoryError(Exception):
    """There is no repository, or it is not public; the text is what the server said."""


def tags_of(world: World, repository: str) -> dict[str, str]:
    """Return the tags of a repository and the commits that they mean.

    Raises:
        NoRepositoryError: If the server shows none.
        UnreachableError: If it does not answer.
    """
    url = f"{repository.rstrip('/')}/info/refs?service={_SERVICE}"
    reply = world.get(url, {"User-Agent": "git/2"})
    # GitHub answers 401 for a repository that is not there.
    if reply.status in (401, 403, 404, 410):
        raise NoRepositoryError(f"{url} answers {reply.status}")
    if reply.status != 200:
        raise UnreachableError(url, f"it answers {reply.status}", reply.status)
    is_smart = reply.headers.get("content-type", "") == f"application/x-{_SERVICE}-advertisement"
    lines = _packets(url, reply.body) if is_smart else reply.body.splitlines()
    commits: dict[str, str] = {}
    for line in lines:
        # After the first name a server says what it can do.
        text = line.partition(b"\0")[0].decode("utf-8", "replace").strip()
        match = re.fullmatch(rf"([0-9a-f]{{40,64}})\s+{_TAGS}(.+)", text)
        if match:
            # The second line of an annotated tag, `…^{}`, has the commit that the tag is of.
            commits[match[2].replace("^{}", "")] = match[1]
        elif not is_smart and not re.fullmatch(r"[0-9a-f]{40,64}\s+\S+", text):
            raise NoRepositoryError(f"{url} answers something else than git does")
    return commits


def _packets(url: str, body: bytes) -> list[bytes]:
    """Take the lines apart: each begins with its length, and 0000 to 0002 are no lines."""
    lines, position = [], 0
    while position < len(body):
        try:
            size = int(body[position : position + 4], 16)
        except ValueError as error:
            raise UnreachableError(url, "its answer is not git's") from error
        if size > 4 and position + size > len(body):
            raise UnreachableError(url, "its answer is cut")
        lines.append(body[position + 4 : position + size])
        position += max(size, 4)
    return lines


def newest(commits: dict[str, str]) -> list[str]:
    """Return the tags of releases, the newest first."""
    found = [(match, name) for name in commits if (match := RELEASE_TAG.fullmatch(name))]
    releases = sorted((tuple(map(int, match.groups())), name) for match, name in found)
    return [name for _, name in reversed(releases)]


def spellings(tag: str) -> tuple[str, str]:
    """Return the tag, and what it is with or without a `v`."""
    return tag, tag[1:] if tag.startswith("v") else f"v{tag}"


def choose(tag: str, commits: dict[str, str]) -> str | None:
    """Return the tag that is meant, as the site's build chooses it; None where there is none."""
    if tag == LATEST:
        return next(iter(newest(commits)), None)
    return next((name for name in spellings(tag) if name in commits), None)
