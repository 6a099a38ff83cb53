# /// script
# requires-python = ">=3.10"
# dependencies = ["cosmic-ray==8.7.0"]
# ///
"""Change the code of a part in small ways, one at a time, and show what its tests do not notice.

    python3 tools/setup.py uv run tools/mutation.py handlers|site|container|ops|constructs
        [--sample 120] [--seed 1] [--only FILE]

It works in a copy of this checkout, what is not committed included. Of each place that Cosmic Ray,
or an operator below, can change, it takes one change, and of those a sample, which is the same for
the same code and seed. The tests named after the changed file run first, and the first failure
ends them. A change that no test notices is printed: it needs a test, unless nobody can see it.

Each change to constructs is tested by its wing and by those that are built of it, in a process that
has loaded CDK already. What cdk-nag finds (`test_compliance.py`) takes minutes and is left out.
"""

import argparse
import difflib
import json
import os
import random
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test, mutate_code
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider")
Position = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some code, and the tests that have to notice its changes."""

    code: str
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    wings: bool = False


PARTS = {
    # No fixture of a construct is needed, and loading CDK takes longer than the tests.
    "handlers": Part(
        code="src/galv_constructs/handlers/*.py",
        tests=("test/handlers/test_*.py",),
        without=("*_emulated.py",),
        options=("--noconftest",),
    ),
    "site": Part(
        code="src/galv_constructs/site/*.py",
        tests=("test/frontend_site/test_build_site.py",),
        options=("--noconftest", "-m", ""),
    ),
    "container": Part(
        code="src/galv_constructs/container/**/*.py",
        # PostgreSQL's is there for what hands the database over; `serve.sh` is no Python.
        tests=("test/container/test_*.py", "test/e2e/test_database_owner.py"),
        without=("*_slow_clients.py", "*_serve.py"),
        options=("--noconftest", "-m", "", "-k", "not TestTemplate"),
    ),
    "ops": Part(
        code="src/galv_ops/**/*.py",
        tests=("test/ops/**/test_*.py",),
        without=("*_constructs.py",),
        options=("--confcutdir=test/ops", "-m", ""),
    ),
    "constructs": Part(
        code="src/galv_constructs/**/*.py",
        tests=("test/test_{wing}.py", "test/{wing}/test_*.py"),
        options=("-m", "", "-W", "ignore"),
        wings=True,
    ),
}
# Wings whose tests look at what these define.
BUILT_OF = {
    "_core": ("backend", "log_bucket", "tasks", "web_acl"),
    "backend": ("_core", "tasks"),
    "database": ("backend", "_core"),
    "images": ("backend",),
    "log_bucket": ("_core",),
    "network": ("backend",),
    "tasks": ("backend",),
}


class Operator:
    """What Cosmic Ray asks of an operator."""

    @staticmethod
    def arguments() -> tuple[()]:
        """Return what it is configured with."""
        return ()


def span(*nodes: Any) -> Position:
    """Return where nodes are."""
    return nodes[0].start_pos, nodes[-1].end_pos


class Text(Operator):
    """A text begins with something else."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Find texts that are no docstrings."""
        if node.type not in {"string", "fstring"}:
            return
        whole = node.parent if node.parent.type == "strings" else node
        if whole.parent.type != "simple_stmt":
            yield span(node)

    def mutate(self, node: Any, _index: int) -> Any:
        """Write into the text."""
        leaf = node.get_first_leaf()
        leaf.value = re.sub(r"""^(\w*)(\"{3}|'{3}|"|')""", r"\1\2XX", leaf.value, count=1)
        return node


class Statement(Operator):
    """A statement is left out."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Find statements without which the rest still has its names."""
        if node.parent is None or node.parent.type != "simple_stmt":
            return
        assigns = node.type == "expr_stmt" and node.children[0].type != "name"
        adds = node.type == "expr_stmt" and node.children[1].type == "operator"
        adds = adds and node.children[1].value != "="
        if assigns or adds or node.type in {"atom_expr", "power", "raise_stmt", "return_stmt"}:
            yield span(node)

    def mutate(self, node: Any, _index: int) -> Any:
        """Keep the place of it."""
        first = node.get_first_leaf()
        return first.__class__("pass", first.start_pos, prefix=first.prefix)


