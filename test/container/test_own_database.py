"""A statement that hands the database over waits for its lock; PostgreSQL's own is in test/e2e."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import Error

from galv_constructs.container.galv_task import own_database

STATEMENT = "ALTER TABLE galv_lab OWNER TO galv_owner"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
LOCK_NOT_AVAILABLE, INSUFFICIENT_PRIVILEGE = "55P03", "42501"


class DriverError(Exception):
    """An error of psycopg or psycopg2, which Django's own has as its cause."""


class Cursor:
    """A database in which all is done but for one table, and that is in use for some attempts."""

    def __init__(self, refusals: float, *, attribute: str = "sqlstate", state: str) -> None:
        self.attempts = 0
        self.done: list[str] = []
        self._refusals = refusals
        self._attribute, self._state = attribute, state
        self._answer: Any = True

    def execute(self, statement: str, values: Any = ()) -> None:
        # The server puts names and values in their places, and has the rest already.
        self._answer = values[0] if statement.startswith("SELECT format(%s") else True
        if statement == STATEMENT:
            self.attempts += 1
            if self.attempts <= self._refusals:
                cause = DriverError()
                setattr(cause, self._attribute, self._state)
                raise Error("canceling statement due to lock timeout") from cause
        self.done.append(statement)

    def fetchone(self) -> tuple[Any]:
        return (self._answer,)

    def fetchall(self) -> list[tuple[str]]:
        return [(STATEMENT,)] if self.done[-1] == own_database.OBJECTS else []


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are slept, which do not pass."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def own(cursor: Cursor) -> None:
    own_database.own(cursor, owner="galv_owner", login="galv_tasks_1", password="secret")


@pytest.mark.parametrize("attribute", ["sqlstate", "pgcode"], ids=["psycopg", "psycopg2"])
def test_a_table_that_is_in_use_is_handed_over_when_it_is_free(
    slept: list[float], attribute: str
) -> None:
    cursor = Cursor(2, attribute=attribute, state=LOCK_NOT_AVAILABLE)

    own(cursor)

    assert cursor.done.count(STATEMENT) == 1
    assert slept == [1, 1]


def test_a_table_that_stays_in_use_fails_setup(slept: list[float]) -> None:
    cursor = Cursor(float("inf"), state=LOCK_NOT_AVAILABLE)

    with pytest.raises(Error, match="lock timeout"):
        own(cursor)

    assert STATEMENT not in cursor.done
    assert cursor.attempts == own_database.LOCK_ATTEMPTS + 1


def test_another_error_fails_setup_at_once(slept: list[float]) -> None:
    cursor = Cursor(1, state=INSUFFICIENT_PRIVILEGE)

    with pytest.raises(Error):
        own(cursor)

    assert (cursor.attempts, slept) == (1, [])
