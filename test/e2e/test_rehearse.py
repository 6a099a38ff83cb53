"""Setup of a release is rehearsed on a copy, with PostgreSQL and the stand-in's tables."""

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.owned_database import LOGIN, MASTER, MIGRATE, OWN, Database
from e2e.owned_database import make as make  # noqa: PLC0414 - a fixture
from galv.stand_in import PYTHON

from galv_constructs.backend._sources import FOLDER
from galv_ops.commands.rehearse import lines_of
from galv_ops.rehearsal.report import read

pytestmark = pytest.mark.smoke

REHEARSE = ("-m", "galv_task.rehearsal")
PREFIX = "[rehearsal] "
SLOW = """
migrations.RunSQL(
    "LOCK TABLE galv_lab IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); "
    "INSERT INTO galv_lab (name, quota_bytes) VALUES ('From the release', 1)"
)
"""
BROKEN = "migrations.RunSQL('DELETE FROM galv_lab; SELECT 1 / 0')"


@pytest.fixture(scope="module")
def copy(make: Callable[[], Database]) -> Database:
    """A copy of a database with rows, which production's setup has handed to its owner."""
    database = make()
    for command, login in ((OWN, LOGIN), (MIGRATE, LOGIN)):
        code, output = database.task(*command, login=login)
        assert code == 0, output
    rows = "INSERT INTO galv_lab (name, quota_bytes) VALUES ('One', 1), ('Two', 2)"
    assert database.ask(MASTER, rows) == ""
    return database


def release(folder: Path, *operations: str) -> dict[str, str]:
    """The variables of a release that has these migrations too."""
    app = folder / "trial" / "migrations"
    app.mkdir(parents=True)
    for path in (app, app.parent):
        (path / "__init__.py").touch()
    before: str | None = None
    for number, operation in enumerate(operations, start=1):
        depends: list[tuple[str, str]] = [] if before is None else [("trial", before)]
        before = f"{number:04}_step"
        (app / f"{before}.py").write_text(
            "from django.db import migrations\n"
            "class Migration(migrations.Migration):\n"
            f"    dependencies = {depends}\n"
            f"    operations = [{textwrap.dedent(operation).strip()}]\n"
        )
    (folder / "trial_settings.py").write_text(
        "from config.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'trial']\n"
    )
    return {
        "PYTHONPATH": f"{FOLDER}:{folder}",
        "GALV_SETTINGS_MODULE": "trial_settings",
        # The check is run by the name `python`.
        "PATH": f"{PYTHON.parent}:/usr/bin:/bin",
    }


def rehearse(copy: Database, variables: dict[str, str]) -> tuple[int, dict[str, Any], str]:
    """Rehearse its migrations, and return exit code, report and output."""
    code, output = copy.task(*REHEARSE, str(PYTHON), *MIGRATE, **variables)
    parts = [
        json.loads(line.removeprefix(PREFIX))
        for line in output.splitlines()
        if line.startswith(PREFIX)
    ]
    return code, {part["part"] + part.get("when", ""): part for part in parts}, output


def test_rows_survive_and_time_and_locks_are_told(copy: Database, tmp_path: Path) -> None:
    code, report, output = rehearse(copy, release(tmp_path, SLOW))

    assert report["setup"]["exit_code"] == 0, output
    assert report["rowsbefore"]["tables"]["public.galv_lab"] == 2
    assert report["rowsafter"]["tables"]["public.galv_lab"] == 3
    (migration,) = report["migrations"]["migrations"]
    assert (migration["name"], migration["done"]) == ("trial.0001_step", True)
    assert 2 <= migration["seconds"] < 20
    (lock,) = (
        lock
        for lock in report["locks"]["locks"]
        if lock["mode"] == "AccessExclusiveLock" and lock["table"] == "public.galv_lab"
    )
    assert 1.4 < lock["seconds"] < 20
    assert report["locks"]["error"] is None
    checks = {check["check"]: check["status"] for check in report["check"]["checks"]}
    # There are no credentials for S3 here, which fails the rehearsal after setup.
    assert (code, checks) == (1, {"django": "OK", "database": "OK", "s3": "ERROR"})
    # What galv-ops reads from the log, and prints.
    told = "\n".join(lines_of(read("v3.0.0", "", code, output.splitlines())))
    assert "trial.0001_step" in told
    assert re.search(r"public.galv_lab +2 +-> +3", told)
    assert "AccessExclusiveLock" in told
    assert "could not be read" not in told


def test_a_migration_that_fails_halfway_is_named_and_changes_no_rows(
    copy: Database, tmp_path: Path
) -> None:
    before = copy.ask(MASTER, "SELECT count(*) FROM galv_lab")
    code, report, output = rehearse(
        copy, release(tmp_path, "migrations.RunSQL('SELECT 1')", BROKEN)
    )

    assert code == report["setup"]["exit_code"] == 1, output
    assert report["migrations"]["migrations"][-1]["done"] is False
    assert report["migrations"]["migrations"][-1]["name"] == "trial.0002_step"
    assert str(report["rowsafter"]["tables"]["public.galv_lab"]) == before
    assert "division by zero" in output
    assert "check" not in report
