"""The files of `container/` as they enter a task definition: without comments and docstrings.

They are part of the task definition, whose tasks a deployment replaces when it changes, and setup
runs again. An edit of words must not do that.
"""

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "container"


@cache
def source(name: str) -> str:
    """Return a file of `container/`, without comments and docstrings."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return python_code(text) if name.endswith(".py") else plain_code(text)


def plain_code(text: str) -> str:
    """Return a shell script, or a configuration of nginx, without lines of comments."""
    lines = (line for line in text.splitlines() if line.strip())
    return "".join(f"{line}\n" for line in lines if not line.lstrip().startswith("#"))


def python_code(text: str) -> str:
    """Return Python code without comments, docstrings and blank lines.

    The rest stays as it is written: what `ast.unparse` returns differs between versions of Python.
    """
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    # In a text of several lines a blank one means something.
    kept = {row: lines[row - 1] for row in range(1, len(lines) + 1)}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NL and not lines[token.start[0] - 1].strip():
            del kept[token.start[0]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _remove_docstring(node, kept)
    return "".join(f"{line}\n" for _, line in sorted(kept.items()))


def _remove_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, kept: dict[int, str]
) -> None:
    if ast.get_docstring(node, clean=False) is None:
        return
    docstring = node.body[0]
    for row in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
        kept.pop(row, None)
    if len(node.body) == 1 and not isinstance(node, ast.Module):
        kept[docstring.lineno] = f"{' ' * docstring.col_offset}pass"
