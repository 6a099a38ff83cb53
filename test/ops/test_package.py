"""galv-ops knows nothing of the constructs, and none of its parts knows what is above it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = SOURCE / "galv_ops"

# From the ground up. A folder, or a file beside the folders, imports of its own and of what is
# below; what stands in one line imports nothing of each other.
LEVELS = [
    # Words, and how AWS answers: handlers in Lambda have some of them too.
    {"answers", "check_report", "console", "preflight", "redact", "text"},
    {"errors"},
    {"output"},
    # What there is.
    {"query", "assembly"},
    # How it is, what is wrong, what is weak, and how a release would go.
    {"parts", "doctor", "audits", "rehearsal"},
    # What a person sees.
    {"command"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
BELOW = {
    name: set().union(*LEVELS[:number]) for number, level in enumerate(LEVELS) for name in level
}


def imported(file: Path) -> Iterator[str]:
    """The parts of galv_ops that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("galv_ops."):
            yield str(node.module).split(".")[1]


def part(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


FILES = [file for file in PACKAGE.rglob("*.py") if part(file) != "__init__"]


def test_every_part_has_its_place() -> None:
    assert {part(file) for file in FILES} == set(BELOW)


@pytest.mark.parametrize("name", BELOW)
def test_no_arrow_runs_up(name: str) -> None:
    arrows = {
        (str(file.relative_to(PACKAGE)), other)
        for file in FILES
        if part(file) == name
        for other in imported(file)
        if other not in {name, *BELOW[name]}
    }

    assert arrows == set()


def test_only_what_a_person_sees_knows_of_a_terminal() -> None:
    """Queries and diagnoses return their findings."""
    knows = {
        part(file)
        for file in FILES
        if "click" in file.read_text().split() or "output" in imported(file)
    }

    assert knows <= {"output", "command", "commands", "cli"}


def test_it_loads_nothing_of_cdk() -> None:
    code = "import galv_ops.cli, sys; print(*{m.partition('.')[0] for m in sys.modules})"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE
    )

    loaded = set(done.stdout.split())
    assert {"boto3", "click"} <= loaded
    assert not {"aws_cdk", "constructs", "galv_constructs", "jsii"} & loaded
