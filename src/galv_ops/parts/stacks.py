"""The stacks, as CloudFormation sees them."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.parts.part import Part, State
from galv_ops.query.deployment import Deployment
from galv_ops.query.stack import Stack
from galv_ops.text import moment


def stacks(deployment: Deployment) -> Iterator[Part]:
    """Tell how the last change of each stack went."""
    for stack in deployment.stacks:
        yield Part(
            "stack",
            _state(stack),
            f"{stack.name} {stack.status} {moment(stack.changed)}",
            ["what ran before the last deployment runs: `galv-ops doctor` says why that failed"]
            if stack.is_back
            else [],
            data={
                "stack": stack.name,
                "region": stack.aws.region,
                "status": stack.status,
                "changed": stack.changed,
            },
        )


def _state(stack: Stack) -> State:
    if stack.is_busy:
        return "busy"
    if stack.is_back:
        return "back"
    return "ok" if stack.is_well else "bad"
