"""Programs that tests need and Python does not install."""

import os
import shutil

import pytest


def need(*programs: str) -> list[str]:
    """Paths of the programs; a test without them is skipped, but fails in `.ci/run`."""
    found = [shutil.which(program) for program in programs]
    missing = [program for program, path in zip(programs, found, strict=True) if path is None]
    if missing:
        skip(f"not installed: {', '.join(missing)} (CONTRIBUTING.md says how)")
    return [path for path in found if path is not None]


def skip(reason: str | None) -> None:
    """Skip a test for a reason, if there is one; in `.ci/run` fail."""
    if reason is not None:
        if os.environ.get("GALV_TESTS_SKIP_NOTHING"):
            pytest.fail(reason)
        pytest.skip(reason)
