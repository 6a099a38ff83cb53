"""The wings of the library: which of them may import which."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import galv_constructs

SOURCE = Path(str(galv_constructs.__file__)).parent
# From the top down: a wing imports what is below it, and nothing beside it.
FLOORS: Sequence[set[str]] = (
    {"config"},
    {"backup", "rehearsal", "sleep"},
    {"backend", "frontend", "github"},
    {"database"},
    {"tasks"},
    {"images", "load_balancer", "mail"},
    {"network", "web_acl"},
    {"log_bucket", "preflight"},
    {"_core"},
)
FLOOR = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}
# They run elsewhere than in an application of CDK's, and are files to it.
ELSEWHERE = {"container", "handlers", "site"}


def wing_of(path: Path, source: Path) -> str:
    """The wing that a module is in: a folder, or a file beside them."""
    return path.relative_to(source).parts[0].removesuffix(".py")


def imported(text: str) -> Iterator[str]:
    """The modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.ImportFrom():
                yield "a relative import"


def wrong_arrows(sources: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The imports that go up or sideways, of sources by wing and file."""
    found = []
    for wing, files in sources.items():
        for file, text in files.items():
            for module in imported(text):
                package, _, rest = module.partition(".")
                to = rest.partition(".")[0]
                if module == "a relative import":
                    found.append(f"{file}: {module}")
                elif package != galv_constructs.__name__ or to == wing:
                    continue
                elif FLOOR.get(to, -1) <= FLOOR[wing]:
                    found.append(f"{file}: {wing} imports {to}")
    return found


def sources() -> dict[str, dict[str, str]]:
    """The library's own."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        wing = wing_of(path, SOURCE)
        if wing not in ELSEWHERE and path != SOURCE / "__init__.py":
            found.setdefault(wing, {})[str(path.relative_to(SOURCE))] = path.read_text()
    return found


def test_every_wing_has_a_floor() -> None:
    assert set(sources()) == set(FLOOR)


def test_the_documentation_has_the_same_order() -> None:
    page = (SOURCE.parents[1] / "docs" / "extending.md").read_text()
    _, _, table = page.partition("| Wing | Content |\n|---|---|\n")
    rows = [line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()]

    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == list(FLOORS)


def test_arrows_go_down_only() -> None:
    assert wrong_arrows(sources()) == []


@pytest.mark.parametrize(
    ("wing", "text", "wrong"),
    [
        (
            "backend",
            "from galv_constructs.frontend._urls import origin",
            "backend imports frontend",
        ),
        ("_core", "from galv_constructs.tasks.runtime import TaskRuntime", "_core imports tasks"),
        ("tasks", "def f():\n    import galv_constructs.backend", "tasks imports backend"),
        ("tasks", "from galv_constructs import GalvBackend", "tasks imports GalvBackend"),
        ("frontend", "from galv_constructs import handlers", "frontend imports handlers"),
        ("mail", "from . import _identity", "a relative import"),
        ("backend", "from galv_constructs.network import GalvNetwork", None),
        ("backend", "from galv_constructs.backend._cluster import Cluster", None),
        ("backend", "from aws_cdk import Stack", None),
    ],
)
def test_sees_an_arrow_that_goes_up(wing: str, text: str, wrong: str | None) -> None:
    assert wrong_arrows({wing: {"x.py": text}}) == ([f"x.py: {wrong}"] if wrong else [])


@pytest.mark.parametrize("folder", sorted(ELSEWHERE))
def test_handlers_and_site_import_nothing_of_the_library(folder: str) -> None:
    """Handlers import each other, as a package that Lambda has without the library around it."""
    modules = {
        module
        for path in (SOURCE / folder).rglob("*.py")
        for module in imported(path.read_text())
        if module.startswith((galv_constructs.__name__, "aws_cdk", "constructs", "jsii"))
    }

    assert modules == set()
