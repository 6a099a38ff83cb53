"""Running tasks: what is asked of ECS, and how it can end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ops.recorded import (
    CLUSTER,
    REGION,
    SERVICE,
    Json,
    Recorded,
    ran,
    resource,
    sends_by_ses,
    service,
    stack,
)

from galv_ops.query import run


class Clock:
    """Time that passes only when it is slept through."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(run, "sleep", made.sleep)
    monkeypatch.setattr(run, "monotonic", lambda: made.now)
    return made


@pytest.fixture
def ecs(recorded: Recorded, clock: Clock) -> Recorded:
    """A cluster in which a task ends with 0 at once."""
    ends(recorded, "web", exit_code=0)
    return recorded


def ends(recorded: Recorded, name: str, **outcome: Any) -> None:
    task = ran(name, **outcome)
    recorded.tasks = [task]
    recorded.answers["ecs.RunTask"] = {"tasks": [task], "failures": []}


def request(recorded: Recorded) -> Json:
    (found,) = [request for call, request in recorded.requests if call == "ecs.RunTask"]
    return found


def test_a_command_runs_where_the_web_service_does_but_as_its_task(ecs: Recorded) -> None:
    assert ecs.run("run", "--", "manage.py", "showmigrations").exit_code == 0

    asked = request(ecs)
    assert (asked["cluster"], asked["launchType"]) == (CLUSTER, "FARGATE")
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-web"],
        "assignPublicIp": "DISABLED",
    }
    assert asked["overrides"]["containerOverrides"] == [
        {"name": "web", "command": ["python", "manage.py", "showmigrations"]}
    ]


def test_a_task_runs_in_its_own_security_group(ecs: Recorded) -> None:
    ends(ecs, "check-status", exit_code=0)

    ecs.run("check")

    network = request(ecs)["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == ["sg-check-status"]


@pytest.mark.parametrize(
    "words",
    [
        ("tool", "--password", "hunter2"),
        ("tool", "--api-key=hunter2"),
        ("sh", "-c", "DJANGO_SUPERUSER_PASSWORD=hunter2 python manage.py create_superuser"),
        ("psql", "postgresql://galv:hunter2@db/galv"),
    ],
)
def test_a_secret_on_the_command_line_is_warned_of(ecs: Recorded, words: tuple[str, ...]) -> None:
    result = ecs.run("run", "--", *words)

    assert result.exit_code == 0
    assert "CloudTrail records the words" in result.stderr
    assert "backendSecretsKeys" in result.stderr
    assert "hunter2" not in result.output


def test_a_command_without_a_secret_is_not_warned_of(ecs: Recorded) -> None:
    for words in (
        ("manage.py", "showmigrations"),
        ("sh", "-c", 'tool --password "$NAME"'),
        ("manage.py", "changepassword", "admin"),
        ("env", "A_NAME=1", "ANOTHER=2", "THIRD=3", "tool"),
    ):
        assert "CloudTrail" not in ecs.run("run", "--", *words).stderr


def test_the_help_warns_of_secrets(ecs: Recorded) -> None:
    assert "CloudTrail keeps the words" in " ".join(ecs.run("run", "--help").stdout.split())


def test_another_task_can_be_taken(ecs: Recorded) -> None:
    ends(ecs, "web", exit_code=5)

    result = ecs.run("run", "web", "--", "env")

    assert result.exit_code == 5
    assert request(ecs)["taskDefinition"].endswith("/galvBackendWebTask:3")


@pytest.mark.parametrize("name", ["validation-monitor", "ValidationMonitor"])
def test_a_task_on_demand_runs_its_own_command(ecs: Recorded, name: str) -> None:
    ends(ecs, "validation-monitor", exit_code=4)

    assert ecs.run("run", name).exit_code == 4

    asked = request(ecs)
    assert asked["taskDefinition"].endswith(":3")
    assert asked["overrides"]["containerOverrides"] == [{"name": "validation-monitor"}]
    network = asked["networkConfiguration"]["awsvpcConfiguration"]
    assert network["securityGroups"] == ["sg-validation-monitor"]


def test_a_task_for_spot_runs_there(ecs: Recorded) -> None:
    answer = ecs.answers["ecs.DescribeTaskDefinition"]

    def with_tag(request: Json, region: str) -> Json:
        described: Json = answer(request, region) if callable(answer) else answer
        tags = [{"key": "galv:spot", "value": "true"}] if request["include"] == ["TAGS"] else []
        return {**described, "tags": tags}

    ecs.answers["ecs.DescribeTaskDefinition"] = with_tag
    ends(ecs, "validation-monitor", exit_code=0)

    ecs.run("run", "validation-monitor")

    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    assert request(ecs)["capacityProviderStrategy"] == strategy
    assert "launchType" not in request(ecs)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("web", "a service keeps web running already"),
        ("setup-db", "setup-db runs by `galv-ops setup`"),
        ("check-status", "check-status runs by `galv-ops check`"),
    ],
)
def test_refuses_to_run_what_runs_otherwise(ecs: Recorded, name: str, says: str) -> None:
    result = ecs.run("run", name)

    assert result.exit_code == 2
    assert says in result.stderr
    assert f"galv-ops run {name} -- COMMAND" in result.stderr
    assert "ecs.RunTask" not in ecs.calls


