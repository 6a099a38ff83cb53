"""Tasks that are stopped before their command has ended."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import MakeBackend
from containers import Container, Image, container_of, why_not
from templates import Json, synthesize, task_definition

from galv_constructs import GalvReleaseTask, GalvScheduledTask, ReleaseStep

pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))

# Python leaves SIGTERM to the kernel, as Django's commands do.
WAITS = ["python", "-c", "import time; print('up', flush=True); time.sleep(600)"]
DAILY = ScheduleExpression.rate(Duration.days(1))
KINDS: dict[str, tuple[Callable[..., object], Json]] = {
    "GalvScheduledTask": (GalvScheduledTask, {"command": WAITS, "schedule": DAILY}),
    "GalvReleaseTask": (GalvReleaseTask, {"command": WAITS}),
}


def stop(template: Json, name: str, folder: Path, **others: Any) -> int:
    """Start a task of a template, stop it when it is up, and return its exit code."""
    definition = container_of(task_definition(template, name)[1], name)
    for variable in definition["environment"]:
        # Addresses that CloudFormation would fill in.
        variable["value"] = str(variable["value"])
    secrets = {one["name"]: "secret" for one in definition["secrets"]}
    application = folder / "application"
    application.mkdir()
    image = Image(python=Path(sys.executable), application=application)
    with Container(
        image, definition, secrets=secrets, folder=folder / "container", **others
    ) as container:
        end = time.monotonic() + 60
        while "up" not in container.output():
            assert container.running, container.output()
            assert time.monotonic() < end, container.output()
            time.sleep(0.02)
        return container.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_ends_at_sigterm(
    kind: str, stack: Stack, make_backend: MakeBackend, tmp_path: Path
) -> None:
    make, arguments = KINDS[kind]
    make(stack, "Report", runtime=make_backend().runtime, **arguments)

    assert stop(synthesize(stack), "report", tmp_path) == 128 + signal.SIGTERM


def test_a_step_has_time_to_end(stack: Stack, make_backend: MakeBackend, tmp_path: Path) -> None:
    careful = "trap 'sleep 1; echo done; exit 5' TERM; echo up; while :; do sleep 0.05; done"
    steps = [ReleaseStep(name="careful", command=["sh", "-c", careful])]
    GalvReleaseTask(stack, "Report", runtime=make_backend().runtime, steps=steps)

    assert stop(synthesize(stack), "report", tmp_path) == 5


def test_the_check_ends_at_sigterm(default: Json, tmp_path: Path) -> None:
    code = stop(default, "check-status", tmp_path, command=WAITS)

    assert code == 128 + signal.SIGTERM
