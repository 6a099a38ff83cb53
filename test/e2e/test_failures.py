"""Deployments that fail, and what can be done then."""

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.cloud import Cloud
from e2e.faults import COMMAND_HANGS, NO_SUPERUSER
from e2e.templates import resource

GOOD, BROKEN, HANGING = "v3.0.0", "v3.0.1", "v3.0.2"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "failing")
    application.publish(GOOD)
    application.publish(BROKEN, NO_SUPERUSER)
    application.publish(HANGING, COMMAND_HANGS)
    return application


@pytest.fixture(scope="module")
def backend(app: Application) -> Backend:
    return app.backend


def test_a_first_deployment_that_fails_leaves_nothing_in_the_way(
    app: Application, backend: Backend
) -> None:
    done = app.deploy(backendVersion=BROKEN)

    assert not done.ok
    assert backend.status == "ROLLBACK_COMPLETE"
    assert any("create_superuser: failed with exit code 1" in r for r in backend.reasons())
    assert any("CommandError: no" in reason for reason in backend.reasons())
    # The CLI ends with the reason and the log of the handler: as long as a screen, at most.
    _, _, end = done.output.partition("failed to deploy")
    assert "create_superuser: failed with exit code 1" in " ".join(end.split())
    assert "[provider-framework]" not in end
    assert len(end.splitlines()) < 60, end

    again = app.deploy_version(GOOD)

    assert again.ok, again.output
    assert backend.status == "CREATE_COMPLETE"
    assert app.problems() == []


def test_setup_that_hangs_is_stopped_at_the_deadline(app: Application, backend: Backend) -> None:
    template = app.template_of_version(HANGING)
    # A deadline that the construct would refuse, so that nobody has to wait a minute.
    resource(template, "Custom::GalvReleaseTask")["Properties"]["TimeoutSeconds"] = "30"

    done = app.deploy_template(template)

    assert not done.ok
    assert backend.status == "UPDATE_ROLLBACK_COMPLETE"
    reason = next(r for r in backend.reasons() if "Release task" in r)
    assert "Release task hung: not done after 30 s, and was stopped" in reason
    assert "waiting for a lock" in reason
    task = backend.tasks("setup-db")[-1]
    assert task["stoppedReason"] == "The release deadline has passed"
    assert backend.version == GOOD
    assert app.processes("migrate") == []
