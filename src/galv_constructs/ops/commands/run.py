"""`galv-ops run`: a one-off command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from galv_constructs.ops.command import Ops, command, timeout_option
from galv_constructs.ops.deployment import SETUP
from galv_constructs.ops.run import run_task

_MANAGE = "manage.py"


@command("run")
@click.option(
    "--task",
    "name",
    default=SETUP,
    show_default=True,
    help="Task whose image, variables, secrets, roles and size the command gets.",
)
@timeout_option(default=60)
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...")
def run(ops: Ops, *, name: str, timeout: int, words: Sequence[str]) -> int:
    """Run a command in a task of its own, and exit with its code.

    Such as: galv-ops run -- manage.py showmigrations
    """
    task = ops.deployment.task(name, given=True)
    command_line = ["python", *words] if words[0] == _MANAGE else list(words)
    outcome = run_task(
        ops.deployment,
        task,
        command=command_line,
        timeout_minutes=timeout,
        show=ops.out.line,
        progress=ops.out.progress,
    )
    if ops.out.as_json:
        ops.out.result(asdict(outcome), [])
    return outcome.exit_code
