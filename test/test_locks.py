import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from setup import locked

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

ROOT = Path(__file__).parent.parent
PACKAGE = json.loads((ROOT / "package.json").read_text())
LOCKED = [
    Requirement(line.rstrip(" \\"))
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line[:1].isalnum()
]
GROUPS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())[
    "dependency-groups"
]


@pytest.mark.parametrize("asked", sorted(set().union(*GROUPS.values())))
def test_locks_versions_that_each_group_allows(asked: str) -> None:
    requirement = Requirement(asked)
    versions = [
        specifier.version
        for locked in LOCKED
        if locked.name == requirement.name
        for specifier in locked.specifier
    ]

    assert versions
    assert all(version in requirement.specifier for version in versions)


def test_every_package_is_locked_with_the_hashes_of_its_files() -> None:
    packages = locked()

    assert {"aws-cdk-lib", "django", "ministack", "uv"} < packages.keys()
    assert [name for name, text in packages.items() if "--hash=sha256:" not in text] == []


def test_locks_the_node_packages_that_package_json_asks_for() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())

    assert lock["packages"][""]["devDependencies"] == PACKAGE["devDependencies"]


def test_locks_name_no_address() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()
    for lock in (ROOT / "package-lock.json", ROOT / "test/e2e/functions/package-lock.json"):
        assert '"resolved"' not in lock.read_text()
    # uv.lock says both: `uv run` may write one, and git does not see it.
    assert "/uv.lock" in (ROOT / ".gitignore").read_text().splitlines()


def test_pins_the_emulator_whose_private_names_are_used() -> None:
    assert [one for one in GROUPS["emulator"] if one.startswith("ministack==")]


def test_pins_the_second_cdk_cli() -> None:
    # aws-cdk 3.0.0 on npm is an accidental publication.
    assert PACKAGE["devDependencies"]["aws-cdk"].startswith("2.")
