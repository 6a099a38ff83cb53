"""`galv-ops check`: does Galv reach its database, its buckets and its mail server?"""

from __future__ import annotations

from galv_constructs.ops.check_report import find_json, rows
from galv_constructs.ops.command import Ops, command, timeout_option
from galv_constructs.ops.deployment import CHECK
from galv_constructs.ops.output import table
from galv_constructs.ops.run import run_task

_COMMAND = "check_status"
_FLAG = "--json"


@command("check")
@timeout_option(default=15)
def check(ops: Ops, *, timeout: int) -> int:
    """Run check_status in a task of its own, and exit with its code."""
    task = ops.deployment.task(CHECK)
    words = list(task.command)
    if words[-1:] == [_COMMAND]:
        words.append(_FLAG)
    outcome = run_task(
        ops.deployment,
        task,
        command=words,
        timeout_minutes=timeout,
        show=lambda line: ops.out.line(line, err=True),
        progress=ops.out.progress,
    )
    found = find_json(outcome.lines)
    verdict = "passed" if outcome.exit_code == 0 else f"failed with exit code {outcome.exit_code}"
    ops.out.result(
        {
            "task": outcome.task,
            "exit_code": outcome.exit_code,
            "seconds": outcome.seconds,
            "checks": found,
            "lines": outcome.lines,
        },
        "\n".join(filter(None, (table(rows(found)), f"check_status {verdict}"))),
    )
    return outcome.exit_code