class Element(Operator):
    """An argument, or an element of a list, a set or a dictionary is left out."""

    KINDS: ClassVar = {"arglist", "testlist_comp", "dictorsetmaker"}

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Find what stands between commas."""
        for group in self._groups(node):
            yield span(*group)

    def mutate(self, node: Any, index: int) -> Any:
        """Leave it out, and the comma behind it."""
        group = self._groups(node)[index]
        after = node.children.index(group[-1]) + 1
        del node.children[after - len(group) : after + 1]
        return node

    def _groups(self, node: Any) -> list[list[Any]]:
        groups: list[list[Any]] = [[]]
        if node.type not in self.KINDS:
            return []
        for child in node.children:
            if child.type in {"comp_for", "sync_comp_for"}:
                return []
            if child.type == "operator" and child.value == ",":
                groups.append([])
            else:
                groups[-1].append(child)
        return [group for group in groups if group]


def copy_to(folder: Path) -> None:
    """Copy what git has, and would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    # Tests look for what these hold in the checkout.
    for name in ("node_modules", ".venv", ".venv-galv"):
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)


def annotations(file: Path) -> list[Position]:
    """Return where types are told, which nothing runs."""
    found = []
    for node in ast_nodes(get_ast_from_path(file)):
        if node.type in {"tfpdef", "annassign"}:
            found.append(span(node.children[-1] if node.type == "tfpdef" else node.children[1]))
        elif node.type == "funcdef" and node.annotation is not None:
            found.append(span(node.annotation))
    return found


def works(mutation: MutationSpec) -> bool:
    """Tell whether the changed code is another one, and Python at all."""
    code = mutation.module_path.read_text()
    operator = plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
    try:
        changed = mutate_code(code, operator, mutation.occurrence)
        compile(changed, str(mutation.module_path), "exec")
    except (SyntaxError, ValueError, TypeError):
        return False
    return bool(changed != code)


def mutants(files: Iterable[Path], session: Path) -> list[list[MutationSpec]]:
    """Return what can be changed, by place."""
    types = {file: annotations(file) for file in files}
    places: dict[tuple[str, Position], list[MutationSpec]] = defaultdict(list)
    with use_db(session) as database:
        init(list(types), database, {})
        for item in database.work_items:
            (mutation,) = item.mutations
            place = (mutation.start_pos, mutation.end_pos)
            inside = types[mutation.module_path]
            if not any(start <= place[0] and place[1] <= end for start, end in inside):
                places[str(mutation.module_path), place].append(mutation)
    return [
        sorted(found, key=lambda mutation: (mutation.operator_name, mutation.occurrence))
        for _, found in sorted(places.items())
    ]


def code_of(part: Part) -> list[Path]:
    """Return the files of a part, which are those of no other."""
    files = set(Path().glob(part.code))
    if part.wings:
        for other in PARTS.values():
            files -= set() if other is part else set(Path().glob(other.code))
    return sorted(file for file in files if file.name != "__init__.py" or not part.wings)


def tests_of(part: Part, file: Path | None) -> list[str]:
    """Return the tests, those of the file first."""
    own = {file.parent.name, *file.stem.strip("_").split("_")} if file else set()
    wings = [""]
    if part.wings and file:
        wing = file.relative_to("src/galv_constructs").parts[0].removesuffix(".py")
        wings = [wing, *BUILT_OF.get(wing, ())]
    patterns = [text.format(wing=wing) for wing in wings for text in part.tests]
    found = (path for pattern in patterns for path in sorted(Path().glob(pattern)))
    tests = [path for path in found if not any(path.match(one) for one in part.without)]
    tests.sort(key=lambda path: not any(name in path.stem for name in own))
    return [*map(str, tests), *(["test/test_snapshots.py"] if part.wings else [])]


def command(part: Part, file: Path | None) -> str:
    """Return what runs the tests, those of the file first."""
    python = str(ROOT / ".venv" / "bin" / "python")
    options = ["-m", "pytest", *OPTIONS, *part.options]
    return shlex.join([python, *options, *tests_of(part, file)])


