"""`galv-ops rehearse`: the setup of a release on a copy of the database."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import click

from galv_ops.command import Ops, command, timeout_option
from galv_ops.errors import FAILED, USAGE, OpsError
from galv_ops.output import table
from galv_ops.query.run import run_task
from galv_ops.query.sleep import refuse_asleep
from galv_ops.redact import redact
from galv_ops.rehearsal.copy import Copy
from galv_ops.rehearsal.release import (
    Stage,
    deregister_left,
    image_of,
    registered,
    stage_of,
    stop_runs,
)
from galv_ops.rehearsal.report import Report, read
from galv_ops.text import one_line


@command("rehearse")
@click.argument("version", required=False)
@click.option("--snapshot", help="Snapshot to copy. Default: the database as it is now.")
@click.option(
    "--time",
    metavar="TIME",
    help="Moment to copy, such as 2026-11-27T18:30:00Z. Default: the database as it is now.",
)
@click.option("--clean", is_flag=True, help="Only delete what an interrupted rehearsal has left.")
@timeout_option(default=120)
def rehearse(
    ops: Ops,
    *,
    version: str | None,
    snapshot: str | None,
    time: str | None,
    clean: bool,
    timeout: int,
) -> int:
    """Run the setup of a release on a copy of the database, before it is deployed.

    VERSION is a tag of Galv's image, such as v3.0.0, or an image's whole name.

    The stack needs a GalvRehearsal. The copy is deleted at the end, whatever happened; it costs as
    much as the database does in that time. Exits with 1 if setup or the check after it fails.
    """
    if (version is None) != clean:
        raise OpsError("give either VERSION or --clean", USAGE)
    for option, value in (("--snapshot", snapshot), ("--time", time)):
        if clean and value:
            raise OpsError(f"{option} is for a rehearsal: leave it out with --clean", USAGE)
    if snapshot and time:
        raise OpsError("give either --snapshot or --time: each names what is copied", USAGE)
    moment = None if time is None else _moment(time)
    image = "" if version is None else image_of(version)
    deployment = ops.deployment
    stage = stage_of(deployment)
    copy = Copy(deployment, ops.out.progress)
    if version is None:
        return _clean(ops, stage, copy)
    refuse_asleep(deployment)
    if deployment.backend.is_busy:
        raise OpsError(
            f"{deployment.backend.name} is being deployed ({deployment.backend.status}): rehearse "
            "when it is done"
        )
    found = copy.find()
    if found is not None and found["DBInstanceStatus"] == "deleting":
        raise OpsError(f"{copy.name} is still being deleted: try again in some minutes")
    if found is not None:
        raise OpsError(
            f"{copy.name} is there already: another rehearsal is going on, or one was killed. "
            "`galv-ops rehearse --clean` ends it and deletes what it left"
        )
    with ExitStack() as ends:
        ends.callback(_end, ops, stage, copy)
        address = copy.create(
            security_group=stage.security_group,
            snapshot=snapshot,
            time=moment,
            password=lambda: _password(ops, stage),
        )
        task = ends.enter_context(registered(deployment, stage.task, image))
        environment = {
            "POSTGRES_HOST": address.host,
            "POSTGRES_PORT": str(address.port),
            ("POSTGRES_USER" if stage.needs_master else "GALV_DATABASE_MASTER_USER"): (
                address.master
            ),
        }
        outcome = run_task(
            deployment,
            task,
            command=None,
            environment=environment,
            timeout_minutes=timeout,
            show=ops.out.line,
            progress=ops.out.progress,
        )
    report = read(version, image, outcome.exit_code, outcome.lines)
    ops.out.result(report.data(), lines_of(report))
    return FAILED if outcome.exit_code else 0


def _moment(text: str) -> datetime:
    """Return the time that an option gives; that of a laptop's zone would be a guess."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise OpsError(
            f"--time must be a time with its zone, such as 2026-11-27T18:30:00Z, got {text!r}",
            USAGE,
        )
    return found


def _clean(ops: Ops, stage: Stage, copy: Copy) -> int:
    stopped, was_there = _end(ops, stage, copy)
    deregister_left(ops.deployment, stage.task)
    data = {"copy": copy.name if was_there else None, "stopped": stopped}
    ops.out.result(
        data,
        [f"Deleted the copy {copy.name}." if was_there else "There was no copy."],
    )
    return 0


def _end(ops: Ops, stage: Stage, copy: Copy) -> tuple[int, bool]:
    """Stop the task, which would go on by itself, and delete the copy, each whatever happens."""
    try:
        stopped = stop_runs(ops.deployment, stage.task)
    finally:
        was_there = copy.delete()
    return stopped, was_there


def _password(ops: Ops, stage: Stage) -> str:
    answer = ops.aws.secretsmanager.get_secret_value(SecretId=stage.secret)
    return str(json.loads(answer["SecretString"])["password"])


def lines_of(report: Report) -> list[str]:
    """Return a report for a person."""
    found = ["", f"The rehearsal of {report.version} {report.verdict}."]
    if report.setup_seconds is not None:
        found.append(f"Setup took {_minutes(report.setup_seconds)}.")
    for title, rows in (
        ("Migrations:", [_migration(each) for each in report.migrations]),
        (
            "Locks that kept others from writing for a second or longer:",
            [[each["table"], each["mode"], f"{each['seconds']} s"] for each in report.locks],
        ),
        (
            "Tables whose rows changed in number:",
            [[name, _count(before), "->", _count(now)] for name, before, now in report.changed],
        ),
        ("Checks:", [_check(each) for each in report.checks]),
    ):
        if rows:
            found += [title, *(f"  {line}" for line in table(rows))]
    return [*found, *report.problems]


def _migration(each: dict[str, Any]) -> list[str]:
    return [each["name"], _minutes(each["seconds"]), "" if each["done"] else "failed"]


def _check(each: dict[str, Any]) -> list[str]:
    said = each.get("error") or each.get("message") or each.get("detail") or ""
    return [each["check"], each["status"], redact(one_line(str(said)))]


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _count(number: int | None) -> str:
    return "none" if number is None else str(number)
