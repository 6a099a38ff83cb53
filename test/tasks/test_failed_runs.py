"""Failed runs: the rule of `GalvScheduledTask` against events as ECS sends them."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import new_app
from templates import Json, only, only_id, synthesize, task_definition

from galv_constructs import GalvNetwork, GalvScheduledTask, TaskRuntime

# A way to look at an event or a pattern: values by path.
View = dict[tuple[str, ...], list[Any]]


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[View]:
    """The ways to look at an event with one element of each array of objects."""
    if isinstance(node, dict):
        parts = [list(leaves(value, (*path, key))) for key, value in node.items()]
        for choice in product(*parts):
            yield {key: value for part in choice for key, value in part.items()}
    elif isinstance(node, list) and node and all(isinstance(item, dict) for item in node):
        for item in node:
            yield from leaves(item, path)
    else:
        yield {path: node if isinstance(node, list) else [node]}


def conditions(pattern: Json) -> Iterator[View]:
    """The alternatives of an event pattern, each with its conditions by path."""
    parts: list[list[View]] = []
    for key, value in pattern.items():
        if key == "$or":
            parts.append([found for one in value for found in conditions(one)])
        elif isinstance(value, dict):
            parts.append(
                [
                    {(key, *path): wanted for path, wanted in found.items()}
                    for found in conditions(value)
                ]
            )
        else:
            parts.append([{(key,): value}])
    for choice in product(*parts):
        yield {path: wanted for part in choice for path, wanted in part.items()}


def fits(value: Any, wanted: Any) -> bool:
    match wanted:
        case {"prefix": start}:
            return isinstance(value, str) and value.startswith(start)
        case {"anything-but": other}:
            return bool(value != other)
        case dict():
            raise NotImplementedError(wanted)
        case _:
            return bool(value == wanted)


def matches(pattern: Json, event: Json) -> bool:
    """Match a pattern as EventBridge does, as far as the rule uses it.

    As https://github.com/aws/event-ruler describes it: conditions on the elements of an array hold
    for one and the same element; `exists: false` is about the whole event.
    """
    views = list(leaves(event))
    present = {path for view in views for path in view}
    return any(
        all(path not in present for path, wanted in one.items() if wanted == [{"exists": False}])
        and any(
            all(
                any(fits(value, want) for value in view.get(path, []) for want in wanted)
                for path, wanted in one.items()
                if wanted != [{"exists": False}]
            )
            for view in views
        )
        for one in conditions(pattern)
    )


ACCOUNT = "arn:aws:ecs:eu-west-1:111122223333"


def event(**detail: Any) -> Json:
    """An event as ECS sends it at the end of a Fargate task.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
    """
    task = f"{ACCOUNT}:task/reports/c13b4cb40f1f4fe4a2971f76ae5a47ad"
    return {
        "version": "0",
        "id": "3317b2af-7005-947d-b652-f55e762e571a",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "111122223333",
        "time": "2027-01-15T08:01:10Z",
        "region": "eu-west-1",
        "resources": [task],
        "detail": {
            "attachments": [
                {
                    "id": "1789bcae-ddfb-4d10-8ebe-8ac87ddba5b8",
                    "type": "eni",
                    "status": "DELETED",
                    "details": [
                        {"name": "subnetId", "value": "subnet-abcd1234"},
                        {"name": "networkInterfaceId", "value": "eni-abcd1234"},
                        {"name": "privateIPv4Address", "value": "10.0.0.139"},
                    ],
                }
            ],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": "eu-west-1a",
            "capacityProviderName": "FARGATE",
            "clusterArn": f"{ACCOUNT}:cluster/reports",
            "connectivity": "CONNECTED",
            "connectivityAt": "2027-01-15T08:00:12.462Z",
            "containers": [stopped(exitCode=0)],
            "cpu": "256",
            "createdAt": "2027-01-15T08:00:03.120Z",
            "desiredStatus": "STOPPED",
            "enableExecuteCommand": False,
            "ephemeralStorage": {"sizeInGiB": 20},
            "executionStoppedAt": "2027-01-15T08:00:58.041Z",
            "group": "family:report",
            "lastStatus": "STOPPED",
            "launchType": "FARGATE",
            "memory": "1024",
            "overrides": {"containerOverrides": [{"name": "report"}]},
            "platformVersion": "1.4.0",
            "pullStartedAt": "2027-01-15T08:00:20.103Z",
            "pullStoppedAt": "2027-01-15T08:00:31.221Z",
            "startedAt": "2027-01-15T08:00:32.007Z",
            "startedBy": "scheduled-0123456789abcdef01234567",
            "stopCode": "EssentialContainerExited",
            "stoppedAt": "2027-01-15T08:01:10.330Z",
            "stoppedReason": "Essential container in task exited",
            "stoppingAt": "2027-01-15T08:01:00.114Z",
            "taskArn": task,
            "taskDefinitionArn": f"{ACCOUNT}:task-definition/StackReportTask1234:7",
            "updatedAt": "2027-01-15T08:01:10.330Z",
            "version": 6,
            **detail,
        },
    }


def stopped(name: str = "report", **fields: Any) -> Json:
    return {
        "containerArn": f"{ACCOUNT}:container/reports/c13b4cb4/cf159fd6-3e3f-4a9e-84f9",
        "lastStatus": "STOPPED",
        "name": name,
        "image": "reports:1.4.2",
        "imageDigest": "sha256:74b2c688c700ec95a93e478cdb959737c148df3fbf5ea706abe0318726e885e6",
        "runtimeId": "ad64cbc71c7fb31c55507ec24c9f77947132b03d48d9961115cf24f3b7307e1e",
        "taskArn": f"{ACCOUNT}:task/reports/c13b4cb40f1f4fe4a2971f76ae5a47ad",
        "networkInterfaces": [
            {"attachmentId": "1789bcae", "privateIpv4Address": "10.0.0.139"},
        ],
        "cpu": "0",
        **fields,
    }


SUCCEEDED = {
    "exit code 0": event(),
    "exit code 0, and something beside it failed": event(
        containers=[stopped(exitCode=0), stopped("aws-guardduty-agent-x", exitCode=143)]
    ),
}
GOING_ON = {
    "running": event(
        lastStatus="RUNNING", desiredStatus="RUNNING", stopCode=None, containers=[stopped()]
    ),
    "deprovisioning": event(lastStatus="DEPROVISIONING", containers=[stopped(exitCode=1)]),
}
FAILED = {
    "exit code 1": event(containers=[stopped(exitCode=1)]),
    "out of memory": event(
        containers=[
            stopped(exitCode=137, reason="OutOfMemoryError: Container killed due to memory usage")
        ]
    ),
    "exit code 1 beside something that ended well": event(
        containers=[stopped("aws-guardduty-agent-x", exitCode=0), stopped(exitCode=1)]
    ),
    "no image": event(
        stopCode="TaskFailedToStart",
        stoppedReason="CannotPullContainerError: failed to resolve ref reports:1.4.2: not found",
        containers=[stopped()],
    ),
    "no image, and a container of AWS's": event(
        stopCode="TaskFailedToStart",
        stoppedReason="ResourceInitializationError: unable to pull secrets",
        containers=[stopped(), stopped("aws-guardduty-agent-x", exitCode=0)],
    ),
    "a command that does not exist": event(
        containers=[stopped(reason="CannotStartContainerError: exec: no such file or directory")]
    ),
    "stopped at its deadline": event(
        stopCode="UserInitiated",
        stoppedReason="Not done after 3600 s",
        containers=[stopped(exitCode=143)],
    ),
    "stopped, which the application takes well": event(
        stopCode="UserInitiated", containers=[stopped(exitCode=0)]
    ),
    "the machine went away": event(
        stopCode="TerminationNotice", stoppedReason="Host retired", containers=[stopped()]
    ),
}
OTHERS = {
    "another cluster": event(
        clusterArn=f"{ACCOUNT}:cluster/other", containers=[stopped(exitCode=1)]
    ),
    "another family": event(
        taskDefinitionArn=f"{ACCOUNT}:task-definition/StackReportTask12345:7",
        containers=[stopped(exitCode=1)],
    ),
    "another kind of event": {
        **event(containers=[stopped(exitCode=1)]),
        "detail-type": "ECS Service Action",
    },
    "an imitation": {**event(containers=[stopped(exitCode=1)]), "source": "my.own"},
}


@pytest.fixture(scope="module")
def pattern() -> Json:
    """The pattern of the rule, with names as they would be in an account."""
    stack = Stack(new_app(), "Stack")
    cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Vpc", max_azs=1))
    runtime = TaskRuntime(
        cluster=cluster,
        network=GalvNetwork.from_vpc(cluster.vpc),
        image=ecs.ContainerImage.from_registry("reports:1.4.2"),
        log_group_prefix="/reports",
    )
    GalvScheduledTask(
        stack,
        "Report",
        runtime=runtime,
        command=["x"],
        schedule=ScheduleExpression.rate(Duration.minutes(5)),
    )
    result = synthesize(stack)
    cluster_id = only_id(result, "AWS::ECS::Cluster")
    _, definition = task_definition(result, "report")

    def resolved(value: Any) -> Any:
        match value:
            case {"Fn::GetAtt": [name, "Arn"]} if name == cluster_id:
                return f"{ACCOUNT}:cluster/reports"
            case {"Fn::Join": ["", parts]}:
                return "".join(map(resolved, parts))
            case {"Ref": name}:
                return {
                    "AWS::Partition": "aws",
                    "AWS::Region": "eu-west-1",
                    "AWS::AccountId": "111122223333",
                }[name]
            case dict():
                return {key: resolved(item) for key, item in value.items()}
            case list():
                return [resolved(item) for item in value]
            case _:
                return value

    found: Json = resolved(only(result, "AWS::Events::Rule")["EventPattern"])
    family = definition["Family"]
    named: Json = json.loads(json.dumps(found).replace(family, "StackReportTask1234"))
    return named


@pytest.mark.parametrize("name", FAILED)
def test_matches_a_failed_run(pattern: Json, name: str) -> None:
    assert matches(pattern, FAILED[name])


@pytest.mark.parametrize("name", SUCCEEDED)
def test_ignores_a_successful_run(pattern: Json, name: str) -> None:
    assert not matches(pattern, SUCCEEDED[name])


@pytest.mark.parametrize("name", GOING_ON)
def test_ignores_a_run_that_is_not_over(pattern: Json, name: str) -> None:
    assert not matches(pattern, GOING_ON[name])


@pytest.mark.parametrize("name", OTHERS)
def test_ignores_runs_of_other_tasks(pattern: Json, name: str) -> None:
    assert not matches(pattern, OTHERS[name])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
        ({"a": ["x", "y"]}, True),
        ({"a": ["z"]}, False),
        ({"a": [{"anything-but": "x"}]}, True),
        ({"one": [{"anything-but": 1}]}, False),
        ({"missing": [{"anything-but": 1}]}, False),
        ({"missing": [{"exists": False}]}, True),
        ({"list": {"k": [{"exists": False}]}}, False),
        ({"list": {"k": [1], "v": [2]}}, True),
        ({"list": {"k": [1], "v": [3]}}, False),
        ({"list": {"k": [2], "v": [{"anything-but": 2}]}}, False),
        ({"$or": [{"one": [2]}, {"a": ["x"]}], "one": [1]}, True),
        ({"$or": [{"one": [2]}, {"a": ["x"]}], "one": [2]}, False),
    ],
)
def test_the_evaluator_matches_as_documented_by_eventbridge(pattern: Json, expected: bool) -> None:
    sample = {"a": ["x", "y"], "one": 1, "list": [{"k": 1, "v": 2}, {"k": 2}]}

    assert matches(pattern, sample) is expected
