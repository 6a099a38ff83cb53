"""What a rehearsal reads from the log of setup, and from the server's locks."""

import json
import subprocess
import sys
from typing import Any

import pytest

from galv_constructs.container.galv_task import rehearsal

LOCK = (7, "public.galv_lab", "AccessExclusiveLock")
MODES = {"table": LOCK[1], "mode": LOCK[2]}


def reported(output: str) -> dict[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith(rehearsal.PREFIX)]
    parts = [json.loads(line.removeprefix(rehearsal.PREFIX)) for line in lines]
    return {part["part"] + part.get("when", ""): part for part in parts}


class TestMigrations:
    def test_each_takes_from_its_beginning_to_its_ok(self) -> None:
        found = rehearsal.Migrations()
        found.read(b"[release] migrate: started\n  Applying galv.0001_a...", 10)
        found.read(b" OK\n", 12)
        found.read(b"  Applying galv.0002_b... OK\n", 15.5)
        found.end(20)

        assert found.ended == [
            {"name": "galv.0001_a", "seconds": 2, "done": True},
            {"name": "galv.0002_b", "seconds": 0, "done": True},
        ]

    def test_a_name_may_come_in_two_pieces(self) -> None:
        found = rehearsal.Migrations()
        found.read(b"  Applying galv.00", 1)
        found.read(b"01_a...", 2)
        found.read(b" OK\n", 4)

        assert found.ended == [{"name": "galv.0001_a", "seconds": 2, "done": True}]

    @pytest.mark.parametrize(
        "rest", [b"ERROR\n[release] migrate: failed with exit code 1\n", b"Killed\n"]
    )
    def test_one_that_does_not_end_is_told_as_such(self, rest: bytes) -> None:
        found = rehearsal.Migrations()
        found.read(b"  Applying galv.0001_a...", 1)
        found.read(rest, 3)
        found.end(3)

        assert found.ended == [{"name": "galv.0001_a", "seconds": 2, "done": False}]


class TestLocks:
    def test_the_longest_of_each_kind_is_told_from_a_second_on(self) -> None:
        locks = rehearsal.Locks()
        short = (7, "public.galv_cell", "ShareLock")
        locks.see([LOCK, short], 10)
        locks.see([LOCK], 10.5)
        locks.see([], 12)
        locks.see([LOCK], 20)
        locks.see([], 21)

        assert locks.end(30) == [{**MODES, "seconds": 2}]

    def test_one_that_is_held_at_the_end_counts(self) -> None:
        locks = rehearsal.Locks()
        locks.see([LOCK], 10)

        assert locks.end(13.25) == [{**MODES, "seconds": 3.25}]

    def test_a_server_that_cannot_be_asked_is_told_and_fails_nothing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def session() -> None:
            raise OSError("gone")

        monkeypatch.setattr(rehearsal, "session", session)
        watch = rehearsal.Watch()
        watch.start()
        watch.end()

        assert reported(capsys.readouterr().out)["locks"] == {
            "part": "locks",
            "locks": [],
            "error": "OSError: gone",
        }


class TestCheck:
    @pytest.mark.parametrize(
        ("status", "is_well"), [("OK", True), ("SKIPPED", True), ("ERROR", False)]
    )
    def test_mail_is_left_out(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        status: str,
        is_well: bool,
    ) -> None:
        checks = [{"check": "SMTP", "status": "ERROR"}, {"check": "Database", "status": status}]
        output = f"System check identified no issues.\n{json.dumps(checks)}\n"
        done = subprocess.CompletedProcess([], 1, output, "")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

        assert rehearsal.check_status() is is_well
        assert reported(capsys.readouterr().out)["check"]["checks"] == checks[1:]

    @pytest.mark.parametrize("code", [0, 1])
    def test_a_command_that_prints_no_json_is_known_by_its_code(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
    ) -> None:
        done = subprocess.CompletedProcess([], code, "all fine\n", "or not")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

        assert rehearsal.check_status() is (code == 0)
        assert reported(capsys.readouterr().out)["check"]["log"] == ["all fine", "or not"]


@pytest.mark.parametrize("signal", ["", "import os; os.kill(os.getpid(), 15)"])
def test_what_setup_prints_is_shown_and_its_code_kept(
    capfdbinary: pytest.CaptureFixture[bytes], signal: str
) -> None:
    program = f"print('  Applying galv.0001_a... OK', flush=True)\n{signal}\nraise SystemExit(3)"

    code, migrations = rehearsal.run([sys.executable, "-c", program])

    assert code == (143 if signal else 3)
    assert [each["name"] for each in migrations] == ["galv.0001_a"]
    assert b"Applying galv.0001_a... OK" in capfdbinary.readouterr().out
