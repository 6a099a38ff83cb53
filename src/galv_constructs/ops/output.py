"""What is printed: results on standard output, progress on standard error."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import MINYEAR, datetime, timezone
from typing import Any

import click

# As click draws them: plain where standard output is no terminal.
_COLORS = {
    "ok": "green",
    "bad": "red",
    "busy": "yellow",
    "back": "yellow",
    "unknown": "yellow",
    "off": None,
}


class Output:
    """Prints for a person or, with `as_json`, for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._shown = 0

    def result(self, data: Any, text: str) -> None:
        """Print the result of a command: the data as JSON, or the text."""
        self.clear()
        click.echo(json.dumps(data, indent=2, default=_plain) if self.as_json else text)

    def line(self, text: str, *, err: bool = False) -> None:
        """Print a line of a log; aside where standard output is for JSON."""
        self.clear()
        click.echo(text, err=err or self.as_json)

    def progress(self, text: str, *, passing: bool = False) -> None:
        """Say what is waited for: in one line that changes, or a line for each change.

        What is `passing` is worth no line of its own.
        """
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


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in columns."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def colored(state: str, width: int = 0) -> str:
    """Return a state such as `ok` or `bad` in its color."""
    return click.style(state.ljust(width), fg=_COLORS.get(state))


def moment(when: datetime | None) -> str:
    """Return a time in UTC, to the minute."""
    if when is None or when.year == MINYEAR:
        return "at an unknown time"
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def count(number: int, noun: str) -> str:
    """Return a number of things, such as `1 task` and `2 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="seconds")
    raise TypeError(f"{value!r} is not for JSON")
