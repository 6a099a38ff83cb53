"""Which migrations may lose data."""

import re
from collections.abc import Sequence

from galv_constructs._core.validation import is_list
from galv_constructs.tasks.release_steps import ReleaseStep

ALLOW_DESTRUCTIVE = "GALV_ALLOW_DESTRUCTIVE"
"""Variable of the setup task that says which migrations may lose data."""

PLAN_STEP = ReleaseStep(name="plan", command=["python", "-m", "galv_task.migration_plan"])
"""The step of setup that tells which migrations lose data, and refuses those that may not."""

MIGRATION_PATTERN = r"[A-Za-z_]\w*\.\w+"
"""A migration as Django names it, with its app."""


def check_destructive(allowed: object, steps: Sequence[ReleaseStep]) -> None:
    """Refuse what is neither true or false nor names of migrations, and what nothing looks at."""
    if not isinstance(allowed, bool):
        names = allowed if is_list(allowed) else ()
        for name in names:
            if not isinstance(name, str) or not re.fullmatch(MIGRATION_PATTERN, name):
                raise ValueError(
                    f"allow_destructive_migrations names {name!r}, which is no migration: write "
                    "the app, a dot and the name, such as 'galv.0043_remove_note'"
                )
        if not names:
            raise ValueError(
                "allow_destructive_migrations must be true, false, or a list of the migrations "
                f"that may lose data, such as ['galv.0043_remove_note'], got {allowed!r}"
            )
    if allowed is not True and PLAN_STEP not in steps:
        raise ValueError(
            f"allow_destructive_migrations={allowed!r} needs a step of setup that looks at the "
            "migrations, and setup_steps has none: put DEFAULT_SETUP_STEPS[0] before the step "
            "that migrates"
        )


def destructive_variable(*, allowed: bool | Sequence[str]) -> dict[str, str]:
    """Return the variable of the setup task; none where all migrations may run."""
    if allowed is True:
        return {}
    return {ALLOW_DESTRUCTIVE: ",".join(allowed) if allowed else "false"}
