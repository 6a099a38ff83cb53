"""A trial that rests at night: a night, a restart by AWS, a deployment in it, and its end."""

import json
import os
import re
import subprocess
import sys
import time
from typing import Any

import pytest
from e2e.app import BARE, Application
from e2e.backend import Backend
from e2e.cloud import ROOT, Cloud
from e2e.inventory import inventory
from e2e.stack import Json
from e2e.test_ops import Done, user

OLD, NEW = "v6.0.0", "v6.0.1"
HOURS = {"awakeHours": "Mon-Fri 07:00-19:00", "timeZone": "Europe/London"}
MIGRATION = """\
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("galv", "0001_initial")]
    operations = []
"""


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "night", {**BARE, **HOURS})
    application.publish(OLD)
    application.publish_galv(NEW, **{"0002_nothing": MIGRATION})
    return application


@pytest.fixture(scope="module")
def operator(cloud: Cloud) -> dict[str, str]:
    """Credentials of a user with the documented permissions."""
    page = (ROOT / "docs" / "galv-ops.md").read_text()
    policy = re.search(r"policy: begin -->\n```json\n(.*?)```", page, re.DOTALL)
    assert policy is not None
    return user(cloud, "night-operator", policy[1])


@pytest.fixture(scope="module")
def before(app: Application, cloud: Cloud, operator: dict[str, str]) -> set[str]:
    return inventory(cloud)


@pytest.fixture(scope="module")
def backend(app: Application, before: set[str]) -> Backend:
    done = app.deploy(backendVersion=OLD)
    assert done.ok, done.output
    return app.backend


class World:
    """What there is of a trial: its tasks, its database, its schedule."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        (own,) = [id for id in backend.ids("AWS::Lambda::Function") if "SleepFunction" in id]
        self.function = own

    @property
    def database(self) -> str:
        id = self.backend.id_of("AWS::RDS::DBInstance")
        answer = self.backend.cloud.client("rds").describe_db_instances(DBInstanceIdentifier=id)
        return str(answer["DBInstances"][0]["DBInstanceStatus"])

    def schedule(self, does: str) -> Json:
        """Return the schedule that wakes it, or lets it sleep."""
        (found,) = [
            one
            for one in self.backend.schedules()
            if json.loads(one["Target"]["Input"]) == {"do": does}
        ]
        return found

    @property
    def validates(self) -> str:
        (found,) = [one for one in self.backend.schedules() if "rate" in one["ScheduleExpression"]]
        return str(found["State"])

    @property
    def seen(self) -> tuple[int, int, str, str]:
        service = self.backend.service
        return service["desiredCount"], service["runningCount"], self.database, self.validates

    def send(self, payload: Json) -> Any:
        answer = self.backend.cloud.client("lambda").invoke(
            FunctionName=self.function, Payload=json.dumps(payload)
        )
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def fall_asleep(self) -> None:
        answer = self.backend.send(self.schedule("sleep"))
        assert "FunctionError" not in answer, answer["Payload"].read()
        # An invocation of its own stops the database.
        self.wait_for(ASLEEP)

    def wait_for(self, state: tuple[int, int, str, str]) -> None:
        deadline = time.monotonic() + 60
        while self.seen != state and time.monotonic() < deadline:
            time.sleep(0.5)
        assert self.seen == state


AWAKE, ASLEEP = (1, 1, "available", "ENABLED"), (0, 0, "stopped", "DISABLED")


def test_an_evening_and_a_morning(backend: Backend) -> None:
    world = World(backend)
    assert world.seen == AWAKE

    world.fall_asleep()
    answer = backend.send(world.schedule("wake"))

    assert "FunctionError" not in answer, answer["Payload"].read()
    world.wait_for(AWAKE)
    assert backend.ask("/health/")[0] == 200


def test_an_operator_lets_it_rest_and_wakes_it(
    cloud: Cloud, backend: Backend, operator: dict[str, str]
) -> None:
    def galv_ops(*arguments: str) -> Done:
        return Done(
            subprocess.run(
                [sys.executable, "-m", "galv_ops", "--stack", backend.name, *arguments],
                env=os.environ | cloud.environment() | operator,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        )

    slept, seen, ran = galv_ops("sleep"), galv_ops("status"), galv_ops("run", "--", "true")
    night = World(backend).seen
    woken = galv_ops("wake")

    assert (slept.code, night) == (0, ASLEEP), slept.err
    # MiniStack drops the time zone of a template's schedule.
    assert re.match(r"Asleep\. It wakes at 07:00 \S+, Mon, Tue, Wed, Thu, Fri, or by", slept.out)
    assert seen.code == 0, seen.out
    assert re.search("^off +sleep +asleep, wakes at 07:00", seen.out, re.MULTILINE)
    assert ran.code == 125
    assert "the deployment is asleep" in ran.err
    assert woken.code == 0, woken.err
    assert re.fullmatch(r"Awake until 19:00 \S+, every day\.\n", woken.out)
    assert World(backend).database == "available"


def test_it_rests_on_when_aws_starts_its_database(backend: Backend) -> None:
    world = World(backend)
    world.fall_asleep()
    rds = backend.cloud.client("rds")
    id = backend.id_of("AWS::RDS::DBInstance")
    rds.start_db_instance(DBInstanceIdentifier=id)
    # Only AWS itself may send what the rule matches.
    events = backend.cloud.client("events")
    (rule,) = [name for name in backend.ids("AWS::Events::Rule") if "Sleep" in name]
    pattern = json.loads(events.describe_rule(Name=rule)["EventPattern"])
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    transformer = target["InputTransformer"]
    ((name, path),) = transformer["InputPathsMap"].items()
    world.send(json.loads(transformer["InputTemplate"].replace(f"<{name}>", json.dumps(id))))

    assert pattern["detail"]["SourceIdentifier"] == [id]
    assert path == "$.detail.SourceIdentifier"
    assert target["Arn"].endswith(world.function)
    assert world.seen == ASLEEP


def test_a_deployment_wakes_it_and_changes_it(app: Application, backend: Backend) -> None:
    world = World(backend)
    world.fall_asleep()

    # Synthesized anew, which says that something changes. RDS changes no stopped database.
    done = app.deploy(backendVersion=NEW, databaseMaxStorageGib=300)

    assert done.ok, done.output
    assert world.seen == AWAKE
    assert backend.version == NEW
    assert backend.tasks("setup-db")[-1]["containers"][0]["exitCode"] == 0
    assert app.problems() == []


def test_it_is_deleted_while_it_rests(
    app: Application, backend: Backend, before: set[str], cloud: Cloud
) -> None:
    world = World(backend)
    world.fall_asleep()
    assert world.seen == ASLEEP

    done = app.destroy()

    assert done.ok, done.output
    left = inventory(cloud) - before
    # Lambda makes these for functions of CDK's own, and CloudFormation knows nothing of them.
    assert {name for name in left if not name.startswith("logs: /aws/lambda/")} == set()
