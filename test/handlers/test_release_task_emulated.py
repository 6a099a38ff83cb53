"""The release gate against an emulated AWS (moto): real boto3 calls, nothing stubbed.

What moto cannot express is said where it matters. In general: it starts no container, so the tests
set the outcome of a task in its backend, with the fields that ECS answers.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from handlers.emulated import new_stack, task_network
from moto.cloudformation.models import cloudformation_backends
from moto.ecs.models import ecs_backends
from moto.moto_api import state_manager

from galv_constructs.handlers import _aws, release_task

if TYPE_CHECKING:
    pass

Json = dict[str, Any]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
LOG_GROUP = "/ecs/release"


class Emulated:
    """A cluster, a task definition, a log group and a stack, and one request of CloudFormation."""

    def __init__(self) -> None:
        self.ecs = boto3.client("ecs")
        self.logs = boto3.client("logs")
        self.logs.create_log_group(logGroupName=LOG_GROUP)
        subnet, group = task_network()
        self.cluster = self.ecs.create_cluster(clusterName="app")["cluster"]["clusterArn"]
        self.event: Json = {
            "RequestType": "Create",
            "ResourceType": "Custom::GalvReleaseTask",
            "RequestId": "5f0f4b6e-0000-4000-8000-000000000001",
            "StackId": new_stack(),
            "LogicalResourceId": "Release",
            "ResourceProperties": {
                "Cluster": self.cluster,
                "TaskDefinition": self.register(),
                "ContainerName": "main",
                "Subnets": [subnet],
                "SecurityGroups": [group],
                "AssignPublicIp": "DISABLED",
                "LogGroup": LOG_GROUP,
                "LogStreamPrefix": "release",
                "Command": "manage migrate",
                "TimeoutSeconds": "900",
            },
        }

    def register(self) -> str:
        definition = self.ecs.register_task_definition(
            family="release",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "app", "memory": 512}],
        )
        return str(definition["taskDefinition"]["taskDefinitionArn"])

    def update(self) -> None:
        """Turn the event into an Update to a new revision."""
        before = self.event["ResourceProperties"]
        self.event |= {
            "RequestType": "Update",
            "ResourceType": "Custom::GalvReleaseTask",
            "RequestId": "5f0f4b6e-0000-4000-8000-000000000002",
            "OldResourceProperties": before,
            "ResourceProperties": {**before, "TaskDefinition": self.register()},
        }

    def set_stack_status(self, status: str) -> None:
        """In moto a stack is never under way: the status is set in its backend."""
        stacks = cloudformation_backends[ACCOUNT][REGION].stacks
        stacks[self.event["StackId"]].status = status

    def start(self) -> str:
        result = release_task.on_event(self.event, None)
        self.event = json.loads(json.dumps({**self.event, **result}))
        return str(result["Data"]["TaskArn"])

    def poll(self) -> bool:
        return bool(release_task.is_complete(self.event, None)["IsComplete"])

    def refusal(self) -> str:
        with pytest.raises(release_task.ReleaseError) as caught:
            self.poll()
        return str(caught.value)

    def task_arns(self) -> list[str]:
        return list(ecs_backends[ACCOUNT][REGION].tasks.get("app", {}))

    def end(self, task_arn: str, exit_code: int | None, reason: str = "") -> None:
        """End a task as ECS would: moto's containers always exit with 0, and it has no stopCode."""
        task = ecs_backends[ACCOUNT][REGION].tasks["app"][task_arn]
        task.last_status = task.desired_status = "STOPPED"
        task.stopped_reason = reason
        container: Any = task.containers[0]
        container.exitCode = exit_code

    def write_log(self, task_arn: str, lines: list[str]) -> None:
        stream = f"release/main/{task_arn.rpartition('/')[2]}"
        self.logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + i, "message": line} for i, line in enumerate(lines)]
        self.logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)


@pytest.fixture
def emulated(emulated_aws: None) -> Emulated:
    return Emulated()


@pytest.mark.slow
def test_a_release_that_succeeds(emulated: Emulated) -> None:
    """Moto itself takes the task from RUNNING to STOPPED, one state per look, with exit code 0."""
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1})
    task_arn = emulated.start()

    (task,) = emulated.ecs.describe_tasks(cluster=emulated.cluster, tasks=[task_arn])["tasks"]
    assert task["launchType"] == "FARGATE"
    assert task["overrides"]["containerOverrides"] == [
        {"name": "main", "environment": [{"name": "GALV_RELEASE_EVENT", "value": "Create"}]}
    ]
    assert [emulated.poll() for _ in range(3)] == [False, False, True]


