"""How the example is deployed by GitHub Actions: its roles and its workflow."""

import json
import os
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
    found: list[str] = []
    for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
        claims = statement["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
        found += [claims] if isinstance(claims, str) else claims
    return found


@pytest.mark.slow
def test_permissions_json_is_what_the_role_may_do() -> None:
    assert deploy_permissions.PERMISSIONS.read_text() == deploy_permissions.content()


def test_one_role_deploys(run: Run) -> None:
    template = run("octo-org/octo-repo")

    assert "repo:octo-org/octo-repo:environment:production" in subjects(template, "DeployRole")
    assert of_type(template, "AWS::IAM::Role", "ReviewRole") == {}
    assert "ReviewRoleArn" not in template["Outputs"]


def test_a_ref_is_checked_besides_the_environment(run: Run) -> None:
    template = run("octo-org/octo-repo", "--ref", "refs/heads/main")

    ((_, role),) = of_type(template, "AWS::IAM::Role", "DeployRole").items()
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    conditions = statement["Condition"]["StringLike"]
    assert conditions["token.actions.githubusercontent.com:ref"] == "refs/heads/main"


def test_another_role_compares_pull_requests_if_asked_for(run: Run) -> None:
    template = run("octo-org/octo-repo", "--pull-requests")

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


@pytest.mark.parametrize("reads", [False, True])
def test_the_role_for_pull_requests_reads_what_a_preflight_asks_if_asked_for(
    run: Run, *, reads: bool
) -> None:
    template = run("octo-org/octo-repo", "--pull-requests" + ("-preflight" if reads else ""))

    assert "repo:octo-org/octo-repo:pull_request" in subjects(template, "ReviewRole")
    assert ("route53:GetHostedZone" in json.dumps(template)) == reads


def test_several_repositories_deploy_from_the_given_environment(run: Run) -> None:
    template = run("octo-org/one", "octo-org/two", "--environment", "staging", "--provider-exists")

    trusted = subjects(template, "DeployRole")
    assert "repo:octo-org/one:environment:staging" in trusted
    assert "repo:octo-org/two:environment:staging" in trusted
    assert not any("production" in subject for subject in trusted)
    assert of_type(template, "AWS::IAM::OIDCProvider") == {}


def test_refuses_an_invalid_repository(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.slow
@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_finds_nothing_in_the_workflow(linter: str) -> None:
    done = lint(linter, WORKFLOW)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
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


def test_the_example_locks_the_cli_that_is_tested() -> None:
    tested = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    locked = json.loads((APP / "package-lock.json").read_text())["packages"]
    asked = json.loads((APP / "package.json").read_text())["devDependencies"]

    assert locked["node_modules/aws-cdk"] == tested["node_modules/aws-cdk"]
    assert asked == {"aws-cdk": locked["node_modules/aws-cdk"]["version"]}


TRUSTED = {name for name, job in JOBS.items() if "id-token" in job["permissions"]}


def test_only_a_job_without_a_token_runs_the_application() -> None:
    for name, job in JOBS.items():
        commands = "\n".join(step.get("run", "") for step in job["steps"])
        assert ("cdk synth" in commands) == (name not in TRUSTED)
        if name in TRUSTED:
            assert "--app cdk.out" in commands


def test_code_of_a_pull_request_does_not_run_with_a_token() -> None:
    (checkout,) = (s for s in JOBS["diff"]["steps"] if "checkout@" in s.get("uses", ""))

    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def step(job: str, name: str) -> str:
    """The commands of a step of the workflow."""
    (found,) = (step["run"] for step in JOBS[job]["steps"] if step.get("name") == name)
    return str(found)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("job", sorted(TRUSTED))
@pytest.mark.parametrize(
    ("source", "passes"),
    [
        ('{"path": "asset.0a1b", "packaging": "zip"}', True),
        ('{"executable": ["sh", "-c", "id"]}', False),
        # The same to a reader of JSON.
        ('{"\\u0065xecutable": ["sh", "-c", "id"]}', False),
    ],
)
def test_no_asset_runs_a_program_with_a_token(
    tmp_path: Path, job: str, source: str, *, passes: bool
) -> None:
    nested = tmp_path / "cdk.out" / "assembly-Stage"
    nested.mkdir(parents=True)
    (tmp_path / "cdk.out" / "A.assets.json").write_text('{"files": {}, "dockerImages": {}}')
    (nested / "B.assets.json").write_text(f'{{"files": {{"0a1b": {{"source": {source}}}}}}}')

    done = subprocess.run(
        ["bash", "-e", "-c", step(job, "Refuse assets that run a program")],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode == 0) == passes
    before = [name for name in names(job) if "Refuse" in name or "configure-aws" in name]
    assert "Refuse" in before[0]


ASSETS = {"type": "cdk:asset-manifest", "properties": {"file": "A.assets.json"}}
STAGE = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Stage"}}


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("job", sorted(TRUSTED))
@pytest.mark.parametrize(
    ("artifact", "manifest", "passes"),
    [
        (ASSETS, {}, True),
        (STAGE, {}, True),
        ({"type": "aws:cloudformation:stack", "properties": {"templateFile": "A"}}, {}, True),
        ({"type": "cdk:tree"}, {}, True),
        ({**ASSETS, "properties": {"file": "harmless.json"}}, {}, False),
        ({**ASSETS, "properties": {"file": "../A.assets.json"}}, {}, False),
        ({**ASSETS, "properties": {}}, {}, False),
        ({**STAGE, "properties": {"directoryName": ".."}}, {}, False),
        ({**STAGE, "properties": {"directoryName": "/tmp"}}, {}, False),
        # Docker would be given secrets of the environment.
        (ASSETS, {"dockerImages": {"a": {"source": {"directory": "asset.a"}}}}, False),
    ],
)
def test_assets_are_in_the_files_that_were_looked_at(
    tmp_path: Path, job: str, artifact: object, manifest: object, *, passes: bool
) -> None:
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"a": artifact}}))
    (folder / "A.assets.json").write_text(json.dumps(manifest))

    done = subprocess.run(
        ["bash", "-e", "-c", step(job, "Refuse assets that run a program")],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode == 0) == passes, done.stderr


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    "role",
    [
        "x\nsource_profile = evil\n[profile evil]\ncredential_process = sh -c id",
        "arn:aws:iam::111122223333:role/cdk-x-lookup-role-1\n[profile evil]",
        "arn:aws:iam::111122223333:role/administrator",
        "",
    ],
)
def test_what_the_templates_name_becomes_no_setting_of_the_aws_cli(
    tmp_path: Path, role: str
) -> None:
    (tmp_path / "cdk.out").mkdir()
    artifacts = {"stack": {"properties": {"lookupRole": {"arn": role}}}}
    (tmp_path / "cdk.out" / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    stand_in = tmp_path / "galv-ops"
    stand_in.write_text("#!/bin/sh\ntouch asked\n")
    stand_in.chmod(0o755)

    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step("deploy", "Ask what the deployment needs")],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "names no lookup role of a bootstrap" in done.stderr
    assert not (tmp_path / "asked").exists()


