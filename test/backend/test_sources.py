"""The files of `container/` in a task definition: their words are not part of it."""

import ast

import pytest

from galv_constructs.backend._sources import FOLDER, plain_code, python_code, source

_FILES = [
    str(path.relative_to(FOLDER))
    for path in sorted(FOLDER.rglob("*"))
    if path.suffix and "__pycache__" not in path.parts
]
_PYTHON = [name for name in _FILES if name.endswith(".py")]


def _without_docstrings(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body[:1] = (
                [] if len(node.body) > 1 or isinstance(node, ast.Module) else [ast.Pass()]
            )
    return ast.dump(tree)


@pytest.mark.parametrize("name", _PYTHON)
def test_python_does_what_the_file_does(name: str) -> None:
    assert ast.dump(ast.parse(source(name))) == _without_docstrings((FOLDER / name).read_text())


@pytest.mark.parametrize("name", _FILES)
def test_other_words_are_the_same_source(name: str) -> None:
    text = (FOLDER / name).read_text()
    change = python_code if name.endswith(".py") else plain_code
    said = f"# Said in other words.\n\n{text}\n# And at the end.\n"
    assert change(said) == source(name)


_ONE = '''\
"""One."""


class A:
    """Two."""

    def b(self) -> None:
        """Three."""
'''
_OTHER = '''\
class A:
    def b(self) -> None:  # why
        """Else.

        More.
        """
'''


def test_other_docstrings_are_the_same_code() -> None:
    expected = "class A:\n    def b(self) -> None:\n        pass\n"
    assert python_code(_ONE) == python_code(_OTHER) == expected


def test_texts_stay_as_they_are() -> None:
    code = 'A = """\n\n# no comment\n"""\nB = "# none"\n'
    assert python_code(code) == code


def test_another_statement_is_another_code() -> None:
    assert python_code("a = 1\n") != python_code("a = 2\n")


def test_a_script_keeps_its_commands() -> None:
    assert plain_code('# why\n\nset -eu\n  # here\n  exec "$@" # kept\n') == (
        'set -eu\n  exec "$@" # kept\n'
    )
