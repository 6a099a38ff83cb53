"""The output of status for a deployment with a fault."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from ops.recorded import (
    LATER,
    REGION,
    AwsError,
    Json,
    Recorded,
    ran,
    resource,
    sends_by_ses,
    service,
    stack,
)
from ops.transcript import transcript

BACKEND = "galv-BackendStack"


def line(recorded: Recorded, name: str, code: int = 1) -> str:
    """Return the line of status about a part, with one space between columns."""
    result = recorded.run("status")
    assert result.exit_code == code, result.output
    (found,) = re.findall(rf"^\w+ +{name} .*$", result.stdout, re.MULTILINE)
    return " ".join(found.split())


def test_shows_a_healthy_deployment(recorded: Recorded) -> None:
    result = recorded.run("status")

    assert result.exit_code == 0
    assert "bad" not in result.stdout
    assert "steady state" in result.stdout


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("UPDATE_IN_PROGRESS", "busy", 0),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "busy", 0),
        ("UPDATE_ROLLBACK_COMPLETE", "back", 0),
        ("UPDATE_ROLLBACK_FAILED", "bad", 1),
        ("REVIEW_IN_PROGRESS", "busy", 0),
        ("ROLLBACK_COMPLETE", "bad", 1),
        ("ROLLBACK_FAILED", "bad", 1),
    ],
)
def test_shows_the_state_of_the_stacks(
    recorded: Recorded, status: str, state: str, code: int
) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, status)]

    assert line(recorded, "stack", code).startswith(f"{state} stack {BACKEND} {status} 2026-05-01")


@pytest.mark.parametrize(
    ("changes", "state", "code"),
    [
        ({"runningCount": 1}, "bad", 1),
        # No task is to run, and ECS leaves out what is nought.
        ({"runningCount": None, "desiredCount": None}, "ok", 0),
        ({"deployments": [{"rolloutState": "FAILED"}]}, "bad", 1),
        ({"deployments": [{"rolloutState": "IN_PROGRESS"}], "runningCount": 1}, "busy", 0),
    ],
)
def test_shows_the_web_service(
    recorded: Recorded, changes: dict[str, Any], state: str, code: int
) -> None:
    recorded.answers["ecs.DescribeServices"] = {
        "services": [{key: one for key, one in service(**changes).items() if one is not None}]
    }

    assert line(recorded, "web", code).startswith(f"{state} web ")


def test_shows_a_missing_web_service(recorded: Recorded) -> None:
    recorded.resources[BACKEND] = [
        one for one in recorded.resources[BACKEND] if one["ResourceType"] != "AWS::ECS::Service"
    ]

    assert line(recorded, "web") == "bad web there is no web service"


def test_setup_that_failed(recorded: Recorded) -> None:
    recorded.tasks = [ran("setup-db", exit_code=3)]

    assert line(recorded, "setup").startswith("bad setup exited with code 3 2026-05-01 02:05 UTC: ")


def test_a_run_of_which_ecs_does_not_tell_when_it_began(recorded: Recorded) -> None:
    task = ran("setup-db", exit_code=3)
    del task["createdAt"]
    recorded.tasks = [task]
    assert line(recorded, "setup").startswith("bad setup exited with code 3 at an unknown time: ")

    recorded.tasks = [task, ran("setup-db", exit_code=0, id="known")]
    assert line(recorded, "setup", 0).startswith("ok setup succeeded 2026-05-01")


def test_a_run_says_why_its_own_container_ended(recorded: Recorded) -> None:
    task = ran("setup-db", exit_code=137)
    beside = {"name": "agent", "exitCode": 0, "reason": "of no interest"}
    task["containers"][0]["reason"] = "OutOfMemoryError: Container killed"
    task["containers"].insert(0, beside)
    recorded.tasks = [task]

    assert line(recorded, "setup").endswith(
        "EssentialContainerExited; Essential container in task exited; "
        "OutOfMemoryError: Container killed"
    )


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


@pytest.mark.parametrize(
    ("name", "part", "begin"),
    [
        ("setup-db", "setup", "setup did not start"),
        (
            "validation-monitor",
            "validation-monitor",
            "validation-monitor rate(5 minutes); last run did not start",
        ),
    ],
)
def test_a_task_that_did_not_start(recorded: Recorded, name: str, part: str, begin: str) -> None:
    reason = "CannotPullContainerError: not found"
    recorded.tasks = [
        ran("setup-db", exit_code=0, id="done"),
        ran(name, stop_code="TaskFailedToStart", reason=reason, at=LATER + timedelta(minutes=1)),
    ]

    assert line(recorded, part) == (
        f"bad {begin} 2026-05-01 02:06 UTC: TaskFailedToStart; {reason}"
    )


def test_a_schedule_that_is_off(recorded: Recorded) -> None:
    recorded.answers["scheduler.GetSchedule"] = {"State": "DISABLED"}

    assert line(recorded, "validation-monitor", 0).startswith("off validation-monitor disabled by")


def test_warns_of_the_sandbox_of_ses(recorded: Recorded) -> None:
    recorded.answers["sesv2.GetAccount"] = {"ProductionAccessEnabled": False}
    recorded.answers["sesv2.GetEmailIdentity"] = {"VerifiedForSendingStatus": False}

    result = recorded.run("status")

    assert re.search(r"^bad +mail +mail.example.com not verified", result.stdout, re.MULTILINE)
    assert "the account is in the sandbox of SES" in result.stdout


def test_shows_the_site(recorded: Recorded) -> None:
    front = stack("galv-FrontendStack")
    front["Outputs"] = [{"OutputKey": "FrontendVersion", "OutputValue": "2.3.1"}]
    recorded.stacks[REGION].append(front)
    recorded.resources["galv-FrontendStack"] = [
        resource("FrontendReleaseF29AC28F", "Custom::GalvSiteRelease", "r", "UPDATE_FAILED")
    ]

    assert line(recorded, "site") == ("bad site version 2.3.1, UPDATE_FAILED 2026-05-01 02:05 UTC")


def test_a_part_that_may_not_be_read(recorded: Recorded) -> None:
    recorded.refuse("rds.DescribeDBInstances", "AccessDenied", "no")

    assert line(recorded, "database", 125).startswith("unknown database not allowed to call")
    assert '"ok": null' in recorded.run("status", "--json").stdout


def test_a_part_that_was_deleted_by_hand(recorded: Recorded) -> None:
    recorded.refuse("rds.DescribeDBInstances", "DBInstanceNotFound", "DBInstance db not found.")

    assert line(recorded, "database") == (
        "bad database AWS refused DescribeDBInstances: DBInstance db not found. "
        "(DBInstanceNotFound)"
    )


def test_a_first_deployment_that_goes_on_is_not_bad(recorded: Recorded) -> None:
    resources = recorded.resources[BACKEND]
    for known in range(len(resources) + 1):
        recorded.stacks[REGION] = [stack(BACKEND, "CREATE_IN_PROGRESS")]
        recorded.resources[BACKEND] = resources[-known:] if known else []
        recorded.tasks = []
        recorded.answers["sesv2.GetEmailIdentity"] = {
            "VerifiedForSendingStatus": False,
            "DkimAttributes": {"Status": "PENDING"},
        }

        result = recorded.run("status", "--stack", BACKEND)

        assert result.exit_code == 0, result.stdout
        assert not re.search("^bad", result.stdout, re.MULTILINE), result.stdout


def test_says_that_the_deployment_of_a_failed_setup_was_rolled_back(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(BACKEND, "UPDATE_ROLLBACK_COMPLETE")]
    recorded.tasks = [ran("setup-db", exit_code=3, at=LATER - timedelta(minutes=5))]

    assert line(recorded, "setup", 0).endswith("; that deployment was rolled back")


def test_setup_that_failed_by_hand_after_the_deployment_is_bad(recorded: Recorded) -> None:
    recorded.tasks = [ran("setup-db", exit_code=3, at=LATER + timedelta(minutes=5))]

    assert line(recorded, "setup").startswith("bad setup exited with code 3")


def test_setup_that_fails_in_a_deployment_is_bad(recorded: Recorded) -> None:
    run = recorded.resources[BACKEND][-1]
    assert run["ResourceType"] == "Custom::GalvReleaseTask"
    run["ResourceStatus"] = "UPDATE_FAILED"
    recorded.tasks = [ran("setup-db", exit_code=3, at=LATER - timedelta(minutes=5))]

    assert line(recorded, "setup").startswith("bad setup exited with code 3")


def test_a_log_of_setup_that_is_cut_off_is_no_success(recorded: Recorded) -> None:
    """As when the task was killed, or lost its host."""
    recorded.tasks = []
    streams(recorded, "setup-db/setup-db/old")
    recorded.log_lines["setup-db/setup-db/old"] = ["[release] migrate: started", "Applying 0051"]
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {"events": []}

    assert "ended after '[release] migrate: started'" in line(recorded, "setup")


def test_a_setup_is_found_behind_many_one_off_commands(recorded: Recorded) -> None:
    recorded.tasks = []
    names = [f"setup-db/setup-db/{number}" for number in range(9)]
    recorded.log_lines = {name: ["whatever"] for name in names}
    recorded.log_lines[names[-1]] = ["[release] collectstatic: done"]
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {"events": []}

    def answer(request: Json, _region: str) -> Json:
        start = int(request.get("nextToken", 0))
        page = [{"logStreamName": name, "creationTime": 1} for name in names[start : start + 2]]
        return {"logStreams": page} | (
            {"nextToken": str(start + 2)} if start + 2 < len(names) else {}
        )

    recorded.answers["cloudwatch-logs.DescribeLogStreams"] = answer

    assert line(recorded, "setup", 0).startswith("ok setup [release] collectstatic: done")


def test_a_failed_run_is_found_behind_an_empty_page(recorded: Recorded) -> None:
    """CloudWatch answers with an empty page and a token while it goes on searching."""
    streams(recorded, "validation-monitor/validation-monitor/0a1b")

    def answer(request: Json, _region: str) -> Json:
        if "nextToken" not in request:
            return {"events": [], "nextToken": "more"}
        return {"events": [{"message": "FAILED: 0a1b exited with code 1"}]}

    recorded.answers["cloudwatch-logs.FilterLogEvents"] = answer

    assert line(recorded, "validation-monitor").startswith("bad validation-monitor")


def test_the_end_of_a_log_is_found_behind_an_empty_answer(recorded: Recorded) -> None:
    recorded.tasks = []
    streams(recorded, "setup-db/setup-db/old")
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {"events": []}

    def answer(request: Json, _region: str) -> Json:
        token = int(request.get("nextToken", "b/0")[2:])
        lines = ["[release] collectstatic: done"] if token == 2 else []
        events = [{"timestamp": 0, "message": one} for one in lines]
        tokens = {"nextForwardToken": "f/0", "nextBackwardToken": f"b/{min(token + 1, 3)}"}
        return {"events": events, **tokens}

    recorded.answers["cloudwatch-logs.GetLogEvents"] = answer

    assert line(recorded, "setup", 0).startswith("ok setup [release] collectstatic: done")


def test_a_schedule_without_its_group_is_left_out(recorded: Recorded) -> None:
    """The list of resources is cut off while a deployment goes on."""
    recorded.resources[BACKEND] = [
        one
        for one in recorded.resources[BACKEND]
        if one["ResourceType"] != "AWS::Scheduler::ScheduleGroup"
    ]

    result = recorded.run("status")

    assert result.exit_code == 0
    assert not re.search(r"^\w+ +validation-monitor", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_part_that_cannot_be_read_hides_no_other(recorded: Recorded, code: str) -> None:
    """Of a kind too: a second certificate, a second schedule."""
    arn = f"arn:aws:acm:{REGION}:111122223333:certificate"
    kind = "AWS::CertificateManager::Certificate"
    recorded.resources[BACKEND] += [
        resource(f"Certificate{number}12345678", kind, f"{arn}/{number}") for number in (0, 2)
    ]

    def answer(request: Json, _region: str) -> Json:
        if request["CertificateArn"].endswith("/0"):
            raise AwsError(code, "no")
        name = f"{request['CertificateArn'][-1]}.example.com"
        return {"Certificate": {"DomainName": name, "Status": "ISSUED"}}

    recorded.answers["acm.DescribeCertificate"] = answer
    found = [one for one in recorded.run("status").stdout.splitlines() if " certificate " in one]

    state = "bad" if code.startswith("Resource") else "unknown"
    assert [one.split()[0] for one in found] == [state, "ok", "ok"]


@pytest.mark.parametrize(
    ("verified", "dkim", "state", "waits"),
    [
        (True, "SUCCESS", "ok", False),
        (True, "PENDING", "ok", False),
        (False, "PENDING", "busy", True),
        (False, "FAILED", "bad", False),
    ],
)
def test_only_an_identity_that_is_not_verified_is_told_to_wait(
    recorded: Recorded, dkim: str, state: str, *, verified: bool, waits: bool
) -> None:
    recorded.answers["sesv2.GetEmailIdentity"] = {
        "VerifiedForSendingStatus": verified,
        "DkimAttributes": {"Status": dkim},
    }

    result = recorded.run("status")

    assert re.search(f"^{state} +mail ", result.stdout, re.MULTILINE)
    assert ("for 72 hours" in result.stdout) is waits
    assert ("has stopped looking" in result.stdout) is (state == "bad")


def test_one_task_is_singular(recorded: Recorded) -> None:
    recorded.answers["ecs.DescribeServices"] = {
        "services": [service(desiredCount=1, runningCount=1)]
    }

    assert "1 of 1 task running," in line(recorded, "web", 0)


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("status", "rds.DescribeDBInstances"),
        ("doctor", "elastic-load-balancing-v2.DescribeTargetHealth"),
        ("audit", "guardduty.ListDetectors"),
    ],
)
@pytest.mark.parametrize("code", ["Throttling", "ExpiredToken", "UnrecognizedClientException"])
def test_an_error_that_stops_every_call_is_shown_once(
    recorded: Recorded, command: str, call: str, code: str
) -> None:
    recorded.refuse(call, code)

    result = recorded.run(command)

    assert (result.exit_code, result.stdout) == (125, "")
    assert re.fullmatch("galv-ops: .+\n", result.stderr)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (True, "sent from an SES identity that another deployment owns, through email-smtp."),
        (False, "sent by credentials that were given, through email-smtp."),
    ],
)
def test_mail_without_an_identity_of_its_own(recorded: Recorded, made: bool, text: str) -> None:
    resources = recorded.resources["galv-BackendStack"]
    resources[:] = [one for one in resources if one["ResourceType"] != "AWS::SES::EmailIdentity"]
    if made:
        resources.append(resource("MailCredentials1", "Custom::GalvSmtpCredentials", "user"))
    sends_by_ses(recorded)

    assert text in recorded.run("status").stdout


def test_what_is_said_of_a_deployment_that_is_well(recorded: Recorded) -> None:
    with_site(recorded, "UPDATE_COMPLETE")

    transcript("status", recorded.run("status").stdout)
    transcript("status-json", recorded.run("status", "--json").stdout)


def test_what_is_said_of_a_deployment_in_which_all_is_bad(recorded: Recorded) -> None:
    with_site(recorded, "UPDATE_FAILED")
    recorded.stacks[REGION][1]["StackStatus"] = "UPDATE_ROLLBACK_COMPLETE"
    failed = {"rolloutState": "FAILED", "rolloutStateReason": "circuit breaker"}
    recorded.answers["ecs.DescribeServices"] = {
        "services": [service(runningCount=0, pendingCount=1, deployments=[failed])]
    }
    recorded.answers["rds.DescribeDBInstances"] = {
        "DBInstances": [
            {
                "DBInstanceIdentifier": "db",
                "DBInstanceStatus": "failed",
                "Engine": "postgres",
                "EngineVersion": "17.5",
                "DBInstanceClass": "db.t4g.micro",
                "AllocatedStorage": 20,
            }
        ]
    }
    recorded.answers["acm.DescribeCertificate"] = {
        "Certificate": {"DomainName": "api.example.com", "Status": "EXPIRED", "NotAfter": LATER}
    }
    recorded.answers["sesv2.GetEmailIdentity"] = {
        "VerifiedForSendingStatus": False,
        "DkimAttributes": {"Status": "FAILED"},
    }
    recorded.answers["sesv2.GetAccount"] = {"SendingEnabled": False}
    recorded.tasks = [
        ran(name, exit_code=3, id=name) for name in ("setup-db", "validation-monitor")
    ]

    transcript("status-bad", recorded.run("status").stdout)
    transcript("status-bad-json", recorded.run("status", "--json").stdout)


def with_site(recorded: Recorded, status: str) -> None:
    front = stack("galv-FrontendStack")
    front["Outputs"] = [{"OutputKey": "FrontendVersion", "OutputValue": "2.3.1"}]
    recorded.stacks[REGION].append(front)
    recorded.resources["galv-FrontendStack"] = [
        resource("FrontendReleaseF29AC28F", "Custom::GalvSiteRelease", "r", status)
    ]


def test_a_site_whose_stack_tells_no_version(recorded: Recorded) -> None:
    with_site(recorded, "UPDATE_COMPLETE")
    del recorded.stacks[REGION][-1]["Outputs"]

    assert line(recorded, "site", 0) == "ok site UPDATE_COMPLETE 2026-05-01 02:05 UTC"


# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        (
            "ok",
            [
                "available",
                "backing-up",
                "configuring-enhanced-monitoring",
                "storage-optimization",
            ],
        ),
        (
            "busy",
            [
                "creating",
                "modifying",
                "rebooting",
                "starting",
                "upgrading",
                "maintenance",
                "renaming",
            ],
        ),
        ("bad", ["failed", "storage-full", "stopped", "incompatible-parameters"]),
    ],
)
def test_the_database(recorded: Recorded, state: str, statuses: list[str]) -> None:
    for status in statuses:
        recorded.answers["rds.DescribeDBInstances"] = {
            "DBInstances": [{"DBInstanceIdentifier": "db", "DBInstanceStatus": status}]
        }

        said = line(recorded, "database", 1 if state == "bad" else 0)
        assert said.startswith(f"{state} database {status}: ")
