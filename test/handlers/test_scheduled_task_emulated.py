"""Scheduled runs against an emulated AWS (moto): real boto3 calls, nothing stubbed.

Moto starts no container and calls no schedule, so the tests end tasks in its backend and deliver
what a schedule holds.
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from handlers.emulated import task_network
from moto.ecs.models import ecs_backends

from galv_constructs.handlers import _aws, scheduled_task

if TYPE_CHECKING:
    pass

Json = dict[str, Any]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:monitor"


class Emulated:
    """A cluster, two task definitions and a group for deadlines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ecs = boto3.client("ecs")
        self.scheduler: Any = _aws.client("scheduler")
        self.subnet, self.group = task_network()
        self.cluster = self.ecs.create_cluster(clusterName="app")["cluster"]["clusterArn"]
        self.definition = self.register("monitor")
        self.scheduler.create_schedule_group(Name="group")
        for name, value in {
            "CLUSTER": self.cluster,
            "TASK_DEFINITION": self.definition,
            "CONTAINER_NAME": "monitor",
            "SUBNETS": self.subnet,
            "SECURITY_GROUPS": self.group,
            "ASSIGN_PUBLIC_IP": "DISABLED",
            "LOG_GROUP": "/app/monitor",
            "TIMEOUT_SECONDS": "600",
            "OVERLAP": "skip",
            "SCHEDULE_GROUP": "group",
            "SCHEDULE_ROLE": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
            "DEAD_LETTER_QUEUE": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead",
        }.items():
            monkeypatch.setenv(name, value)

    def register(self, family: str) -> str:
        definition = self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": family, "image": "app", "memory": 512}],
            tags=[{"key": "project-name", "value": "galv"}],
        )
        return str(definition["taskDefinition"]["taskDefinitionArn"])

    def run_by_hand(self, definition: str) -> str:
        tasks = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": [self.subnet], "securityGroups": [self.group]}
            },
        )["tasks"]
        return str(tasks[0]["taskArn"])

    def send(self, event: Json) -> None:
        scheduled_task.handle(event, SimpleNamespace(invoked_function_arn=FUNCTION))

    def due(self, at: str) -> None:
        self.send({"due": at})

    def deadlines(self) -> list[Json]:
        schedules = self.scheduler.list_schedules(GroupName="group")["Schedules"]
        return [
            self.scheduler.get_schedule(GroupName="group", Name=schedule["Name"])
            for schedule in schedules
        ]

    def tasks(self) -> list[Json]:
        arns = list(ecs_backends[ACCOUNT][REGION].tasks.get("app", {}))
        found = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"] if arns else []
        return [dict(task) for task in found]

    def end(self, task_arn: str) -> None:
        task = ecs_backends[ACCOUNT][REGION].tasks["app"][task_arn]
        task.last_status = task.desired_status = "STOPPED"


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch, emulated_aws: None) -> Emulated:
    return Emulated(monkeypatch)


@pytest.mark.slow
def test_a_run_has_a_mark_and_a_deadline(emulated: Emulated) -> None:
    emulated.due("2027-01-15T08:00:00Z")

    (task,) = emulated.tasks()
    (deadline,) = emulated.deadlines()
    assert task["taskDefinitionArn"] == emulated.definition
    assert task["launchType"] == "FARGATE"
    assert task["startedBy"] == deadline["Name"]
    assert deadline["ActionAfterCompletion"] == "DELETE"
    assert deadline["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 10


@pytest.mark.slow
def test_the_next_run_waits_for_the_last_one_to_end(emulated: Emulated) -> None:
    emulated.due("2027-01-15T08:00:00Z")
    emulated.due("2027-01-15T08:05:00Z")
    (task,) = emulated.tasks()
    emulated.end(task["taskArn"])
    emulated.due("2027-01-15T08:10:00Z")

    assert len(emulated.tasks()) == 2
    assert len(emulated.deadlines()) == 2


@pytest.mark.slow
def test_runs_by_hand_count_and_other_tasks_do_not(emulated: Emulated) -> None:
    emulated.run_by_hand(emulated.register("web"))
    by_hand = emulated.run_by_hand(emulated.definition)
    emulated.due("2027-01-15T08:00:00Z")
    assert len(emulated.tasks()) == 2
    emulated.end(by_hand)
    emulated.due("2027-01-15T08:05:00Z")

    assert len(emulated.tasks()) == 3


@pytest.mark.slow
def test_the_deadline_stops_the_run_with_its_reason(emulated: Emulated) -> None:
    emulated.due("2027-01-15T08:00:00Z")
    (deadline,) = emulated.deadlines()
    emulated.send(json.loads(deadline["Target"]["Input"]))

    (task,) = emulated.tasks()
    assert task["lastStatus"] == "STOPPED"
    assert task["stoppedReason"] == "Not done after 600 s"


@pytest.mark.slow
def test_a_run_that_outlived_a_lost_deadline_is_stopped_by_the_next(
    emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulated.due("2027-01-15T08:00:00Z")
    # Moto keeps no such time, which ECS always answers.
    (task,) = ecs_backends[ACCOUNT][REGION].tasks["app"].values()
    vars(task)["created_at"] = time.time()
    monkeypatch.setattr(scheduled_task, "time", lambda: time.time() + 721)
    emulated.due("2027-01-15T08:15:00Z")

    (stopped,) = emulated.tasks()
    assert stopped["lastStatus"] == "STOPPED"


@pytest.mark.slow
def test_an_event_delivered_twice_starts_one_run(emulated: Emulated) -> None:
    emulated.due("2027-01-15T08:00:00Z")
    emulated.due("2027-01-15T08:00:00Z")

    assert len(emulated.tasks()) == 1
    assert len(emulated.deadlines()) == 1


@pytest.mark.slow
def test_an_unknown_cluster_is_raised(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", emulated.cluster.replace("app", "gone"))

    with pytest.raises(ClientError, match="ClusterNotFound"):
        emulated.due("2027-01-15T08:00:00Z")
