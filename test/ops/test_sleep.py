"""`galv-ops sleep` and `wake`, and what other commands say of a deployment that rests."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from ops.recorded import REGION, Json, Recorded, resource, service, stack
from ops.test_status import line

from galv_ops.commands import sleep as command

FUNCTION = "galv-BackendStack-SleepFunctionE11D56EF-x"
STARTING = "the database db, which is starting"


class Function:
    """The function of a `GalvSleep`: what it answers to each step, and what it was told."""

    def __init__(self) -> None:
        self.steps = ["", "", ""]
        self.looks: list[Json] = []
        self.asked: list[tuple[str, Json]] = []
        self.fault = ""

    def invoke(self, request: Json, _region: str) -> Json:
        assert request["FunctionName"] == FUNCTION
        event = json.loads(request["Payload"])
        kind = request.get("InvocationType", "RequestResponse")
        self.asked.append((kind, event))
        if kind == "Event":
            return {"StatusCode": 202, "Payload": io.BytesIO(b"")}
        if self.fault:
            said: Json = {"errorMessage": self.fault}
            return {"FunctionError": "Unhandled", "Payload": _payload(said)}
        said = self.looks.pop(0) if event["do"] == "look" else {"waits_for": self.steps.pop(0)}
        return {"StatusCode": 200, "Payload": _payload(said)}


def _payload(said: Json) -> Any:
    return io.BytesIO(json.dumps(said).encode())


@pytest.fixture
def function(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Function:
    """A deployment that rests at night, in the day."""
    recorded.resources["galv-BackendStack"] += [
        resource("SleepWakingLastA7173C90", "Custom::GalvSleep", "last"),
        resource("SleepFunctionE11D56EF", "AWS::Lambda::Function", FUNCTION),
        resource("SleepGroup88003AEE", "AWS::Scheduler::ScheduleGroup", "galv-sleep"),
        resource("SleepWakeScheduleA11EFD23", "AWS::Scheduler::Schedule", "galv-sleep|wake"),
        resource("SleepSleepScheduleD9363631", "AWS::Scheduler::Schedule", "galv-sleep|sleep"),
    ]

    def get_schedule(request: Json, _region: str) -> Json:
        zone = {"ScheduleExpressionTimezone": "Europe/London"}
        match request["GroupName"], request["Name"]:
            case "galv-sleep", "wake":
                return {"ScheduleExpression": "cron(0 7 ? * MON,TUE *)", **zone}
            case "galv-sleep", "sleep":
                return {"ScheduleExpression": "cron(30 19 ? * * *)", **zone}
            case _:
                return schedule

    schedule: Json = {"ScheduleExpression": "rate(5 minutes)", "State": "ENABLED"}
    recorded.answers["scheduler.GetSchedule"] = get_schedule
    found = Function()
    recorded.answers["lambda.Invoke"] = found.invoke
    monkeypatch.setattr(command, "sleep", lambda _seconds: None)
    return found


def night(recorded: Recorded, database: str = "stopped") -> None:
    """Let it rest."""
    recorded.answers["ecs.DescribeServices"] = {
        "services": [service(desiredCount=0, runningCount=0, enableExecuteCommand=True)],
        "failures": [],
    }
    answer: Any = recorded.answers["rds.DescribeDBInstances"]
    answer["DBInstances"][0]["DBInstanceStatus"] = database
    schedules: Any = recorded.answers["scheduler.GetSchedule"]

    def get_schedule(request: Json, region: str) -> Json:
        found = schedules(request, region)
        if "rate" in found["ScheduleExpression"]:
            found |= {"State": "DISABLED", "Description": "[asleep]"}
        return dict(found)

    recorded.answers["scheduler.GetSchedule"] = get_schedule


def look(state: str = "asleep", tasks: int = 0, **databases: str) -> Json:
    return {"state": state, "tasks": tasks, "databases": databases or {"db": "stopped"}}


class TestWake:
    def test_tells_what_it_waits_for_and_until_when_it_is_awake(
        self, recorded: Recorded, function: Function
    ) -> None:
        function.steps = [STARTING, STARTING, ""]

        result = recorded.run("wake")

        assert result.exit_code == 0, result.output
        assert f"waits for {STARTING}, after 0 s" in result.stderr
        assert result.stdout == "Awake until 19:30 Europe/London, every day.\n"

    def test_it_goes_on_without_the_command(self, recorded: Recorded, function: Function) -> None:
        recorded.run("wake")

        assert function.asked[:2] == [
            ("RequestResponse", {"do": "wake", "step": True}),
            ("Event", {"do": "wake"}),
        ]

    def test_an_interruption_says_so(
        self, recorded: Recorded, function: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        function.steps = [STARTING, STARTING]
        monkeypatch.setattr(command, "sleep", interrupt)

        result = recorded.run("wake")

        assert result.exit_code == 130
        assert "it goes on by itself" in result.stderr
        assert ("Event", {"do": "wake"}) in function.asked

    def test_ends_after_its_time(
        self, recorded: Recorded, function: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        function.steps = [STARTING] * 9
        now = iter(range(0, 9000, 45))
        monkeypatch.setattr(command, "monotonic", lambda: next(now))

        result = recorded.run("wake", "--timeout", "1")

        assert result.exit_code == 124
        assert (
            f"not done after 1 minute, and it goes on by itself: it still waits for {STARTING}"
            in result.stderr
        )

    def test_is_json_for_programs(self, recorded: Recorded, function: Function) -> None:
        result = recorded.run("wake", "--json")

        assert json.loads(result.stdout) == {
            "awake": True,
            "until": ["19:30 Europe/London, every day"],
        }

    def test_tells_why_the_function_failed(self, recorded: Recorded, function: Function) -> None:
        function.fault = "still waits for the scaling of galv/web"

        result = recorded.run("wake")

        assert result.exit_code == 125
        assert f"{FUNCTION} failed: still waits for the scaling of galv/web" in result.stderr

    def test_tells_the_expression_of_a_schedule_of_ones_own(
        self, recorded: Recorded, function: Function
    ) -> None:
        recorded.answers["scheduler.GetSchedule"] = {
            "ScheduleExpression": "at(2027-01-04T07:00:00)"
        }

        assert "Awake until at(2027-01-04T07:00:00) UTC." in recorded.run("wake").stdout


class TestSleep:
    def test_tells_what_it_waits_for_and_when_it_wakes(
        self, recorded: Recorded, function: Function
    ) -> None:
        function.looks = [look(tasks=2, db="available"), look(db="stopping"), look()]

        result = recorded.run("sleep")

        assert result.exit_code == 0, result.output
        assert "waits for the end of 2 tasks, after" in result.stderr
        assert "waits for the database db, which is stopping, after" in result.stderr
        assert (
            result.stdout
            == "Asleep. It wakes at 07:00 Europe/London, Mon, Tue, or by `galv-ops wake`.\n"
        )
        assert function.asked[:2] == [
            ("RequestResponse", {"do": "sleep", "step": True}),
            ("Event", {"do": "sleep"}),
        ]

    def test_waits_for_what_sleep_waits_for(self, recorded: Recorded, function: Function) -> None:
        deployment = "the deployment: the stack is UPDATE_IN_PROGRESS"
        function.steps = [deployment, deployment, ""]
        function.looks = [look()]

        result = recorded.run("sleep")

        assert result.exit_code == 0, result.output
        assert f"waits for {deployment}, after" in result.stderr
        assert result.stdout.startswith("Asleep.")

    def test_refuses_during_a_deployment(self, recorded: Recorded, function: Function) -> None:
        recorded.stacks[REGION] = [stack("galv-BackendStack", "UPDATE_IN_PROGRESS")]

        result = recorded.run("sleep")

        assert result.exit_code == 125
        assert "is being deployed (UPDATE_IN_PROGRESS), which needs it awake" in result.stderr
        assert function.asked == []

    def test_tells_who_woke_it(self, recorded: Recorded, function: Function) -> None:
        function.looks = [look("waking")]

        result = recorded.run("sleep")

        assert result.exit_code == 125
        assert "it was woken meanwhile" in result.stderr


@pytest.mark.parametrize("name", ["sleep", "wake"])
def test_refuses_a_deployment_that_never_sleeps(recorded: Recorded, name: str) -> None:
    result = recorded.run(name)

    assert result.exit_code == 125
    assert "galv-BackendStack never sleeps: awakeHours in cdk.json" in result.stderr


class TestStatus:
    @pytest.mark.usefixtures("function")
    def test_shows_until_when_it_is_awake(self, recorded: Recorded) -> None:
        assert line(recorded, "sleep", 0) == (
            "ok sleep awake, goes to sleep at 19:30 Europe/London, every day"
        )

    @pytest.mark.usefixtures("function")
    @pytest.mark.parametrize("database", ["stopped", "stopping"])
    def test_shows_that_all_rests(self, recorded: Recorded, database: str) -> None:
        night(recorded, database)

        assert line(recorded, "sleep", 0) == (
            "off sleep asleep, wakes at 07:00 Europe/London, Mon, Tue, or by `galv-ops wake`"
        )
        assert line(recorded, "web", 0).startswith("off web asleep: 0 of 0 tasks running")
        assert line(recorded, "database", 0).startswith(f"off database {database}: postgres")
        assert "rate(5 minutes), asleep; " in line(recorded, "validation-monitor", 0)

    def test_a_stopped_database_of_another_deployment_is_bad(self, recorded: Recorded) -> None:
        night_without_sleep: Any = recorded.answers["rds.DescribeDBInstances"]
        night_without_sleep["DBInstances"][0]["DBInstanceStatus"] = "stopped"

        assert line(recorded, "database", 1).startswith("bad database stopped")

    @pytest.mark.usefixtures("function")
    def test_a_stopped_database_in_the_day_is_bad(self, recorded: Recorded) -> None:
        answer: Any = recorded.answers["rds.DescribeDBInstances"]
        answer["DBInstances"][0]["DBInstanceStatus"] = "stopped"

        assert line(recorded, "database", 1).startswith("bad database stopped")


@pytest.mark.usefixtures("function")
@pytest.mark.parametrize(
    "arguments", [("run", "--", "manage.py", "x"), ("check",), ("setup",), ("exec",)]
)
def test_refuses_to_run_anything_while_it_rests(
    recorded: Recorded, arguments: tuple[str, ...]
) -> None:
    night(recorded)

    result = recorded.run(*arguments)

    assert result.exit_code == 125
    assert "the deployment is asleep, and its database is stopped" in result.stderr
    assert "`galv-ops wake` wakes it" in result.stderr
    assert "ecs.RunTask" not in recorded.calls


@pytest.mark.usefixtures("function")
def test_a_pipeline_need_not_check_what_rests(recorded: Recorded) -> None:
    night(recorded)

    plain, asked = (recorded.run("check", "--unless-asleep", *more) for more in ((), ("--json",)))

    assert plain.exit_code == asked.exit_code == 0
    assert plain.stdout == "The deployment is asleep: nothing was checked.\n"
    assert json.loads(asked.stdout) == {"asleep": True}
    assert "ecs.RunTask" not in recorded.calls


@pytest.mark.usefixtures("function")
def test_a_pipeline_checks_what_is_awake(recorded: Recorded) -> None:
    recorded.run("check", "--unless-asleep")

    assert "ecs.RunTask" in recorded.calls


@pytest.mark.usefixtures("function")
def test_doctor_says_that_it_rests(recorded: Recorded) -> None:
    night(recorded)

    result = recorded.run("doctor")

    assert result.exit_code == 0, result.output
    assert "It is asleep, and answers 503: `galv-ops wake` wakes it." in result.stdout
    assert json.loads(recorded.run("doctor", "--json").stdout)["asleep"] is True


def test_doctor_says_nothing_of_sleep_otherwise(recorded: Recorded) -> None:
    assert "asleep" not in recorded.run("doctor").stdout
