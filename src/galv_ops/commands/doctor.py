"""`galv-ops doctor`: why a deployment failed, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from galv_ops.command import Ops, command
from galv_ops.deployment import Deployment
from galv_ops.diagnoses.blocked import blocked
from galv_ops.diagnoses.bootstrap import bootstrap
from galv_ops.diagnoses.certificate import certificate
from galv_ops.diagnoses.crash import crash
from galv_ops.diagnoses.evidence import Diagnosis, Evidence
from galv_ops.diagnoses.health_check import health_check
from galv_ops.diagnoses.image import image
from galv_ops.diagnoses.others import stuck, unexplained
from galv_ops.diagnoses.secret import secret
from galv_ops.diagnoses.setup import setup
from galv_ops.diagnoses.site import site
from galv_ops.errors import COULD_NOT, FAILED, explain, is_fatal
from galv_ops.events import Failure
from galv_ops.output import Line, Styled

_Cause = Callable[[Evidence], Iterator[Diagnosis]]
_CAUSES: tuple[_Cause, ...] = (
    image,
    secret,
    setup,
    health_check,
    crash,
    site,
    certificate,
    blocked,
)
_INDENT = "   "
_OLDEST = datetime.min.replace(tzinfo=timezone.utc)
_NEWEST = datetime.max.replace(tzinfo=timezone.utc)


@command("doctor")
def doctor(ops: Ops) -> int:
    """Say why a deployment failed, and what to do.

    Reads the events of the stacks, stopped tasks, the health of targets, certificates, what the WAF
    blocked, and the ends of logs. Tells the newest failure first. Exits with 1 if it finds
    something, and with 125 if it finds nothing but could not see everything.
    """
    deployment = ops.deployment
    evidence = Evidence(deployment)
    found: list[Diagnosis] = []
    gaps = [*deployment.unseen]

    def look(name: str, cause: _Cause) -> list[Diagnosis]:
        ops.out.progress(f"looking at: {name.replace('_', ' ')}", passing=True)
        diagnoses, gap = _look(cause, evidence)
        gaps.extend(gap)
        return diagnoses

    for cause in _CAUSES:
        found += look(cause.__name__, cause)
    explained = [source for one in found for source in one.sources]
    found += look("what is left", lambda evidence: unexplained(evidence, explained))
    found = [*_newest_first(found), *look("bootstrap", bootstrap), *stuck(evidence)]
    busy = [stack.name for stack in deployment.stacks if stack.is_busy]
    if not (found or busy or deployment.has_backend):
        gaps.append(
            f"a backend: {deployment.name} has only {_listed(deployment)} in {deployment.region}. "
            "If it was deployed, it is in another region: pass --region"
        )
    gaps = list(dict.fromkeys(gaps))
    ops.out.result(
        {
            "deployment": deployment.name,
            "region": deployment.region,
            "busy": busy,
            "diagnoses": [_data(one) for one in found],
            "notSeen": gaps,
        },
        _lines(found, gaps, busy),
    )
    return FAILED if found else COULD_NOT if gaps else 0


def _look(cause: _Cause, evidence: Evidence) -> tuple[list[Diagnosis], list[str]]:
    """Return what a cause finds, and what it could not see."""
    found: list[Diagnosis] = []
    try:
        # What comes before an error stays.
        found.extend(cause(evidence))
    except ClientError as error:
        if is_fatal(error):
            raise
        return found, [explain(error)]
    return found, []


def _newest_first(diagnoses: list[Diagnosis]) -> list[Diagnosis]:
    """Sort by the change that they are about, and within one by what failed first."""
    newest: dict[str, datetime] = {}
    for one in diagnoses:
        newest[_stack(one)] = max(newest.get(_stack(one), _OLDEST), *_times(one))
    return sorted(
        diagnoses,
        # sorted() keeps the order of equals: what is so at this moment has no time.
        key=lambda one: (-newest[_stack(one)].timestamp(), _stack(one), min(_times(one))),
    )


def _stack(diagnosis: Diagnosis) -> str:
    """Return the stack that failed; for a task that stopped that is the backend's."""
    if diagnosis.is_now or not diagnosis.sources:
        return ""
    return next((one.stack for one in diagnosis.sources if isinstance(one, Failure)), "tasks")


def _times(diagnosis: Diagnosis) -> list[datetime]:
    if diagnosis.is_now or not diagnosis.sources:
        return [_NEWEST]
    return [one.when for one in diagnosis.sources]


def _listed(deployment: Deployment) -> str:
    return ", ".join(stack.name for stack in deployment.stacks)


def _data(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "cause": diagnosis.cause,
        "shown_by": list(diagnosis.shown_by),
        "remedy": diagnosis.remedy,
        "at": None if diagnosis.is_now or not diagnosis.sources else max(_times(diagnosis)),
    }


def _lines(found: list[Diagnosis], gaps: list[str], busy: list[str]) -> list[Line]:
    lines: list[Line] = [f"{name} is being deployed right now." for name in busy]
    for number, one in enumerate(found, start=1):
        lines.append([f"{number}. ", Styled(one.cause, bold=True)])
        # A reason can have several lines.
        shown = [line for text in one.shown_by for line in text.splitlines()]
        lines += [f"{_INDENT}| {line}" for line in dict.fromkeys(shown)]
        lines += [f"{_INDENT}To do: {one.remedy}", ""]
    lines += [f"Not seen: {gap}" for gap in gaps]
    if found:
        return lines if gaps else lines[:-1]
    if gaps:
        lines.append("In what could be seen there is no fault; of the rest nothing can be said.")
    elif busy:
        lines.append("Nothing wrong was found so far.")
    else:
        lines.append("Nothing wrong was found.")
    return lines
