"""The release gate with a faked AWS: every branch, every fault that AWS can answer with."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest
from botocore import exceptions as aws
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import _aws, release_task

Json = dict[str, Any]

CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/app"
FAMILY = "arn:aws:ecs:eu-west-1:111122223333:task-definition/release"
STACK = "arn:aws:cloudformation:eu-west-1:111122223333:stack/app/0a1b2c3d"
FULL = "Capacity is unavailable at this time. Please try again later"
PULL_TIMEOUT = "CannotPullContainerError: pull image manifest: dial tcp: i/o timeout"
SLOW_NETWORK = "ResourceInitializationError: unable to pull secrets: context deadline exceeded"
NO_IMAGE = "CannotPullContainerError: manifest unknown, i/o timeout"
NOW = 1_800_000_000.0


THROTTLED = client_error("ThrottlingException", message="Rate exceeded")
DENIED = client_error("AccessDeniedException", message="User is not authorized")
INVALID = client_error("InvalidParameterException", message="bad subnet")


class FakeAws(FakeServices):
    """ECS, CloudWatch Logs and CloudFormation, in as much as the handlers use them."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, Json] = {}
        self.tokens: dict[str, str] = {}
        self.visible = True
        self.stack_status = "UPDATE_IN_PROGRESS"
        self.lines: list[str] = []

    def run_task(self, **query: Any) -> Json:
        if answer := self._called("run_task", query):
            return answer
        token = query["clientToken"]
        if token not in self.tokens:
            arn = f"{CLUSTER.replace(':cluster', ':task')}/{len(self.tasks) + 1}"
            self.tokens[token] = arn
            self.tasks[arn] = {
                "taskArn": arn,
                "startedBy": query["startedBy"],
                "lastStatus": "RUNNING",
                "containers": [{"name": "main"}],
            }
        return {"tasks": [self.tasks[self.tokens[token]]], "failures": []}

    def describe_tasks(self, **query: Any) -> Json:
        self._called("describe_tasks", query)
        found = [self.tasks[arn] for arn in query["tasks"] if self.visible]
        missing = [{"arn": arn, "reason": "MISSING"} for arn in query["tasks"] if not self.visible]
        return {"tasks": found, "failures": missing}

    def get_paginator(self, name: str) -> FakeAws:
        assert name == "list_tasks"
        return self

    def paginate(self, **query: Any) -> list[Json]:
        self._called("list_tasks", query)
        # ECS takes `startedBy` only as the single filter.
        assert set(query) == {"cluster", "family", "desiredStatus"}
        assert query["family"] == "release"
        arns = [
            arn
            for arn, task in self.tasks.items()
            if (task["lastStatus"] == "STOPPED") == (query["desiredStatus"] == "STOPPED")
        ]
        # ECS may answer an empty page before the last.
        return [{"taskArns": []}, {"taskArns": arns}]

    def stop_task(self, **query: Any) -> Json:
        return self._called("stop_task", query)

    def describe_stacks(self, **query: Any) -> Json:
        self._called("describe_stacks", query)
        return {"Stacks": [{"StackStatus": self.stack_status}]}

    def get_log_events(self, **query: Any) -> Json:
        self._called("get_log_events", query)
        return {"events": [{"message": f"{line}\n"} for line in self.lines]}


RETIRE = {
    "RunWhenReplaced": "galv_tasks_1",
    "CommandOverride": ["python", "-m", "galv_task.own_database", "retire", "galv_tasks_1", "9"],
}