def test_refuses_to_run_nothing(ecs: Recorded) -> None:
    result = ecs.run("run")

    assert result.exit_code == 2
    assert "Name a task to run, or write a command behind '--'." in result.stderr
    assert ecs.calls == []


def test_refuses_dashes_without_a_command(ecs: Recorded) -> None:
    result = ecs.run("run", "web", "--")

    assert result.exit_code == 2
    assert "Missing the command behind '--'." in result.stderr


def test_another_service_with_that_name_is_not_the_web_service(ecs: Recorded) -> None:
    ecs.resources["galv-BackendStack"].append(
        resource("MyWebService1234ABCD", "AWS::ECS::Service", SERVICE.replace("Backend", "My"))
    )

    assert ecs.run("run", "--", "env").exit_code == 0


def test_an_unknown_task_lists_the_tasks(ecs: Recorded) -> None:
    result = ecs.run("run", "wbe", "--", "env")

    assert result.exit_code == 2
    assert "has no task 'wbe': it has check-status, setup-db, validation-monitor, web" in (
        result.stderr
    )


@pytest.mark.parametrize("command", ["setup", "check"])
@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_shows_the_exit_code(
    ecs: Recorded, command: str, code: int, options: tuple[str, ...]
) -> None:
    ends(ecs, {"setup": "setup-db", "check": "check-status"}[command], exit_code=code)

    assert ecs.run(command, *options).exit_code == code


def test_one_minute_is_singular(ecs: Recorded) -> None:
    running = ran("check-status", lastStatus="RUNNING", desiredStatus="RUNNING")
    ecs.tasks = [running]
    ecs.answers["ecs.RunTask"] = {"tasks": [running]}
    ecs.answers["ecs.StopTask"] = {"task": running}

    assert "not done after 1 minute; pass" in ecs.run("check", "--timeout", "1").stderr


def test_check_shows_what_the_injected_check_reports(ecs: Recorded) -> None:
    ends(ecs, "check-status", exit_code=1)
    checks = [
        {"check": "Django config", "status": "OK"},
        {"check": "Database", "status": "OK", "detail": "PostgreSQL 17.5"},
        {"check": "S3", "status": "SKIPPED"},
        {"check": "SMTP", "status": "ERROR", "error": "SMTPAuthenticationError: (535, b'no')"},
    ]
    ecs.log_lines["check-status/check-status/0a1b2c3d4e5f"] = ["[INFO] hello", json.dumps(checks)]

    lines = [line.split(maxsplit=1) for line in ecs.run("check").stdout.splitlines()]

    assert ["Database", "OK       PostgreSQL 17.5"] in lines
    assert ["SMTP", "ERROR    SMTPAuthenticationError: (535, b'no')"] in lines
    assert json.loads(ecs.run("check", "--json").stdout)["checks"] == checks


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("check_status", "check_status --json"),
        ("check_status --skip smtp", "check_status --skip smtp --json"),
        ("check_status --json", "check_status --json"),
        ("other", "other"),
    ],
)
def test_check_asks_check_status_for_json(ecs: Recorded, command: str, words: str) -> None:
    ends(ecs, "check-status", exit_code=0)
    definition = ecs.answers["ecs.DescribeTaskDefinition"]

    def with_command(request: Json, region: str) -> Json:
        assert callable(definition)
        found = definition(request, region)
        found["taskDefinition"]["containerDefinitions"][0]["command"] = command.split()
        return found

    ecs.answers["ecs.DescribeTaskDefinition"] = with_command
    ecs.run("check")

    assert request(ecs)["overrides"]["containerOverrides"][0]["command"] == words.split()


