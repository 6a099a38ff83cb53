"""A stack that could not be rolled back goes on knowing what it could not delete, and how."""

from typing import Any

from ministack.core.responses import now_iso
from ministack.services.cloudformation import stacks

Json = dict[str, Any]
_roll_back = stacks._roll_back_operation


async def _keep(name: str, id: str, stack: Json, operation: Json, *rest: Any, **more: Any) -> None:
    await _roll_back(name, id, stack, operation, *rest, **more)
    if stack["StackStatus"] == "ROLLBACK_FAILED":
        for logical_id, resource in stack.get("_rollback_failed", {}).items():
            failed = {"ResourceStatus": "DELETE_FAILED", "Timestamp": now_iso()}
            stack["_resources"][logical_id] = {**resource, **failed}
        # Its deletion policies are asked for when the stack is deleted.
        stack["_template"] = operation["template"]


def install() -> None:
    """Replace MiniStack's rollback."""
    stacks._roll_back_operation = _keep
