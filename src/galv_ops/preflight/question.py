"""One question, with the arguments that a template gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .finding import Severity


class ArgumentError(Exception):
    """The question has an argument that its kind cannot read; the text says which."""


@dataclass(frozen=True)
class Question:
    """A question of one kind.

    CloudFormation passes every number and boolean to a custom resource as text.
    """

    check: str
    """Id, such as `Backend/Image`."""

    arguments: Mapping[str, Any]
    """The arguments, and under `Ask` the kind."""

    @property
    def is_needed(self) -> bool:
        """Whether the deployment fails where the question gets no answer."""
        return str(self.arguments.get("Needed")).lower() == "true"

    def text(self, name: str, default: str | None = None) -> str:
        """Return an argument that is a text.

        Raises:
            ArgumentError: If it is something else, or absent without a default.
        """
        value = self.arguments.get(name, default)
        if not isinstance(value, str) or not (value or default == ""):
            raise ArgumentError(f"{name} must be a text, got {value!r}")
        return value

    def texts(self, name: str) -> list[str]:
        """Return an argument that is a list of texts, or one text with commas; absent is empty.

        Raises:
            ArgumentError: If it is something else.
        """
        value = self.arguments.get(name, [])
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
            raise ArgumentError(f"{name} must be a list of texts, got {value!r}")
        return list(value)

    def flag(self, name: str) -> bool:
        """Tell whether an argument is true; absent is false.

        Raises:
            ArgumentError: If it is neither.
        """
        value = str(self.arguments.get(name, "false")).lower()
        if value not in ("true", "false"):
            raise ArgumentError(f"{name} must be 'true' or 'false', got {value!r}")
        return value == "true"

    def number(self, name: str) -> int:
        """Return an argument that is a whole number; absent is zero.

        Raises:
            ArgumentError: If it is none.
        """
        value = self.arguments.get(name, "0")
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"{name} must be a whole number, got {value!r}") from error

    def error(self, wrong: str, found: str, fix: str) -> Finding:
        """Return a reason why the deployment would fail."""
        return Finding(self.check, "error", wrong, found, fix)

    def warning(self, wrong: str, found: str, fix: str) -> Finding:
        """Return a reason why it might."""
        return Finding(self.check, "warning", wrong, found, fix)

    def unanswered(self, wrong: str, found: str, fix: str) -> Finding:
        """Return what to say where nobody can tell, which is an error where it is needed."""
        severity: Severity = "error" if self.is_needed else "unanswered"
        return Finding(self.check, severity, wrong, found, fix)
