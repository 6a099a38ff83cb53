"""Generated names with a random part, so that a stack can be made anew beside what one left behind.

MiniStack derives them from the names of stack and resource alone.
"""

import secrets
from typing import Any

from ministack.services.cloudformation import stacks


def _provision(*arguments: Any) -> Any:
    token = stacks._NAME_SEED.set(secrets.token_hex(4))
    try:
        return stacks._provision_resource(*arguments), stacks._NAME_SEED.get()
    finally:
        stacks._NAME_SEED.reset(token)


def install() -> None:
    """Replace the function that keeps a seed on each resource."""
    if not hasattr(stacks, "_provision_keeping_seed"):
        raise AttributeError("MiniStack names resources in another way now")
    stacks._provision_keeping_seed = _provision
