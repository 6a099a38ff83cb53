"""A part of a deployment and its status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import ClientError

from galv_ops.errors import explain, is_fatal, is_gone

# `back`: a change failed, and what was there before it is there again.
State = Literal["ok", "busy", "back", "bad", "off", "unknown"]


@dataclass(frozen=True)
class Part:
    """A part of a deployment: in a word, in a line, in more lines, and for programs."""

    name: str
    state: State
    text: str
    more: Sequence[str] = ()
    data: dict[str, Any] = field(default_factory=dict)


def told(name: str, describe: Callable[[], Part]) -> Part:
    """Describe a part, or say why it cannot be described: the rest can be told nevertheless."""
    try:
        return describe()
    except ClientError as error:
        return untold(name, error)


def untold(name: str, error: ClientError) -> Part:
    """Say why a part cannot be described; raise the error again if nothing else can be either."""
    if is_fatal(error):
        raise error
    return Part(name, "bad" if is_gone(error) else "unknown", explain(error))
