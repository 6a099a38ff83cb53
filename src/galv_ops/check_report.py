"""The report of check_status: the JSON among its lines, as a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMES = ("name", "check", "id", "service", "component")
_STATUSES = ("status", "level", "state", "result", "ok")


def find_json(lines: Sequence[str]) -> Any:
    """Return the last object or list among the lines of a log; None if there is none."""
    text = "\n".join(lines)
    decoder = json.JSONDecoder()
    found, position = None, 0
    for number, line in enumerate(lines):
        start = sum(len(before) + 1 for before in lines[:number])
        if start < position or line[:1] not in {"{", "["}:
            continue
        try:
            value, position = decoder.raw_decode(text, start)
        except json.JSONDecodeError:
            continue
        found = value
    return found


def rows(report: Any) -> list[list[str]]:
    """Return name, status and the rest of each check in a report.

    What images report differs in form: an object of checks by name, or a list of them, by itself
    or as a value of an object.
    """
    return [list(row) for row in _rows("", report)]


def _rows(name: str, value: Any) -> Iterator[tuple[str, str, str]]:
    match value:
        case dict(fields) if status := _first(fields, _STATUSES):
            rest = {k: v for k, v in fields.items() if k not in {*_NAMES, *_STATUSES}}
            nested = {k: v for k, v in rest.items() if _is_report(v)}
            texts = [_text(v) for k, v in rest.items() if k not in nested and v not in (None, "")]
            yield (_first(fields, _NAMES) or name or "all", status, "; ".join(texts))
            for key, field in nested.items():
                yield from _rows(key, field)
        case dict(fields):
            for key, field in fields.items():
                yield from _rows(key, field)
        case list(items):
            for item in items:
                yield from _rows(name, item)
        case None:
            return
        case _:
            yield (name, _text(value), "")


def _is_report(value: Any) -> bool:
    """Whether a value holds checks of its own."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(item, dict) for item in items)


def _first(fields: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((_text(fields[key]) for key in keys if key in fields), "")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    return json.dumps(value, default=str)
