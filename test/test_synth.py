import json
import subprocess
import sys
from pathlib import Path

import pytest
import synth
from synth import summary


def test_names_each_stack_its_resources_and_its_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = {"type": "aws:cloudformation:stack"}
    artifacts = {
        "A": {**stack, "displayName": "galv-A", "properties": {"templateFile": "A.template.json"}},
        "Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    (tmp_path / "A.template.json").write_text(json.dumps({"Resources": {"One": {}, "Two": {}}}))
    monkeypatch.chdir(tmp_path)

    assert summary(tmp_path) == ["galv-A     2 resources  A.template.json"]


def test_says_nothing_of_an_assembly_without_stacks(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {}}))

    assert summary(tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [["--output", "elsewhere"], ["--output=elsewhere"], ["-o", "elsewhere"], []]
)
def test_finds_the_templates_where_they_were_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    """From the folder of the application, as the CLI does."""

    def run(command: list[str], *, cwd: Path, **_: object) -> "subprocess.CompletedProcess[str]":
        assert command[-len(arguments) or len(command) :] == arguments
        folder = cwd / ("elsewhere" if arguments else "cdk.out")
        folder.mkdir()
        stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "A.json"}}
        (folder / "manifest.json").write_text(json.dumps({"artifacts": {"A": stack}}))
        (folder / "A.json").write_text(json.dumps({"Resources": {"One": {}}}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(synth, "APP", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["synth.py", *arguments])

    assert synth.main() == 0
    assert "A     1 resources" in capsys.readouterr().out


def test_says_nothing_where_the_cli_wrote_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(synth, "APP", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0))
    monkeypatch.setattr(sys, "argv", ["synth.py", "--help"])

    assert synth.main() == 0
    assert capsys.readouterr().out == ""
