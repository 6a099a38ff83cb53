"""The example application at night."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from backends import validation
from example import CONTEXT
from galv_app.stacks import add_stacks
from templates import Json, of_type, synthesize

HOURS = {"isProduction": False, "awakeHours": "Mon-Fri 08:00-18:00"}
SCHEDULE = "AWS::Scheduler::Schedule"


def backend(**context: Any) -> Json:
    """The template of the backend's stack, with changes to its cdk.json."""
    stacks: list[Stack] = add_stacks(App(context={**CONTEXT, **context}, **validation(on=False)))
    (stack,) = (stack for stack in stacks if stack.stack_name == "galv-BackendStack")
    return synthesize(stack)


@pytest.mark.parametrize("zone", [None, "Europe/London"])
def test_rests_outside_of_its_hours(zone: str | None) -> None:
    template = backend(**HOURS, timeZone=zone)

    found = {
        (one["Properties"]["ScheduleExpression"], one["Properties"]["ScheduleExpressionTimezone"])
        for one in of_type(template, SCHEDULE, "Sleep").values()
    }
    clock = zone or "Etc/UTC"
    assert found == {
        ("cron(0 8 ? * MON,TUE,WED,THU,FRI *)", clock),
        ("cron(0 18 ? * * *)", clock),
    }


def test_validations_rest_too() -> None:
    template = backend(**HOURS)

    (function,) = [
        one["Properties"]
        for one in of_type(template, "AWS::Lambda::Function").values()
        if one["Properties"]["Handler"] == "handlers.sleep.handle"
    ]
    plan = str(function["Environment"]["Variables"]["PLAN"])
    (schedule,) = of_type(template, SCHEDULE, "ValidationMonitor")
    assert schedule in plan


@pytest.mark.parametrize(
    ("more", "windows"),
    [
        (HOURS, ("12:45-13:15", "mon:13:30-mon:14:00")),
        ({"isProduction": False}, (None, None)),
    ],
)
def test_is_backed_up_and_maintained_in_the_day(
    more: Json, windows: tuple[str | None, str | None]
) -> None:
    (database,) = of_type(backend(**more), "AWS::RDS::DBInstance").values()

    found = database["Properties"]
    assert windows == (
        found.get("PreferredBackupWindow"),
        found.get("PreferredMaintenanceWindow"),
    )


def test_rests_without_validations_too() -> None:
    assert len(of_type(backend(**HOURS, monitorIntervalMinutes=0), SCHEDULE)) == 2


def test_is_always_awake_otherwise() -> None:
    assert of_type(backend(isProduction=False), "Custom::GalvSleep") == {}
