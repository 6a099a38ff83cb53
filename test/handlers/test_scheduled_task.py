"""Scheduled runs with a faked AWS: every branch, every fault that AWS can answer with."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import _aws, scheduled_task

Json = dict[str, Any]

CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/app"
FAMILY = "arn:aws:ecs:eu-west-1:111122223333:task-definition/monitor"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:monitor"
ROLE = "arn:aws:iam::111122223333:role/scheduler"
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:dead"
EXITED = "Essential container in task exited"
DUE = "2027-01-15T08:00:00Z"
NOW = datetime(2027, 1, 15, 8, 0, 2, 500_000, tzinfo=timezone.utc)


class FakeAws(FakeServices):
    """ECS and EventBridge Scheduler, in as much as the handler uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, Json] = {}
        self.tokens: dict[str, str] = {}
        self.deadlines: dict[str, Json] = {}
        self.now = NOW

    def time(self) -> float:
        return self.now.timestamp()

    def add(self, started_by: str | None = None) -> str:
        arn = f"{CLUSTER.replace(':cluster', ':task')}/{len(self.tasks) + 1}"
        self.tasks[arn] = {"taskArn": arn, "createdAt": self.now, "lastStatus": "RUNNING"}
        if started_by is not None:
            self.tasks[arn]["startedBy"] = started_by
        return arn

    def end(self, arn: str) -> None:
        self.tasks[arn]["lastStatus"] = "STOPPED"

    def get_paginator(self, name: str) -> FakeAws:
        assert name == "list_tasks"
        return self

    def paginate(self, **query: Any) -> list[Json]:
        self._called("list_tasks", query)
        assert query == {"cluster": CLUSTER, "family": "monitor", "desiredStatus": "RUNNING"}
        arns = [arn for arn, task in self.tasks.items() if task["lastStatus"] == "RUNNING"]
        # ECS may answer an empty page before the last.
        return [{"taskArns": []}, {"taskArns": arns}]

    def describe_tasks(self, **query: Any) -> Json:
        self._called("describe_tasks", query)
        assert query["tasks"], "ECS refuses an empty list"
        return {"tasks": [self.tasks[arn] for arn in query["tasks"]], "failures": []}

    def run_task(self, **query: Any) -> Json:
        if answer := self._called("run_task", query):
            return answer
        token = query["clientToken"]
        if token not in self.tokens:
            self.tokens[token] = self.add(query["startedBy"])
        return {"tasks": [self.tasks[self.tokens[token]]], "failures": []}

    def stop_task(self, **query: Any) -> Json:
        answer = self._called("stop_task", query)
        self.end(query["task"])
        return answer

    def create_schedule(self, **query: Any) -> Json:
        answer = self._called("create_schedule", query)
        if query["Name"] in self.deadlines:
            raise client_error("ConflictException")
        self.deadlines[query["Name"]] = query
        return answer


class Schedule:
    """The events that the handler gets."""

    def __init__(self, fake: FakeAws) -> None:
        self.aws = fake

    def send(self, event: Json) -> None:
        scheduled_task.handle(event, SimpleNamespace(invoked_function_arn=FUNCTION))

    def due(self, at: str = DUE) -> None:
        self.send({"due": at})

    def deadline(self) -> None:
        """Deliver the newest deadline."""
        deadline = list(self.aws.deadlines.values())[-1]
        self.send(json.loads(deadline["Target"]["Input"]))

    def status(self) -> list[str]:
        return [task["lastStatus"] for task in self.aws.tasks.values()]


