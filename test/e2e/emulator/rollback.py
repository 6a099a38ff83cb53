"""A stack that could not be rolled back goes on knowing what it could not delete."""

from typing import Any

from ministack.services.cloudformation import stacks

_roll_back = stacks._roll_back_operation


async def _keep(name: str, id: str, stack: Any, operation: Any, *rest: Any, **more: Any) -> None:
    await _roll_back(name, id, stack, operation, *rest, **more)
    if stack["StackStatus"] == "ROLLBACK_FAILED":
        for logical_id, resource in stack.get("_rollback_failed", {}).items():
            stack["_resources"][logical_id] = {**resource, "ResourceStatus": "DELETE_FAILED"}


def install() -> None:
    """Replace MiniStack's rollback."""
    stacks._roll_back_operation = _keep
