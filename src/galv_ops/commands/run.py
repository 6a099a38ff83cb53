"""`galv-ops run`: a task that runs on demand, or a one-off command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

import click

from galv_ops.command import Ops, command, timeout_option
from galv_ops.errors import USAGE, OpsError
from galv_ops.query.deployment import CHECK, SETUP, WEB, Deployment
from galv_ops.query.run import run_task
from galv_ops.query.task import Task
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


# The constructs' own commands know more of these two.
_OTHERS = {SETUP: "setup", CHECK: "check"}


class _Command(click.Command):
    """Takes what stands behind `--` as a command, which click would take as more arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command apart."""
        before, dashes, words = _split(args)
        rest = super().parse_args(ctx, before)
        if dashes and not words:
            ctx.fail("Missing the command behind '--'.")
        if not words and ctx.params["name"] is None:
            ctx.fail("Name a task to run, or write a command behind '--'.")
        ctx.params["words"] = words
        return rest

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Say how the command is written."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@command("run", _Command)
@click.argument("name", required=False)
@timeout_option(default=60)
def run(ops: Ops, *, name: str | None, timeout: int, words: Sequence[str]) -> int:
    """Run a task once, or a command in one, and exit with its code.

    Such as: galv-ops run export, for a GalvTask with the id Export, or
    galv-ops run -- manage.py showmigrations

    NAME is the task whose image, variables, secrets, roles and size the run gets. Without NAME it
    is web, which needs a command.

    Pass no secret: CloudTrail keeps the words. A command finds those of the task in its
    environment; the superuser's first password only in setup-db.
    """
    if has_secret(" ".join(words)):
        ops.out.error(_WARNING)
    task = _task(ops.deployment, name or WEB)
    if not words:
        _check_own_command(task)
    outcome = run_task(
        ops.deployment,
        task,
        command=["python", *words] if words[:1] == [_MANAGE] else list(words) or None,
        timeout_minutes=timeout,
        show=ops.out.line,
        progress=ops.out.progress,
    )
    if ops.out.as_json:
        ops.out.result(asdict(outcome), [])
    return outcome.exit_code


def _split(args: list[str]) -> tuple[list[str], bool, list[str]]:
    """Return what is before `--`, whether it is there, and what is behind it."""
    if "--" not in args:
        return args, False, []
    at = args.index("--")
    return args[:at], True, args[at + 1 :]


def _task(deployment: Deployment, name: str) -> Task:
    """Return the task of a name, or of the id of its construct."""
    by_id = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", name).strip("-").lower()
    is_id = name not in deployment.tasks and by_id in deployment.tasks
    return deployment.task(by_id if is_id else name, given=True)


def _check_own_command(task: Task) -> None:
    """Refuse to run a task as it is that has another way to run."""
    if task.name in _OTHERS:
        raise OpsError(
            f"{task.name} runs by `galv-ops {_OTHERS[task.name]}`; for another command in it, "
            f"write galv-ops run {task.name} -- COMMAND",
            USAGE,
        )
    if task.in_service:
        raise OpsError(
            f"a service keeps {task.name} running already; for a command in it, write galv-ops run "
            f"{task.name} -- COMMAND",
            USAGE,
        )
