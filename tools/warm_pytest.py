"""Run pytest again and again in one process, each time with this checkout's code as it is then.

Loading CDK takes longer than most tests. It reads pytest's arguments, a JSON list a line, and
answers each with a line of JSON: the exit code and the first test that failed.
"""

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


class FirstFailure:
    """The id of the first test, or file, that failed."""

    def __init__(self) -> None:
        """Begin with none."""
        self.nodeid = ""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a file that cannot be imported."""
        self._take(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test, or its fixture."""
        self._take(report)

    def _take(self, report: pytest.CollectReport | pytest.TestReport) -> None:
        if report.failed:
            self.nodeid = self.nodeid or report.nodeid


def forget() -> None:
    """Unload what was imported from this checkout."""
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/")
        ours = file.is_relative_to(ROOT) and ".venv" not in file.parts
        if ours and name != "__main__":
            del sys.modules[name]
    importlib.invalidate_caches()


def main() -> None:
    """Answer until there is no more to read."""
    # What is written twice in a second would be taken for the same.
    sys.dont_write_bytecode = True
    for line in sys.stdin:
        forget()
        first = FirstFailure()
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            code = pytest.main(json.loads(line), plugins=[first])
        print(json.dumps({"code": int(code), "first": first.nodeid}), flush=True)


if __name__ == "__main__":
    main()
