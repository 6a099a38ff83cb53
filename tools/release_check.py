"""Stop a release that the changelog or the examples do not know of. A step of `npm run release`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from releases import ROOT

NAME = "galv-constructs"


def mistakes(version: str, root: Path = ROOT) -> Iterator[str]:
    """Yield what has to be fixed before this version can be released."""
    changelog = (root / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[{re.escape(version)}\]", changelog, re.MULTILINE):
        yield f"CHANGELOG.md has no section [{version}]: that is what [Unreleased] has to become"
    for file in sorted(root.glob("examples/*/requirements.txt")):
        for line in file.read_text().splitlines():
            if line.startswith(NAME) and version not in Requirement(line).specifier:
                yield f"{file.relative_to(root)} does not take {version}: it has {line!r}"


def main() -> int:
    """Check the version that projen has just decided on."""
    found = list(mistakes((ROOT / "dist" / "version.txt").read_text().strip()))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
