"""GitHub's workflows: what a linter says, and what they run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are another package

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")
}
STEPS: list[dict[str, Any]] = [
    step
    for workflow in WORKFLOWS.values()
    for job in workflow["jobs"].values()
    for step in job["steps"]
]


@pytest.mark.parametrize(
    "linter",
    [
        ["zizmor", "--offline", "--strict-collection", "--no-progress"],
        ["check-jsonschema", "--builtin-schema=vendor.github-workflows"],
    ],
    ids=lambda linter: linter[0],
)
def test_a_linter_finds_nothing(linter: list[str]) -> None:
    command = [*linter, *map(str, FOLDER.glob("*.yml"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_action_is_a_commit() -> None:
    used = {step["uses"] for step in STEPS if "uses" in step}

    assert used
    assert {
        action for action in used if not re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", action)
    } == set()


def test_every_script_exists() -> None:
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    commands = "\n".join(step.get("run", "") for step in STEPS)
    called = set(re.findall(r"npm run (?:--silent )?([\w:-]+)", commands))
    files = set(re.findall(r"(?:bash|python3) (\S+)", commands))

    assert called
    assert called <= set(scripts)
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_tests_every_python_that_the_package_names() -> None:
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())

    assert named
    assert WORKFLOWS["build"]["jobs"]["python"]["strategy"]["matrix"]["python"] == named


def test_only_the_job_that_publishes_can_get_a_token_of_pypi() -> None:
    jobs = {
        job
        for workflow in WORKFLOWS.values()
        for job, content in workflow["jobs"].items()
        if "id-token" in content["permissions"]
    }

    assert jobs == {"release_pypi"}
