"""The example application's validation monitor."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from backends import validation
from example import CONTEXT
from galv_app.stacks import add_stacks
from templates import Json, container, needs, of_type, only, only_id, synthesize, task_definition


def backend(**context: Any) -> Json:
    """The template of the backend's stack, with changes to its cdk.json."""
    stacks: list[Stack] = add_stacks(App(context={**CONTEXT, **context}, **validation(on=False)))
    (stack,) = (stack for stack in stacks if stack.stack_name == "galv-BackendStack")
    return synthesize(stack)


@pytest.fixture(scope="module")
def documented() -> Json:
    """The template of the backend's stack, with cdk.json as it is."""
    return backend()


@pytest.mark.parametrize(
    ("minutes", "expression"),
    [(None, "rate(5 minutes)"), ("1", "rate(1 minute)"), (90, "rate(90 minutes)")],
)
def test_runs_at_the_interval(documented: Json, minutes: object, expression: str) -> None:
    template = documented if minutes is None else backend(monitorIntervalMinutes=minutes)

    assert only(template, "AWS::Scheduler::Schedule")["ScheduleExpression"] == expression
    assert container(template, "validation-monitor")["Command"] == [
        "python",
        "manage.py",
        "validate_against_schemas",
    ]


@pytest.mark.parametrize("minutes", [0, "0"])
def test_is_off_at_0_and_can_be_run_by_hand(minutes: object) -> None:
    template = backend(monitorIntervalMinutes=minutes)

    assert not of_type(template, "AWS::Scheduler::Schedule")
    # Those of the web ACL stay.
    assert all("WebAcl" in id for id in of_type(template, "AWS::CloudWatch::Alarm"))
    assert task_definition(template, "validation-monitor")


@pytest.mark.parametrize(
    ("context", "on_spot"),
    [
        ({}, set()),
        ({"fargateSpot": True}, {"validation-monitor"}),
        ({"fargateSpot": True, "isProduction": False}, {"validation-monitor", "web"}),
    ],
)
def test_only_what_may_be_interrupted_is_on_fargate_spot(context: Json, on_spot: set[str]) -> None:
    template = backend(**context)

    tasks = ("validation-monitor", "web", "setup-db", "check-status")
    tag = {"Key": "galv:spot", "Value": "true"}
    assert {name for name in tasks if tag in task_definition(template, name)[1]["Tags"]} == on_spot


@pytest.mark.parametrize("minutes", [-5, 1.5, "five"])
def test_refuses_an_invalid_interval(minutes: object) -> None:
    with pytest.raises(ValueError, match="monitorIntervalMinutes: must be"):
        backend(monitorIntervalMinutes=minutes)


def test_changes_only_after_setup_has_succeeded(documented: Json) -> None:
    setup = only_id(documented, "Custom::GalvReleaseTask", "BackendSetup")
    function = only_id(documented, "AWS::Lambda::Function", "ValidationMonitor")
    assert setup in needs(documented, function)
    assert setup in needs(documented, only_id(documented, "AWS::Scheduler::Schedule"))


def test_carries_the_project_tag() -> None:
    template = backend(projectNameTag="battery-lab")

    _, definition = task_definition(template, "validation-monitor")
    assert {"Key": "project-name", "Value": "battery-lab"} in definition["Tags"]
