"""How the example is deployed by GitHub Actions: its roles and its workflow."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aws_cdk
import deploy_permissions
import pytest
import yaml  # type: ignore[import-untyped]  # it declares none
from aws_cdk import App
from backends import validation
from templates import Json, of_type

# Each test runs an application.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
APP = ROOT / "examples" / "galv-app"
WORKFLOW = APP / ".github" / "workflows" / "deploy.yml"
CONTEXT = json.loads((APP / "cdk.json").read_text())["context"]
JOBS: Json = yaml.safe_load(WORKFLOW.read_text())["jobs"]

Run = Callable[..., Json]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run deploy_role.py in this process, for the placeholder account."""
    for variable in ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)

    def template(*arguments: str) -> Json:
        def app(*, context: Json) -> App:
            return App(context={**context, **CONTEXT}, outdir=str(tmp_path), **validation(on=False))

        monkeypatch.setattr(aws_cdk, "App", app)
        monkeypatch.setattr(sys, "argv", ["deploy_role.py", *arguments])
        runpy.run_path(str(APP / "deploy_role.py"))
        (path,) = tmp_path.glob("*.template.json")
        assert path.name == "galv-DeployRoleStack.template.json"
        found: Json = json.loads(path.read_text())
        return found

    return template


def subjects(template: Json, start: str) -> list[str]:
    """The subjects that the role with this start of its logical id trusts."""
    ((_, role),) = of_type(template, "AWS::IAM::Role", start).items()
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    claims = statement["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
    return [claims] if isinstance(claims, str) else claims


def test_permissions_json_is_what_the_role_may_do() -> None:
    assert deploy_permissions.PERMISSIONS.read_text() == deploy_permissions.content()


def test_one_role_deploys_and_one_looks(run: Run) -> None:
    template = run("octo-org/octo-repo")

    assert "repo:octo-org/octo-repo:environment:production" in subjects(template, "DeployRole")
    assert "repo:octo-org/octo-repo:pull_request" in subjects(template, "ReviewRole")
    assert len(of_type(template, "AWS::IAM::OIDCProvider")) == 1
    # As the workflow's variables are called.
    for name, output in (
        ("DEPLOY_ROLE_ARN", "DeployRoleArn"),
        ("REVIEW_ROLE_ARN", "ReviewRoleArn"),
    ):
        assert template["Outputs"][output]["Description"] == f"Variable {name} of the repository"
        assert f"vars.{name}" in WORKFLOW.read_text()


def test_several_repositories_deploy_from_the_given_environment(run: Run) -> None:
    template = run("octo-org/one", "octo-org/two", "--environment", "staging", "--provider-exists")

    trusted = subjects(template, "DeployRole")
    assert "repo:octo-org/one:environment:staging" in trusted
    assert "repo:octo-org/two:environment:staging" in trusted
    assert not any("production" in subject for subject in trusted)
    assert of_type(template, "AWS::IAM::OIDCProvider") == {}


def test_refuses_what_is_no_repository(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("octo-org/*")

    assert "repository must be one repository" in capsys.readouterr().err


LINTERS = {
    "safety": ["zizmor", "--offline", "--strict-collection", "--persona=auditor"],
    "schema": ["check-jsonschema", "--builtin-schema=vendor.github-workflows"],
}


def lint(linter: str, path: Path) -> "subprocess.CompletedProcess[str]":
    command = [*LINTERS[linter], str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds_nothing_in_the_workflow(linter: str) -> None:
    done = lint(linter, WORKFLOW)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("linter", "good", "bad"),
    [
        ("safety", "@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "@v6"),
        ("safety", '"$BACKEND_VERSION" ]', '"${{ inputs.backend-version }}" ]'),
        ("schema", "timeout-minutes: 15", "timeout-minute: 15"),
    ],
    ids=["unpinned", "injection", "unknown"],
)
def test_a_linter_finds_a_mistake(tmp_path: Path, linter: str, good: str, bad: str) -> None:
    assert good in WORKFLOW.read_text()
    workflow = tmp_path / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(WORKFLOW.read_text().replace(good, bad))

    assert lint(linter, workflow).returncode != 0


def test_the_workflow_has_the_cli_that_is_tested() -> None:
    package = json.loads((ROOT / "package.json").read_text())
    (version,) = re.findall(r'CDK_VERSION: "(.*)"', WORKFLOW.read_text())

    assert version == package["devDependencies"]["aws-cdk"]


def step(job: str, name: str) -> str:
    """What a step of the workflow runs."""
    (found,) = (step["run"] for step in JOBS[job]["steps"] if step.get("name") == name)
    return str(found)


def called(script: str, directory: Path, program: str, **variables: str) -> list[str]:
    """The arguments with which a script, as a runner runs it, calls a program."""
    stand_in = directory / program
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}", **variables},
        cwd=APP,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


DEPLOY = ["deploy", "--all", "--require-approval", "never"]


@pytest.mark.parametrize(
    ("backend", "frontend", "context"),
    [
        ("", "", []),
        ("v2.11.4", "", ["--context", "backendVersion=v2.11.4"]),
        (
            "v2.11.4",
            "v2.2.0 $(false)",
            ["--context", "backendVersion=v2.11.4", "--context", "frontendVersion=v2.2.0 $(false)"],
        ),
    ],
)
def test_deploys_the_versions_that_it_is_called_with(
    tmp_path: Path, backend: str, frontend: str, context: list[str]
) -> None:
    versions = {"BACKEND_VERSION": backend, "FRONTEND_VERSION": frontend}

    assert called(step("deploy", "Deploy"), tmp_path, "cdk", **versions) == [*DEPLOY, *context]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_checks_the_stack_of_the_backend(tmp_path: Path) -> None:
    arguments = called(step("deploy", "Check"), tmp_path, "galv-ops")

    assert arguments == ["check", "--stack", "galv-BackendStack", "--json"]
