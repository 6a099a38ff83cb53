"""GitHub's workflows: what a linter says, and what they run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its types are another package
from workflow_lint import can_get_a_token, unlocked

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


def test_each_part_of_a_build_is_a_job() -> None:
    parts = re.findall(r"^part_(\w+)\(\)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    jobs = WORKFLOWS["build"]["jobs"]

    assert parts
    for part in parts:
        (command,) = [step["run"] for step in jobs[part]["steps"] if "run" in step]
        assert command.endswith(f"bash .ci/run {part}")


def test_tests_every_python_that_the_package_names() -> None:
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())

    assert named
    assert WORKFLOWS["build"]["jobs"]["python"]["strategy"]["matrix"]["python"] == named


# Those that the example brings too: people copy them.
EVERY_WORKFLOW: dict[str, Any] = {
    str(path.relative_to(ROOT)): yaml.safe_load(path.read_text())
    for path in [*FOLDER.glob("*.yml"), *ROOT.glob("examples/*/.github/workflows/*.yml")]
}


def test_few_jobs_can_get_a_token() -> None:
    jobs = {
        f"{name}: {job}"
        for name, workflow in EVERY_WORKFLOW.items()
        for job, content in workflow["jobs"].items()
        if can_get_a_token(content, workflow)
    }

    assert jobs == {
        ".github/workflows/release.yml: release_pypi",
        ".github/workflows/release.yml: release_pypi_galv-ops",
        "examples/galv-app/.github/workflows/deploy.yml: deploy",
        "examples/galv-app/.github/workflows/deploy.yml: diff",
    }


@pytest.mark.parametrize("workflow", EVERY_WORKFLOW)
def test_a_job_with_a_token_runs_what_is_locked(workflow: str) -> None:
    assert unlocked(EVERY_WORKFLOW[workflow]) == []


@pytest.mark.parametrize(
    "step",
    [
        {"run": "true\npip install boto3"},
        {"run": "npm install -g aws-cdk"},
        {"run": "npx aws-cdk@2"},
        {"run": "npx '-p' 'publib@0.2.1061' 'publib-pypi'"},
        {"run": "curl https://example.com/install.sh | sh"},
        {"uses": "actions/checkout@v6"},
        {"uses": "someone/deploy@3d3c42e5aac5ba805825da76410c181273ba90b1"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "permissions",
    [
        {"permissions": {"id-token": "write"}},
        {"permissions": "write-all"},
        {},
    ],
    ids=str,
)
def test_the_lint_sees_what_is_not_locked(step: Any, permissions: Any) -> None:
    workflow = {"jobs": {"deploy": {**permissions, "steps": [step]}}}

    assert len(unlocked(workflow)) == 1


@pytest.mark.parametrize(
    ("name", "environment", "distribution"),
    [
        ("release_pypi", "pypi", "galv-constructs"),
        ("release_pypi_galv-ops", "pypi-galv-ops", "galv-ops"),
    ],
)
def test_a_publishing_job_uploads_and_runs_nothing_else(
    name: str, environment: str, distribution: str
) -> None:
    job = WORKFLOWS["release"]["jobs"][name]
    used = [step["uses"].partition("@")[0] for step in job["steps"]]

    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert job["permissions"] == {"id-token": "write"}
    assert job["environment"] == environment
    assert job["steps"][1]["if"] == "${{ !inputs.dry_run }}"
    assert job["steps"][1]["with"] == {
        "packages-dir": f"dist/{distribution}",
        "attestations": True,
    }


def test_the_extra_is_published_after_what_it_brings() -> None:
    jobs = WORKFLOWS["release"]["jobs"]

    assert jobs["release_pypi"]["needs"] == ["release", "release_pypi_galv-ops"]
    assert "release_pypi" in jobs["release_github"]["needs"]
