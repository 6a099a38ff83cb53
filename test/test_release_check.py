"""Conditions of a version before its release, and of the changelog always."""

import re
from pathlib import Path

import pytest
from release_check import mistakes
from releases import ROOT

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    app = tmp_path / "examples" / "app"
    app.mkdir(parents=True)
    (app / "requirements.txt").write_text("# The library.\ngalv-constructs<0.2\nboto3\n")
    return tmp_path


def test_accepts_a_version_that_the_changelog_and_the_examples_name(root: Path) -> None:
    assert list(mistakes("0.1.0", root)) == []


def test_refuses_a_version_without_a_section(root: Path) -> None:
    assert list(mistakes("0.1.1", root)) == [
        "CHANGELOG.md has no section [0.1.1]: that is what [Unreleased] has to become"
    ]


def test_refuses_a_version_that_an_example_does_not_take(root: Path) -> None:
    (root / "CHANGELOG.md").write_text(CHANGELOG.replace("0.1.0", "0.2.0"))

    assert list(mistakes("0.2.0", root)) == [
        "examples/app/requirements.txt does not take 0.2.0: it has 'galv-constructs<0.2'"
    ]


def test_every_version_of_the_changelog_says_what_it_does_to_resources() -> None:
    _, *sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert sections[0].startswith("[Unreleased]\n")
    for section in sections:
        assert "\n### CloudFormation diff\n" in section, section.splitlines()[0]
