"""galv-ops against the deployed example, as a user with the permissions that its page documents."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.app import BARE, Application
from e2e.backend import Backend
from e2e.cloud import REGION, ROOT, Cloud
from e2e.faults import MIGRATION_FAILS, MIGRATION_SAYS, SERVER_ENDS, SERVER_SAYS

GOOD, MIGRATION, CRASH = "v5.0.0", "v5.0.1", "v5.0.2"
SITE, BROKEN_SITE = "v1.5.0", "v1.5.1"
FAIL = {
    "galv/management/commands/fail.py": """\
import sys

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def handle(self, **options):
        print("fail")
        sys.exit(7)
"""
}


class Done:
    """How a run of the command ended."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        assert "Traceback" not in self.err, self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


GalvOps = Callable[..., Done]


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "ops", dict(BARE), with_frontend=True)
    application.publish_frontend(SITE)
    application.publish_frontend(BROKEN_SITE, build="echo 'App.tsx(3,1): error TS2304'; exit 2")
    application.publish(GOOD, FAIL)
    application.publish(MIGRATION, MIGRATION_FAILS)
    application.publish(CRASH, SERVER_ENDS)
    return application


@pytest.fixture(scope="module")
def backend(app: Application) -> Backend:
    done = app.deploy(backendVersion=GOOD, frontendVersion=SITE)
    assert done.ok, done.output
    return app.backend


@pytest.fixture(scope="module")
def operator(cloud: Cloud) -> dict[str, str]:
    """Credentials of a user with the documented permissions."""
    page = (ROOT / "docs" / "galv-ops.md").read_text()
    policy = re.search(r"policy: begin -->\n```json\n(.*?)```", page, re.DOTALL)
    assert policy is not None
    return user(cloud, "operator", policy[1])


def user(cloud: Cloud, name: str, policy: str) -> dict[str, str]:
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


