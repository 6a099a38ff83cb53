"""What there is to say about a part of a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "busy", "bad", "off", "unknown"]


@dataclass(frozen=True)
class Part:
    """A part of a deployment: in a word, in a line, in more lines, and for programs."""

    name: str
    state: State
    text: str
    more: Sequence[str] = ()
    data: dict[str, Any] = field(default_factory=dict)
