"""`galv-ops doctor`: why a deployment failed, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
from botocore.exceptions import ClientError

from galv_constructs.ops.command import Ops, command
from galv_constructs.ops.diagnoses.bootstrap import bootstrap
from galv_constructs.ops.diagnoses.certificate import certificate
from galv_constructs.ops.diagnoses.crash import crash
from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence
from galv_constructs.ops.diagnoses.health_check import health_check
from galv_constructs.ops.diagnoses.image import image
from galv_constructs.ops.diagnoses.others import never_started, stuck, unexplained
from galv_constructs.ops.diagnoses.secret import secret
from galv_constructs.ops.diagnoses.setup import setup
from galv_constructs.ops.diagnoses.site import site
from galv_constructs.ops.errors import FAILED, explain, is_denied, is_gone

_Cause = Callable[[Evidence], Iterator[Diagnosis]]
_CAUSES: tuple[_Cause, ...] = (
    image,
    secret,
    setup,
    health_check,
    crash,
    site,
    certificate,
    bootstrap,
)
_INDENT = "   "


@command("doctor")
def doctor(ops: Ops) -> int:
    """Say why a deployment failed, and what to do.

    Reads the events of the stacks, stopped tasks, the health of targets, certificates and the ends
    of logs. Exits with 1 if it finds something.
    """
    evidence = Evidence(ops.deployment)
    found: list[Diagnosis] = []
    gaps: list[str] = []
    for cause in _CAUSES:
        ops.out.progress(f"looking at: {cause.__name__.replace('_', ' ')}", passing=True)
        diagnoses, gap = _look(cause, evidence)
        found += diagnoses
        gaps += gap
    if not found:
        found += [*_look(never_started, evidence)[0], *_look(unexplained, evidence)[0]]
    found += stuck(evidence)
    busy = [stack.name for stack in evidence.deployment.stacks if stack.is_busy]
    ops.out.result(
        {
            "deployment": ops.deployment.name,
            "region": ops.deployment.region,
            "busy": busy,
            "diagnoses": [asdict(one) for one in found],
            "notSeen": gaps,
        },
        _text(found, gaps, busy),
    )
    return FAILED if found else 0


def _look(cause: _Cause, evidence: Evidence) -> tuple[list[Diagnosis], list[str]]:
    """Return what a cause finds, or what it was not allowed to see."""
    try:
        return list(cause(evidence)), []
    except ClientError as error:
        if not (is_denied(error) or is_gone(error)):
            raise
        return [], [explain(error)]


def _text(found: list[Diagnosis], gaps: list[str], busy: list[str]) -> str:
    lines = [f"{name} is being deployed right now." for name in busy]
    for number, one in enumerate(found, start=1):
        lines.append(f"{number}. {click.style(one.cause, bold=True)}")
        # A reason can have several lines.
        shown = [line for text in one.shown_by for line in text.splitlines()]
        lines += [f"{_INDENT}| {line}" for line in dict.fromkeys(shown)]
        lines += [f"{_INDENT}To do: {one.remedy}", ""]
    lines += [f"Not seen: {gap}" for gap in dict.fromkeys(gaps)]
    if not found:
        lines.append("Nothing wrong was found.")
    return "\n".join(lines).rstrip()
