"""Say what an upgrade does to the resources of the example, for the changelog.

Synthesizes the example of the last release with the library of that release, and both of now, with
the CDK that is installed; compares the templates; and prints the section "CloudFormation diff".
What replaces a resource is known from CloudFormation's schemas, which cfn-lint brings along.

python tools/template_diff.py [--since REF]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfnlint.schema import (  # type: ignore[import-untyped]  # it declares none
    PROVIDER_SCHEMA_MANAGER,
    ResourceNotFoundError,
)
from releases import ROOT, last_release, unpack

Json = Mapping[str, Any]

# Contexts of the example that have all of its resources between them.
SHAPES: dict[str, Json] = {
    "in production": {},
    "outside production": {"isProduction": False},
}
# From what hurts most to what hurts least.
KINDS = ("replaced", "may be replaced", "removed", "added", "changed in place")
LEFT_BEHIND = {
    "Retain": "the old one is kept",
    "RetainExceptOnCreate": "the old one is kept",
    "Snapshot": "the old one leaves a snapshot",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """The change of one resource."""

    kind: str
    logical_id: str
    type: str
    why: str = ""

    @property
    def order(self) -> tuple[int, str]:
        """Where it is in the list."""
        return KINDS.index(self.kind), self.logical_id

    def __str__(self) -> str:
        """Return a line of the list."""
        why = f": {self.why}" if self.why else ""
        return f"- **{self.kind}** `{self.type}` `{self.logical_id}`{why}"


def changes(old: Json, new: Json) -> list[Change]:
    """Compare the resources of two templates."""
    before, after = old.get("Resources", {}), new.get("Resources", {})
    both = {id: (before[id], after[id]) for id in before.keys() & after.keys()}
    replaced = {id: why for id, pair in both.items() if (why := _replaces(*pair))}
    maybe = {id: why for id, pair in both.items() if (why := _may_replace(*pair))}
    maybe |= _following(both, replaced)
    found = []
    for id in before.keys() | after.keys():
        was, now = before.get(id), after.get(id)
        reasons: list[str] = []
        left_behind = ""
        if was is None:
            kind = "added"
        elif now is None:
            kind = "removed"
            left_behind = LEFT_BEHIND.get(was.get("DeletionPolicy"), "")
        elif id in replaced:
            kind, reasons = "replaced", replaced[id]
            left_behind = LEFT_BEHIND.get(was.get("UpdateReplacePolicy"), "")
        elif id in maybe:
            kind, reasons = "may be replaced", maybe[id]
        elif reasons := _changed(was, now):
            kind = "changed in place"
        else:
            continue
        words = "; ".join(filter(None, [", ".join(reasons), left_behind]))
        found.append(Change(kind=kind, logical_id=id, type=(now or was)["Type"], why=words))
    return sorted(found, key=lambda change: change.order)


def _replaces(was: Json, now: Json) -> list[str]:
    """Return the changes for which CloudFormation replaces a resource."""
    if was["Type"] != now["Type"]:
        return ["its type"]
    return _changed_paths(was, now, "createOnlyProperties")


def _may_replace(was: Json, now: Json) -> list[str]:
    """Return the changes for which CloudFormation replaces a resource in some cases."""
    return _changed_paths(was, now, "conditionalCreateOnlyProperties")


def _changed(was: Json, now: Json) -> list[str]:
    """The properties that differ."""
    old, new = was.get("Properties", {}), now.get("Properties", {})
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _following(
    both: Mapping[str, tuple[Json, Json]], replaced: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    """Return references to replaced resources that replace the resource too, if they change."""
    found: dict[str, list[str]] = {}
    while True:
        more = {
            id: [f"its {'.'.join(path)} is of `{other}`"]
            for id, (_, now) in both.items()
            if id not in replaced and id not in found
            for path in _paths(now["Type"], "createOnlyProperties")
            for other in sorted(_references(_values(now.get("Properties"), path)))
            if other in replaced or other in found
        }
        if not more:
            return found
        found |= more


def _changed_paths(was: Json, now: Json, kind: str) -> list[str]:
    return [
        ".".join(path)
        for path in _paths(now["Type"], kind)
        if _values(was.get("Properties"), path) != _values(now.get("Properties"), path)
    ]


def _paths(resource_type: str, kind: str) -> list[list[str]]:
    """The properties of a resource type that its schema lists as of this kind."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    except ResourceNotFoundError:
        return []
    return [path.split("/")[2:] for path in sorted(schema.get(kind, []))]


def _values(value: Any, path: list[str]) -> list[Any]:
    """Return the values at a path, in which `*` is every element of a list."""
    if not path:
        return [] if value is None else [value]
    if isinstance(value, list):
        return [found for item in value for found in _values(item, path[path[0] == "*" :])]
    return _values(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _references(value: Any) -> set[str]:
    """The logical ids that a value refers to."""
    text = json.dumps(value)
    names = re.findall(r'\{"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)', text)
    return {name for found in names for name in found if name}


def synthesized(source: Path, context: Json) -> dict[str, Json]:
    """Return the templates of the example in a folder, by stack, with the library beside it."""
    app = source / "examples" / "galv-app"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "app.py"],
            cwd=app,
            env=os.environ
            | {
                "PYTHONPATH": str(source / "src"),
                "CDK_CONTEXT_JSON": json.dumps(
                    json.loads((app / "cdk.json").read_text())["context"] | dict(context)
                ),
                "CDK_OUTDIR": folder,
                "CDK_VALIDATION": "false",
            },
            check=True,
        )
        return {
            path.name.partition(".")[0]: json.loads(path.read_text())
            for path in sorted(Path(folder).glob("*.template.json"))
        }


def report(old: Path, new: Path) -> Iterator[str]:
    """Yield the lines of the section, for the files of two versions."""
    shapes: defaultdict[str, defaultdict[Change, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for shape, context in SHAPES.items():
        before, after = synthesized(old, context), synthesized(new, context)
        for stack in before.keys() | after.keys():
            for change in changes(before.get(stack, {}), after.get(stack, {})):
                shapes[stack][change].append(shape)
    if not shapes:
        yield "None."
    for stack in sorted(shapes):
        yield f"In `{stack}`:\n"
        for change, where in sorted(shapes[stack].items(), key=lambda item: item[0].order):
            yield f"{change}{'' if len(where) == len(SHAPES) else f' ({where[0]})'}"
        yield ""


def main() -> None:
    """Print the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", default=last_release())
    since = parser.parse_args().since
    print("### CloudFormation diff\n")
    if since is None:
        print("None: nothing has been released yet.")
        return
    with tempfile.TemporaryDirectory() as folder:
        print(*report(unpack(since, Path(folder)), ROOT), sep="\n")


if __name__ == "__main__":
    main()
