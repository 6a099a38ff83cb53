"""Which migrations lose data: by real Django for a real PostgreSQL, which then runs them.

The rows are the proof: all values are still there after one that loses nothing, and after one that
is told to lose some it has failed, or a value is gone.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from e2e.migration_corpus import BESIDE, CASES, FIRST, ROWS
from frontend_site.programs import skip
from galv.stand_in import PYTHON
from proof import certificates
from proof.postgres import Postgres, programs

from galv_constructs.backend._sources import FOLDER

pytestmark = pytest.mark.smoke
# Of this run alone.
ADDRESS = f"127.3.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
SETTINGS = f"""
SECRET_KEY = "secret"
INSTALLED_APPS = ["lab"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "HOST": "{ADDRESS}", "NAME": "galv", "USER": "galv",
    "PASSWORD": "secret", "OPTIONS": {{"sslmode": "require"}}}}}}
"""
# Each case in a copy of the database that has run the first migration.
RUN = """
import json, sys
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

django.setup()
from galv_task.migration_plan import plan_of

def database(name):
    connection.close()
    connection.settings_dict["NAME"] = name

def migrations(case):
    settings.MIGRATION_MODULES = {"lab": "cases." + case}

def values():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "'public'::regnamespace AND relname <> 'django_migrations'")
        found = set()
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                found |= {spelled(value) for value in row if value is not None}
    return found

def spelled(value):
    try:
        return str(float(value))
    except (TypeError, ValueError):
        return str(value)

cases = json.loads(sys.argv[1])
migrations("first")
empty = plan_of(connection)
call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute(open("rows.sql").read())
before = values()
found = {"empty": [str(one) for one in empty[2]], "cases": {}}
for case in cases:
    database("postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {case} TEMPLATE galv")
    database(case)
    migrations(case)
    schema, names, findings = plan_of(connection)
    assert before == values(), case
    error, after = "", set()
    try:
        call_command("migrate", verbosity=0)
        after = values()
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    told = "".join("; ".join(one.why) for one in findings)
    found["cases"][case] = [schema, names, told, error, sorted(before - after)]
print(json.dumps(found))
"""


class Outcome(NamedTuple):
    """What was told of a case, and what became of it."""

    schema: dict[str, str]
    names: list[str]
    told: str
    error: str
    lost: list[str]


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, Any]]:
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    # The server's user may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="e2e-plan-", dir="/tmp"))
    folder.chmod(0o755)
    server = Postgres(
        folder / "server", ADDRESS, certificates.create(folder / "tls", ["db.example.com"])
    )
    try:
        server.start(user="galv", password="secret", database="galv")
        yield _run(folder / "application")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _run(code: Path) -> dict[str, Any]:
    text = {case: f"{BESIDE}\nclass Migration(migrations.Migration):\n"
        f'    dependencies = [("lab", "0001_initial")]\n    operations = [{one.operations}]\n'
        for case, one in CASES.items()}  # fmt: skip
    files = {"settings.py": SETTINGS, "run.py": RUN, "rows.sql": ROWS, "lab/__init__.py": ""}
    for case in ("first", *CASES):
        files |= {f"cases/{case}/__init__.py": "", f"cases/{case}/0001_initial.py": FIRST}
    files |= {f"cases/{case}/0002_case.py": one for case, one in text.items()}
    for name, content in files.items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(content)
    done = subprocess.run(
        [str(PYTHON), "run.py", json.dumps(list(CASES))],
        cwd=code,
        env={"PYTHONPATH": f"{FOLDER}:{code}", "DJANGO_SETTINGS_MODULE": "settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


@pytest.mark.parametrize("case", CASES)
def test_tells_what_is_lost(found: dict[str, Any], case: str) -> None:
    outcome = Outcome(*found["cases"][case])

    assert outcome.told == CASES[case].told
    assert outcome.schema == {"lab": "0001_initial"}
    assert outcome.names == ["lab.0002_case"]


@pytest.mark.parametrize("case", CASES)
def test_is_right_about_it(found: dict[str, Any], case: str) -> None:
    outcome = Outcome(*found["cases"][case])

    if CASES[case].told:
        assert outcome.error or outcome.lost
    else:
        assert (outcome.error, outcome.lost) == ("", [])


def test_an_empty_database_has_nothing_to_lose(found: dict[str, Any]) -> None:
    assert found["empty"] == []


def test_there_are_enough_of_both() -> None:
    destructive = [one for one in CASES.values() if one.told]
    assert len(destructive) >= 10
    assert len(CASES) - len(destructive) >= 20