class Deployment:
    """One request of CloudFormation, as the Provider framework hands it on."""

    def __init__(self, fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = fake
        self.now = NOW
        self.pauses: list[float] = []
        for module in (release_task, _aws):
            monkeypatch.setattr(module, "client", clients(fake))
        monkeypatch.setattr(release_task, "time", lambda: self.now)
        monkeypatch.setattr(release_task, "sleep", self.pauses.append)
        self.event: Json = {
            "RequestType": "Create",
            "ResourceType": "Custom::GalvReleaseTask",
            "RequestId": "5f0f4b6e-0000-4000-8000-000000000001",
            "StackId": STACK,
            "LogicalResourceId": "Release",
            "ResourceProperties": {
                "Cluster": CLUSTER,
                "TaskDefinition": f"{FAMILY}:7",
                "ContainerName": "main",
                "Subnets": ["subnet-1"],
                "SecurityGroups": ["sg-1"],
                "AssignPublicIp": "DISABLED",
                "LogGroup": "/ecs/$app",
                "LogStreamPrefix": "release",
                "Command": "manage migrate",
                "TimeoutSeconds": "900",
            },
        }

    def update(self, old: str = f"{FAMILY}:6", **properties: Any) -> None:
        self.event |= {"RequestType": "Update", "PhysicalResourceId": "Release-0a1b2c3d"}
        before = self.event["ResourceProperties"]
        self.event["OldResourceProperties"] = {**before, "TaskDefinition": old}
        self.event["ResourceProperties"] = {**before, **properties}

    def start(self) -> Json:
        """Send the request; its result goes into the polls, through JSON as in the framework."""
        result = release_task.on_event(json.loads(json.dumps(self.event)), None)
        self.event = json.loads(json.dumps({**self.event, **result}))
        return result

    def poll(self) -> bool:
        result = release_task.is_complete(self.event, None)
        assert set(result) == {"IsComplete"}
        return bool(result["IsComplete"])

    def refusal(self) -> str:
        """Poll, and return the reason for the failure, which must fit."""
        with pytest.raises(release_task.ReleaseError) as caught:
            self.poll()
        reason = str(caught.value)
        assert len(reason.encode()) <= _aws.REASON_LIMIT
        return reason

    @property
    def task(self) -> Json:
        """The newest task."""
        return list(self.aws.tasks.values())[-1]

    def stopped(self, exit_code: int | None = None, reason: str = "", **task: Any) -> None:
        container: Json = {"name": "main"}
        if exit_code is not None:
            container["exitCode"] = exit_code
        if exit_code is not None or task.get("startedAt"):
            task["startedAt"] = "2027-01-15T08:00:00Z"
        else:
            task.setdefault("stopCode", "TaskFailedToStart")
        if reason:
            task["stoppedReason"] = reason
        self.task.update(lastStatus="STOPPED", containers=[container], **task)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return Deployment(FakeAws(), monkeypatch)


class TestOnEvent:
    def test_create_runs_the_task(self, deployment: Deployment) -> None:
        result = deployment.start()

        assert result["Data"] == {"TaskArn": deployment.task["taskArn"]}
        assert result["PhysicalResourceId"] == "Release-0a1b2c3d"
        _, query = deployment.aws.calls[-1]
        token = query.pop("clientToken")
        assert query == {
            "cluster": CLUSTER,
            "taskDefinition": f"{FAMILY}:7",
            "launchType": "FARGATE",
            "count": 1,
            "startedBy": token.removesuffix("-1"),
            "propagateTags": "TASK_DEFINITION",
            "enableECSManagedTags": True,
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "DISABLED",
                }
            },
            "overrides": {
                "containerOverrides": [
                    {
                        "name": "main",
                        "environment": [{"name": "GALV_RELEASE_EVENT", "value": "Create"}],
                    }
                ]
            },
        }
        assert len(query["startedBy"]) <= 36
        assert len(token) <= 64

    def test_update_runs_a_new_task_definition(self, deployment: Deployment) -> None:
        deployment.update()

        result = deployment.start()

        assert result["Data"]["TaskArn"]
        assert result["PhysicalResourceId"] == "Release-0a1b2c3d"
        override = deployment.aws.calls[-1][1]["overrides"]["containerOverrides"][0]
        assert override["environment"] == [{"name": "GALV_RELEASE_EVENT", "value": "Update"}]

    def test_update_skips_an_unchanged_task_definition(self, deployment: Deployment) -> None:
        deployment.update(old=f"{FAMILY}:7", Subnets=["subnet-2"])

        assert deployment.start()["Data"] == {"TaskArn": ""}
        assert deployment.poll()
        assert deployment.aws.calls == []

    def test_the_run_for_a_replaced_resource_waits_for_the_end_of_the_update(
        self, deployment: Deployment
    ) -> None:
        """The new value has an id of its own, so that CloudFormation deletes the old one."""
        deployment.event["ResourceProperties"] |= RETIRE
        made = deployment.start()
        deployment.event["ResourceProperties"]["RunWhenReplaced"] = "galv_tasks_2"
        deployment.event |= {"RequestType": "Update", "OldResourceProperties": {}}
        changed = deployment.start()

        assert made["PhysicalResourceId"].endswith("-galv_tasks_1")
        assert changed["PhysicalResourceId"].endswith("-galv_tasks_2")
        assert deployment.poll()
        assert "run_task" not in deployment.aws.names()

    @pytest.mark.parametrize(
        "status",
        ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"],
    )
    def test_deleting_a_replaced_resource_runs_the_task_once_no_rollback_follows(
        self, deployment: Deployment, status: str
    ) -> None:
        deployment.event["ResourceProperties"] |= {**RETIRE, "TaskDefinition": "release"}
        deployment.event |= {"RequestType": "Delete", "PhysicalResourceId": "Release-galv_tasks_1"}
        deployment.aws.stack_status = status

        result = deployment.start()

        assert result["PhysicalResourceId"] == "Release-galv_tasks_1"
        query = dict(deployment.aws.calls)["run_task"]
        assert query["taskDefinition"] == "release"
        (override,) = query["overrides"]["containerOverrides"]
        assert override["command"] == RETIRE["CommandOverride"]
        assert not deployment.poll()
        deployment.task.update(lastStatus="STOPPED", containers=[{"name": "main", "exitCode": 0}])
        assert deployment.poll()

    @pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", ""])
    def test_deleting_the_stack_runs_nothing(self, deployment: Deployment, status: str) -> None:
        deployment.event["ResourceProperties"] |= RETIRE
        deployment.event |= {"RequestType": "Delete", "PhysicalResourceId": "Release-galv_tasks_1"}
        deployment.aws.stack_status = status

        deployment.start()

        assert deployment.poll()
        assert "run_task" not in deployment.aws.names()

    def test_delete_does_nothing(self, deployment: Deployment) -> None:
        deployment.event |= {"RequestType": "Delete", "PhysicalResourceId": "anything"}

        assert deployment.start()["PhysicalResourceId"] == "anything"
        assert deployment.poll()
        assert deployment.aws.calls == []

    def test_an_event_delivered_twice_starts_one_task(self, deployment: Deployment) -> None:
        first, second = deployment.start(), deployment.start()

        assert first["Data"] == second["Data"]
        assert first["PhysicalResourceId"] == second["PhysicalResourceId"]
        assert len(deployment.aws.tasks) == 1

    def test_another_request_starts_another_task(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.event["RequestId"] = "another"
        deployment.start()

        assert len(deployment.aws.tasks) == 2

    @pytest.mark.parametrize("request_type", ["Create", "Update"])
    def test_rollback_runs_nothing(self, deployment: Deployment, request_type: str) -> None:
        if request_type == "Update":
            deployment.update()
        deployment.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"

        assert deployment.start()["Data"] == {"TaskArn": ""}
        assert deployment.poll()
        assert deployment.aws.calls == [("describe_stacks", {"StackName": STACK})]

    @pytest.mark.parametrize("error", [THROTTLED, DENIED, aws.NoCredentialsError()])
    @pytest.mark.parametrize(
        ("old", "runs"), [(None, True), (f"{FAMILY}:6", True), (f"{FAMILY}:10", False)]
    )
    def test_without_the_stack_status_the_revision_tells_the_direction(
        self, deployment: Deployment, error: Exception, old: str | None, runs: bool
    ) -> None:
        if old:
            deployment.update(old=old)
        deployment.aws.faults["describe_stacks"] = [error]

        assert bool(deployment.start()["Data"]["TaskArn"]) is runs

    def test_refuses_to_guess_the_direction_between_families(self, deployment: Deployment) -> None:
        deployment.update(old=FAMILY.replace("release", "other") + ":3")
        deployment.aws.faults["describe_stacks"] = [THROTTLED]

        with pytest.raises(release_task.ReleaseError, match=r"cannot tell whether .* rolling back"):
            deployment.start()
        assert deployment.aws.tasks == {}

    @pytest.mark.parametrize(
        "fault",
        [
            {"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]},
            {"tasks": [], "failures": [{"reason": "AGENT"}]},
            {"tasks": [], "failures": [{"reason": FULL}]},
            THROTTLED,
            client_error("ServerException", status=500),
            client_error("ClientException", message=FULL),
            client_error("ClientException", message="ECS was unable to assume the role 'r'"),
            # A policy made just now is not known everywhere yet.
            DENIED,
            aws.EndpointConnectionError(endpoint_url="ecs"),
            aws.ReadTimeoutError(endpoint_url="ecs"),
        ],
        ids=str,
    )
    def test_retries_transient_errors(self, deployment: Deployment, fault: Any) -> None:
        deployment.aws.faults["run_task"] = [fault, fault]

        assert deployment.start()["Data"]["TaskArn"]
        tokens = {q["clientToken"] for name, q in deployment.aws.calls if name == "run_task"}
        assert len(tokens) == 1
        assert deployment.pauses == [2, 4]

    def test_gives_up_on_transient_errors_that_last(self, deployment: Deployment) -> None:
        fault = {"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE", "detail": "none left"}]}
        deployment.aws.faults["run_task"] = [fault] * 9

        with pytest.raises(release_task.ReleaseError) as caught:
            deployment.start()

        reason = "Release task could not be started: RESOURCE:FARGATE none left"
        assert str(caught.value) == f"{reason}\nCommand: manage migrate"
        assert deployment.pauses == [2, 4, 8]

    def test_gives_up_on_a_denial_that_lasts(self, deployment: Deployment) -> None:
        deployment.aws.faults["run_task"] = [DENIED] * 9

        with pytest.raises(release_task.ReleaseError, match="not authorized"):
            deployment.start()
        assert deployment.pauses == [2, 4, 8]

    @pytest.mark.parametrize(
        ("fault", "text"),
        [
            ({"tasks": [], "failures": [{"reason": "MISSING", "arn": "x"}]}, "MISSING"),
            ({"tasks": [], "failures": [{"reason": "INACTIVE"}]}, "INACTIVE"),
            (INVALID, "bad subnet"),
            (aws.NoCredentialsError(), "credentials"),
        ],
        ids=str,
    )
    def test_fails_at_once_on_a_permanent_error(
        self, deployment: Deployment, fault: Any, text: str
    ) -> None:
        deployment.aws.faults["run_task"] = [fault]

        with pytest.raises(release_task.ReleaseError, match=text):
            deployment.start()
        assert deployment.pauses == []


