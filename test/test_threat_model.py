"""The threat model in docs/security.md: each row says what remains, and names tests that exist."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"
BEGIN, END = "<!-- threats: begin -->", "<!-- threats: end -->"
HEADER = ["tries to", "what stops it", "what remains", "tests"]
NO_TEST = "none: "


def threats(page: str) -> Iterator[list[str]]:
    """The cells of each row, without headers."""
    _, begin, rest = page.partition(BEGIN)
    section, end, _ = rest.partition(END)
    assert begin
    assert end
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells != HEADER and not set(line) <= set("|- "):
            yield cells


def missing(named: str) -> str:
    """Return the mistake in the name of a test; empty if there is such a test."""
    file, *names = named.split("::")
    path = TESTS / file
    if not path.is_file():
        return f"there is no test/{file}"
    body = ast.parse(path.read_text()).body
    for name in names:
        found = [
            node
            for node in body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        ]
        if not found:
            return f"test/{file} has no {name}"
        body = found[0].body
    return "" if names and names[-1].startswith("test_") else f"{named} names no test"


ROWS = list(threats(PAGE.read_text()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_threat_has_its_tests(row: list[str]) -> None:
    tries_to, stopped_by, remains, tests = row

    assert tries_to
    assert stopped_by
    assert remains
    if not tests.startswith(NO_TEST):
        assert [found for test in tests.split("<br>") if (found := missing(test.strip("`")))] == []


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ("test_gone.py::test_x", "there is no test/test_gone.py"),
        ("test_threat_model.py::test_gone", "test/test_threat_model.py has no test_gone"),
        ("test_threat_model.py::missing", "test_threat_model.py::missing names no test"),
        ("test_threat_model.py", "test_threat_model.py names no test"),
        ("test_threat_model.py::test_each_threat_has_its_tests", ""),
    ],
)
def test_sees_a_test_that_is_gone(named: str, problem: str) -> None:
    assert missing(named) == problem


def test_every_attacker_has_a_row() -> None:
    section = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    attackers = section.split("\n### ")[1:]

    assert len(attackers) == 5
    assert all(list(threats(BEGIN + attacker + END)) for attacker in attackers)
