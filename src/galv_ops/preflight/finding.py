"""One reason why a deployment would fail, or might."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "unanswered", "warning"]


@dataclass(frozen=True)
class Finding:
    """One reason why a deployment would fail, or might."""

    check: str
    """Id of the question, such as `Backend/Image`."""

    severity: Severity
    """`error` if the deployment would fail, `warning` if it might, and `unanswered` if nobody could
    tell, such as AWS that denies the call."""

    wrong: str
    """The fault, in one sentence without a full stop."""

    found: str
    """The evidence."""

    fix: str
    """The way out, as an instruction."""
