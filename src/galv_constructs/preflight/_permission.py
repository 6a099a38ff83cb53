"""Permissions that a question of preflight needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - an action


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Actions on resources that a question needs to be allowed."""

    actions: Sequence[str]

    resources: Sequence[str]

    reason: str = ""
    """The reason for a wildcard in the resources."""

    conditions: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)
