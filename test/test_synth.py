import json
from pathlib import Path

import pytest
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