def test_check_says_that_the_account_is_in_the_sandbox_of_ses(ecs: Recorded) -> None:
    ends(ecs, "check-status", exit_code=0)
    sends_by_ses(ecs)
    regions: list[str] = []

    def answer(_request: Json, region: str) -> Json:
        regions.append(region)
        return {"ProductionAccessEnabled": False}

    ecs.answers["sesv2.GetAccount"] = answer

    result = ecs.run("check")

    assert (result.exit_code, regions) == (0, ["eu-west-1"])
    assert "The account is in the sandbox of SES: only verified addresses get mail" in result.stdout
    assert '"sesSandbox": true' in ecs.run("check", "--json").stdout


@pytest.mark.parametrize("host", ["smtp.example.com", ""])
def test_check_asks_ses_only_where_mail_goes_by_it(ecs: Recorded, host: str) -> None:
    ends(ecs, "check-status", exit_code=0)
    sends_by_ses(ecs, host)

    assert '"sesSandbox": null' in ecs.run("check", "--json").stdout
    assert "sesv2.GetAccount" not in ecs.calls


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_check_prints_no_secret(ecs: Recorded, form: tuple[str, ...]) -> None:
    ends(ecs, "check-status", exit_code=1)
    ecs.log_lines["check-status/check-status/0a1b2c3d4e5f"] = [
        "DJANGO_SECRET_KEY=hunter2",
        '{"database": {"status": "ERROR", "message": "postgres://galv:hunter2@db/galv refused"}}',
    ]

    result = ecs.run("check", *form)

    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert "postgres://galv:[redacted]@db/galv refused" in result.stdout


def test_check_says_nothing_of_an_account_out_of_the_sandbox(ecs: Recorded) -> None:
    ends(ecs, "check-status", exit_code=0)
    sends_by_ses(ecs)

    assert "sandbox" not in ecs.run("check").stdout
    assert '"sesSandbox": false' in ecs.run("check", "--json").stdout


def test_check_without_the_permission_for_ses_has_its_own_exit_code(ecs: Recorded) -> None:
    ends(ecs, "check-status", exit_code=0)
    sends_by_ses(ecs)
    ecs.refuse("sesv2.GetAccount", "AccessDeniedException", "no")

    result = ecs.run("check")

    assert result.exit_code == 0
    assert "Whether the account is in the sandbox of SES is not known: not allowed" in result.stdout


def test_setup_loads_fixtures_when_it_is_asked_to(ecs: Recorded) -> None:
    ecs.tasks = []
    ends(ecs, "setup-db", exit_code=0)

    assert ecs.run("setup", "--load-fixtures").exit_code == 0

    (override,) = request(ecs)["overrides"]["containerOverrides"]
    assert override["environment"] == [{"name": "GALV_RELEASE_EVENT", "value": "Create"}]


def test_setup_runs_as_in_an_update_of_the_stack(ecs: Recorded) -> None:
    ecs.tasks = []
    ecs.answers["ecs.StopTask"] = {}
    assert ecs.run("setup", "--timeout", "1").exit_code == 124, "ECS never tells of the task"

    assert request(ecs)["overrides"]["containerOverrides"] == [
        {"name": "setup-db", "environment": [{"name": "GALV_RELEASE_EVENT", "value": "Update"}]}
    ]


def test_a_task_that_ecs_does_not_place(ecs: Recorded) -> None:
    failures = [
        {"reason": "Capacity is unavailable"},
        {"reason": "RESOURCE:FARGATE", "detail": "x"},
    ]
    ecs.answers["ecs.RunTask"] = {"tasks": [], "failures": failures}

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 125
    assert result.stderr.endswith(
        "ECS did not start web: Capacity is unavailable, RESOURCE:FARGATE x\n"
    )


def test_a_task_that_never_runs(ecs: Recorded) -> None:
    reason = "CannotPullContainerError: not found"
    ends(ecs, "web", stop_code="TaskFailedToStart", reason=reason)

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 125
    assert f"web never ran: TaskFailedToStart; {reason}" in result.stderr


def test_a_task_that_takes_too_long_is_stopped(ecs: Recorded, clock: Clock) -> None:
    running = ran("check-status", lastStatus="RUNNING", desiredStatus="RUNNING")
    ecs.tasks = [running]
    ecs.answers["ecs.RunTask"] = {"tasks": [running]}
    ecs.answers["ecs.StopTask"] = {"task": running}

    result = ecs.run("check", "--timeout", "2")

    assert result.exit_code == 124
    assert "check-status was stopped: not done after 2 minutes" in result.stderr
    assert 120 < clock.now < 130
    (stop,) = [request for call, request in ecs.requests if call == "ecs.StopTask"]
    assert stop["reason"] == "Not done after 2 minutes"


