"""Every example in a docstring and every Python snippet of the documentation runs."""

from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import Stack
from backends import new_app
from snippets import SNIPPETS, run

import galv_constructs


@pytest.mark.parametrize(
    "name",
    [
        # Half a second each, and there are many of them.
        pytest.param(name, marks=pytest.mark.slow if name.startswith("docs/") else ())
        for name in SNIPPETS
    ],
)
def test_runs(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aws_cdk, "App", new_app)  # for a snippet that is a whole program
    run(name, Stack(new_app({"name": "galv", "domainName": "example.com"}), "Stack"))


def test_finds_those_of_the_readme_and_of_every_construct() -> None:
    documents = {name.rpartition("-")[0] for name in SNIPPETS}

    assert "README.md" in documents
    assert {
        f"src/galv_constructs/{galv_constructs._MODULES[name].replace('.', '/')}.py"
        for name in galv_constructs.__all__
        if name.startswith("Galv")
    } <= documents
