"""Runs setup on a copy of the database, and reports what that did to its data.

It counts the rows of each table before and after, times each migration, notes the locks that keep
others from writing for a second or longer, and checks the status at the end, without mail.

Each part of the report is a line: `[rehearsal] `, then JSON. It ends with the code of setup, and
with 1 if the check finds an error.

    python -m galv_task.rehearsal COMMAND…
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db.utils import ConnectionHandler

from .own_database import SEARCH_PATH

PREFIX = "[rehearsal] "
POLL_SECONDS = 0.25
SHORT_SECONDS = 1.0
CHECK = ("python", "manage.py", "check_status", "--json")

# Tables of the application, in any schema.
TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""
# Those that conflict with writing, of other sessions:
# https://www.postgresql.org/docs/current/explicit-locking.html#TABLE-LOCK-COMPATIBILITY
LOCKS = """
SELECT l.pid, format('%I.%I', n.nspname, c.relname), l.mode FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relkind IN ('r', 'p')
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
# What Django prints when a migration begins, and when it has ended.
EVENTS = re.compile(rb"Applying (\S+?)\.\.\.| OK\r?\n|\[release\] \S+: (?:done|failed)")

Lock = tuple[int, str, str]


def report(part: str, **values: Any) -> None:
    """Print a part of the report."""
    sys.stdout.write(f"\n{PREFIX}{json.dumps({'part': part, **values})}\n")
    sys.stdout.flush()


@contextmanager
def session() -> Iterator[Any]:
    """Sign in as the master of the copy, or as the tasks do where setup has no master."""
    database = dict(settings.DATABASES["default"])
    if "GALV_DATABASE_MASTER_USER" in os.environ:
        database["USER"] = os.environ["GALV_DATABASE_MASTER_USER"]
        database["PASSWORD"] = os.environ["GALV_DATABASE_MASTER_PASSWORD"]
    # What is in the copy may be older than the release, and none of it may run as the master.
    path = f"-c search_path={SEARCH_PATH.replace(' ', '')}"
    database["OPTIONS"] = {**database.get("OPTIONS", {}), "options": path}
    # Each thread has its own connection.
    connection = ConnectionHandler({"default": database})["default"]
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def rows() -> dict[str, int]:
    """Count the rows of each table."""
    with session() as cursor:
        cursor.execute(TABLES)
        names = [name for (name,) in cursor.fetchall()]
        found = {}
        for name in names:
            # The server has quoted the name.
            cursor.execute(f"SELECT count(*) FROM {name}")  # noqa: S608
            found[name] = cursor.fetchone()[0]
        return found


class Locks:
    """The locks that were seen, with the seconds that each was held."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[Lock, float] = {}
        self._longest: dict[tuple[str, str], float] = {}

    def see(self, locks: Sequence[Lock], now: float) -> None:
        """Note what is held now; what is not among it has been let go."""
        for lock in [*self._held]:
            if lock not in locks:
                self._let_go(lock, now)
        for lock in locks:
            self._held.setdefault(lock, now)

    def end(self, now: float) -> list[dict[str, Any]]:
        """Return the longest lock of each kind at each table, from a second on, longest first."""
        for lock in [*self._held]:
            self._let_go(lock, now)
        return [
            {"table": table, "mode": mode, "seconds": round(seconds, 2)}
            for (table, mode), seconds in sorted(self._longest.items(), key=lambda pair: -pair[1])
            if seconds >= SHORT_SECONDS
        ]

    def _let_go(self, lock: Lock, now: float) -> None:
        _, table, mode = lock
        seconds = now - self._held.pop(lock)
        self._longest[table, mode] = max(seconds, self._longest.get((table, mode), 0))


class Watch(threading.Thread):
    """Looks at the locks until it is told to end."""

    def __init__(self) -> None:
        """Begin when it is started."""
        super().__init__(daemon=True)
        self.locks = Locks()
        self.error: str | None = None
        self._over = threading.Event()

    def run(self) -> None:
        """Ask again and again; what fails here fails no rehearsal, and is told."""
        try:
            with session() as cursor:
                while not self._over.wait(POLL_SECONDS):
                    cursor.execute(LOCKS)
                    self.locks.see(cursor.fetchall(), time.monotonic())
        except Exception as error:  # noqa: BLE001 - each kind is told
            self.error = f"{type(error).__name__}: {error}"

    def end(self) -> None:
        """End, and report."""
        self._over.set()
        self.join()
        report("locks", locks=self.locks.end(time.monotonic()), error=self.error)


class Migrations:
    """The migrations that a log tells of, with the seconds of each."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ended: list[dict[str, Any]] = []
        self._open: tuple[str, float] | None = None
        self._pending = b""

    def read(self, chunk: bytes, now: float) -> None:
        """Read what was printed just now."""
        self._pending += chunk
        end = 0
        for event in EVENTS.finditer(self._pending):
            end = event.end()
            self._close(now, done=not event[0].endswith(b"failed"))
            if event[1] is not None:
                self._open = (event[1].decode(errors="replace"), now)
        # The rest may be the beginning of something.
        self._pending = self._pending[end:][-1000:]

    def end(self, now: float) -> None:
        """End with a migration that did not."""
        self._close(now, done=False)

    def _close(self, now: float, *, done: bool) -> None:
        if self._open is not None:
            name, began = self._open
            self.ended.append({"name": name, "seconds": round(now - began, 2), "done": done})
            self._open = None


def run(command: Sequence[str]) -> tuple[int, list[dict[str, Any]]]:
    """Run setup, show what it prints, and return its exit code and the migrations."""
    migrations = Migrations()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603
    # A task that is stopped ends its migration.
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while chunk := os.read(process.stdout.fileno(), 65536):
        migrations.read(chunk, time.monotonic())
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    migrations.end(time.monotonic())
    code = process.wait()
    # A shell's code for a signal.
    return code if code >= 0 else 128 - code, migrations.ended


def check_status() -> bool:
    """Check the status, and report it without mail; tell whether nothing failed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GALV_DATABASE_MASTER")}
    # Without it the check leaves out mail, if it is ours.
    environment.pop("DJANGO_EMAIL_HOST", None)
    done = subprocess.run(CHECK, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    checks = checks_in(done.stdout)
    if checks is None:
        lines = (done.stdout + done.stderr).splitlines()[-20:]
        report("check", exit_code=done.returncode, log=lines)
        return done.returncode == 0
    found = [each for each in checks if not re.search("smtp|mail", each["check"], re.IGNORECASE)]
    report("check", checks=found)
    return all(check["status"] != "ERROR" for check in found)


def checks_in(output: str) -> list[dict[str, str]] | None:
    """Return the checks that `check_status --json` printed; other lines may stand around them."""
    for line in output.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, list) and all({"check", "status"} <= {*each} for each in found):
            return found
    return None


def main(command: Sequence[str]) -> int:
    """Rehearse, and return the exit code."""
    report("rows", when="before", tables=rows())
    watch = Watch()
    watch.start()
    began = time.monotonic()
    code, migrations = run(command)
    report("setup", exit_code=code, seconds=round(time.monotonic() - began, 2))
    watch.end()
    report("migrations", migrations=migrations)
    report("rows", when="after", tables=rows())
    if code == 0 and not check_status():
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
