"""Something that weakens a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

Json = dict[str, Any]
Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")


@dataclass(frozen=True)
class Finding:
    """A weakness in a sentence, its fix, and the resource that has it."""

    severity: Severity
    text: str
    remedy: str
    resources: Sequence[str] = ()


def is_older(when: datetime | None, days: int) -> bool:
    """Tell whether a time is more than so many days ago; none is no time."""
    return when is not None and datetime.now(timezone.utc) - when > timedelta(days=days)
