"""`galv-ops rehearse`: a copy is made, setup runs on it, and nothing is left, whatever happened."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ops.recorded import ACCOUNT, LATER, REGION, AwsError, Json, Recorded, log_group, resource

from galv_ops.query import run as ops_run
from galv_ops.rehearsal import copy as ops_copy

PAGE = Path(__file__).parents[2] / "docs" / "galv-ops.md"
FAMILY = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/galvRehearsalSetupTask"
DEFINITION, REVISION = f"{FAMILY}:3", f"{FAMILY}:4"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:Rehearsal-a1b2c3"
DATABASE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:db"
TAGS = {"galv-constructs:copy-of": DATABASE, "galv-constructs:operation": "rehearsal"}
TASK_DEFINITION = "AWS::ECS::TaskDefinition"
MARK = {"key": "galv-constructs:operation", "value": "rehearsal"}
CHANGES = {
    "rds.RestoreDBInstanceToPointInTime",
    "rds.RestoreDBInstanceFromDBSnapshot",
    "rds.ModifyDBInstance",
    "rds.DeleteDBInstance",
    "ecs.RegisterTaskDefinition",
    "ecs.DeregisterTaskDefinition",
    "ecs.RunTask",
    "ecs.StopTask",
}
REPORT = [
    {"part": "rows", "when": "before", "tables": {"public.galv_lab": 2, "public.old": 5}},
    {"part": "setup", "exit_code": 0, "seconds": 95.0},
    {
        "part": "locks",
        "locks": [{"table": "public.galv_lab", "mode": "AccessExclusiveLock", "seconds": 2.02}],
        "error": None,
    },
    {"part": "migrations", "migrations": [{"name": "galv.0050_x", "seconds": 90.0, "done": True}]},
    {"part": "rows", "when": "after", "tables": {"public.galv_lab": 2}},
    {"part": "check", "checks": [{"check": "database", "status": "OK", "message": ""}]},
]


class Account:
    """RDS and ECS as far as a rehearsal goes."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.source = production()
        self.copy: Json | None = None
        self.states: list[str] = []
        self.pending = 1
        self.refusals: list[str] = []
        self.exit_code = 0
        self.revisions: list[str] = [DEFINITION]

    @property
    def changes(self) -> list[str]:
        return [call.partition(".")[2] for call in self.recorded.calls if call in CHANGES]

    def request(self, call: str) -> Json:
        (found,) = (request for name, request in self.recorded.requests if name == call)
        return found

    def describe_instances(self, request: Json, _region: str) -> Json:
        if request["DBInstanceIdentifier"] == "db":
            return {"DBInstances": [self.source]}
        if self.copy is None:
            raise AwsError("DBInstanceNotFound", "no such instance")
        if self.states:
            self.copy["DBInstanceStatus"] = self.states.pop(0)
        found = dict(self.copy)
        if found.pop("changing", False) and self.pending:
            self.pending -= 1
            self.copy["changing"] = True
            found["PendingModifiedValues"] = {"MasterUserPassword": "****"}
        return {"DBInstances": [found]}

    def restore(self, request: Json, _region: str) -> Json:
        self.copy = copy_of(request["Tags"])
        self.states = ["creating", "creating", "available"]
        return {}

    def modify(self, request: Json, _region: str) -> Json:
        assert request["DBInstanceIdentifier"] == "db-rehearsal"
        assert self.copy is not None
        self.copy["changing"] = True
        return {}

    def delete(self, request: Json, _region: str) -> Json:
        assert request["DBInstanceIdentifier"] == "db-rehearsal"
        if self.refusals:
            raise AwsError(self.refusals.pop(0), "not now")
        self.copy = None
        return {}

    def describe_definition(self, request: Json, region: str) -> Json:
        if request["taskDefinition"] not in (DEFINITION, REVISION):
            found: Json = self.usual(request, region)
            return found
        tags = [
            {"key": "galv-version", "value": "v2.11.4"},
            {"key": "project-name", "value": "galv"},
        ]
        if request["taskDefinition"] == REVISION:
            tags.append(MARK)
        return {"taskDefinition": definition(), "tags": tags}

    def register(self, _request: Json, _region: str) -> Json:
        self.revisions.append(REVISION)
        return {"taskDefinition": {"taskDefinitionArn": REVISION}}

    def deregister(self, request: Json, _region: str) -> Json:
        self.revisions.remove(request["taskDefinition"])
        return {}

    usual: Any = None


