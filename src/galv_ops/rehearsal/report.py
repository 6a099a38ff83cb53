"""The report of a rehearsal, read from the log of its task."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from galv_ops.redact import redact

# As galv_constructs/container/galv_task/rehearsal.py prints it.
PREFIX = "[rehearsal] "


@dataclass
class Report:
    """The report of a rehearsal; what did not come to pass is empty."""

    version: str
    image: str
    exit_code: int
    setup_seconds: float | None = None
    migrations: list[dict[str, Any]] = field(default_factory=list)
    locks: list[dict[str, Any]] = field(default_factory=list)
    rows_before: dict[str, int] = field(default_factory=dict)
    rows_after: dict[str, int] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """`passed` or `failed`."""
        return "passed" if self.exit_code == 0 else "failed"

    @property
    def changed(self) -> list[tuple[str, int | None, int | None]]:
        """The tables whose rows have changed in number, with the number before and after."""
        names = sorted({*self.rows_before, *self.rows_after})
        pairs = [(name, self.rows_before.get(name), self.rows_after.get(name)) for name in names]
        return [(name, before, after) for name, before, after in pairs if before != after]

    def data(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "verdict": self.verdict,
            "version": self.version,
            "image": self.image,
            "exitCode": self.exit_code,
            "setupSeconds": self.setup_seconds,
            "migrations": self.migrations,
            "locks": self.locks,
            "rows": {"before": self.rows_before, "after": self.rows_after},
            "checks": self.checks,
            "problems": self.problems,
        }


def read(version: str, image: str, exit_code: int, log: Sequence[str]) -> Report:
    """Read the report from the lines of the log."""
    report = Report(version=version, image=image, exit_code=exit_code)
    for line in log:
        if line.startswith(PREFIX):
            try:
                _add(report, json.loads(line.removeprefix(PREFIX)))
            except (ValueError, KeyError, TypeError) as error:
                report.problems.append(f"A part of the report could not be read: {error!r}")
    if not report.rows_after:
        report.problems.append("The task ended before it had counted the rows again.")
    return report


def _add(report: Report, part: dict[str, Any]) -> None:
    match part["part"]:
        case "rows" if part["when"] == "before":
            report.rows_before = part["tables"]
        case "rows":
            report.rows_after = part["tables"]
        case "setup":
            report.setup_seconds = part["seconds"]
        case "migrations":
            report.migrations = part["migrations"]
        case "locks":
            report.locks = part["locks"]
            if part["error"]:
                report.problems.append(f"Locks were not seen to the end: {part['error']}")
        case "check" if "checks" in part:
            report.checks = part["checks"]
        case "check":
            report.problems += [redact(line) for line in part["log"]]
