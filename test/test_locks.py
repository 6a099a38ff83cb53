import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from setup import locked

ROOT = Path(__file__).parent.parent
PACKAGE = json.loads((ROOT / "package.json").read_text())
LOCKED = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line[:1].isalnum()
]
ASKED = [
    Requirement(line)
    for line in (ROOT / "requirements-dev.txt").read_text().splitlines()
    if line[:1].isalnum()
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_locks_what_each_requirement_allows(asked: Requirement) -> None:
    versions = [
        specifier.version
        for locked in LOCKED
        if locked.name == asked.name
        for specifier in locked.specifier
    ]

    assert versions
    assert all(version in asked.specifier for version in versions)


def test_locks_the_node_packages_that_package_json_asks_for() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())

    assert lock["packages"][""]["devDependencies"] == PACKAGE["devDependencies"]


def test_synthesizes_with_the_versions_that_are_tested() -> None:
    assert locked(ROOT / "constraints-synth.txt") < locked(ROOT / "constraints.txt")


def test_locks_say_what_not_from_where() -> None:
    for lock in (*ROOT.glob("constraints*.txt"), ROOT / "test/galv/requirements.txt"):
        assert "://" not in lock.read_text()
    for lock in (ROOT / "package-lock.json", ROOT / "test/e2e/functions/package-lock.json"):
        assert '"resolved"' not in lock.read_text()


def test_pins_the_emulator_whose_private_names_are_used() -> None:
    assert re.search(r"^ministack==", (ROOT / "constraints-e2e.txt").read_text(), re.MULTILINE)


def test_pins_the_second_cdk_cli() -> None:
    # aws-cdk 3.0.0 on npm is an accidental publication.
    assert PACKAGE["devDependencies"]["aws-cdk"].startswith("2.")
