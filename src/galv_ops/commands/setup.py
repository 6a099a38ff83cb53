"""`galv-ops setup`: setup once more."""

from __future__ import annotations

from dataclasses import asdict

import click

from galv_ops.command import Ops, command, timeout_option
from galv_ops.errors import OpsError
from galv_ops.query.deployment import SETUP
from galv_ops.query.run import run_task
from galv_ops.query.task import short
from galv_ops.query.tasks import running

# How the release gate tells the task which event it runs for; only Create loads fixtures.
_EVENT = "GALV_RELEASE_EVENT"


@command("setup")
@click.option(
    "--load-fixtures",
    is_flag=True,
    help="Load the fixtures too, which resets the demonstration rows.",
)
@timeout_option(default=60)
def setup(ops: Ops, *, load_fixtures: bool, timeout: int) -> int:
    """Run setup again: the steps that a deployment runs, in the image that is deployed.

    Exits with the code of the first step that fails.
    """
    deployment = ops.deployment
    task = deployment.task(SETUP)
    if deployment.backend.is_busy:
        raise OpsError(
            f"{deployment.backend.name} is being deployed ({deployment.backend.status}), which "
            "runs setup itself: wait until it is done"
        )
    others = running(deployment, task)
    if others:
        raise OpsError(
            f"setup is running already, as task {short(others[0].get('taskArn', ''))}: two at a "
            f"time would get in each other's way; see `galv-ops logs {SETUP} --follow`"
        )
    outcome = run_task(
        deployment,
        task,
        command=None,
        environment={_EVENT: "Create" if load_fixtures else "Update"},
        timeout_minutes=timeout,
        show=ops.out.line,
        progress=ops.out.progress,
    )
    if ops.out.as_json:
        ops.out.result(asdict(outcome), [])
    return outcome.exit_code