def production() -> Json:
    return {
        "DBInstanceIdentifier": "db",
        "DBInstanceArn": DATABASE,
        "DBInstanceStatus": "available",
        "DBInstanceClass": "db.t4g.small",
        "LatestRestorableTime": datetime(2026, 11, 27, 18, 30, tzinfo=timezone.utc),
        "DBSubnetGroup": {"DBSubnetGroupName": "private"},
        "DBParameterGroups": [{"DBParameterGroupName": "galv-17"}],
    }


def copy_of(tags: list[Json]) -> Json:
    return {
        "DBInstanceIdentifier": "db-rehearsal",
        "DBInstanceStatus": "creating",
        "Endpoint": {"Address": "db-rehearsal.example.com", "Port": 5432},
        "MasterUsername": "galv",
        "TagList": tags,
    }


def marked(**changes: str) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in {**TAGS, **changes}.items()]


def definition() -> Json:
    container: Json = {
        "name": "rehearse-setup",
        "image": "1.dkr.ecr.eu-west-2.amazonaws.com/galv@sha256:old",
        "environment": [{"name": "POSTGRES_USER", "value": "galv_tasks_1"}],
        "secrets": [{"name": "POSTGRES_PASSWORD", "valueFrom": f"{SECRET}:password::"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group("rehearse-setup"),
                "awslogs-stream-prefix": "rehearse-setup",
            },
        },
    }
    other = {"name": "beside", "image": "other:1"}
    return {
        "taskDefinitionArn": DEFINITION,
        "family": "galvRehearsalSetupTask",
        "revision": 3,
        "registeredAt": LATER,
        "cpu": "512",
        "containerDefinitions": [container, other],
    }


