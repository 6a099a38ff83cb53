"""Images in the account's own registry: what was copied is what runs, whoever is away."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import ACCOUNT, GHCR, REGION, Cloud
from e2e.stack import Json
from e2e.templates import add_what_fails, resource

FIRST, SECOND = "v4.0.0", "v4.1.0"
# Neither is a day to come, which is refused.
LATER = datetime.now(timezone.utc).date()
NOW = LATER - timedelta(days=7)


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "mirrored", context={"mirrorImage": True})
    application.publish(FIRST)
    application.publish(SECOND)
    return application


@pytest.fixture(scope="module")
def backend(app: Application) -> Backend:
    app.move_tag("latest", FIRST)
    done = app.deploy(backendVersion="latest", latestAsOf=NOW.isoformat())
    assert done.ok, done.output
    return app.backend


def served(backend: Backend) -> str:
    """The version that a running web task tells."""
    _, body = backend.ask("/health/")
    return str(json.loads(body)["version"])


def setups(backend: Backend) -> list[str]:
    """The image of each setup, the oldest first."""
    return [backend.image_of(task["taskDefinitionArn"]) for task in backend.tasks("setup-db")]


def rollouts(backend: Backend) -> int:
    """How often CloudFormation changed the web service."""
    id = backend.resources("AWS::ECS::Service")
    return len(
        [
            event
            for event in backend.events()
            if event["LogicalResourceId"] in id and event["ResourceStatus"].endswith("IN_PROGRESS")
        ]
    )


def test_what_runs_was_copied(backend: Backend, app: Application) -> None:
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/"

    assert app.problems() == []
    assert served(backend) == FIRST
    assert backend.image.startswith(registry)
    assert "@sha256:" in backend.image
    assert setups(backend) == [backend.image]
    assert {backend.image_of(arn) for arn in backend.ids("AWS::ECS::TaskDefinition")} == {
        backend.image
    }


def test_a_newer_release_changes_nothing_on_the_same_day(
    backend: Backend, app: Application
) -> None:
    events, image = backend.events(), backend.image
    app.move_tag("latest", SECOND)

    done = app.deploy()

    assert done.ok, done.output
    assert backend.events() == events
    assert (backend.image, served(backend)) == (image, FIRST)


def test_a_deployment_as_of_another_day_runs_it_after_one_setup(
    backend: Backend, app: Application
) -> None:
    before, rolled_out = backend.image, rollouts(backend)

    done = app.deploy(latestAsOf=LATER.isoformat())

    assert done.ok, done.output
    assert app.problems() == []
    assert backend.image != before
    assert served(backend) == SECOND
    assert setups(backend) == [before, backend.image]
    assert rollouts(backend) == rolled_out + 1
    assert {backend.image_of(arn) for arn in backend.ids("AWS::ECS::TaskDefinition")} == {
        backend.image
    }


def another(backend: Backend, old: Json) -> Json:
    """Wait for the web task that runs in place of one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for task in backend.tasks("web", "RUNNING"):
            if task["taskArn"] != old["taskArn"] and task["lastStatus"] == "RUNNING":
                return task
        time.sleep(0.2)
    raise AssertionError("no task came in place of the one that ended")


class TestWithoutTheRegistry:
    """GHCR is away, and ECR is not."""

    @pytest.fixture(autouse=True)
    def _away(self, backend: Backend, cloud: Cloud) -> Iterator[None]:
        with cloud.without(GHCR):
            yield

    def test_a_task_that_ends_is_replaced(self, backend: Backend, app: Application) -> None:
        (old,) = backend.tasks("web", "RUNNING")
        for process in app.processes("gunicorn"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

        new = another(backend, old)

        assert new["taskDefinitionArn"] == old["taskDefinitionArn"]
        assert served(backend) == SECOND

    def test_a_scheduled_run_starts(self, backend: Backend) -> None:
        (schedule,) = backend.schedules()

        answer = backend.send(schedule)

        assert "FunctionError" not in answer, answer["Payload"].read()
        run = backend.wait_for_task("validation-monitor")
        assert run["containers"][0]["exitCode"] == 0
        assert backend.image_of(run["taskDefinitionArn"]) == backend.image

    def test_a_deployment_that_fails_goes_back(self, backend: Backend, app: Application) -> None:
        """The image of the first day is there still, and so is the one to go back to."""
        template, image = app.template(backend), backend.image
        first = setups(backend)[0]
        resource(template, "Custom::GalvMirroredImage")["Properties"]["AsOf"] = NOW.isoformat()
        (service,) = backend.resources("AWS::ECS::Service")
        add_what_fails(template, service)

        done = app.deploy_template(template)

        assert not done.ok
        assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
        assert any("InvalidGroup.NotFound" in reason for reason in backend.reasons())
        assert setups(backend)[-1] == first
        assert backend.image == image
        assert served(backend) == SECOND
