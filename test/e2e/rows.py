"""What an emulated database has, asked as its server's own administrator."""

import subprocess
from pathlib import Path

from e2e.stack import Json
from proof.postgres import programs


def ask(instance: Json, statement: str) -> list[str]:
    """Return the lines that a statement gives in the database of an instance that runs."""
    found = programs()
    assert found is not None
    (socket,) = Path("/tmp").glob(
        f"e2e-postgres-{instance['DbiResourceId']}-*/server/.s.PGSQL.????"
    )
    port = socket.suffix.removeprefix(".")
    done = subprocess.run(
        [
            *(str(found / "psql"), f"--host={socket.parent}", f"--port={port}"),
            *("--username=postgres", f"--dbname={instance['DBName']}", "--no-psqlrc"),
            *("--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"),
            f"--command={statement}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()