@pytest.fixture
def account(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A deployment with a `GalvRehearsal`."""
    recorded.resources["galv-BackendStack"] += [
        resource(
            "RehearsalSetupTaskTaskDefinition1234ABCD", "AWS::ECS::TaskDefinition", DEFINITION
        ),
        resource("RehearsalSetupTaskSecurityGroup1234ABCD", "AWS::EC2::SecurityGroup", "sg-task"),
        resource("RehearsalCopySecurityGroup1234ABCD", "AWS::EC2::SecurityGroup", "sg-copy"),
    ]
    found = Account(recorded)
    found.usual = recorded.answers["ecs.DescribeTaskDefinition"]
    services: Any = recorded.answers["ecs.DescribeServices"]
    services["services"][0]["networkConfiguration"] = {
        "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-web"]}
    }

    def run_task(request: Json, _region: str) -> Json:
        task = {
            "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/c/ffff",
            "taskDefinitionArn": request["taskDefinition"],
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "containers": [{"name": "rehearse-setup", "exitCode": found.exit_code}],
        }
        recorded.tasks.append(task)
        return {"tasks": [task], "failures": []}

    recorded.answers |= {
        "rds.DescribeDBInstances": found.describe_instances,
        "rds.RestoreDBInstanceToPointInTime": found.restore,
        "rds.RestoreDBInstanceFromDBSnapshot": found.restore,
        "rds.ModifyDBInstance": found.modify,
        "rds.DeleteDBInstance": found.delete,
        "secrets-manager.GetSecretValue": {"SecretString": json.dumps({"password": "generated"})},
        "ecs.DescribeTaskDefinition": found.describe_definition,
        "ecs.RegisterTaskDefinition": found.register,
        "ecs.DeregisterTaskDefinition": found.deregister,
        "ecs.ListTaskDefinitions": lambda *_: {
            "taskDefinitionArns": [*found.revisions, f"{FAMILY}Other:1"]
        },
        "ecs.RunTask": run_task,
        "ecs.StopTask": {},
    }
    recorded.log_lines["rehearse-setup/rehearse-setup/ffff"] = [
        f"[rehearsal] {json.dumps(part)}" for part in REPORT
    ]
    monkeypatch.setattr(ops_copy, "sleep", lambda _seconds: None)
    monkeypatch.setattr(ops_run, "sleep", lambda _seconds: None)
    return found


def assert_nothing_is_left(account: Account) -> None:
    assert account.copy is None
    assert account.revisions == [DEFINITION]


class TestRehearse:
    def test_setup_runs_on_a_copy_that_is_deleted(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "3.0.0")

        assert result.exit_code == 0, result.output
        assert account.changes == [
            "RestoreDBInstanceToPointInTime",
            "ModifyDBInstance",
            "RegisterTaskDefinition",
            "RunTask",
            "DeregisterTaskDefinition",
            "DeleteDBInstance",
        ]
        assert_nothing_is_left(account)
        for part in (
            "The rehearsal of 3.0.0 passed.",
            "Setup took 1.6 min.",
            "galv.0050_x  1.5 min",
            "public.galv_lab  AccessExclusiveLock  2.02 s",
            "public.old  5  ->  none",
            "database  OK",
        ):
            assert part in result.stdout

    def test_the_copy_is_as_the_database_and_let_in_by_its_own_group_alone(
        self, account: Account
    ) -> None:
        account.recorded.run("rehearse", "v3.0.0")

        asked = account.request("rds.RestoreDBInstanceToPointInTime")
        assert asked == {
            "SourceDBInstanceIdentifier": "db",
            "TargetDBInstanceIdentifier": "db-rehearsal",
            "UseLatestRestorableTime": True,
            "DBInstanceClass": "db.t4g.small",
            "DBSubnetGroupName": "private",
            "DBParameterGroupName": "galv-17",
            "VpcSecurityGroupIds": ["sg-copy"],
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "DeletionProtection": False,
            "Tags": marked(),
        }
        assert account.request("rds.ModifyDBInstance")["MasterUserPassword"] == "generated"
        assert account.request("secrets-manager.GetSecretValue") == {"SecretId": SECRET}
        assert account.pending == 0

    def test_it_may_be_that_of_a_snapshot(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "v3.0.0", "--snapshot", "kept")

        assert result.exit_code == 0, result.output
        asked = account.request("rds.RestoreDBInstanceFromDBSnapshot")
        assert asked["DBSnapshotIdentifier"] == "kept"
        assert_nothing_is_left(account)

    @pytest.mark.parametrize("given", ["2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00"])
    def test_it_may_be_that_of_a_moment(self, account: Account, given: str) -> None:
        result = account.recorded.run("rehearse", "v3.0.0", "--time", given)

        assert result.exit_code == 0, result.output
        asked = account.request("rds.RestoreDBInstanceToPointInTime")
        assert asked["RestoreTime"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
        assert "UseLatestRestorableTime" not in asked
        assert_nothing_is_left(account)

    def test_the_task_has_the_image_and_the_copy_and_nothing_else_is_changed(
        self, account: Account
    ) -> None:
        account.recorded.run("rehearse", "3.0.0")

        made = account.request("ecs.RegisterTaskDefinition")
        images = [each["image"] for each in made["containerDefinitions"]]
        assert images == ["ghcr.io/galv-team/galv-backend:v3.0.0", "other:1"]
        assert made["tags"] == [{"key": "project-name", "value": "galv"}, MARK]
        assert set(made) == {"family", "cpu", "containerDefinitions", "tags"}
        run = account.request("ecs.RunTask")
        assert run["taskDefinition"] == REVISION
        network = run["networkConfiguration"]["awsvpcConfiguration"]
        assert network["securityGroups"] == ["sg-task"]
        (override,) = run["overrides"]["containerOverrides"]
        assert {each["name"]: each["value"] for each in override["environment"]} == {
            "POSTGRES_HOST": "db-rehearsal.example.com",
            "POSTGRES_PORT": "5432",
            "GALV_DATABASE_MASTER_USER": "galv",
        }

    def test_json(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "v3.0.0", "--json")

        found = json.loads(result.stdout)
        assert found["verdict"] == "passed"
        assert found["rows"]["after"] == {"public.galv_lab": 2}
        assert found["migrations"][0]["name"] == "galv.0050_x"


class TestFailures:
    def test_setup_that_fails_is_the_verdict_and_leaves_nothing(self, account: Account) -> None:
        account.exit_code = 3
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 1
        assert "The rehearsal of v3.0.0 failed." in result.stdout
        assert_nothing_is_left(account)

    def test_a_task_that_died_is_told(self, account: Account) -> None:
        account.exit_code = 137
        account.recorded.log_lines["rehearse-setup/rehearse-setup/ffff"] = ["[rehearsal] {"]
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 1
        assert "A part of the report could not be read" in result.stdout
        assert "ended before it had counted the rows again" in result.stdout

    @pytest.mark.parametrize(
        "call",
        [
            "rds.RestoreDBInstanceToPointInTime",
            "rds.ModifyDBInstance",
            "secrets-manager.GetSecretValue",
            "ecs.RegisterTaskDefinition",
            "ecs.RunTask",
        ],
    )
    def test_whatever_aws_refuses_nothing_is_left(self, account: Account, call: str) -> None:
        account.recorded.refuse(call, "AccessDenied", "no")
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert f"not allowed to call {call.partition('.')[2]}" in result.stderr
        assert_nothing_is_left(account)

    @pytest.mark.parametrize("where", ["restore", "run"])
    def test_interrupted_it_leaves_nothing(self, account: Account, where: str) -> None:
        def interrupt(_request: Json, _region: str) -> Json:
            raise KeyboardInterrupt

        call = "rds.ModifyDBInstance" if where == "restore" else "ecs.RunTask"
        account.recorded.answers[call] = interrupt
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 130
        assert_nothing_is_left(account)

    def test_a_copy_that_cannot_be_restored_is_deleted(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account.recorded.answers["rds.ModifyDBInstance"] = account.modify

        def restore(request: Json, region: str) -> Json:
            account.restore(request, region)
            account.states = ["creating", "incompatible-restore"]
            return {}

        account.recorded.answers["rds.RestoreDBInstanceToPointInTime"] = restore
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert "it is incompatible-restore" in result.stderr
        assert_nothing_is_left(account)

    def test_rds_is_asked_until_it_deletes(self, account: Account) -> None:
        account.refusals = ["InvalidDBInstanceState"] * 2
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 0
        assert account.changes.count("DeleteDBInstance") == 3
        assert_nothing_is_left(account)

    def test_a_wait_has_an_end(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ops_copy, "LONGEST_MINUTES", -1)
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert "is not so far after -1 minutes: is restored" in result.stderr
        assert_nothing_is_left(account)


class TestClean:
    def test_what_a_killed_rehearsal_has_left_is_deleted(self, account: Account) -> None:
        account.copy = copy_of(marked()) | {"DBInstanceStatus": "available"}
        account.revisions.append(REVISION)
        account.recorded.tasks.append(
            {
                "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/c/eeee",
                "taskDefinitionArn": REVISION,
                "lastStatus": "RUNNING",
                "desiredStatus": "RUNNING",
            }
        )
        result = account.recorded.run("rehearse", "--clean")

        assert result.exit_code == 0, result.output
        assert result.stdout == "Deleted the copy db-rehearsal.\n"
        assert account.request("ecs.StopTask")["task"].endswith("/eeee")
        assert_nothing_is_left(account)

    def test_where_nothing_is_left_nothing_is_done(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "--clean")

        assert (result.exit_code, result.stdout) == (0, "There was no copy.\n")
        assert account.changes == []


class TestRefusals:
    @pytest.mark.parametrize("arguments", [[], ["v3.0.0", "--clean"]])
    def test_refuses_both_or_neither(self, account: Account, arguments: list[str]) -> None:
        result = account.recorded.run("rehearse", *arguments)

        assert result.exit_code == 2
        assert "give either VERSION or --clean" in result.stderr
        assert account.recorded.calls == []

    @pytest.mark.parametrize("option", ["--snapshot", "--time"])
    def test_refuses_what_is_copied_to_clean(self, account: Account, option: str) -> None:
        result = account.recorded.run("rehearse", "--clean", option, "kept")

        assert result.exit_code == 2
        assert f"{option} is for a rehearsal" in result.stderr
        assert account.recorded.calls == []

    def test_refuses_a_snapshot_and_a_time(self, account: Account) -> None:
        given = ("--snapshot", "kept", "--time", "2026-01-02T03:04:05Z")
        result = account.recorded.run("rehearse", "v3.0.0", *given)

        assert result.exit_code == 2
        assert "give either --snapshot or --time" in result.stderr
        assert account.recorded.calls == []

    @pytest.mark.parametrize("given", ["yesterday", "2026-01-02T03:04:05"])
    def test_refuses_a_time_without_its_zone(self, account: Account, given: str) -> None:
        result = account.recorded.run("rehearse", "v3.0.0", "--time", given)

        assert result.exit_code == 2
        assert "--time must be a time with its zone, such as" in result.stderr
        assert repr(given) in result.stderr
        assert account.recorded.calls == []

    def test_refuses_a_time_that_rds_cannot_restore_yet(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "v3.0.0", "--time", "2099-01-02T03:04:05Z")

        assert result.exit_code == 125
        assert "RDS can restore what was before 2026-11-27T18:30:00+00:00" in result.stderr
        assert account.changes == []

    def test_refuses_a_time_of_a_database_without_backups(self, account: Account) -> None:
        del account.source["LatestRestorableTime"]
        result = account.recorded.run("rehearse", "v3.0.0", "--time", "2026-01-02T03:04:05Z")

        assert result.exit_code == 125
        assert "RDS can restore nothing yet" in result.stderr
        assert account.changes == []

    def test_refuses_what_is_no_tag(self, account: Account) -> None:
        result = account.recorded.run("rehearse", "v3 0")

        assert result.exit_code == 2
        assert "VERSION must be a tag of Galv's image such as v3.0.0" in result.stderr

    def test_refuses_a_stack_without_a_rehearsal(self, recorded: Recorded) -> None:
        result = recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert "galv-BackendStack has no GalvRehearsal" in result.stderr

    @pytest.mark.parametrize(
        ("state", "expected"), [("available", "--clean"), ("deleting", "try again in some minutes")]
    )
    def test_refuses_a_second_rehearsal_and_leaves_the_first(
        self, account: Account, state: str, expected: str
    ) -> None:
        account.copy = copy_of(marked()) | {"DBInstanceStatus": state}
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert expected in result.stderr
        assert account.changes == []

    @pytest.mark.parametrize(
        "tags", [[], marked(**{"galv-constructs:copy-of": "another"})], ids=["none", "another"]
    )
    @pytest.mark.parametrize("argument", ["v3.0.0", "--clean"])
    def test_never_touches_an_instance_that_is_no_copy_of_this_database(
        self, account: Account, tags: list[Json], argument: str
    ) -> None:
        account.copy = copy_of(tags) | {"DBInstanceStatus": "available"}
        result = account.recorded.run("rehearse", argument)

        assert result.exit_code == 125
        assert "galv-ops leaves it alone" in result.stderr
        assert account.changes == []

    def test_refuses_while_the_stack_is_deployed(self, account: Account) -> None:
        account.recorded.stacks[REGION][1]["StackStatus"] = "UPDATE_IN_PROGRESS"
        result = account.recorded.run("rehearse", "v3.0.0")

        assert result.exit_code == 125
        assert "is being deployed (UPDATE_IN_PROGRESS)" in result.stderr
        assert account.changes == []


def test_its_calls_are_among_the_documented_permissions(account: Account) -> None:
    for arguments in (["v3.0.0"], ["v3.0.0", "--snapshot", "kept"], ["--clean"]):
        assert account.recorded.run("rehearse", *arguments).exit_code == 0

    policy = re.search(r"policy: begin -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert policy is not None
    statements = {each["Sid"]: each for each in json.loads(policy[1])["Statement"]}
    allowed = {
        action
        for name in ("Look", "Run", "Rehearse", "Copy", "Password")
        for actions in [statements[name]["Action"]]
        for action in ([actions] if isinstance(actions, str) else actions)
    }
    prefixes = {"cloudwatch-logs": "logs", "secrets-manager": "secretsmanager"}
    called = {tuple(call.split(".")) for call in account.recorded.calls}
    assert {f"{prefixes.get(service, service)}:{name}" for service, name in called} <= allowed
    # Nothing but a copy is changed or deleted, whatever galv-ops does.
    (condition,) = statements["Copy"]["Condition"].values()
    assert condition == {f"aws:ResourceTag/{MARK['key']}": MARK["value"]}
