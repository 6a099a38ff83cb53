"""One reason why a deployment would fail, or might."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One reason why a deployment would fail (an error), or might (a warning)."""

    check: str
    """Id of the question, such as `Backend/Image`."""

    severity: Severity

    wrong: str
    """The fault, in one sentence without a full stop."""

    found: str
    """The evidence."""

    fix: str
    """The way out, as an instruction."""
