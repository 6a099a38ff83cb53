"""A PostgreSQL server whose master is no superuser, as that of RDS, and tasks that sign in."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from frontend_site.programs import skip
from galv.stand_in import APPLICATION, PYTHON
from proof import certificates
from proof.postgres import Postgres, programs

from galv_constructs.backend._sources import FOLDER

MASTER, MASTER_PASSWORD = "galv", "master's p%ssword"
OWNER, LOGIN, NEXT_LOGIN = "galv_owner", "galv_tasks_1", "galv_tasks_2"
# Of this run alone.
ADDRESS = f"127.2.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
NAME = "database.example.com"
OTHER_LOGIN = "demo_tasks_1"
OWN = ("-m", "galv_task.own_database")
MIGRATE = ("-m", "django", "migrate", "--no-input")
_PSQL = ("--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1")


@dataclass
class Database:
    """A server, and those who sign in to it."""

    server: Postgres
    folder: Path
    passwords: dict[str, str] = field(default_factory=lambda: {MASTER: MASTER_PASSWORD})

    def task(self, *command: str, login: str = LOGIN, **variables: str) -> tuple[int, str]:
        """Run Python as a task does whose variables name this login."""
        environment = {
            "PYTHONPATH": str(FOLDER),
            "DJANGO_SETTINGS_MODULE": "galv_task.settings",
            "GALV_SETTINGS_MODULE": "config.settings",
            "DJANGO_SECRET_KEY": "secret",
            "FRONTEND_VIRTUAL_HOST": "https://app.example.com",
            "VIRTUAL_HOST": "api.example.com",
            "HOME": str(self.folder),
            "DJANGO_LOG_DIR": str(self.folder),
            "NUMBA_CACHE_DIR": str(self.folder),
            "PGSSLMODE": "require",
            "POSTGRES_HOST": ADDRESS,
            "POSTGRES_PORT": "5432",
            "POSTGRES_DB": "galv",
            "POSTGRES_USER": login,
            "POSTGRES_PASSWORD": self.passwords.get(login, "unknown"),
            "GALV_DATABASE_OWNER": OWNER,
            "GALV_DATABASE_MASTER_USER": MASTER,
            "GALV_DATABASE_MASTER_PASSWORD": MASTER_PASSWORD,
            **variables,
        }
        done = subprocess.run(
            [str(PYTHON), *command],
            cwd=APPLICATION,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    def session(
        self, user: str, password: str | None = None, database: str = "galv"
    ) -> subprocess.Popen[str]:
        """Open a session that reads statements."""
        found = programs()
        assert found is not None
        password = self.passwords[user] if password is None else password
        target = f"host={ADDRESS} dbname={database} user={user} sslmode=require"
        return subprocess.Popen(
            [str(found / "psql"), *_PSQL, target],
            env={"PGPASSWORD": password},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ask(
        self, user: str, statement: str, password: str | None = None, database: str = "galv"
    ) -> str:
        """Return what a statement of a user's answers, or why it did not."""
        session = self.session(user, password, database)
        return session.communicate(statement, timeout=120)[0].strip()

    def owners(self, database: str = "galv") -> set[str]:
        """Who owns something in the schema that Django uses, apart from extensions' members."""
        rows = self.server.query(
            "SELECT DISTINCT owner::regrole FROM ("
            "SELECT oid, relowner AS owner, relnamespace AS schema FROM pg_class UNION ALL "
            "SELECT oid, typowner, typnamespace FROM pg_type UNION ALL "
            "SELECT oid, proowner, pronamespace FROM pg_proc) AS object "
            "WHERE schema = 'public'::regnamespace AND owner <> 'postgres'::regrole",
            database,
        )
        return {owner for (owner,) in rows}


@pytest.fixture(scope="module")
def make() -> Iterator[Callable[[], Database]]:
    """Make a server with a master and an empty database, one after another."""
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    # The server's user may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="e2e-owner-", dir="/tmp"))
    folder.chmod(0o755)
    made = certificates.create(folder / "tls", [NAME])
    numbers = itertools.count()
    servers: list[Postgres] = []

    def make() -> Database:
        for server in servers:
            server.stop()
        number = next(numbers)
        server = Postgres(folder / f"server-{number}", ADDRESS, made)
        servers.append(server)
        server.start(user=MASTER, password=MASTER_PASSWORD, database="galv")
        (folder / f"task-{number}").mkdir()
        passwords = {
            MASTER: MASTER_PASSWORD,
            LOGIN: "first",
            NEXT_LOGIN: "second",
            OTHER_LOGIN: "other",
        }
        return Database(server, folder / f"task-{number}", passwords)

    yield make
    for server in servers:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)