def names(job: str) -> list[str]:
    """Each step of a job: its name, or the action that it uses."""
    return [step.get("name") or step["uses"] for step in JOBS[job]["steps"]]


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


WHERE = {"CDK_DEFAULT_ACCOUNT": "111122223333", "AWS_REGION": "eu-west-2"}
SYNTH = ["--no-install", "cdk", "synth", "--quiet", "--no-lookups", "--output", "cdk.out"]


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
def test_synthesizes_the_versions_that_it_is_called_with(
    tmp_path: Path, backend: str, frontend: str, context: list[str]
) -> None:
    versions = {"BACKEND_VERSION": backend, "FRONTEND_VERSION": frontend, **WHERE}

    arguments = called(step("synthesize", "Synthesize"), tmp_path, "npx", **versions)
    assert arguments == [*SYNTH, *context]


@pytest.mark.parametrize("missing", ["CDK_DEFAULT_ACCOUNT", "AWS_REGION"])
def test_says_which_variables_the_repository_lacks(tmp_path: Path, missing: str) -> None:
    variables = {"BACKEND_VERSION": "", "FRONTEND_VERSION": "", **WHERE, missing: ""}

    with pytest.raises(subprocess.CalledProcessError) as failed:
        called(step("synthesize", "Synthesize"), tmp_path, "npx", **variables)
    assert "Set the variables AWS_ACCOUNT_ID and AWS_REGION" in failed.value.stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_checks_the_stack_of_the_backend(tmp_path: Path) -> None:
    arguments = called(step("deploy", "Check"), tmp_path, "galv-ops")

    stack = ["--stack", "galv-BackendStack"]
    assert arguments == ["check", *stack, "--unless-asleep", "--json"]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    ("job", "name"),
    [("deploy", "Ask what the deployment needs"), ("diff", "Ask what a deployment would need")],
)
@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (2, 2), (125, 0)])
def test_ends_where_a_deployment_would_fail_and_not_where_nobody_knows(
    tmp_path: Path, job: str, name: str, code: int, ends: int
) -> None:
    (tmp_path / "cdk.out").mkdir()
    role = "arn:${AWS::Partition}:iam::111122223333:role/cdk-x-lookup-role-111122223333-eu-west-2"
    artifacts = {"assets": {}, "stack": {"properties": {"lookupRole": {"arn": role}}}}
    (tmp_path / "cdk.out" / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    program = tmp_path / "galv-ops"
    program.write_text(f'#!/bin/sh\necho "$@"; cat "$AWS_CONFIG_FILE"; exit {code}\n')
    program.chmod(0o755)
    (tmp_path / "config").write_text("none\n")

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step(job, name)],
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ends, done.stderr
    if job == "deploy":
        assert done.stdout.splitlines() == [
            "preflight --app cdk.out --profile lookup",
            "[profile lookup]",
            f"role_arn = {role.replace('${AWS::Partition}', 'aws')}",
            "credential_source = Environment",
        ]
        order = names("deploy")
        assert order.index(name) == order.index("Deploy") - 1
    else:
        # Its role is that of the job, and it says the same to who reviews.
        assert done.stdout.splitlines() == ["preflight --app cdk.out", "none"]
        assert done.stdout in (tmp_path / "summary.md").read_text()