ASM = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: service call has been retried "
    "1 time(s): "
)
LOST = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:BackendSuperuserPassword-a1B2c3"
GONE = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
MARKED = (
    "InvalidRequestException: You can't perform this operation on the secret because it was marked "
    "for deletion."
)


@pytest.mark.parametrize(
    ("reason", "id"),
    [
        (f"{ASM}failed to fetch secret {LOST} from secrets manager: {GONE}", LOST),
        (f"{ASM}failed to fetch secret {LOST} from secrets manager: {MARKED}", LOST),
        (f"{ASM}{GONE}", "ARN"),
    ],
)
def test_says_how_to_get_a_deleted_secret_back(
    deployment: Deployment, reason: str, id: str
) -> None:
    """Somebody deleted the superuser's first password; ECS's own words name no way on."""
    deployment.start()
    deployment.stopped(reason=reason)

    text = deployment.refusal()

    assert f"aws secretsmanager restore-secret --secret-id {id}\n" in text
    assert len(deployment.aws.tasks) == 1, "it is not tried again"


class TestTheRestOfTheDeployment:
    """A run that asks for it is repeated when anything in the stack has changed."""

    def update(self, deployment: Deployment, before: str, after: str) -> Json:
        same = deployment.event["ResourceProperties"]["TaskDefinition"]
        deployment.update(old=same, Deployment=after)
        deployment.event["OldResourceProperties"]["Deployment"] = before
        return deployment.start()

    def test_runs_it_again(self, deployment: Deployment) -> None:
        result = self.update(deployment, "network-1", "network-2")

        assert result["Data"]["TaskArn"]

    def test_is_left_alone_where_it_is_the_same(self, deployment: Deployment) -> None:
        result = self.update(deployment, "network-1", "network-1")

        assert result["Data"]["TaskArn"] == ""

    def test_is_not_run_in_a_rollback(self, deployment: Deployment) -> None:
        deployment.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"

        result = self.update(deployment, "network-2", "network-1")

        assert result["Data"]["TaskArn"] == ""

    def test_is_skipped_if_a_rollback_cannot_be_ruled_out(self, deployment: Deployment) -> None:
        deployment.aws.faults["describe_stacks"] = [THROTTLED]

        result = self.update(deployment, "network-1", "network-2")

        assert result["Data"]["TaskArn"] == ""


