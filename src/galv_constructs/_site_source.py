"""What a `FrontendSource` stands for."""

from dataclasses import dataclass
from typing import Literal

LATEST = "latest"


@dataclass(frozen=True, kw_only=True)
class FetchedFiles:
    """Files that CodeBuild fetches, and builds if they come from git."""

    kind: Literal["git", "image"]
    """What `repository` is."""

    repository: str
    """Where it is."""

    tag: str
    """What of it is taken."""

    commit: str = ""
    """What the tag must be; empty for anything."""

    @property
    def is_floating(self) -> bool:
        """Whether the same tag is something else with time."""
        return self.tag == LATEST


@dataclass(frozen=True, kw_only=True)
class LocalFiles:
    """Files that are there when the template is made."""

    path: str
    """Folder that they are in."""
