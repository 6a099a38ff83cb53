"""The calls of `galv-ops check`, checked in the role that GitHub Actions has."""

from __future__ import annotations

from itertools import count

import pytest
from aws_cdk import Stack
from backends import new_app
from iam_simulation import Resolved, is_allowed
from ops.recorded import ACCOUNT, REGION, Json, Recorded, definition, ran, sends_by_ses
from templates import only_id, synthesize

from galv_constructs import GalvDeployRole, GitHubSubject
from galv_ops.query import run as ops_run

BACKEND = "galv-BackendStack"
PREFIXES = {"cloudwatch-logs": "logs", "sesv2": "ses"}


def asked(call: str, request: Json) -> tuple[str, str]:
    """The action of IAM for a call, and the resource that it is about."""
    service, _, name = call.partition(".")
    match name:
        case "DescribeServices":
            resource = request["services"][0]
        case "DescribeTasks":
            resource = request["tasks"][0]
        case "RunTask":
            resource = request["taskDefinition"]
        case "ListStackResources":
            resource = request["StackName"]
        case "GetLogEvents":
            stream = f"{request['logGroupName']}:log-stream:{request['logStreamName']}"
            resource = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{stream}"
        case _:
            resource = "*"
    return f"{PREFIXES.get(service, service)}:{name}", resource


@pytest.fixture
def policies() -> list[Json]:
    """The policies of a role that may check the backend, and deploys elsewhere."""
    stack = Stack(new_app(), "Stack")
    GalvDeployRole(
        stack,
        "Role",
        subjects=[GitHubSubject.environment("octo-org/octo-repo", "production")],
        check_backends=[f"{BACKEND}/Backend"],
    )
    template = synthesize(stack)
    return list(Resolved(template).policies(only_id(template, "AWS::IAM::Role")))


def test_the_role_may_call_what_the_check_calls(
    recorded: Recorded, policies: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    sends_by_ses(recorded)
    run = ran("check-status", exit_code=0, id="ffff")
    recorded.tasks.append(run)
    recorded.answers["ecs.RunTask"] = {"tasks": [run], "failures": []}
    lines = iter([[{"timestamp": 0, "message": '{"database": "OK"}'}]])
    recorded.answers["cloudwatch-logs.GetLogEvents"] = lambda _request, _region: {
        "events": next(lines, []),
        "nextForwardToken": "f/end",
    }
    seconds = count()
    monkeypatch.setattr(ops_run, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(ops_run, "sleep", lambda _seconds: None)

    result = recorded.run("check", "--stack", BACKEND, "--json")

    assert result.exit_code == 0, result.output
    assert '"sesSandbox": false' in result.stdout
    called = [asked(call, request) for call, request in recorded.requests]
    assert ("ecs:RunTask", definition("check-status")) in called
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{BACKEND}-Cluster"
    assert [one for one in called if not is_allowed(policies, *one, ecs__cluster=cluster)] == []
    # What ECS asks for when tasks get tags and roles.
    ((_, request),) = [one for one in recorded.requests if one[0] == "ecs.RunTask"]
    assert request["propagateTags"] == "TASK_DEFINITION"
    assert is_allowed(policies, "ecs:TagResource", run["taskArn"], ecs__CreateAction="RunTask")


def test_the_role_may_not_call_what_other_commands_call(policies: list[Json]) -> None:
    for call in (
        ("ecs:RunTask", definition("setup-db")),
        ("ecs:ExecuteCommand", f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/galv-BackendStack-x/1"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:x"),
    ):
        assert not is_allowed(policies, *call)
