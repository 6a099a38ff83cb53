"""Generated names with a random part, so that a stack can be made anew beside what one left behind.

MiniStack derives them from the names of stack and resource alone.
"""

import secrets
from typing import Any

from e2e.emulator.private import stacks


def _provision(*arguments: Any) -> Any:
    token = stacks.NAME_SEED.set(secrets.token_hex(4))
    try:
        return stacks.provision_resource(*arguments), stacks.NAME_SEED.get()
    finally:
        stacks.NAME_SEED.reset(token)


def install() -> None:
    """Replace the function that keeps a seed on each resource."""
    stacks.provision_keeping_seed = _provision
