"""`galv-ops check`: does Galv reach its database, its buckets and its mail server?"""

from __future__ import annotations

from typing import Any

import click

from galv_ops.answers import AWS_ERRORS
from galv_ops.check_report import find_json, rows
from galv_ops.command import Ops, command, timeout_option
from galv_ops.errors import explain
from galv_ops.output import table
from galv_ops.query.deployment import CHECK
from galv_ops.query.mail import SANDBOX, ses_region
from galv_ops.query.run import run_task
from galv_ops.query.sleep import is_asleep
from galv_ops.query.task import Task
from galv_ops.redact import redact

_COMMAND = "check_status"
_FLAG = "--json"


@command("check")
@click.option(
    "--unless-asleep",
    is_flag=True,
    help="Check nothing, and succeed, while the deployment rests at night: for a pipeline whose "
    "deployment changed nothing, and so woke nothing.",
)
@timeout_option(default=15)
def check(ops: Ops, *, unless_asleep: bool, timeout: int) -> int:
    """Run check_status in a task of its own, and exit with its code.

    Says too whether the account is in the sandbox of Amazon SES, which changes no exit code. What
    looks like a secret is left out: pipelines keep what this prints.
    """
    if unless_asleep and is_asleep(ops.deployment):
        ops.out.result({"asleep": True}, ["The deployment is asleep: nothing was checked."])
        return 0
    task = ops.deployment.task(CHECK)
    command = list(task.command)
    if _COMMAND in command and _FLAG not in command:
        command.append(_FLAG)
    outcome = run_task(
        ops.deployment,
        task,
        command=command,
        timeout_minutes=timeout,
        show=lambda line: ops.out.line(redact(line), err=True),
        progress=ops.out.progress,
    )
    found = _redacted(find_json(outcome.lines))
    sandbox, told = _sandbox(ops, task)
    verdict = "passed" if outcome.exit_code == 0 else f"failed with exit code {outcome.exit_code}"
    ops.out.result(
        {
            "task": outcome.task,
            "exit_code": outcome.exit_code,
            "seconds": outcome.seconds,
            "checks": found,
            "sesSandbox": sandbox,
            "lines": redact("\n".join(outcome.lines)).split("\n") if outcome.lines else [],
        },
        [*table(rows(found)), *([told] if told else []), f"check_status {verdict}"],
    )
    return outcome.exit_code


def _redacted(value: Any) -> Any:
    """Return what the check reports, without secrets in its texts."""
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def _sandbox(ops: Ops, task: Task) -> tuple[bool | None, str]:
    """Tell whether the account that sends mail is in the sandbox; None if it is not known."""
    region = ses_region(task)
    if region is None:
        return None, ""
    try:
        account = ops.aws.in_region(region).sesv2.get_account()
    except AWS_ERRORS as error:
        return None, f"Whether the account is in the sandbox of SES is not known: {explain(error)}"
    if account.get("ProductionAccessEnabled", False):
        return False, ""
    return True, f"{SANDBOX[0].upper()}{SANDBOX[1:]}"