class Warm:
    """A process that has loaded CDK, and runs tests when it is told to."""

    # CDK's other half keeps all that it was ever given.
    LONGEST: ClassVar = 300

    def __init__(self) -> None:
        """Begin without one, which starts when it is needed."""
        self._process: subprocess.Popen[str] | None = None
        self._spent = 0.0

    def run(self, arguments: list[str], timeout: float) -> tuple[int, str]:
        """Return pytest's exit code, and the first test that failed."""
        if self._process is None:
            python = str(ROOT / ".venv" / "bin" / "python")
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                [python, "tools/warm_pytest.py"], stdin=pipe, stdout=pipe, text=True
            )
            self._spent = 0.0
        to, of = self._process.stdin, self._process.stdout
        if to is None or of is None:
            raise RuntimeError("the process has no pipes")
        started = time.monotonic()
        print(json.dumps([*OPTIONS, *arguments]), file=to, flush=True)
        ready, _, _ = select.select([of], [], [], timeout)
        line = of.readline() if ready else ""
        self._spent += time.monotonic() - started
        if not line or self._spent > self.LONGEST:
            self.stop()
        if not line:
            return 1, ""
        answer = json.loads(line)
        return answer["code"], answer["first"]

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def test_warm(warm: Warm, part: Part, mutation: MutationSpec, timeout: float) -> tuple[bool, str]:
    """Tell whether a test notices a change, and which, or what the change is.

    It must pass without the change: then all of the tests need not be seen to pass beforehand.
    """
    file = mutation.module_path
    code = file.read_text()
    operator = plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
    changed = mutate_code(code, operator, mutation.occurrence)
    before, after = code.splitlines(keepends=True), changed.splitlines(keepends=True)
    diff = "".join(difflib.unified_diff(before, after, str(file), str(file), n=2))
    file.write_text(changed)
    try:
        result, first = warm.run([*part.options, *tests_of(part, file)], timeout)
    finally:
        file.write_text(code)
    if result == 0:
        return False, diff
    # Of pytest's exit codes these two are of tests that fail, and of files that do not load.
    if result not in {1, 2}:
        warm.stop()
        sys.exit(f"pytest ended with {result}: {tests_of(part, file)}")
    # A file that cannot be imported has no test to run.
    whole = [] if "::" in first else ["--collect-only"]
    again, _ = warm.run([*part.options, *whole, first], timeout) if first else (0, "")
    if again:
        warm.stop()
        sys.exit(f"{first} fails before anything is changed")
    return True, f"{first or 'nothing in time'}\n{diff}"


def main() -> None:
    """Make the copy, change it and test it, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sample", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of a file's path")
    parser.add_argument("--verbose", action="store_true", help="print what is noticed, too")
    arguments = parser.parse_args()
    part = PARTS[arguments.part]
    plugins.OPERATOR_PROVIDERS["own"] = {each.__name__: each for each in (Text, Statement, Element)}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "copy")
        copy_to(folder)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder / "src")
        files = [file for file in code_of(part) if arguments.only in str(file)]
        chance = random.Random(arguments.seed)  # noqa: S311 - a sample, no secret
        places = mutants(files, Path(made, "session.sqlite"))
        chance.shuffle(places)
        warm = Warm() if part.wings else None
        started = time.monotonic()
        if warm is None:
            outcome, output = run_tests(command(part, None), 1800)
            if outcome != TestOutcome.SURVIVED:
                sys.exit(f"the tests fail before anything is changed:\n{output}")
        timeout = 1800 if warm else 60 + 5 * (time.monotonic() - started)
        noticed = done = 0
        for place in places:
            mutation = next(filter(works, chance.sample(place, len(place))), None)
            if mutation is None:
                continue
            if warm:
                killed, text = test_warm(warm, part, mutation, timeout)
            else:
                result = mutate_and_test([mutation], command(part, mutation.module_path), timeout)
                killed = result.test_outcome == TestOutcome.KILLED
                text = result.diff or result.output
            done += 1
            noticed += killed
            if not killed or arguments.verbose:
                word = "noticed: " if killed else ""
                print(f"\n{word}{mutation.operator_name}\n{text}", flush=True)
            print(f"\r{noticed} of {done} noticed", end="", file=sys.stderr, flush=True)
            if done == arguments.sample:
                break
        if warm:
            warm.stop()
        minutes = (time.monotonic() - started) / 60
        print(f"\n{minutes:.0f} minutes")
        print(f"{arguments.part}, seed {arguments.seed}: {noticed} of {done} changes noticed")


if __name__ == "__main__":
    main()
