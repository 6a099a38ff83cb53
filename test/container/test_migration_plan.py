"""The plan that setup looks at: types, and what is said; each kind of migration is in test/e2e."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from galv_constructs.backend._sources import FOLDER
from galv_constructs.container.galv_task.migration_plan import ALLOWED, MARK, narrows

DROPS = "lab.0002_drop"
SETTINGS = """
SECRET_KEY = "checked"
INSTALLED_APPS = ["lab"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "database"}}
"""
FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [migrations.CreateModel("Cell", [("id", models.BigAutoField(primary_key=True)),
        ("note", models.TextField()), ("code", models.TextField())])]
"""
DROP = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("lab", "{0}")]
    operations = [migrations.RemoveField("cell", "{1}")]
"""


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ("integer", "integer", False),
        ("serial", "bigserial", False),
        ("smallint", "numeric(5, 0)", False),
        ("integer", "numeric(10, 2)", True),
        ("integer", "double precision", False),
        ("bigint", "double precision", True),
        ("integer", "varchar(11)", False),
        ("integer", "varchar(10)", True),
        ("double precision", "real", True),
        ("real", "double precision", False),
        ("double precision", "integer", True),
        ("date", "timestamp with time zone", False),
        ("timestamp with time zone", "date", True),
        ("date", "integer", True),
        ("varchar(9)", "citext", False),
        ("varchar(9)[]", "varchar(8)[]", True),
        ("varchar(9)[]", "varchar(8)", True),
        ("numeric(5, 2)", "numeric(6, 3)", False),
        ("numeric(5, 2)", "numeric(5, 3)", True),
        ("numeric(5, 2)", "double precision", True),
        ("jsonb", "text", False),
        ("text", "jsonb", True),
        ("uuid", "varchar(36)", True),
    ],
)
def test_a_type_that_holds_less(old: str, new: str, lost: bool) -> None:
    assert narrows(old, new) is lost


class Application:
    """A Django application, whose first migration has run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lab/migrations").mkdir(parents=True)
        (folder / "settings.py").write_text(SETTINGS)
        for name, content in {"__init__": "", "0001_initial": FIRST}.items():
            (folder / f"lab/migrations/{name}.py").write_text(content)
        (folder / "lab/__init__.py").touch()

    def run(self, *command: str, allowed: str | None = None) -> tuple[int, list[str]]:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(FOLDER),
                "DJANGO_SETTINGS_MODULE": "settings",
                **({} if allowed is None else {ALLOWED: allowed}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    def plan(self, allowed: str | None = None) -> tuple[int, list[str]]:
        return self.run("galv_task.migration_plan", allowed=allowed)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    application = Application(tmp_path_factory.mktemp("plan"))
    assert application.run("django", "migrate", "-v", "0") == (0, [])
    for name, text in {
        "0002_drop": DROP.format("0001_initial", "note"),
        "0003_more": DROP.format("0002_drop", "code"),
    }.items():
        (application.folder / f"lab/migrations/{name}.py").write_text(text)
    return application


def test_tells_what_runs_and_what_it_loses(application: Application) -> None:
    code, (runs, *told, record) = application.plan()

    assert code == 0
    assert runs == "migrations that run: lab.0002_drop, lab.0003_more"
    assert told == [
        "destructive: lab.0002_drop drops the column lab_cell.note",
        "destructive: lab.0003_more drops the column lab_cell.code",
    ]
    assert json.loads(record.removeprefix(MARK)) == {
        "schema": {"lab": "0001_initial"},
        "migrations": 2,
        "destructive": [
            {"migration": DROPS, "why": "drops the column lab_cell.note"},
            {"migration": "lab.0003_more", "why": "drops the column lab_cell.code"},
        ],
    }


@pytest.mark.parametrize("allowed", ["false", "lab.0003_more"])
def test_refuses_what_may_not_be_lost(application: Application, allowed: str) -> None:
    code, output = application.plan(allowed)

    assert code == 1
    assert output[-1].startswith(
        "refused: data would be lost. lab.0002_drop drops the column lab_cell.note"
    )
    assert ("0003_more drops" in output[-1]) == (allowed == "false")
    assert output[-1].endswith(
        "Nothing was changed. To go on: take a snapshot of the database, read the migrations, and "
        'allow them by allow_destructive_migrations=["lab.0002_drop", "lab.0003_more"] '
        "(allowDestructiveMigrations in cdk.json)"
    )


@pytest.mark.parametrize("allowed", ["true", "lab.0002_drop,lab.0003_more"])
def test_lets_pass_what_may(application: Application, allowed: str) -> None:
    assert application.plan(allowed)[0] == 0


def test_a_plan_that_cannot_be_read_only_warns(tmp_path: Path) -> None:
    application = Application(tmp_path)
    (tmp_path / "lab/migrations/0001_initial.py").write_text("import missing")

    code, output = application.plan()
    assert code == 0
    assert output[-1].startswith("which migrations lose data could not be found out")
    assert "ModuleNotFoundError: No module named 'missing'" in output

    code, output = application.plan("false")
    assert code == 1
    assert output[-1].startswith("refused: which migrations lose data could not be found out")
