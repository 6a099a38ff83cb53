"""`galv-ops run`: a one-off command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from galv_ops.command import Ops, command, timeout_option
from galv_ops.query.deployment import WEB
from galv_ops.query.run import run_task
from galv_ops.redact import has_secret

_MANAGE = "manage.py"
# "requestParameters: The parameters, if any, that were sent with the request":
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_WARNING = (
    "galv-ops: the command looks as if it held a secret, and AWS keeps it: CloudTrail records the "
    "words of each task, and ECS shows them. Better store the secret under a key of "
    "backendSecretsName that backendSecretsKeys names, deploy, and take it from the environment: "
    "galv-ops run -- sh -c 'tool --password \"$NAME\"'. Replace the one that you passed."
)


@command("run")
@click.option(
    "--task",
    "name",
    default=WEB,
    show_default=True,
    help="Task whose image, variables, secrets, roles and size the command gets.",
)
@timeout_option(default=60)
@click.argument("arguments", nargs=-1, required=True, metavar="-- COMMAND...")
def run(ops: Ops, *, name: str, timeout: int, arguments: Sequence[str]) -> int:
    """Run a command in a task of its own, and exit with its code.

    Such as: galv-ops run -- manage.py showmigrations

    Pass no secret: CloudTrail keeps the words. A command finds those of the task in its
    environment; the superuser's first password only with --task setup-db.
    """
    if has_secret(" ".join(arguments)):
        ops.out.error(_WARNING)
    task = ops.deployment.task(name, given=True)
    command_line = ["python", *arguments] if arguments[0] == _MANAGE else list(arguments)
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