@pytest.mark.slow
def test_a_release_that_fails_shows_its_log(emulated: Emulated) -> None:
    task_arn = emulated.start()
    lines = [f"a longer line {number}" for number in range(150)]
    emulated.write_log(task_arn, [*lines, "ValueError: ß"])
    emulated.end(task_arn, exit_code=1, reason="Essential container in task exited")

    reason = emulated.refusal()

    assert reason.startswith("Release task exited with code 1\nCommand: manage migrate\nLog: ")
    assert task_arn.rpartition("/")[2] in reason
    assert reason.endswith("line 148\na longer line 149\nValueError: ß")
    assert "line 50\n" not in reason


@pytest.mark.slow
def test_a_release_without_a_log_stream_still_tells_its_exit_code(emulated: Emulated) -> None:
    emulated.end(emulated.start(), exit_code=2)

    reason = emulated.refusal()

    assert "exited with code 2" in reason
    assert reason.endswith("(no log: ResourceNotFoundException)")


@pytest.mark.slow
def test_a_task_that_never_starts_is_repeated_until_the_bound(emulated: Emulated) -> None:
    """Moto ignores client tokens, but lists by `startedBy` and state, which the retry goes by."""
    emulated.start()
    for count in (1, 2, 3):
        assert len(emulated.task_arns()) == count
        emulated.end(emulated.task_arns()[-1], None, "CannotPullContainerError: i/o timeout")
        if count < release_task.MAX_ATTEMPTS:
            assert not emulated.poll()
            assert not emulated.poll()

    assert "never started (attempts: 3): CannotPullContainerError" in emulated.refusal()


@pytest.mark.slow
def test_a_repeated_task_can_succeed(emulated: Emulated) -> None:
    emulated.end(emulated.start(), None, "CannotPullContainerError: i/o timeout")
    assert not emulated.poll()
    emulated.end(emulated.task_arns()[-1], exit_code=0)

    assert emulated.poll()


@pytest.mark.slow
def test_a_task_that_hangs_is_stopped(emulated: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    task_arn = emulated.start()
    assert not emulated.poll()
    monkeypatch.setattr(release_task, "time", lambda: time.time() + 900)

    assert "hung: not done after 900 s, and was stopped" in emulated.refusal()

    (task,) = emulated.ecs.describe_tasks(cluster=emulated.cluster, tasks=[task_arn])["tasks"]
    assert task["lastStatus"] == "STOPPED"
    assert task["stoppedReason"] == "The release deadline has passed"


@pytest.mark.slow
def test_a_first_release_is_stopped_in_a_rollback(emulated: Emulated) -> None:
    task_arn = emulated.start()
    emulated.set_stack_status("ROLLBACK_IN_PROGRESS")

    assert "was cancelled by a rollback, and was stopped" in emulated.refusal()
    (task,) = emulated.ecs.describe_tasks(cluster=emulated.cluster, tasks=[task_arn])["tasks"]
    assert task["lastStatus"] == "STOPPED"


@pytest.mark.slow
def test_updates_and_deletion(emulated: Emulated) -> None:
    first = emulated.start()
    physical_id = emulated.event["PhysicalResourceId"]

    emulated.update()
    second = emulated.start()
    assert second not in {"", first}

    emulated.event["OldResourceProperties"] = emulated.event["ResourceProperties"]
    assert emulated.start() == ""

    emulated.update()
    emulated.set_stack_status("UPDATE_ROLLBACK_IN_PROGRESS")
    assert emulated.start() == ""
    assert emulated.poll()

    emulated.event["RequestType"] = "Delete"
    assert emulated.start() == ""
    assert emulated.poll()
    assert emulated.event["PhysicalResourceId"] == physical_id
    assert emulated.task_arns() == [first, second]


@pytest.mark.slow
def test_an_event_delivered_twice_asks_for_the_same_task(emulated: Emulated) -> None:
    """Moto ignores `clientToken` and starts a second task, where ECS returns the first.

    So only the request is compared here; the answer of ECS is in the tests with the faked AWS. When
    moto learns client tokens, the last assertion fails: compare the ARNs then.
    """
    requests: list[Json] = []
    _aws.client("ecs").meta.events.register(
        "provide-client-params.ecs.RunTask", lambda params, **_: requests.append(params)
    )

    first, second = emulated.start(), emulated.start()

    assert requests[0] == requests[1]
    assert requests[0]["clientToken"].startswith(requests[0]["startedBy"])
    assert first != second


@pytest.mark.slow
def test_an_unknown_cluster_is_refused_with_its_reason(emulated: Emulated) -> None:
    emulated.event["ResourceProperties"]["Cluster"] = emulated.cluster.replace("app", "gone")

    with pytest.raises(release_task.ReleaseError, match="ClusterNotFoundException"):
        emulated.start()
