"""The table in docs/compatibility.md, with a row for each run."""

import datetime as dt
import re
import subprocess
from pathlib import Path

from proof.report import FAILED, PASSED, SKIPPED, Report

BEGIN, END = "<!-- rows: npm run galv -- --record -->", "<!-- end of rows -->"
_COLUMNS = (
    *("galv-backend", "galv-frontend", "what was run", "passed", "failed", "not run"),
    *("day", "library"),
)
_KEY = 3


def row(report: Report, *, what: str, library: str, day: dt.date) -> list[str]:
    """Return the cells of a run."""
    failed = [f"{result.part}: {result.fact}" for result in report.results if
              result.outcome == FAILED]  # fmt: skip
    shown = str(len(failed)) + (f" ({'; '.join(failed)})" if failed else "")
    return [
        report.versions.get("backend", "—"),
        report.versions.get("frontend", "—"),
        what,
        str(report.count(PASSED)),
        shown,
        str(report.count(SKIPPED)),
        day.isoformat(),
        library,
    ]


def record(document: Path, cells: list[str]) -> None:
    """Write a row into a document, in place of the one of the same versions."""
    before, begin, rest = document.read_text().partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no lines {BEGIN!r} and {END!r}")
    rows = [_cells(line) for line in table.splitlines() if line.startswith("|")][2:]
    rows = [one for one in rows if one[:_KEY] != cells[:_KEY]] + [cells]
    rows.sort(key=lambda one: [_version(one[0]), _version(one[1]), one[2]])
    lines = [_line(list(_COLUMNS)), _line(["---"] * len(_COLUMNS)), *map(_line, rows)]
    document.write_text(f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{after}")


def library_version(root: Path) -> str:
    """Return the commit of this library."""
    command = ["git", "-C", str(root), "describe", "--always", "--tags"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _version(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
