"""A stack that could not be rolled back goes on knowing what it could not delete, and how."""

from typing import Any

from e2e.emulator.private import (
    DEPLOYED,
    FAILED_TO_ROLL_BACK,
    TEMPLATE,
    responses,
    stacks,
)

Json = dict[str, Any]
_roll_back = stacks.roll_back_operation


async def _keep(name: str, id: str, stack: Json, operation: Json, *rest: Any, **more: Any) -> None:
    await _roll_back(name, id, stack, operation, *rest, **more)
    if stack["StackStatus"] == "ROLLBACK_FAILED":
        for logical_id, resource in stack.get(FAILED_TO_ROLL_BACK, {}).items():
            failed = {"ResourceStatus": "DELETE_FAILED", "Timestamp": responses.now_iso()}
            stack[DEPLOYED][logical_id] = {**resource, **failed}
        # Its deletion policies are asked for when the stack is deleted.
        stack[TEMPLATE] = operation["template"]


def install() -> None:
    """Replace MiniStack's rollback."""
    stacks.roll_back_operation = _keep
