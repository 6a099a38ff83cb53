"""`galv-ops audit`: what in this account weakens the deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
from botocore.exceptions import ClientError

from galv_ops.answers import AWS_ERRORS
from galv_ops.audits.account import guardduty, public_access, root_user, trail
from galv_ops.audits.exposure import buckets, database, load_balancer, ports
from galv_ops.audits.finding import SEVERITIES, Finding
from galv_ops.audits.roles import bootstrap, github, unused_roles
from galv_ops.audits.upkeep import alarms, images, logs, mail, secrets
from galv_ops.command import Ops, command
from galv_ops.errors import COULD_NOT, FAILED, explain, is_fatal
from galv_ops.output import Line, Styled
from galv_ops.query.deployment import Deployment

_Look = Callable[[Deployment], Iterator[Finding]]
_LOOKS: tuple[_Look, ...] = (
    root_user,
    bootstrap,
    github,
    unused_roles,
    trail,
    guardduty,
    public_access,
    buckets,
    database,
    load_balancer,
    ports,
    secrets,
    images,
    alarms,
    logs,
    mail,
)
_COLORS = {"high": "red", "medium": "yellow", "low": None}
_INDENT = "        "


@command("audit")
@click.option(
    "--at-least",
    "least",
    type=click.Choice(SEVERITIES[::-1]),
    default="low",
    show_default=True,
    help="Leave out what is less severe.",
)
def audit(ops: Ops, *, least: str) -> int:
    """List what in this account weakens the deployment, the most severe first.

    Changes nothing. Exits with 1 if it finds something, and with 125 if it finds nothing but could
    not look at everything. It cannot see GitHub: whether an environment has reviewers.
    """
    deployment = ops.deployment
    found: list[tuple[str, Finding]] = []
    gaps = [*deployment.unseen]
    for look in _LOOKS:
        name = look.__name__.replace("_", " ")
        ops.out.progress(f"looking at: {name}", passing=True)
        findings, gap = _look(look, deployment)
        found += [(name, finding) for finding in findings]
        gaps += [f"{name}: {reason}" for reason in gap]
    shown = SEVERITIES[: SEVERITIES.index(least) + 1]
    found = sorted(
        (pair for pair in found if pair[1].severity in shown),
        key=lambda pair: SEVERITIES.index(pair[1].severity),
    )
    ops.out.result(
        {
            "deployment": deployment.name,
            "region": deployment.region,
            "findings": [{"subject": name, **asdict(finding)} for name, finding in found],
            "notLookedAt": gaps,
        },
        _lines(found, gaps),
    )
    return FAILED if found else COULD_NOT if gaps else 0


def _look(look: _Look, deployment: Deployment) -> tuple[list[Finding], list[str]]:
    """Return what is weak in a subject, and what could not be looked at."""
    found: list[Finding] = []
    try:
        # What comes before an error stays.
        found.extend(look(deployment))
    except AWS_ERRORS as error:
        if isinstance(error, ClientError) and is_fatal(error):
            raise
        return found, [explain(error)]
    return found, []


def _lines(found: list[tuple[str, Finding]], gaps: list[str]) -> list[Line]:
    lines: list[Line] = []
    for _, finding in found:
        lines.append(
            [
                Styled(finding.severity.ljust(6), color=_COLORS[finding.severity]),
                f"  {finding.text}",
            ]
        )
        lines.append(f"{_INDENT}To do: {finding.remedy}")
    lines += [f"Not looked at: {gap}" for gap in gaps]
    if not found:
        lines.append(
            "In what could be looked at there is no finding; of the rest nothing can be said."
            if gaps
            else "Nothing was found."
        )
    return lines
