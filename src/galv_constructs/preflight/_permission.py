"""What a question of preflight needs to be allowed."""

from collections.abc import Sequence
from dataclasses import dataclass

READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What a question needs to be allowed."""

    actions: Sequence[str]

    resources: Sequence[str]

    reason: str = ""
    """The reason for a wildcard in the resources."""