@pytest.fixture(scope="module")
def galv_ops(cloud: Cloud, operator: dict[str, str], backend: Backend) -> GalvOps:
    def run(*arguments: str, **variables: str) -> Done:
        return Done(
            subprocess.run(
                [sys.executable, "-m", "galv_ops", *arguments],
                env=os.environ
                | cloud.environment()
                | operator
                | {"GALV_PROJECT": "ops"}
                | variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        )

    return run


def parts(done: Done) -> dict[str, Any]:
    return {part["name"]: part for part in done.json["parts"]}


def test_status_shows_a_healthy_deployment(galv_ops: GalvOps) -> None:
    done = galv_ops("status")

    assert done.code == 0, done.out
    assert done.out.startswith(f"ops in {REGION}\n")
    assert "\x1b" not in done.out
    for line in (
        r"ok +stack +ops-BackendStack CREATE_COMPLETE \d{4}-",
        r"ok +stack +ops-FrontendStack CREATE_COMPLETE",
        r"ok +stack +ops-FrontendStack-Edge CREATE_COMPLETE",
        rf"ok +web +1 of 1 task running, rollout COMPLETED, version {GOOD}",
        r"ok +database +available: postgres 17, db.t4g.micro",
        r"ok +setup +succeeded \d{4}-",
        r"off +validation-monitor +rate\(5 minutes\); never ran",
        r"ok +certificate +api-ops.example.com ISSUED",
        r"ok +mail +mail-ops.example.com verified",
        r"ok +certificate +app-ops.example.com ISSUED",
        rf"ok +site +version {SITE}, CREATE_COMPLETE",
    ):
        assert re.search(f"^{line}", done.out, re.MULTILINE), line


def test_status_is_json_for_programs(galv_ops: GalvOps) -> None:
    done = galv_ops("status", "--json")

    assert done.code == 0
    assert done.json["ok"] is True
    assert parts(done)["web"]["running"] == parts(done)["web"]["desired"] == 1
    assert parts(done)["setup"]["exitCode"] == 0
    assert all(part["state"] != "unknown" for part in done.json["parts"]), "all may be read"


def test_status_shows_a_run_of_a_schedule(galv_ops: GalvOps, backend: Backend) -> None:
    (schedule,) = backend.schedules()
    backend.send(schedule)
    backend.wait_for_task("validation-monitor")

    monitor = parts(galv_ops("status", "--json"))["validation-monitor"]

    assert monitor["state"] == "ok"
    assert re.match(r"rate\(5 minutes\); last run succeeded \d{4}", monitor["text"])


def test_doctor_finds_nothing(galv_ops: GalvOps) -> None:
    done = galv_ops("doctor")

    assert (done.code, done.out) == (0, "Nothing wrong was found.\n"), done.err


def test_check_streams_its_log_and_exits_as_it_does(galv_ops: GalvOps) -> None:
    done = galv_ops("check")

    assert done.code == 1
    rows = [line.split(maxsplit=2) for line in done.out.splitlines()]
    assert rows[:3] == [["django", "OK"], ["database", "OK"], ["s3", "OK"]]
    # There is no mail server here.
    assert rows[3][:2] == ["smtp", "ERROR"]
    assert "check_status failed with exit code 1" in done.out
    assert '"check": "smtp", "status": "ERROR"' in done.err
    assert "check-status: STOPPED" in done.err


def test_check_gives_its_json(galv_ops: GalvOps) -> None:
    done = galv_ops("check", "--json")

    assert done.code == done.json["exit_code"] == 1
    found = {one["check"]: one["status"] for one in done.json["checks"]}
    assert found == {"django": "OK", "database": "OK", "s3": "OK", "smtp": "ERROR"}


def test_run_runs_a_command_and_exits_with_its_code(galv_ops: GalvOps) -> None:
    done = galv_ops("run", "--", "manage.py", "fail")

    assert (done.code, done.out) == (7, "fail\n")
    assert parts(galv_ops("status", "--json"))["setup"]["state"] == "ok", "it was no setup"


def test_run_takes_any_program(galv_ops: GalvOps) -> None:
    done = galv_ops("run", "--json", "--", "sh", "-c", "echo $VIRTUAL_HOST")

    assert done.code == done.json["exit_code"] == 0
    assert done.json["lines"] == ["api-ops.example.com"]


def done_steps(backend: Backend) -> list[str]:
    """The steps that setup did when it ran last."""
    lines = backend.log(backend.tasks("setup-db")[-1])
    return re.findall(r"^\[release\] (\w+): done$", "\n".join(lines), re.MULTILINE)


def test_setup_runs_the_steps_as_a_deployment_does(galv_ops: GalvOps, backend: Backend) -> None:
    assert galv_ops("setup").code == 0
    again = ["own_database", "plan", "migrate", "create_superuser"]
    assert done_steps(backend) == [*again, "collectstatic"]

    assert galv_ops("setup", "--load-fixtures").code == 0
    assert done_steps(backend) == [*again, "loaddata", "collectstatic"]


def test_logs_are_found_by_task(galv_ops: GalvOps) -> None:
    done = galv_ops("logs", "setup-db", "--since", "1d")
    found = galv_ops("logs", "setup-db", "--since", "1d", "--json", "--filter", '"loaddata: done"')

    written = r"^\d{4}-\d\d-\d\d [\d:]+ \w{8} \[release\] migrate: done$"
    assert re.search(written, done.out, re.MULTILINE)
    assert [json.loads(line)["message"] for line in found.out.splitlines()] == [
        "[release] loaddata: done"
    ] * 2


def test_logs_names_those_there_are(galv_ops: GalvOps) -> None:
    done = galv_ops("logs", "wbe")

    assert done.code == 2
    assert re.search("there are .*setup-db, .*validation-monitor-runs, web", done.err)


def test_logs_are_followed(galv_ops: GalvOps, cloud: Cloud, operator: dict[str, str]) -> None:
    following = subprocess.Popen(
        [sys.executable, "-m", "galv_ops", "logs", "check-status", "--follow"],
        env=os.environ
        | cloud.environment()
        | operator
        | {"GALV_PROJECT": "ops", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    late = threading.Timer(60, following.kill)
    late.start()
    try:
        assert following.stdout is not None
        lines: Iterator[str] = iter(following.stdout.readline, "")
        while '"smtp"' not in next(lines):
            pass
        galv_ops("run", "check-status", "--", "echo", "late")
        while "late" not in next(lines):
            pass
        # A shell starts what it puts into the background with SIGINT ignored.
        following.terminate()
        assert following.wait(10) == 130
    finally:
        late.cancel()
        following.kill()
        following.communicate()


def test_open_prints_urls(galv_ops: GalvOps) -> None:
    urls = galv_ops("open", "--json").json

    assert urls["api"] == "https://api-ops.example.com"
    assert urls["site"] == "https://app-ops.example.com"
    assert "stack%2Fops-BackendStack%2F" in urls["stack"]


def test_credentials_are_shown_only_on_request(
    galv_ops: GalvOps, backend: Backend, cloud: Cloud
) -> None:
    secret = backend.outputs["SuperuserPasswordSecret"]
    password = cloud.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]

    quiet, shown = galv_ops("credentials"), galv_ops("credentials", "--show", "--json")

    assert secret in quiet.out
    assert password not in quiet.out + quiet.err
    assert (shown.json["user"], shown.json["password"]) == ("admin", password)


def test_exec_says_that_it_is_off(galv_ops: GalvOps) -> None:
    done = galv_ops("exec")

    assert done.code == 125
    assert "ECS Exec is off" in done.err


def test_exec_hands_over_to_the_plugin(
    galv_ops: GalvOps, backend: Backend, cloud: Cloud, tmp_path: Path
) -> None:
    # The emulator drops the property of the template.
    ecs, service = cloud.client("ecs"), backend.service["serviceArn"]
    ecs.update_service(
        cluster=backend.cluster,
        service=service,
        enableExecuteCommand=True,
        forceNewDeployment=True,
    )
    ecs.get_waiter("services_stable").wait(
        cluster=backend.cluster, services=[service], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    without = galv_ops("exec", PATH=str(tmp_path))
    plugin = tmp_path / "session-manager-plugin"
    plugin.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 5\n')
    plugin.chmod(0o755)

    done = galv_ops("exec", "--", "python", "manage.py", "shell", PATH=f"{tmp_path}:{os.defpath}")

    assert without.code == 125
    assert "session-manager-plugin is not on PATH" in without.err
    assert done.code == 5, "the plugin's own"
    session, region, action, _profile, target, _endpoint = done.out.splitlines()
    assert json.loads(session)["tokenValue"]
    assert (region, action) == (REGION, "StartSession")
    call = galv_ops("exec", "--json", "--", "python", "manage.py", "shell").json
    assert json.loads(target)["Target"].startswith(f"ecs:{call['cluster']}_{call['task']}_")
    assert call["command"] == "python manage.py shell"


def test_names_the_denied_permission(galv_ops: GalvOps, cloud: Cloud) -> None:
    look = {"Effect": "Allow", "Action": ["cloudformation:*", "ecs:Describe*"], "Resource": "*"}
    some = user(cloud, "some", json.dumps({"Version": "2012-10-17", "Statement": [look]}))
    none = {**look, "Action": "sts:GetCallerIdentity"}
    nobody = user(cloud, "nobody", json.dumps({"Version": "2012-10-17", "Statement": [none]}))

    refused, partly = galv_ops("status", **nobody), galv_ops("status", **some)
    denied = galv_ops("check", **some)

    assert refused.code == denied.code == 125
    assert refused.err.startswith("galv-ops: not allowed to call DescribeStacks: ")
    assert denied.err.count("\n") == 1
    assert "not allowed to call RunTask" in denied.err
    assert re.search(
        "^unknown +database +not allowed to call DescribeDBInstances", partly.out, re.MULTILINE
    )
    assert re.search("^ok +web", partly.out, re.MULTILINE)


def test_names_the_deployment_that_it_did_not_find(galv_ops: GalvOps) -> None:
    stack = galv_ops("status", "--stack", "galf-BackendStack")
    project = galv_ops("status", "--project", "galf")
    region = galv_ops("status", AWS_DEFAULT_REGION="eu-north-1", AWS_REGION="eu-north-1")

    assert (stack.code, project.code, region.code) == (125, 125, 125)
    assert "there is no stack galf-BackendStack in eu-west-2 (there are: " in stack.err
    assert "ops-BackendStack" in stack.err
    assert "no stack in eu-west-2 has the tag project-name=galf (there are: " in project.err
    assert "no stack in eu-north-1 has the tag project-name=ops: check" in region.err


def test_doctor_finds_a_site_that_cannot_be_built(galv_ops: GalvOps, app: Application) -> None:
    assert not app.deploy(frontendVersion=BROKEN_SITE).ok

    done = galv_ops("doctor")

    assert done.out.startswith("1. The site could not be built or published")
    assert "error TS2304" in done.out
    assert "2. " not in done.out


def test_doctor_finds_a_failed_migration(galv_ops: GalvOps, app: Application) -> None:
    assert not app.deploy_version(MIGRATION).ok

    done = galv_ops("doctor")

    assert done.code == 1
    assert done.out.startswith("1. The database migrations failed with exit code 1.\n")
    assert MIGRATION_SAYS in done.out
    status = galv_ops("status")
    assert status.code == 0, "what ran before runs"
    back = "^back +stack +ops-BackendStack UPDATE_ROLLBACK_COMPLETE"
    assert re.search(back, status.out, re.MULTILINE), status.out
    assert re.search("^back +setup +exited with code 1", status.out, re.MULTILINE), status.out


def test_doctor_finds_a_missing_image(
    galv_ops: GalvOps, app: Application, backend: Backend
) -> None:
    assert not app.deploy_version("v9.9.9").ok

    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "galv-backend:v9.9.9" in next(r for r in backend.reasons() if "never started" in r)
    assert backend.version == GOOD

    done = galv_ops("doctor", "--json")

    assert done.json["diagnoses"][0]["cause"] == (
        "The image ghcr.io/galv-team/galv-backend:v9.9.9 was not found."
    )


def test_doctor_finds_a_server_that_ends(
    galv_ops: GalvOps, app: Application, backend: Backend
) -> None:
    assert not app.deploy_version(CRASH).ok

    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Circuit Breaker" in reason for reason in backend.reasons())
    assert backend.version == GOOD
    assert backend.service["runningCount"] == 1

    done = galv_ops("doctor")

    assert "The web server ends by itself, with exit code 3." in done.out
    assert SERVER_SAYS in done.out


def test_doctor_finds_a_secret_without_a_key(
    galv_ops: GalvOps, app: Application, cloud: Cloud
) -> None:
    secret = {"Name": "ops-backend-secrets", "SecretString": '{"OTHER": "1"}'}
    cloud.client("secretsmanager").create_secret(**secret)
    keys = {"backendSecretsName": secret["Name"], "backendSecretsKeys": ["DJANGO_TOKEN"]}
    assert not app.deploy(backendVersion=GOOD, **keys).ok

    done = galv_ops("doctor")

    assert "The secret ops-backend-secrets lacks the key DJANGO_TOKEN, which a task" in done.out


def test_doctor_finds_a_missing_bootstrap_in_us_east_1(galv_ops: GalvOps, cloud: Cloud) -> None:
    ssm, name = cloud.client("ssm", "us-east-1"), "/cdk-bootstrap/hnb659fds/version"
    version = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    try:
        done = galv_ops("doctor")
    finally:
        ssm.put_parameter(Name=name, Value=version, Type="String")

    assert "CDK is not bootstrapped in us-east-1" in done.out
    assert "cdk bootstrap aws://111122223333/us-east-1" in done.out
