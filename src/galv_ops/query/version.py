"""The version that a task definition runs, and the digest of its image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Tags that GalvBackend gives to task definitions.
_VERSION, _DIGEST = "galv-version", "galv-image-digest"
# A port stands before a slash, a tag behind all of them.
_TAG = re.compile(r":([^/:@]+)(?:@|$)")
_SHORT = 12


@dataclass(frozen=True)
class Version:
    """A version and its digest, `sha256:…`; empty where they are not known."""

    name: str
    digest: str

    @property
    def short_digest(self) -> str:
        """The beginning of the digest, as people compare it."""
        return self.digest.partition(":")[2][:_SHORT]

    def __str__(self) -> str:
        """Return both in a few words."""
        digest = f"sha256:{self.short_digest}" if self.digest else ""
        return " ".join(filter(None, (self.name, digest))) or "not known"


def version_of(image: str, tags: Mapping[str, str]) -> Version:
    """Read the version from the tags of a task definition, or else from its image."""
    tag = _TAG.search(image)
    name = tags.get(_VERSION) or (tag[1] if tag else "")
    return Version(name, tags.get(_DIGEST) or image.partition("@")[2])
