"""Context keys: what a declaration says, and how the context is read by it."""

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from galv_constructs.config._kinds import Kind

# Context that is CDK's own: feature flags, answers to look-ups, settings of the CLI.
_CDKS_OWN = re.compile(r"@|.*:|cdk|aws-cdk|acknowledged-issue-numbers$|tree-metadata$")
# A word that other applications' context often has, and that is no mistyped key of ours.
_OTHERS = {"environment", "project"}
# How alike two names are when one of them is mistyped, and how much is left of one cut short.
_NEAR = 0.75
_SHORTEST_START = 5

DERIVED: Any = ...
"""Default of an attribute that follows others."""


@dataclass(frozen=True)
class Key:
    """Declares that an attribute is read from the context.

    The rest is said where it is said of every attribute: its type, its default and its docstring,
    which ends with the default in words. `tools/config_docs.py` writes the schema and the table.
    """

    name: str
    """Name in `cdk.json`."""

    kind: Kind
    """How the value is read."""

    derive: Callable[[Any], Any] | None = None
    """Returns the default for a configuration, where the default is `DERIVED`. It sees only
    attributes that are not derived."""

    stand_in: object = None
    """Stands for a required value that is missing or wrong, so that the other mistakes are found
    too. Only a required key has one."""

    added: bool = False
    """Whether this project added it to the keys that it was given."""

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.stand_in is not None


def keys_of(config: type) -> Mapping[str, Key]:
    """Return the keys that a class of configurations declares, by attribute."""
    return {
        attribute: mark
        for attribute, hint in get_type_hints(config, include_extras=True).items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, Key)
    }


def read_keys(
    keys: Mapping[str, Key], context: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values that are given, by name of the key, and the mistakes in them."""
    given: dict[str, Any] = {}
    mistakes = []
    for key in keys.values():
        value = context.get(key.name)
        if value is None or (value == "" and key.kind.empty_is_unset):
            if key.required:
                mistakes.append(f"{key.name}: is missing, and must be {key.kind.expected}")
            continue
        try:
            given[key.name] = key.kind.read(value)
        except ValueError as error:
            mistakes.append(f"{key.name}: {error}")
    return given, mistakes


def unknown_keys(
    keys: Mapping[str, Key], context: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return mistakes for what may be a mistyped key, and notes about others' context."""
    names = [key.name for key in keys.values()]
    mistakes, notes = [], []
    for name in context:
        if name in names or _CDKS_OWN.match(name):
            continue
        near = _near(names, name)
        if near is None:
            notes.append(f"{name}: is not a key of Galv's, and nothing here reads it")
        else:
            mistakes.append(f"{name}: is not a key of this application; did you mean {near}?")
    return mistakes, notes


def keys_beside_context(keys: Mapping[str, Key], cdk_json: Path | None) -> list[str]:
    """Return mistakes for keys that stand in `cdk.json` where CDK passes nothing on."""
    if cdk_json is None or not cdk_json.is_file():
        return []
    # The CLI has read it before: it is JSON.
    beside = json.loads(cdk_json.read_text())
    names = [key.name for key in keys.values()]
    near = {name: _near(names, name) for name in beside if name != "context"}
    return [
        f'{key}: stands beside "context" in cdk.json'
        + ("" if name == key else f" (as {name})")
        + ", where CDK passes nothing on; move it into it"
        for name, key in near.items()
        if key is not None
    ]


def _near(names: Collection[str], name: str) -> str | None:
    """Return the key that may be meant by a name that is none."""
    if name in _OTHERS:
        return None
    # Compared without case, which is what is most often wrong.
    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=_NEAR)
    if len(name) >= _SHORTEST_START:
        near += [known for known in lower if known.startswith(name.lower())]
    return lower[near[0]] if near else None
