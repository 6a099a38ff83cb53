"""PostgreSQL as RDS has it: TLS only, and a master user who owns the databases."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from proof.certificates import Certificates

# Who may run the server, which refuses root.
_USER = "postgres"
_PORT = 5432
# How long one of its programs may take, in seconds; pg_ctl itself gives up sooner.
_PATIENCE = 300
_WAIT = ("-w", "--timeout=240")


def programs() -> Path | None:
    """Return the folder of the newest server's programs; Debian does not have them on PATH."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if found:
        return max(found, key=lambda path: int(path.parts[4])).parent
    there = shutil.which("pg_ctl")
    return Path(there).resolve().parent if there else None


class Postgres:
    """A server of its own, gone at the end with all that is in it."""

    def __init__(
        self, folder: Path, address: str, certificates: Certificates, *, port: int = _PORT
    ) -> None:
        """Prepare it; nothing runs before `start()`."""
        found = programs()
        if found is None:
            raise FileNotFoundError("PostgreSQL is missing (Debian: postgresql)")
        self._programs = found
        self._folder = folder
        self._data = folder / "data"
        self._address = address
        self._port = port
        self._certificates = certificates

    def start(self, *, user: str, password: str, database: str) -> None:
        """Start it with one user and a database."""
        _make(self._folder)
        self._run(
            "initdb", f"--pgdata={self._data}", "--auth=trust", "--no-sync", "--encoding=UTF8"
        )
        self._serve()
        quoted = _quoted(password)
        self.query(f'CREATE ROLE "{user}" LOGIN CREATEDB CREATEROLE PASSWORD {quoted}')
        self.query(f'CREATE DATABASE "{database}" OWNER "{user}"')
        # The master user of RDS owns the database that everyone finds there, too.
        self.query(f'ALTER DATABASE postgres OWNER TO "{user}"')

    def copy(self, folder: Path) -> None:
        """Copy all that it has, while it runs, to a new folder that `start_copy()` takes."""
        _make(folder)
        self._run(
            "pg_basebackup", *self._place, "--username=postgres", f"--pgdata={folder / 'data'}",
            "--checkpoint=fast", "--no-sync",
        )  # fmt: skip

    def start_copy(self, copy: Path) -> None:
        """Start it with what a copy has, which stays as it is: users and passwords too."""
        _make(self._folder)
        self._run("cp", "--archive", str(copy / "data"), str(self._data))
        self._serve()

    def change_password(self, user: str, password: str) -> None:
        """Give a user another password."""
        self.query(f'ALTER ROLE "{user}" PASSWORD {_quoted(password)}')

    def _serve(self) -> None:
        owner = pwd.getpwnam(_USER)
        for file, source in (
            ("server.crt", self._certificates.certificate),
            ("server.key", self._certificates.key),
        ):
            target = self._data / file
            shutil.copy(source, target)
            os.chown(target, owner.pw_uid, owner.pw_gid)
            target.chmod(0o600)
        # As with rds.force_ssl: without TLS there is no entry, and so no way in.
        (self._data / "pg_hba.conf").write_text(
            "local all,replication postgres trust\nhostssl all all all scram-sha-256\n"
        )
        settings = {
            "listen_addresses": self._address,
            "port": self._port,
            "unix_socket_directories": self._folder,
            "ssl": "on",
            "fsync": "off",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self._folder / "log"
        self._run(
            "pg_ctl", f"--pgdata={self._data}", f"--log={log}", "-o", options, *_WAIT, "start"
        )

    @property
    def _place(self) -> tuple[str, str]:
        return f"--host={self._folder}", f"--port={self._port}"

    def query(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Return the rows of a statement, as its own administrator."""
        socket = (*self._place, "--username", "postgres", "--no-psqlrc")
        output = self._run(
            "psql", *socket, "--tuples-only", "--no-align", "--field-separator=\t", "--quiet",
            "--set=ON_ERROR_STOP=1", f"--dbname={database}", f"--command={statement}",
        )  # fmt: skip
        return [line.split("\t") for line in output.splitlines()]

    def databases_with(self, table: str) -> list[str]:
        """Return the databases that have a table."""
        names = self.query("SELECT datname FROM pg_database WHERE NOT datistemplate")
        ask = f"SELECT to_regclass('public.{table}') IS NOT NULL"
        return [name for [name] in names if self.query(ask, name) == [["t"]]]

    def stop(self) -> None:
        """End it."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", f"--pgdata={self._data}", "-m", "immediate", *_WAIT, "stop")

    def _run(self, program: str, *arguments: str) -> str:
        path = self._programs / program
        found = str(path) if path.exists() else program
        # Not captured by a pipe: the server would keep that open.
        with (self._folder / "output").open("w+") as output:
            done = subprocess.run(
                [found, *arguments],
                user=_USER,
                group=_USER,
                extra_groups=[],
                cwd="/",
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=_PATIENCE,
            )
            output.seek(0)
            said = output.read()
        if done.returncode:
            raise RuntimeError(f"{program}: {said}")
        return said


def _make(folder: Path) -> None:
    """Make a folder of the server's user."""
    folder.mkdir()
    owner = pwd.getpwnam(_USER)
    os.chown(folder, owner.pw_uid, owner.pw_gid)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
