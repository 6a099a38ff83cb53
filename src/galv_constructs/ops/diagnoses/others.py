"""Failures that no other file explains, and rollbacks that got stuck."""

from __future__ import annotations

from collections.abc import Iterator

from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence
from galv_constructs.ops.errors import page


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
                f"Mend what failed, then: aws cloudformation continue-update-rollback --stack-name "
                f"{stack.name}",
            )


def unexplained(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell the first failure of each stack as CloudFormation tells it."""
    seen: set[str] = set()
    for failure in evidence.failures:
        if failure.stack not in seen:
            seen.add(failure.stack)
            yield Diagnosis(
                f"{failure.resource} ({failure.type}) of {failure.stack} failed.",
                [failure.reason],
                "What failed first is usually the cause.",
            )


def never_started(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell why ECS could not start a task."""
    seen: set[str] = set()
    for stopped in evidence.stopped:
        if "TaskFailedToStart" in stopped.reason and stopped.task.name not in seen:
            seen.add(stopped.task.name)
            yield Diagnosis(
                f"ECS could not start {stopped.task.name}.",
                [str(stopped)],
                "Mend what ECS says, then deploy again.",
            )
