"""The JSON that check_status leaves among its lines, as a table."""

import json
from typing import Any

import pytest

from galv_ops.check_report import find_json, rows

CHECKS = {
    "database": {"status": "OK", "message": "PostgreSQL 17.5"},
    "smtp": {"status": "ERROR", "message": "refused", "host": "email-smtp"},
}


@pytest.mark.parametrize("indent", [None, 2])
def test_finds_json_among_other_lines(indent: int | None) -> None:
    lines = ["[INFO] starting", "{not json", *json.dumps(CHECKS, indent=indent).split("\n"), "bye"]

    assert find_json(lines) == CHECKS


def test_takes_the_last_of_several() -> None:
    assert find_json(['{"level": "INFO"}', '[{"name": "s3"}]']) == [{"name": "s3"}]


@pytest.mark.parametrize("lines", [[], ["all is well"], ['{"cut": '], ["3"]])
def test_finds_no_report(lines: list[str]) -> None:
    assert find_json(lines) is None
    assert rows(None) == []


@pytest.mark.parametrize(
    "report",
    [
        CHECKS,
        {"checks": CHECKS},
        [{"name": name, **check} for name, check in CHECKS.items()],
        {"results": [{"check": name, **check} for name, check in CHECKS.items()]},
    ],
)
def test_shows_each_check_in_a_row(report: Any) -> None:
    assert rows(report) == [
        ["database", "OK", "PostgreSQL 17.5"],
        ["smtp", "ERROR", "refused; email-smtp"],
    ]


def test_shows_what_is_above_the_checks() -> None:
    report = {"status": "ERROR", "checks": {"s3": {"ok": False}}, "version": "v2.11.4"}

    assert rows(report) == [["all", "ERROR", "v2.11.4"], ["s3", "false", ""]]


def test_takes_plain_values() -> None:
    assert rows({"database": "OK", "s3": None}) == [["database", "OK", ""]]


@pytest.mark.parametrize("name", ["name", "check", "id", "service", "component"])
@pytest.mark.parametrize("status", ["status", "level", "state", "result", "ok"])
def test_knows_each_word_for_a_name_and_a_status(name: str, status: str) -> None:
    assert rows([{name: "s3", status: "OK", "message": "reached"}]) == [["s3", "OK", "reached"]]
