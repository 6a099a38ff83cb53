"""`galv-ops logs`: what a task wrote."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import click
from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.command import Ops, command
from galv_ops.errors import USAGE, OpsError
from galv_ops.output import Output, Styled
from galv_ops.query.deployment import WEB, Deployment
from galv_ops.query.log import NOT_FOUND, Line, follow, read

_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@command("logs")
@click.argument("task", default=WEB)
@click.option("--follow", "-f", "go_on", is_flag=True, help="Go on until interrupted.")
@click.option(
    "--since",
    default="1h",
    show_default=True,
    help="How long ago (90s, 30m, 2h, 7d), or a time such as 2026-05-01T02:00 in UTC.",
)
@click.option("--filter", "pattern", default="", help="Only what matches a CloudWatch pattern.")
def logs(ops: Ops, *, task: str, go_on: bool, since: str, pattern: str) -> int:
    """Print the log of TASK: web by default.

    Any log of the deployment has a name here; a wrong one is answered with the list.
    """
    start = parse_since(since, datetime.now(timezone.utc))
    group = _group(ops.deployment, task)
    lines = (follow if go_on else read)(ops.aws, group, since=start, pattern=pattern)
    some = False
    try:
        for line in lines:
            some = True
            _show(ops.out, line)
    except ClientError as error:
        if error_code(error) != NOT_FOUND:
            raise
        raise OpsError(f"the log group {group} is not there any more") from error
    if not some and not ops.out.as_json:
        ops.out.line(f"nothing in {group} since {since}", err=True)
    return 0


def parse_since(text: str, now: datetime) -> datetime:
    """Return the time that is meant.

    Raises:
        OpsError: If it is none.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise OpsError(
            f"--since must be how long ago, such as 30m, 2h or 7d, or a time such as "
            f"2026-05-01T02:00, got {text!r}",
            USAGE,
        ) from error
    return when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)


def log_groups(deployment: Deployment) -> dict[str, str]:
    """Return the log groups of a deployment by short names.

    A named one has the name of its task (`…/web`); another one that of its construct.
    """
    found: dict[str, str] = {}
    for stack, resource in deployment.resources("AWS::Logs::LogGroup"):
        if resource.id.startswith(f"/{stack.name}/"):
            name = resource.id.rpartition("/")[2]
        else:
            name = _words(resource.stem.removesuffix("LogGroup"))
        if name in found:
            name = _words(resource.stem.removesuffix("LogGroup"))
        found[name] = resource.id
    return found


def _group(deployment: Deployment, name: str) -> str:
    groups = log_groups(deployment)
    if name not in groups:
        raise OpsError(
            f"there is no log {name!r} in {deployment.name}: there are "
            f"{', '.join(sorted(groups)) or 'none yet'}",
            USAGE,
        )
    return groups[name]


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _show(out: Output, line: Line) -> None:
    begin = f"{line.when:%Y-%m-%d %H:%M:%S} {line.source} "
    first, *others = line.text.split("\n")
    out.item(
        {"at": line.when.isoformat(), "stream": line.stream, "message": line.text},
        # So that no event can write what looks like another one.
        [[Styled(begin, dim=True), first], *(f"{' ' * len(begin)}{other}" for other in others)],
    )
