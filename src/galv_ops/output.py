"""Output: results on standard output, progress on standard error.

All output passes through this file, which shows control characters as text: anybody who can make
the application write a line to its log would otherwise drive the operator's terminal.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import click

_COLORS = {
    "ok": "green",
    "bad": "red",
    "busy": "yellow",
    "back": "yellow",
    "unknown": "yellow",
    "off": None,
}


# Control characters (C0, DEL, C1), format characters (bidirectional overrides, zero width),
# separators of lines and paragraphs, and surrogates, which no terminal can be given.
_CONTROLS = {"Cc", "Cf", "Zl", "Zp", "Cs"}


@dataclass(frozen=True)
class Styled:
    """A text in a color, in bold or dimmed: the only way in which a line gets an escape sequence.

    As click draws them: plain where standard output is no terminal.
    """

    text: str
    color: str | None = None
    bold: bool | None = None
    dim: bool | None = None


# A line of output, of which parts can be styled.
Line = str | Sequence[str | Styled]


class Output:
    """Prints for a person or, with `as_json`, for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._shown = 0

    def result(self, data: Any, lines: Sequence[Line]) -> None:
        """Print the result of a command: the data as JSON, or the lines."""
        self.clear()
        if self.as_json:
            click.echo(_json(data, indent=2))
            return
        for line in lines:
            click.echo(_drawn(line))

    def item(self, data: Any, lines: Sequence[Line]) -> None:
        """Print one of many results: the data as JSON in a line, or the lines."""
        self.clear()
        if self.as_json:
            click.echo(_json(data))
            return
        for line in lines:
            click.echo(_drawn(line))

    def line(self, text: str, *, err: bool = False) -> None:
        """Print what a log has in one event; aside where standard output is for JSON."""
        self.clear()
        for line in text.split("\n"):
            click.echo(_drawn(line), err=err or self.as_json)

    def error(self, text: str) -> None:
        """Say why something could not be done, or what to mind."""
        self.clear()
        click.echo(_drawn(text), err=True)

    def progress(self, text: str, *, passing: bool = False) -> None:
        """Say what is waited for: in one line that changes, or a line for each change.

        What is `passing` is worth no line of its own.
        """
        text = printable(text)
        if not sys.stderr.isatty():
            if not passing:
                click.echo(text, err=True)
            return
        self.clear()
        # A line that is wrapped could not be taken away.
        text = text[: shutil.get_terminal_size().columns - 1]
        click.echo(text, err=True, nl=False)
        self._shown = len(text)

    def clear(self) -> None:
        """Take the line of progress away."""
        if self._shown:
            click.echo(f"\r{' ' * self._shown}\r", err=True, nl=False)
            self._shown = 0


def printable(text: str) -> str:
    r"""Return the text in one line, with each control character as text, such as `\x1b`.

    A tab stays: it moves to the next column, and nothing else.
    """
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character == "\t" or unicodedata.category(character) not in _CONTROLS:
        return character
    return character.encode("unicode_escape").decode()


def _drawn(line: Line) -> str:
    parts = [line] if isinstance(line, str) else line
    return "".join(
        click.style(printable(part.text), fg=part.color, bold=part.bold, dim=part.dim)
        if isinstance(part, Styled)
        else printable(part)
        for part in parts
    )


def _json(data: Any, indent: int | None = None) -> str:
    # All but ASCII is escaped, and of that all control characters but this one.
    return json.dumps(data, indent=indent, default=_plain).replace("\x7f", "\\u007f")


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows in columns, a line each."""
    if not rows:
        return []
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return [line.rstrip() for line in lines]


def colored(state: str, width: int = 0) -> Styled:
    """Return a state such as `ok` or `bad` in its color."""
    return Styled(state.ljust(width), color=_COLORS.get(state))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="seconds")
    raise TypeError(f"{value!r} is not for JSON")
