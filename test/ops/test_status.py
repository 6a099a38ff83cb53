"""What status says of a deployment that is not well."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from ops.recorded import LATER, REGION, Json, Recorded, ran, resource, service, stack

# Clients of a dozen services for each test.
pytestmark = pytest.mark.slow

BACKEND = "galv-BackendStack"


def line(recorded: Recorded, name: str, code: int = 1) -> str:
    """What status says of a part, with one space between columns."""
    result = recorded.run("status")
    assert result.exit_code == code, result.output
    (found,) = re.findall(rf"^\w+ +{name} .*$", result.stdout, re.MULTILINE)
    return " ".join(found.split())


def test_all_is_well(recorded: Recorded) -> None:
    result = recorded.run("status")

    assert result.exit_code == 0
    assert "bad" not in result.stdout
    assert "steady state" in result.stdout


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("UPDATE_IN_PROGRESS", "busy", 0),
        ("UPDATE_ROLLBACK_COMPLETE", "bad", 1),
        ("ROLLBACK_FAILED", "bad", 1),
    ],
)
def test_stacks(recorded: Recorded, status: str, state: str, code: int) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, status)]

    assert line(recorded, "stack", code).startswith(f"{state} stack {BACKEND} {status} 2026-05-01")


@pytest.mark.parametrize(
    ("changes", "state", "code"),
    [
        ({"runningCount": 1}, "bad", 1),
        ({"deployments": [{"rolloutState": "FAILED"}]}, "bad", 1),
        ({"deployments": [{"rolloutState": "IN_PROGRESS"}], "runningCount": 1}, "busy", 0),
    ],
)
def test_the_web_service(
    recorded: Recorded, changes: dict[str, Any], state: str, code: int
) -> None:
    recorded.answers["ecs.DescribeServices"] = {"services": [service(**changes)]}

    assert line(recorded, "web", code).startswith(f"{state} web ")


def test_no_web_service(recorded: Recorded) -> None:
    recorded.resources[BACKEND] = [
        one for one in recorded.resources[BACKEND] if one["ResourceType"] != "AWS::ECS::Service"
    ]

    assert line(recorded, "web") == "bad web there is no web service"


def test_setup_that_failed(recorded: Recorded) -> None:
    recorded.tasks = [ran("setup-db", exit_code=3)]

    assert line(recorded, "setup").startswith("bad setup exited with code 3 2026-05-01 02:05 UTC: ")


def test_one_off_commands_are_no_setup(recorded: Recorded) -> None:
    override = {"containerOverrides": [{"name": "setup-db", "command": ["false"]}]}
    one_off = ran("setup-db", exit_code=1, id="later", at=LATER + timedelta(1), overrides=override)
    recorded.tasks = [ran("setup-db", exit_code=0), one_off]

    assert line(recorded, "setup", 0).startswith("ok setup succeeded 2026-05-01")


def streams(recorded: Recorded, *names: str) -> None:
    recorded.answers["cloudwatch-logs.DescribeLogStreams"] = {
        "logStreams": [
            {"logStreamName": name, "lastEventTimestamp": round(LATER.timestamp() * 1000)}
            for name in names
        ]
    }


@pytest.mark.parametrize(
    ("last", "state", "code"),
    [
        ("[release] collectstatic: done", "ok", 0),
        ("[release] migrate: failed with exit code 3", "bad", 1),
    ],
)
def test_a_setup_that_ecs_has_forgotten_is_read_from_its_log(
    recorded: Recorded, last: str, state: str, code: int
) -> None:
    recorded.tasks = []
    streams(recorded, "setup-db/setup-db/one-off", "setup-db/setup-db/old")
    recorded.log_lines = {
        "setup-db/setup-db/one-off": ["whatever"],
        "setup-db/setup-db/old": ["[release] migrate: started", last],
    }
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {"events": []}

    assert line(recorded, "setup", code) == f"{state} setup {last} 2026-05-01 02:05 UTC"


def test_a_run_of_a_schedule_that_ecs_has_forgotten(recorded: Recorded) -> None:
    streams(recorded, "validation-monitor/validation-monitor/0a1b")
    said = "[ERROR] FAILED: 0a1b exited with code 1"

    def answer(request: Json, _region: str) -> Json:
        assert request["filterPattern"] == '"FAILED: 0a1b"'
        assert "ValidationMonitorRunsLogGroup" in request["logGroupName"]
        return {"events": [{"message": said}]}

    recorded.answers["cloudwatch-logs.FilterLogEvents"] = answer

    assert line(recorded, "validation-monitor") == (
        f"bad validation-monitor rate(5 minutes); last run {said} 2026-05-01 02:05 UTC"
    )


def test_a_schedule_that_is_off(recorded: Recorded) -> None:
    recorded.answers["scheduler.GetSchedule"] = {"State": "DISABLED"}

    assert line(recorded, "validation-monitor", 0).startswith("off validation-monitor disabled by")


def test_the_sandbox_of_ses(recorded: Recorded) -> None:
    recorded.answers["sesv2.GetAccount"] = {"ProductionAccessEnabled": False}
    recorded.answers["sesv2.GetEmailIdentity"] = {"VerifiedForSendingStatus": False}

    result = recorded.run("status")

    assert re.search(r"^bad +mail +mail.example.com not verified", result.stdout, re.MULTILINE)
    assert "the account is in the sandbox of SES" in result.stdout


def test_the_site(recorded: Recorded) -> None:
    front = stack("galv-FrontendStack")
    front["Outputs"] = [{"OutputKey": "FrontendVersion", "OutputValue": "2.3.1"}]
    recorded.stacks[REGION].append(front)
    recorded.resources["galv-FrontendStack"] = [
        resource("FrontendReleaseF29AC28F", "Custom::GalvSiteRelease", "r", "UPDATE_FAILED")
    ]

    assert line(recorded, "site") == ("bad site version 2.3.1, UPDATE_FAILED 2026-05-01 02:05 UTC")


def test_a_part_that_may_not_be_read(recorded: Recorded) -> None:
    recorded.refuse("rds.DescribeDBInstances", "AccessDenied", "no")

    assert line(recorded, "database", 0).startswith("unknown database not allowed to call")


def test_a_part_that_was_deleted_by_hand(recorded: Recorded) -> None:
    recorded.refuse("rds.DescribeDBInstances", "DBInstanceNotFound", "DBInstance db not found.")

    assert line(recorded, "database") == (
        "bad database AWS refused DescribeDBInstances: DBInstance db not found. "
        "(DBInstanceNotFound)"
    )


def test_throttling_is_no_part(recorded: Recorded) -> None:
    recorded.refuse("rds.DescribeDBInstances", "Throttling")

    assert recorded.run("status").exit_code == 125
