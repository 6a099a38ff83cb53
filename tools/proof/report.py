"""The report: the checks and their results."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

PASSED, FAILED, SKIPPED = "passed", "FAILED", "not run"
_WIDEST_DETAIL = 100


@dataclass(frozen=True, kw_only=True)
class Result:
    """One fact, and whether it holds."""

    part: str
    fact: str
    outcome: str
    detail: str = ""
    seconds: float = 0.0


class Skip(Exception):  # noqa: N818 - not an error
    """The fact cannot be looked at here; the text says why."""


@dataclass
class Fact:
    """The result of a check, for the table."""

    detail: str = ""


@dataclass
class Report:
    """All results, in order."""

    versions: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    @contextmanager
    def check(self, part: str, fact: str) -> Iterator[Fact]:
        """Look at a fact: whatever is raised means that it does not hold."""
        began = time.monotonic()
        found = Fact()
        outcome = PASSED
        try:
            yield found
        except Skip as reason:
            outcome, found.detail = SKIPPED, str(reason)
        except Exception as error:  # noqa: BLE001 - each is a finding
            outcome = FAILED
            found.detail = str(error) or type(error).__name__
        seconds = round(time.monotonic() - began, 1)
        result = Result(part=part, fact=fact, outcome=outcome, detail=found.detail, seconds=seconds)
        self.results.append(result)
        print(_line(result), flush=True)

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and something was looked at."""
        outcomes = [result.outcome for result in self.results]
        return PASSED in outcomes and FAILED not in outcomes

    def count(self, outcome: str, part: str | None = None) -> int:
        """Return how many results there are."""
        return sum(
            result.outcome == outcome and part in (None, result.part) for result in self.results
        )

    def summary(self) -> str:
        """Return the last lines: how many, and each failure whole."""
        failures = [
            f"\n{result.part}: {result.fact}\n  {result.detail}"
            for result in self.results
            if result.outcome == FAILED
        ]
        counts = ", ".join(f"{self.count(name)} {name}" for name in (PASSED, FAILED, SKIPPED))
        return "\n".join([*failures, "", counts])

    def to_json(self) -> str:
        """Return everything as JSON."""
        results = [asdict(result) for result in self.results]
        return json.dumps({"versions": self.versions, "ok": self.ok, "results": results}, indent=2)


def _line(result: Result) -> str:
    detail = " ".join(result.detail.split())[:_WIDEST_DETAIL]
    return f"{result.part:12} {result.fact:58} {result.outcome:8} {result.seconds:6.1f} s  {detail}"