def test_an_interrupted_run_goes_on_and_says_how_to_stop_it(ecs: Recorded) -> None:
    def interrupt(_request: Json, _region: str) -> Json:
        raise KeyboardInterrupt

    ecs.answers["ecs.DescribeTasks"] = interrupt

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 130
    assert f"aws ecs stop-task --cluster {CLUSTER} --task 0a1b2c3d4e5f" in result.stderr


def test_a_run_that_cannot_be_watched_goes_on(ecs: Recorded) -> None:
    ecs.refuse("ecs.DescribeTasks", "ThrottlingException")

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 125
    assert "web: task 0a1b2c3d4e5f goes on; to stop it: aws ecs stop-task" in result.stderr
    assert "AWS throttles DescribeTasks" in result.stderr


def test_shows_the_log_to_its_end(ecs: Recorded) -> None:
    ecs.log_lines["web/web/0a1b2c3d4e5f"] = ["one", "two"]

    result = ecs.run("run", "--", "env")

    assert result.stdout == "one\ntwo\n"
    assert "web: STOPPED after 0 s" in result.stderr


def test_shows_a_line_that_cloudwatch_has_late(ecs: Recorded, clock: Clock) -> None:
    answer = ecs.answers["cloudwatch-logs.GetLogEvents"]
    ecs.log_lines["web/web/0a1b2c3d4e5f"] = ["early"]

    def late(request: Json, region: str) -> Json:
        assert callable(answer)
        if clock.now >= 2 and ecs.log_lines["web/web/0a1b2c3d4e5f"] == ["early"]:
            ecs.log_lines["web/web/0a1b2c3d4e5f"] = ["late"]
            request = {**request, "nextToken": "f/before"}
        return answer(request, region)

    ecs.answers["cloudwatch-logs.GetLogEvents"] = late

    assert ecs.run("run", "--", "env").stdout == "early\nlate\n"


def test_check_makes_only_the_calls_that_the_github_role_allows(ecs: Recorded) -> None:
    """`GalvDeployRole` allows these calls: another call here needs another statement there."""
    ends(ecs, "check-status", exit_code=0)
    sends_by_ses(ecs)

    assert ecs.run("check").exit_code == 0

    assert set(ecs.calls) == {
        "cloudformation.DescribeStacks",
        "cloudformation.ListStackResources",
        "cloudwatch-logs.GetLogEvents",
        "ecs.DescribeServices",
        "ecs.DescribeTaskDefinition",
        "ecs.DescribeTasks",
        "ecs.RunTask",
        "sesv2.GetAccount",
    }


def test_setup_waits_for_a_deployment(ecs: Recorded) -> None:
    ecs.stacks[REGION] = [stack("galv-BackendStack", "UPDATE_IN_PROGRESS")]

    result = ecs.run("setup")

    assert result.exit_code == 125
    assert "is being deployed (UPDATE_IN_PROGRESS), which runs setup itself" in result.stderr


def test_setup_waits_for_another_setup(ecs: Recorded) -> None:
    ecs.tasks = [ran("setup-db", lastStatus="RUNNING", desiredStatus="RUNNING", id="other")]

    result = ecs.run("setup")

    assert result.exit_code == 125
    assert "setup is running already, as task other" in result.stderr
    assert "ecs.RunTask" not in ecs.calls


def test_refuses_to_run_before_there_is_a_web_service(ecs: Recorded) -> None:
    resources = ecs.resources["galv-BackendStack"]
    ecs.resources["galv-BackendStack"] = [
        one for one in resources if one["ResourceType"] != "AWS::ECS::Service"
    ]

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 125
    assert "has no web service yet, so nothing can be run in it" in result.stderr


@pytest.mark.parametrize("told", [True, False])
def test_refuses_to_run_in_a_service_without_a_network(ecs: Recorded, *, told: bool) -> None:
    found = service(networkConfiguration={})
    if not told:
        del found["networkConfiguration"]
    ecs.answers["ecs.DescribeServices"] = {"services": [found]}

    result = ecs.run("run", "--", "env")

    assert result.exit_code == 125
    assert result.stderr == f"galv-ops: the web service {SERVICE} tells no network\n"
    assert "ecs.RunTask" not in ecs.calls
