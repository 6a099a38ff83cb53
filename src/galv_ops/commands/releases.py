"""`galv-ops releases`: what ran when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click
from botocore.exceptions import ClientError

from galv_ops.command import Ops, command
from galv_ops.errors import COULD_NOT, explain, is_fatal
from galv_ops.output import Line, Styled
from galv_ops.query.changes import Call, StackChange, calls, stack_changes, who_began
from galv_ops.query.deployment import WEB, Deployment
from galv_ops.query.releases import (
    Publication,
    Release,
    publications,
    releases_of,
    with_changes,
)
from galv_ops.text import moment

_COLORS = {"runs": "green", "rolled back": "yellow", "deploying": "yellow", "ran": None}
_SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
_INDENT = " " * 22
_WIDTH = 80
_COMMIT = 12


@command("releases")
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="Of the backend and of the site, so many releases at most.",
)
def releases(ops: Ops, *, limit: int) -> int:
    """Show what ran when, newest first: version, digest, setup's result, and by whom.

    Exits with 125 if a part could not be read.
    """
    deployment, gaps = ops.deployment, list[str]()
    found: list[Release] = []
    if deployment.has_backend:
        ops.out.progress("reading: releases of the backend", passing=True)
        found = _read_backend(deployment, limit, gaps)
    ops.out.progress("reading: releases of the site", passing=True)
    published: list[Publication] = []
    try:
        published = publications(deployment, limit)
    except ClientError as error:
        _gap(gaps, "site", error)
    ops.out.result(_data(deployment, found, published, gaps), _lines(found, published, gaps))
    return COULD_NOT if gaps else 0


def _read_backend(deployment: Deployment, limit: int, gaps: list[str]) -> list[Release]:
    stack = deployment.backend
    if WEB not in deployment.tasks:
        return []
    web = deployment.task(WEB)
    try:
        found = releases_of(deployment, web, limit)
    except ClientError as error:
        _gap(gaps, "images", error)
        return []
    if not found:
        return []
    since = found[-1].at
    changes: list[StackChange] = []
    made: list[Call] = []
    try:
        setup = deployment.setup_run
        changes = list(stack_changes(stack, setup.logical_id if setup else "", since=since))
    except ClientError as error:
        _gap(gaps, "setup", error)
    try:
        made = calls(stack, since=since)
    except ClientError as error:
        _gap(gaps, "who", error)
    who = {change: who_began(change, made) for change in changes}
    return _with_running([with_changes(release, changes, who) for release in found])


def _with_running(found: list[Release]) -> list[Release]:
    """Mark the newest one that was not rolled back."""
    running = next((one for one in found if one.state == "ran"), None)
    return [replace(one, state="runs") if one is running else one for one in found]


def _gap(gaps: list[str], what: str, error: ClientError) -> None:
    if is_fatal(error):
        raise error
    gaps.append(f"{what}: {explain(error)}")


def _data(
    deployment: Deployment,
    found: Sequence[Release],
    published: Sequence[Publication],
    gaps: Sequence[str],
) -> dict[str, Any]:
    return {
        "deployment": deployment.name,
        "region": deployment.region,
        "backend": [
            {
                "at": one.at,
                "state": one.state,
                "version": one.version.name or None,
                "digest": one.version.digest or None,
                "image": one.image,
                "setup": one.setup,
                "by": one.by or None,
                "findings": None if one.findings is None else dict(one.findings),
            }
            for one in found
        ],
        "site": [
            {"at": one.at, "version": one.version or None, "commit": one.commit or None}
            for one in published
        ],
        "notRead": list(gaps),
    }


def _lines(
    found: Sequence[Release], published: Sequence[Publication], gaps: Sequence[str]
) -> list[Line]:
    lines: list[Line] = ["Backend"]
    for one in found:
        lines.append(
            [
                f"{moment(one.at)}  ",
                Styled(one.state.ljust(11), color=_COLORS[one.state]),
                f"  {one.version}",
            ]
        )
        lines.append(_clipped(f"{_INDENT}setup {one.setup}, by {one.by or 'not known'}"))
        if one.findings:
            lines.append(_clipped(f"{_INDENT}scan: {_counted(one.findings)}"))
    if not found:
        lines.append("none that is known")
    lines += ["", "Site"]
    for site in published:
        commit = f" commit {site.commit[:_COMMIT]}" if site.commit else ""
        lines.append(f"{moment(site.at)}  published    {site.version or 'not known'}{commit}")
    if not published:
        lines.append("none that is known")
    if gaps:
        lines.append("")
    lines += [f"Not read: {gap}" for gap in gaps]
    return lines


def _clipped(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _counted(findings: Mapping[str, int]) -> str:
    """Return the numbers of findings, the most severe first."""
    known = [name for name in _SEVERITIES if findings.get(name)]
    return ", ".join(f"{findings[name]} {name.lower()}" for name in known) or "no findings"
