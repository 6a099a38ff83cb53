"""The files that a `FrontendSource` names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from galv_constructs._core.release_tag import LATEST


@dataclass(frozen=True, kw_only=True)
class FetchedFiles:
    """Files that CodeBuild fetches, and builds where they are source."""

    kind: Literal["release", "git", "image"]
    """The kind of `repository`: of releases, of source alone, or of images."""

    repository: str
    """Name or address of the repository."""

    tag: str
    """Tag of the release, commit or image."""

    commit: str = ""
    """Commit that the tag must name; empty for any."""

    digest: str = ""
    """SHA-256 of the files that are attached, or of the image; empty for any."""

    @property
    def inputs(self) -> dict[str, str]:
        """The properties of the files for the build and preflight."""
        return {
            "Type": self.kind,
            "Repository": self.repository,
            "Tag": self.tag,
            "Commit": self.commit,
            **({"Digest": self.digest} if self.digest else {}),
        }

    @property
    def is_built(self) -> bool:
        """Whether CodeBuild may have to build the files."""
        return self.kind != "image"

    @property
    def is_floating(self) -> bool:
        """Whether the same tag is something else with time."""
        return self.tag == LATEST


@dataclass(frozen=True, kw_only=True)
class LocalFiles:
    """Files that exist at synthesis."""

    path: str
    """Folder that they are in."""

    @property
    def has_template(self) -> bool:
        """Whether their configuration is written when they are published."""
        return (Path(self.path) / "env.template.js").is_file()