@pytest.fixture
def schedule(monkeypatch: pytest.MonkeyPatch) -> Schedule:
    fake = FakeAws()
    for module in (scheduled_task, _aws):
        monkeypatch.setattr(module, "client", clients(fake))
    monkeypatch.setattr(scheduled_task, "time", fake.time)
    for name, value in {
        "CLUSTER": CLUSTER,
        "TASK_DEFINITION": f"{FAMILY}:7",
        "CONTAINER_NAME": "monitor",
        "SUBNETS": "subnet-1,subnet-2",
        "SECURITY_GROUPS": "sg-1,sg-2",
        "ASSIGN_PUBLIC_IP": "DISABLED",
        "LOG_GROUP": "/app/$x/monitor",
        "TIMEOUT_SECONDS": "600",
        "OVERLAP": "skip",
        "SCHEDULE_GROUP": "group",
        "SCHEDULE_ROLE": ROLE,
        "DEAD_LETTER_QUEUE": QUEUE,
    }.items():
        monkeypatch.setenv(name, value)
    return Schedule(fake)


class TestDue:
    def test_starts_the_task(self, schedule: Schedule) -> None:
        schedule.due()

        assert schedule.aws.names() == ["list_tasks", "run_task", "create_schedule"]
        _, query = schedule.aws.calls[1]
        mark = query.pop("clientToken")
        assert mark.startswith("scheduled-")
        assert len(mark) <= 36
        assert query == {
            "cluster": CLUSTER,
            "taskDefinition": f"{FAMILY}:7",
            "launchType": "FARGATE",
            "count": 1,
            "startedBy": mark,
            "propagateTags": "TASK_DEFINITION",
            "enableECSManagedTags": True,
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1", "subnet-2"],
                    "securityGroups": ["sg-1", "sg-2"],
                    "assignPublicIp": "DISABLED",
                }
            },
        }

    def test_starts_the_task_on_spot_when_asked(
        self, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SPOT", "true")

        schedule.due()

        _, query = schedule.aws.calls[1]
        assert query["capacityProviderStrategy"] == [
            {"capacityProvider": "FARGATE_SPOT", "weight": 1}
        ]
        # ECS takes one of the two.
        assert "launchType" not in query

    def test_sets_a_deadline_that_calls_the_function(self, schedule: Schedule) -> None:
        schedule.due()

        (deadline,) = schedule.aws.deadlines.values()
        assert deadline == {
            "GroupName": "group",
            "Name": schedule.aws.calls[1][1]["startedBy"],
            "ScheduleExpression": "at(2027-01-15T08:10:02)",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": FUNCTION,
                "RoleArn": ROLE,
                "Input": json.dumps({"deadline_of": deadline["Name"]}),
                "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600},
                "DeadLetterConfig": {"Arn": QUEUE},
            },
        }

    def test_each_time_has_a_run_of_its_own(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.end(next(iter(schedule.aws.tasks)))
        schedule.due("2027-01-15T08:05:00Z")

        assert schedule.status() == ["STOPPED", "RUNNING"]
        assert len(schedule.aws.deadlines) == 2

    @pytest.mark.parametrize("started_by", [None, "me", "scheduled-0123"])
    def test_skips_while_another_run_goes_on(
        self, schedule: Schedule, started_by: str | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        schedule.aws.add(started_by)

        with caplog.at_level(logging.INFO):
            schedule.due()

        assert schedule.status() == ["RUNNING"]
        assert "run_task" not in schedule.aws.names()
        assert not schedule.aws.deadlines
        assert f"skipped the run due at {DUE}: 1" in caplog.text

    def test_asks_its_own_cluster_for_the_runs_that_go_on(self, schedule: Schedule) -> None:
        arn = schedule.aws.add()

        schedule.due()

        assert ("describe_tasks", {"cluster": CLUSTER, "tasks": [arn]}) in schedule.aws.calls

    def test_starts_beside_another_run_where_that_is_allowed(
        self, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OVERLAP", "allow")
        schedule.aws.add("scheduled-0123")

        schedule.due()

        assert schedule.status() == ["RUNNING", "RUNNING"]
        assert len(schedule.aws.deadlines) == 1

    def test_refuses_an_unknown_event(self, schedule: Schedule) -> None:
        with pytest.raises(ValueError, match="unknown event"):
            schedule.send({"something": "else"})


class TestRetries:
    """An event that is delivered again, at whatever point the first attempt failed."""

    def test_an_event_that_comes_twice_starts_one_run(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.due()

        assert schedule.status() == ["RUNNING"]
        assert schedule.aws.names().count("run_task") == 1

    def test_a_run_that_is_over_is_not_started_again(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.end(next(iter(schedule.aws.tasks)))
        schedule.due()

        assert schedule.status() == ["STOPPED"]
        first, second = (query for name, query in schedule.aws.calls if name == "run_task")
        assert first == second

    @pytest.mark.parametrize(
        "fault", [client_error("ThrottlingException"), ReadTimeoutError(endpoint_url="https://ecs")]
    )
    @pytest.mark.parametrize("call", ["list_tasks", "run_task", "create_schedule"])
    def test_a_fault_is_raised_and_the_next_attempt_succeeds(
        self, schedule: Schedule, call: str, fault: Exception
    ) -> None:
        schedule.aws.faults[call] = [fault]

        with pytest.raises(type(fault)):
            schedule.due()
        schedule.due()

        assert schedule.status() == ["RUNNING"]
        assert len(schedule.aws.deadlines) == 1

    def test_a_fault_while_describing_is_retried_too(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.deadlines.clear()
        schedule.aws.faults["describe_tasks"] = [client_error("ServerException")]

        with pytest.raises(ClientError):
            schedule.due()
        schedule.due()

        assert schedule.status() == ["RUNNING"]
        assert len(schedule.aws.deadlines) == 1

    def test_an_answer_that_got_lost_starts_no_second_run(self, schedule: Schedule) -> None:
        """ECS has started the task, but is not seen to have: its list lags."""
        schedule.due()
        (arn,) = schedule.aws.tasks
        schedule.aws.deadlines.clear()
        schedule.aws.tasks[arn]["lastStatus"] = "PROVISIONING"
        schedule.due()

        assert len(schedule.aws.tasks) == 1
        assert len(schedule.aws.deadlines) == 1

    def test_a_deployment_between_two_attempts_starts_no_second_run(
        self, schedule: Schedule
    ) -> None:
        schedule.aws.faults["run_task"] = [client_error("ConflictException")]

        schedule.due()

        assert not schedule.aws.tasks
        assert len(schedule.aws.deadlines) == 1

    def test_raises_the_reason_of_ecs_when_no_task_starts(self, schedule: Schedule) -> None:
        failures = [{"reason": "Capacity is unavailable", "detail": "now"}, {"reason": "AGENT"}]
        schedule.aws.faults["run_task"] = [{"tasks": [], "failures": failures}]

        with pytest.raises(
            scheduled_task.RunError,
            match=f"the run due at {DUE} could not be started: Capacity is unavailable now, AGENT",
        ):
            schedule.due()
        assert not schedule.aws.deadlines
        schedule.due()

        assert schedule.status() == ["RUNNING"]


class TestTimeout:
    def test_stops_the_run_at_its_deadline(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.deadline()

        (arn,) = schedule.aws.tasks
        assert schedule.aws.calls[-1] == (
            "stop_task",
            {"cluster": CLUSTER, "task": arn, "reason": "Not done after 600 s"},
        )

    def test_leaves_a_run_that_is_over(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.end(next(iter(schedule.aws.tasks)))
        schedule.deadline()

        assert "stop_task" not in schedule.aws.names()

    def test_leaves_other_runs(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.add()
        schedule.aws.add("scheduled-0123")
        schedule.deadline()

        assert schedule.status() == ["STOPPED", "RUNNING", "RUNNING"]

    def test_raises_when_the_run_cannot_be_stopped(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.faults["stop_task"] = [client_error("AccessDeniedException")]

        with pytest.raises(ClientError):
            schedule.deadline()
        schedule.deadline()

        assert schedule.status() == ["STOPPED"]

    def test_a_lost_deadline_blocks_no_more_than_one_run(self, schedule: Schedule) -> None:
        schedule.due()
        schedule.aws.deadlines.clear()
        schedule.aws.now += timedelta(seconds=600 + scheduled_task.GRACE + 1)
        schedule.due("2027-01-15T08:15:00Z")
        assert schedule.status() == ["STOPPED"]
        schedule.due("2027-01-15T08:20:00Z")

        assert schedule.status() == ["STOPPED", "RUNNING"]

    @pytest.mark.parametrize(
        ("started_by", "age"), [("me", 7200), (None, 7200), ("scheduled-0123", 700)]
    )
    def test_leaves_runs_started_by_hand_or_about_to_be_stopped(
        self, schedule: Schedule, started_by: str | None, age: int
    ) -> None:
        schedule.aws.add(started_by)
        schedule.aws.now += timedelta(seconds=age)
        schedule.due()

        assert schedule.status() == ["RUNNING"]

    def test_leaves_a_run_of_unknown_age(self, schedule: Schedule) -> None:
        del schedule.aws.tasks[schedule.aws.add("scheduled-0123")]["createdAt"]
        schedule.due()

        assert schedule.status() == ["RUNNING"]


class TestFailedRuns:
    @pytest.mark.parametrize(
        ("task", "what"),
        [
            (
                {
                    "stopCode": "EssentialContainerExited",
                    "stoppedReason": EXITED,
                    "startedAt": DUE,
                    "containers": [{"name": "beside", "exitCode": 0}, {"name": "monitor"}],
                },
                f"ended without an exit code (EssentialContainerExited; {EXITED})",
            ),
            (
                {
                    "stopCode": "EssentialContainerExited",
                    "stoppedReason": EXITED,
                    "startedAt": DUE,
                    "containers": [{"name": "monitor", "exitCode": 3, "reason": "OutOfMemory"}],
                },
                f"exited with code 3 (EssentialContainerExited; {EXITED}; OutOfMemory)",
            ),
            (
                {
                    "stopCode": "UserInitiated",
                    "stoppedReason": "Not done after 600 s",
                    "startedAt": DUE,
                    "containers": [{"name": "monitor", "exitCode": 0}],
                },
                "was stopped, with exit code 0 (UserInitiated; Not done after 600 s)",
            ),
            (
                {
                    "stopCode": "SpotInterruption",
                    "stoppedReason": "Your Spot Task was stopped.",
                    "startedAt": DUE,
                    "containers": [{"name": "monitor", "exitCode": 143}],
                },
                "was interrupted by Fargate Spot (SpotInterruption; Your Spot Task was stopped.)",
            ),
            (
                {
                    "stopCode": "TaskFailedToStart",
                    "stoppedReason": "CannotPullContainerError: i/o timeout",
                    "containers": [{"name": "monitor"}],
                },
                "never started (TaskFailedToStart; CannotPullContainerError: i/o timeout)",
            ),
            ({"containers": []}, "never started ()"),
        ],
    )
    def test_reports_the_outcome_of_a_run(
        self, schedule: Schedule, task: Json, what: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        task_arn = f"{CLUSTER.replace(':cluster', ':task')}/abc"

        with caplog.at_level(logging.ERROR):
            schedule.send(
                {"detail-type": "ECS Task State Change", "detail": {"taskArn": task_arn, **task}}
            )

        (message,) = caplog.messages
        link = (
            " Log: https://console.aws.amazon.com/cloudwatch/home"
            "?region=eu-west-1#logsV2:log-groups/log-group/$252Fapp$252F$2524x$252Fmonitor"
            "/log-events/monitor$252Fmonitor$252Fabc"
        )
        # What never started has no log.
        assert message == f"FAILED: abc {what}.{'' if 'never started' in what else link}"
        assert not schedule.aws.calls

    def test_links_to_the_console_of_the_partition(
        self, schedule: Schedule, caplog: pytest.LogCaptureFixture
    ) -> None:
        arn = "arn:aws-cn:ecs:cn-north-1:111122223333:task/app/abc"

        schedule.send(
            {
                "detail-type": "ECS Task State Change",
                "detail": {"taskArn": arn, "containers": [], "startedAt": "2027-01-15T08:00:00Z"},
            }
        )

        assert "https://console.amazonaws.cn/cloudwatch/home?region=cn-north-1#" in caplog.text
