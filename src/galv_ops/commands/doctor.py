"""`galv-ops doctor`: why a deployment failed, and what to do."""

from __future__ import annotations

from typing import Any

from galv_ops.command import Ops, command
from galv_ops.doctor.diagnose import diagnose, times
from galv_ops.doctor.evidence import Diagnosis
from galv_ops.errors import COULD_NOT, FAILED
from galv_ops.output import Line, Styled
from galv_ops.query.deployment import Deployment
from galv_ops.query.sleep import is_asleep

_INDENT = "   "


@command("doctor")
def doctor(ops: Ops) -> int:
    """Say why a deployment failed, and what to do.

    Reads the events of the stacks, stopped tasks, the health of targets, certificates, what the WAF
    blocked, and the ends of logs. Tells the newest failure first. Exits with 1 if it finds
    something, and with 125 if it finds nothing but could not see everything.
    """
    deployment = ops.deployment
    found, gaps = diagnose(
        deployment, lambda name: ops.out.progress(f"looking at: {name}", passing=True)
    )
    asleep = deployment.has_backend and is_asleep(deployment)
    busy = [stack.name for stack in deployment.stacks if stack.is_busy]
    if not (found or busy or deployment.has_backend):
        gaps.append(
            f"a backend: {deployment.name} has only {_listed(deployment)} in {deployment.region}. "
            "If it was deployed, it is in another region: pass --region"
        )
    ops.out.result(
        {
            "deployment": deployment.name,
            "region": deployment.region,
            "busy": busy,
            "asleep": asleep,
            "diagnoses": [_data(diagnosis) for diagnosis in found],
            "notSeen": gaps,
        },
        _lines(found, gaps, busy, asleep=asleep),
    )
    return FAILED if found else COULD_NOT if gaps else 0


def _listed(deployment: Deployment) -> str:
    return ", ".join(stack.name for stack in deployment.stacks)


def _data(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "cause": diagnosis.cause,
        "shown_by": list(diagnosis.shown_by),
        "remedy": diagnosis.remedy,
        "at": None if diagnosis.is_now or not diagnosis.sources else max(times(diagnosis)),
    }


def _lines(found: list[Diagnosis], gaps: list[str], busy: list[str], *, asleep: bool) -> list[Line]:
    lines: list[Line] = [f"{name} is being deployed right now." for name in busy]
    if asleep:
        lines.append("It is asleep, and answers 503: `galv-ops wake` wakes it.")
    for number, diagnosis in enumerate(found, start=1):
        lines.append([f"{number}. ", Styled(diagnosis.cause, bold=True)])
        # A reason can have several lines.
        shown = [line for text in diagnosis.shown_by for line in text.splitlines()]
        lines += [f"{_INDENT}| {line}" for line in dict.fromkeys(shown)]
        lines += [f"{_INDENT}To do: {diagnosis.remedy}", ""]
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
