"""The life of a deployment outside production, from nothing to nothing, one test a step."""

import re
from pathlib import Path

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.invariants import problems
from e2e.inventory import inventory

pytestmark = pytest.mark.smoke

FIRST, SECOND, BROKEN, THIRD = "2.11.0", "2.11.1", "2.12.0", "2.12.1"
MIGRATION_FAILS = """\
echo 'Applying galv.0042_cells...'
echo 'django.db.utils.ProgrammingError: column "cell" already exists'
exit 3
"""
OWN_LOGS = (
    r"logs: /aws/lambda/galv-\w+Stack-"
    "(LogRetention|CustomS3AutoDelete|CustomVpcRestrictDefaultSG).*"
)


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    return Application(cloud)


@pytest.fixture(scope="module")
def before(app: Application, cloud: Cloud) -> set[str]:
    return inventory(cloud)


@pytest.fixture(scope="module")
def images(app: Application) -> dict[str, Path]:
    return {
        FIRST: app.publish(FIRST),
        SECOND: app.publish(SECOND),
        BROKEN: app.publish(BROKEN, migrate=MIGRATION_FAILS),
        THIRD: app.publish(THIRD),
    }


@pytest.fixture(scope="module")
def backend(before: set[str], images: object, app: Application, cloud: Cloud) -> Backend:
    done = app.deploy(backendVersion=FIRST)
    assert done.ok, done.output
    return app.backend


def calls(image: Path) -> list[str]:
    """What was called in the image, with the event of the release that it was called for."""
    file = image / "calls"
    return file.read_text().splitlines() if file.exists() else []


def test_deploys_from_nothing(backend: Backend, app: Application, images: dict[str, Path]) -> None:
    assert backend.status == "CREATE_COMPLETE"
    template = app.template()["Resources"]
    made = backend.resources()
    assert set(made) == set(template)
    assert {r["ResourceStatus"] for r in made.values()} == {"CREATE_COMPLETE"}

    assert calls(images[FIRST]) == [
        "migrate Create",
        "create_superuser Create",
        "loaddata Create",
        "collectstatic Create",
    ]
    assert backend.version == FIRST
    assert backend.service["runningCount"] == 1


def test_holds_what_must_hold(backend: Backend) -> None:
    assert problems(backend) == []


def test_writes_the_log_of_setup(backend: Backend) -> None:
    (setup,) = backend.tasks("setup-db")

    assert setup["containers"][0]["exitCode"] == 0
    lines = backend.log(setup)
    assert lines[0] == "[release] migrate: started"
    assert lines[-1] == "[release] collectstatic: done"


def test_outputs_what_a_person_needs(backend: Backend, cloud: Cloud) -> None:
    outputs = backend.outputs

    assert outputs["BackendUrl"] == "https://api.example.com"
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=outputs["SuperuserPasswordSecret"]
    )
    assert len(secret["SecretString"]) == 32


def test_validates_when_it_is_due(backend: Backend, images: dict[str, Path]) -> None:
    """The emulator's clock is left alone: what the schedule sends is sent here."""
    (schedule,) = backend.schedules()
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", "rate(5 minutes)")

    answer = backend.send(schedule)

    assert "FunctionError" not in answer, answer["Payload"].read()
    run = backend.wait_for_task("validation-monitor")
    assert run["containers"][0]["exitCode"] == 0
    assert "validate_against_schemas " in calls(images[FIRST])


def test_changes_nothing_when_nothing_changed(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    events, ran = backend.events(), calls(images[FIRST])

    again, diff = app.deploy(), app.diff()

    assert again.ok, again.output
    assert "(no changes)" in again.output
    assert "Number of stacks with differences: 0" in diff.output
    assert backend.events() == events
    assert calls(images[FIRST]) == ran


def test_runs_setup_once_before_the_service_changes(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    done = app.deploy(backendVersion=SECOND)

    assert done.ok, done.output
    assert calls(images[SECOND]) == [
        "migrate Update",
        "create_superuser Update",
        "collectstatic Update",
    ]
    assert backend.version == SECOND
    setup, web = backend.tasks("setup-db")[-1], backend.tasks("web", "RUNNING")[-1]
    assert setup["stoppedAt"] <= web["createdAt"]
    assert len(backend.tasks("setup-db")) == 2


def test_a_failing_migration_leaves_the_service_as_it_was(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    service, ran = backend.service, calls(images[SECOND])

    done = app.deploy(backendVersion=BROKEN)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(reason for reason in backend.reasons() if "Release task" in reason)
    assert "Release task exited with code 3\n" in reason
    assert "Command: steps migrate, create_superuser, loaddata, collectstatic" in reason
    assert "Log: https://" in reason
    assert 'ProgrammingError: column "cell" already exists' in reason
    assert "[release] migrate: failed with exit code 3" in reason
    assert "Release task exited with code 3" in done.output
    assert calls(images[BROKEN]) == ["migrate Update"]
    assert calls(images[SECOND]) == ran, "setup must not run during the rollback"
    assert backend.version == SECOND
    assert backend.service["deployments"] == service["deployments"]


def test_the_next_good_deployment_works(
    backend: Backend, app: Application, images: dict[str, Path]
) -> None:
    done = app.deploy(backendVersion=THIRD)

    assert done.ok, done.output
    assert backend.status == "UPDATE_COMPLETE"
    assert backend.version == THIRD
    assert calls(images[THIRD])[0] == "migrate Update"


def test_leaves_nothing_when_it_is_destroyed(
    backend: Backend, app: Application, before: set[str], cloud: Cloud
) -> None:
    done = app.destroy()

    assert done.ok, done.output
    left = inventory(cloud) - before
    # Lambda makes these for functions of CDK's own, and CloudFormation knows nothing of them.
    own = {name for name in left if re.fullmatch(OWN_LOGS, name)}
    assert len(own) == 4
    assert left == own