class TestIsComplete:
    def test_waits_for_success(self, deployment: Deployment) -> None:
        deployment.start()
        for status in ("PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING"):
            deployment.task["lastStatus"] = status
            assert not deployment.poll()
        deployment.stopped(exit_code=0)
        assert deployment.poll()

    def test_success_counts_after_the_deadline_too(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=0)
        deployment.now += 10_000

        assert deployment.poll()

    def test_non_zero_exit_fails_with_the_log(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=3, reason="Essential container in task exited")
        deployment.aws.lines = ["Traceback", "ValueError: no such column"]

        assert deployment.refusal() == (
            "Release task exited with code 3\n"
            "Command: manage migrate\n"
            "Log: https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
            "#logsV2:log-groups/log-group/$252Fecs$252F$2524app"
            "/log-events/release$252Fmain$252F1\n"
            "Traceback\n"
            "ValueError: no such column"
        )
        assert deployment.aws.calls[-1] == (
            "get_log_events",
            {
                "logGroupName": "/ecs/$app",
                "logStreamName": "release/main/1",
                "startFromHead": False,
                "limit": 100,
            },
        )

    def test_a_side_container_does_not_hide_a_failure(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=1)
        deployment.task["containers"].insert(0, {"name": "side", "exitCode": 0})

        assert "exited with code 1" in deployment.refusal()

    def test_a_side_container_does_not_spoil_a_success(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=0)
        deployment.task["containers"].insert(0, {"name": "side", "exitCode": 1})

        assert deployment.poll()

    def test_a_task_without_the_container_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=0)
        deployment.task["containers"][0]["name"] = "other"

        assert "ended without an exit code" in deployment.refusal()

    def test_a_task_not_visible_yet_is_waited_for(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.visible = False
        assert not deployment.poll()
        deployment.aws.visible = True
        deployment.stopped(exit_code=0)
        assert deployment.poll()

    def test_a_task_never_visible_meets_the_deadline(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.visible = False
        deployment.now += 900

        assert "hung: not done after 900 s, and was stopped" in deployment.refusal()

    @pytest.mark.parametrize(
        "reason",
        [
            NO_IMAGE,
            "CannotPullContainerError: image not found",
            "CannotPullContainerError: pull access denied for app",
            "ResourceInitializationError: AccessDeniedException: role is not authorized",
            "ResourceInitializationError: ResourceNotFoundException: can't find the secret",
            "CannotStartContainerError: something else",
        ],
    )
    def test_a_task_that_can_never_start_fails_at_once(
        self, deployment: Deployment, reason: str
    ) -> None:
        deployment.start()
        deployment.stopped(reason=reason)

        assert f"never started: TaskFailedToStart; {reason}" in deployment.refusal()
        assert len(deployment.aws.tasks) == 1

    @pytest.mark.parametrize(
        "reason",
        [
            PULL_TIMEOUT,
            SLOW_NETWORK,
            FULL,
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            "CannotPullContainerError: unexpected status code: 503 Service Unavailable",
            "Timeout waiting for network interface provisioning to complete.",
        ],
    )
    def test_a_task_that_may_start_later_is_repeated(
        self, deployment: Deployment, reason: str
    ) -> None:
        deployment.start()
        deployment.stopped(reason=reason)
        assert not deployment.poll()
        assert not deployment.poll()
        assert len(deployment.aws.tasks) == 2
        deployment.stopped(exit_code=0)
        assert deployment.poll()

    def test_the_reason_may_be_at_the_container(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped()
        deployment.task["containers"][0]["reason"] = PULL_TIMEOUT

        assert not deployment.poll()
        assert len(deployment.aws.tasks) == 2

    def test_repeats_until_the_bound(self, deployment: Deployment) -> None:
        deployment.start()
        for count in (1, 2):
            deployment.stopped(reason=PULL_TIMEOUT)
            assert not deployment.poll()
            assert len(deployment.aws.tasks) == count + 1
        deployment.stopped(reason=PULL_TIMEOUT)

        reason = deployment.refusal()

        assert f"never started (attempts: 3): TaskFailedToStart; {PULL_TIMEOUT}" in reason
        assert len(deployment.aws.tasks) == 3

    def test_the_reason_is_that_of_the_last_attempt(self, deployment: Deployment) -> None:
        deployment.start()
        for reason in (PULL_TIMEOUT, FULL, SLOW_NETWORK):
            deployment.stopped(reason=reason)
            if reason != SLOW_NETWORK:
                assert not deployment.poll()

        reason = deployment.refusal()

        assert f"never started (attempts: 3): TaskFailedToStart; {SLOW_NETWORK}" in reason
        assert PULL_TIMEOUT not in reason
        assert FULL not in reason

    @pytest.mark.parametrize(
        "lasts",
        [
            "repository not found",
            "manifest unknown",
            "name unknown",
            "bucket does not exist",
            "permission denied",
            "User is not authorized to perform this",
            "401 Unauthorized",
            "403 Forbidden",
            "no basic auth credentials",
            "invalid reference format",
            "exec format error",
        ],
    )
    def test_a_permanent_reason_is_not_retried_whatever_else_is_said(
        self, deployment: Deployment, lasts: str
    ) -> None:
        deployment.start()
        deployment.stopped(reason=f"{lasts}; i/o timeout")

        assert f"never started: TaskFailedToStart; {lasts}; i/o timeout" in deployment.refusal()
        assert len(deployment.aws.tasks) == 1

    def test_a_listing_that_lags_starts_no_further_task(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        monkeypatch.setattr(FakeAws, "paginate", lambda _self, **_query: [{"taskArns": []}])

        assert not deployment.poll()
        assert not deployment.poll()
        assert len(deployment.aws.tasks) == 2

    @pytest.mark.parametrize("mine_is_listed", [True, False])
    def test_another_s_task_of_the_family_is_ignored(
        self, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, mine_is_listed: bool
    ) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        # Someone runs the family by hand, and it fails: not this request's business.
        foreign = {**deployment.task, "taskArn": "arn:foreign", "startedBy": "somebody"}
        foreign["containers"] = [{"name": "main", "exitCode": 1}]
        deployment.aws.tasks["arn:foreign"] = foreign
        if not mine_is_listed:
            pages = [{"taskArns": ["arn:foreign"]}]
            monkeypatch.setattr(FakeAws, "paginate", lambda _self, **_query: pages)

        assert not deployment.poll()
        assert not deployment.poll()
        assert len(deployment.aws.tasks) == 3
        deployment.stopped(exit_code=0)
        if mine_is_listed:
            assert deployment.poll()
        else:
            # The listing lags: the second attempt is not known to have ended.
            assert not deployment.poll()

    def test_a_permanent_reason_in_a_later_attempt_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.poll()
        deployment.stopped(reason=NO_IMAGE)

        reason = deployment.refusal()

        assert NO_IMAGE in reason
        assert PULL_TIMEOUT not in reason

    def test_a_command_that_began_is_never_repeated(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(stopCode="InfrastructureHealth", startedAt=True)

        assert "ended without an exit code: InfrastructureHealth" in deployment.refusal()
        assert len(deployment.aws.tasks) == 1

    def test_a_retry_that_cannot_be_started_fails(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.aws.faults["run_task"] = [INVALID]

        assert "could not be started" in deployment.refusal()

    def test_no_retry_close_to_the_deadline(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.now += 900 - 59

        assert "never started (attempts: 1)" in deployment.refusal()

    def test_no_retry_in_a_rollback(self, deployment: Deployment) -> None:
        deployment.update()
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"

        assert "never started (attempts: 1)" in deployment.refusal()


class TestDeadline:
    def test_a_hanging_task_is_stopped(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.now += 899
        assert not deployment.poll()
        deployment.now += 1

        reason = deployment.refusal()

        assert reason.startswith("Release task hung: not done after 900 s, and was stopped\n")
        stop = dict(deployment.aws.calls)["stop_task"]
        assert stop["task"] == deployment.task["taskArn"]
        assert stop["reason"]

    def test_the_attempt_that_hangs_is_stopped(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.poll()
        deployment.now += 900

        deployment.refusal()

        assert dict(deployment.aws.calls)["stop_task"]["task"] == deployment.task["taskArn"]

    @pytest.mark.parametrize("error", [THROTTLED, DENIED, aws.ReadTimeoutError(endpoint_url="ecs")])
    def test_a_failing_stop_is_in_the_reason(
        self, deployment: Deployment, error: Exception
    ) -> None:
        deployment.start()
        deployment.now += 900
        deployment.aws.faults["stop_task"] = [error]

        reason = deployment.refusal()

        assert f"hung: not done after 900 s, and could not be stopped: {error}" in reason
        assert "Log: https://" in reason

    @pytest.mark.parametrize("call", ["describe_tasks", "list_tasks"])
    @pytest.mark.parametrize(
        "error",
        [
            THROTTLED,
            client_error("ServerException", status=503),
            aws.ConnectTimeoutError(endpoint_url="ecs"),
        ],
        ids=str,
    )
    def test_a_throttled_call_is_repeated_until_the_deadline(
        self, deployment: Deployment, call: str, error: Exception
    ) -> None:
        deployment.start()
        deployment.stopped(reason=PULL_TIMEOUT)
        deployment.aws.faults[call] = [error, error, error]
        assert not deployment.poll()
        assert not deployment.poll()
        deployment.now += 900

        assert "hung" in deployment.refusal()
        assert "stop_task" in deployment.aws.names()

    def test_a_denied_call_fails_at_once(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["describe_tasks"] = [DENIED]

        assert "could not be watched" in deployment.refusal()


class TestWarn:
    """With `OnFailure` "warn" a failure is logged, and the deployment goes on."""

    @pytest.fixture
    def deployment(self, deployment: Deployment) -> Deployment:
        deployment.event["ResourceProperties"]["OnFailure"] = "warn"
        return deployment

    def test_a_failing_task_is_only_logged(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.start()
        deployment.stopped(exit_code=3)
        deployment.aws.lines = ["no mail server"]

        assert deployment.poll()
        (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
        assert warning.startswith("Release task exited with code 3\nCommand: manage migrate\n")
        assert warning.endswith("\nno mail server")

    def test_a_task_that_cannot_be_started_is_only_logged(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.aws.faults["run_task"] = [INVALID]

        assert deployment.start()["Data"] == {"TaskArn": ""}
        assert "Release task could not be started" in caplog.text
        # There is nothing to wait for.
        assert deployment.poll()
        assert deployment.aws.names() == ["describe_stacks", "run_task"]

    def test_a_task_that_hangs_is_still_stopped(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.start()
        deployment.now += 900

        assert deployment.poll()
        assert "stop_task" in deployment.aws.names()
        assert "hung: not done after 900 s, and was stopped" in caplog.text

    def test_a_task_that_cannot_be_watched_is_only_logged(
        self, deployment: Deployment, caplog: pytest.LogCaptureFixture
    ) -> None:
        deployment.start()
        deployment.aws.faults["describe_tasks"] = [DENIED]

        assert deployment.poll()
        assert "could not be watched" in caplog.text

    def test_a_running_task_is_waited_for(self, deployment: Deployment) -> None:
        deployment.start()

        assert not deployment.poll()

    @pytest.mark.parametrize("on_failure", ["fail", "", "WARN"])
    def test_everything_else_fails(self, deployment: Deployment, on_failure: str) -> None:
        deployment.event["ResourceProperties"]["OnFailure"] = on_failure
        deployment.start()
        deployment.stopped(exit_code=3)

        assert "exited with code 3" in deployment.refusal()


class TestRollbackWhileWaiting:
    def test_a_first_release_is_stopped(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.stack_status = "ROLLBACK_IN_PROGRESS"

        assert "was cancelled by a rollback, and was stopped" in deployment.refusal()
        assert "stop_task" in deployment.aws.names()

    def test_a_later_release_may_finish(self, deployment: Deployment) -> None:
        deployment.update()
        deployment.start()
        deployment.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert not deployment.poll()
        deployment.stopped(exit_code=0)

        assert deployment.poll()
        assert "stop_task" not in deployment.aws.names()

    def test_an_unknown_status_stops_nothing(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.aws.faults["describe_stacks"] = [THROTTLED]

        assert not deployment.poll()


class TestReason:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (client_error("ResourceNotFoundException"), "(no log: ResourceNotFoundException)"),
            (DENIED, "(no log: AccessDeniedException)"),
            (aws.EndpointConnectionError(endpoint_url="logs"), "(no log: EndpointConnectionError)"),
        ],
    )
    def test_an_unreadable_log_does_not_hide_the_failure(
        self, deployment: Deployment, error: Exception, text: str
    ) -> None:
        deployment.start()
        deployment.stopped(exit_code=1)
        deployment.aws.faults["get_log_events"] = [error]

        reason = deployment.refusal()

        assert "exited with code 1" in reason
        assert "Log: https://" in reason
        assert reason.endswith(text)

    def test_a_task_that_never_started_has_no_log(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(reason=NO_IMAGE)
        deployment.aws.faults["get_log_events"] = [client_error("ResourceNotFoundException")]

        reason = deployment.refusal()

        assert "never started" in reason
        assert "no log" not in reason
        assert "Log: " not in reason

    def test_an_empty_log_is_mentioned(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=1)

        assert deployment.refusal().endswith("\n(no log lines)")

    @pytest.mark.parametrize("letter", ["x", "ß", "語", "🙈", "\ud800"])
    def test_the_first_log_lines_are_dropped_first(
        self, deployment: Deployment, letter: str
    ) -> None:
        deployment.start()
        deployment.stopped(exit_code=7)
        deployment.aws.lines = [f"{number} {letter * 97}" for number in range(20)] + ["the end"]

        reason = deployment.refusal()

        assert reason.startswith("Release task exited with code 7\nCommand: manage migrate\nLog: ")
        assert "log-events/release$252Fmain$252F1\n…" in reason
        assert reason.endswith("\nthe end")
        # No more is lost than the parts of one letter.
        assert len(reason.encode()) > _aws.REASON_LIMIT - 4

    def test_every_long_part_of_the_reason_is_shortened(self, deployment: Deployment) -> None:
        deployment.event["ResourceProperties"]["Command"] = "語" * 500
        deployment.start()
        deployment.stopped(reason=f"{NO_IMAGE} " + "語" * 500, startedAt=True)
        deployment.aws.lines = ["ß" * 1000]

        head, command, link, lines = deployment.refusal().split("\n")

        assert head.startswith(f"Release task ended without an exit code: {NO_IMAGE}")
        assert command.endswith("語…")
        assert link.endswith("release$252Fmain$252F1")
        assert lines.startswith("…ß")

    @pytest.mark.parametrize("left", range(8))
    def test_log_lines_are_shortened_before_the_link(
        self, deployment: Deployment, left: int
    ) -> None:
        deployment.start()
        deployment.stopped(exit_code=9)
        bare = len(deployment.refusal().removesuffix("\n(no log lines)"))
        fill = "g" * (_aws.REASON_LIMIT - bare - left)
        deployment.event["ResourceProperties"]["LogGroup"] += fill
        deployment.aws.lines = ["a line of the log"]

        head, _, link, *lines = deployment.refusal().split("\n")

        assert head == "Release task exited with code 9"
        assert link.endswith("release$252Fmain$252F1")
        assert bool(lines) is (left > 4)

    def test_the_cause_is_shortened_before_the_link(self, deployment: Deployment) -> None:
        deployment.event["ResourceProperties"]["LogGroup"] = "g" * 512
        deployment.start()
        deployment.stopped(reason=f"{NO_IMAGE} " + "x" * 500, startedAt=True)

        head, _, link, *_ = deployment.refusal().split("\n")

        assert head.startswith("Release task ended without an exit code: CannotPull")
        assert link.endswith("release$252Fmain$252F1")

    @pytest.mark.parametrize(
        ("partition", "region", "host"),
        [
            ("aws", "eu-central-1", "console.aws.amazon.com"),
            ("aws-cn", "cn-north-1", "console.amazonaws.cn"),
            ("aws-us-gov", "us-gov-west-1", "console.amazonaws-us-gov.com"),
        ],
    )
    def test_the_link_is_of_the_partition(
        self, deployment: Deployment, partition: str, region: str, host: str
    ) -> None:
        cluster = f"arn:{partition}:ecs:{region}:111122223333:cluster/app"
        deployment.event["ResourceProperties"]["Cluster"] = cluster
        deployment.start()
        deployment.stopped(exit_code=1)

        assert (
            f"Log: https://{host}/cloudwatch/home?region={region}#logsV2:" in deployment.refusal()
        )

    def test_no_secret_is_in_the_reason(self, deployment: Deployment) -> None:
        """As a Galv of 2.5 ends without credentials: `env`, and after it a traceback."""
        deployment.event["ResourceProperties"]["SecretNames"] = ["LICENCE"]
        deployment.start()
        deployment.stopped(exit_code=1)
        deployment.aws.lines = [
            "LICENCE=hunter2-licence",
            "[release] migrate: started",
            "connecting to postgresql://galv:hunt:er2@db:5432/galv",
            "INFO starting",
            *(f"VARIABLE_{number}=hunter2" for number in range(60)),
            "DJANGO_SECRET_KEY=hunter2 with, any 'thing",
            "POSTGRES_PASSWORD=hunter2",
            "Traceback (most recent call last):",
            '  File "/code/config/settings_base.py", line 346, in <module>',
            "ValueError: AWS settings are incomplete",
        ]

        reason = deployment.refusal()

        assert "hunt" not in reason
        assert "postgresql://galv:[redacted]@db:5432/galv" in reason
        assert "LICENCE=[redacted]" in reason
        assert "[environment left out: 62 lines]" in reason
        assert reason.endswith(
            "Traceback (most recent call last):\n"
            '  File "/code/config/settings_base.py", line 346, in <module>\n'
            "ValueError: AWS settings are incomplete"
        )

    def test_a_secret_is_left_out_before_its_name_is_cut_off(self, deployment: Deployment) -> None:
        deployment.start()
        deployment.stopped(exit_code=1)
        deployment.aws.lines = [f"DJANGO_SECRET_KEY={'hunter2 ' * 200}"]

        assert "hunter2" not in deployment.refusal()

    def test_no_secret_is_in_what_ecs_says(self, deployment: Deployment) -> None:
        deployment.event["ResourceProperties"]["Command"] = "tool --password hunter2"
        deployment.start()
        deployment.stopped(reason=f"{NO_IMAGE} https://me:hunter2@registry/x", startedAt=True)

        reason = deployment.refusal()

        assert "hunter2" not in reason
        assert "CannotPullContainerError" in reason


def test_properties_are_not_logged(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    deployment.start()
    deployment.stopped(reason=PULL_TIMEOUT)
    deployment.poll()

    texts = [record.getMessage() for record in caplog.records]
    assert texts
    for text, value in itertools.product(texts, ("manage migrate", "subnet-1", "/ecs/$app")):
        assert value not in text
