"""Failures that no other file explains, and rollbacks that got stuck."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence, Source
from galv_ops.errors import page

_NEVER_STARTED = "TaskFailedToStart"


def stuck(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which stack can be neither updated nor deleted as it is."""
    for stack in evidence.deployment.stacks:
        if stack.status in {"ROLLBACK_FAILED", "DELETE_FAILED"}:
            yield Diagnosis(
                f"{stack.name} is {stack.status}: something in it refuses to be deleted.",
                [],
                "In production the load balancer and the database do. How to let go of them: "
                f"{page('operations.md', 'the-very-first-deployment')}",
            )
        elif stack.status == "UPDATE_ROLLBACK_FAILED":
            yield Diagnosis(
                f"{stack.name} is UPDATE_ROLLBACK_FAILED: it could not go back.",
                [],
                f"Fix what failed, then: aws cloudformation continue-update-rollback --stack-name "
                f"{stack.name}",
            )


def unexplained(evidence: Evidence, explained: Collection[Source]) -> Iterator[Diagnosis]:
    """Tell what nothing else explains as AWS tells it: each failure, and tasks without a start."""
    for failure in evidence.failures:
        if failure not in explained:
            yield Diagnosis(
                f"{failure.resource} ({failure.type}) of {failure.stack} failed.",
                [failure.reason],
                "What failed first is usually the cause.",
                [failure],
            )
    names: set[str] = set()
    for stopped in evidence.stopped:
        told = stopped in explained or bool(evidence.failures_of(stopped))
        if _NEVER_STARTED in stopped.reason and not told and stopped.task.name not in names:
            names.add(stopped.task.name)
            yield Diagnosis(
                f"ECS could not start {stopped.task.name}.",
                [str(stopped)],
                "Fix what ECS says, then deploy again.",
                [stopped],
            )
