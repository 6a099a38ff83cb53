"""Setup looks at the migrations before it carries them out."""

import pytest
from backends import MakeBackend, RefusedBackend, Synth
from templates import Json, container, environment, text

from galv_constructs import DEFAULT_SETUP_STEPS, ReleaseStep
from galv_constructs.backend._migrations import ALLOW_DESTRUCTIVE


def variables(template: Json) -> Json:
    return environment(template, "setup-db")


def test_setup_tells_which_lose_data_before_it_migrates(default: Json) -> None:
    setup = text(container(default, "setup-db"))

    assert setup.index("step plan ") < setup.index("step migrate ")
    assert "galv_task/migration_plan.py" in setup
    assert ALLOW_DESTRUCTIVE not in variables(default)


def test_no_other_task_does(default: Json) -> None:
    assert "migration_plan" not in text(container(default, "web"))


@pytest.mark.parametrize(
    ("allowed", "variable"),
    [(False, "false"), (["galv.0043_a", "galv.0044_b"], "galv.0043_a,galv.0044_b")],
)
def test_refuses_those_that_may_not(synth: Synth, allowed: object, variable: str) -> None:
    template = synth(allow_destructive_migrations=allowed)

    assert variables(template)[ALLOW_DESTRUCTIVE] == variable


@pytest.mark.parametrize(
    ("allowed", "message"),
    [
        ("yes", "must be true, false, or a list of the migrations that may lose data"),
        ([], "such as ['galv.0043_remove_note'], got []"),
        (["0043"], "names '0043', which is no migration: write the app, a dot and the name"),
    ],
)
def test_refuses_other_values(
    refused_backend: RefusedBackend, allowed: object, message: str
) -> None:
    assert message in refused_backend(allow_destructive_migrations=allowed)


def test_steps_that_look_at_nothing_cannot_refuse(
    refused_backend: RefusedBackend, make_backend: MakeBackend
) -> None:
    steps = [ReleaseStep(name="migrate", command=["python", "manage.py", "migrate"])]

    message = refused_backend(allow_destructive_migrations=False, setup_steps=steps)

    assert "setup_steps has none: put DEFAULT_SETUP_STEPS[0] before the step" in message
    make_backend(allow_destructive_migrations=False, setup_steps=[DEFAULT_SETUP_STEPS[0], *steps])
