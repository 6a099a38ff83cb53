"""Room in the account and in subnets, which a stack that exists has taken for itself already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def without_room(questions: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return questions without what the stack's own resources are counted in.

    Nobody can tell how much of what is in use is the stack's own, such as tasks that were scaled
    out, so that a stack that works would be refused.
    """
    return {
        check: {name: value for name, value in question.items() if not name.startswith("Addresses")}
        for check, question in questions.items()
        if question.get("Ask") != "quotas"
    }
