"""Whether the tag that a site was made of is another commit in its repository by now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._preflight.git import NoRepositoryError, tags_of
from ._preflight.unreachable import UnreachableError
from ._preflight.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 20

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


def tell_if_moved(source: Mapping[str, str], *, version: str, commit: str) -> None:
    """Say in the log that a tag was moved since the site was made of it, which stays as it was.

    A repository that does not answer stops no deployment.
    """
    repository = source["Repository"]
    try:
        now = tags_of(World(seconds=SECONDS), repository).get(version, "")
    except (NoRepositoryError, UnreachableError) as error:
        log.warning("whether the tag %s was moved is not known: %s", version, error)
        return
    if now and now != commit:
        log.warning("%s of %s is %s by now, and %s is published", version, repository, now, commit)
