"""Logical ids and types in files: another logical id is another resource, and replaces one.

`UPDATE_SNAPSHOTS=1` writes the files again; read their diff.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from templates import Json

SNAPSHOTS = Path(__file__).parent / "snapshots"


def snapshot(template: Json, name: str) -> None:
    """Compare a template with its snapshot."""
    _compare(name, _lines(template))


def snapshot_stacks(templates: Mapping[str, Json], name: str) -> None:
    """Compare the templates of an app, by the names of their stacks, with their snapshot."""
    _compare(
        name,
        [f"{stack} {line}" for stack in sorted(templates) for line in _lines(templates[stack])],
    )


def names(folder: str = ".") -> set[str]:
    """The snapshots that exist in a folder."""
    return {path.stem for path in (SNAPSHOTS / folder).glob("*.txt")}


def _lines(template: Json) -> list[str]:
    return sorted(
        # The name of a resource may hold the hash of an asset.
        re.sub(r"[0-9a-f]{64}", "<hash>", f"{resource['Type']} {logical_id}")
        for logical_id, resource in template["Resources"].items()
    )


def _compare(name: str, found: list[str]) -> None:
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([*found, ""]))
    assert found == path.read_text().splitlines()
