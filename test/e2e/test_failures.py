"""Deployments that fail, and what can be done then."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.templates import resource

GOOD, BROKEN, HANGING = "v3.0.0", "v3.0.1", "v3.0.2"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "failing")
    application.publish(GOOD)
    application.publish(BROKEN, create_superuser="echo no; exit 1")
    # It ignores the request to stop, as a program that hangs may.
    application.publish(HANGING, migrate="trap '' TERM; echo waiting for a lock; sleep 3600")
    return application


@pytest.fixture(scope="module")
def backend(app: Application) -> Backend:
    return app.backend


def processes(app: Application) -> list[str]:
    """The processes that stand for containers of the hanging image."""
    return list(_working_in(str(app.cloud.images / HANGING)))


def _working_in(folder: str) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((process / "cwd").readlink()) == folder:
                yield process.name


def test_a_first_deployment_that_fails_leaves_nothing_in_the_way(
    app: Application, backend: Backend
) -> None:
    done = app.deploy(backendVersion=BROKEN)

    assert not done.ok
    assert backend.status == "ROLLBACK_COMPLETE"
    assert any("create_superuser: failed with exit code 1" in r for r in backend.reasons())
    # The CLI ends with the reason and the log of the handler: as long as a screen, at most.
    _, _, end = done.output.partition("failed to deploy")
    assert "create_superuser: failed with exit code 1" in end
    assert "[provider-framework]" not in end
    assert len(end.splitlines()) < 60, end

    again = app.deploy_version(GOOD)

    assert again.ok, again.output
    assert backend.status == "CREATE_COMPLETE"
    assert app.problems() == []


def test_setup_that_hangs_is_stopped_at_the_deadline(app: Application, backend: Backend) -> None:
    template = app.template(backend)
    definition = template["Resources"][
        resource(template, "Custom::GalvReleaseTask")["Properties"]["TaskDefinition"]["Ref"]
    ]
    # A deadline that the construct would refuse, so that nobody has to wait a minute.
    resource(template, "Custom::GalvReleaseTask")["Properties"]["TimeoutSeconds"] = "3"
    (container,) = definition["Properties"]["ContainerDefinitions"]
    container["Image"] = container["Image"].replace(BROKEN, HANGING)

    done = app.deploy_template(template)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(r for r in backend.reasons() if "Release task" in r)
    assert "Release task hung: not done after 3 s, and was stopped" in reason
    assert "waiting for a lock" in reason
    task = backend.tasks("setup-db")[-1]
    assert task["stoppedReason"] == "The release deadline has passed"
    assert backend.version == GOOD
    assert processes(app) == []


def test_a_version_that_does_not_exist_is_told(app: Application, backend: Backend) -> None:
    done = app.deploy_version("v9.9.9")

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "galv-backend:v9.9.9" in next(r for r in backend.reasons() if "never started" in r)
    assert backend.version == GOOD


def test_a_service_that_does_not_come_up_is_rolled_back(app: Application, backend: Backend) -> None:
    fails = "#!/bin/sh\necho 'ImportError: no module named config'\nexit 3\n"
    app.publish("v3.1.0", gunicorn=fails)

    done = app.deploy_version("v3.1.0")

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Circuit Breaker" in reason for reason in backend.reasons())
    assert backend.version == GOOD
    assert backend.service["runningCount"] == 1
