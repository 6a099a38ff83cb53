"""Fargate Spot took back the capacity of a task."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.text import count

# "The task was stopped due to a Fargate Spot interruption":
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
_INTERRUPTED = "SpotInterruption"


def spot(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which tasks were interrupted."""
    found = [stopped for stopped in evidence.stopped if stopped.reason.startswith(_INTERRUPTED)]
    for name in dict.fromkeys(stopped.task.name for stopped in found):
        of_task = [stopped for stopped in found if stopped.task.name == name]
        in_service = of_task[0].task.in_service
        follows = (
            "ECS starts another task as soon as it has room for one."
            if in_service
            else "A run by hand is yours to start again; a schedule comes again by itself."
        )
        yield Diagnosis(
            f"Fargate Spot interrupted {count(len(of_task), 'task')} of {name}: AWS needed the "
            "capacity back.",
            [str(stopped) for stopped in of_task],
            f"That is what Spot is cheaper for, and no fault of the deployment. {follows} Where it "
            "comes too often, set spot=False (fargateSpot in cdk.json).",
            of_task,
        )
