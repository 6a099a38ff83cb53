"""Secrets as CloudFormation creates them: `Ref` is the ARN, and a generated name has two parts.

CDK takes the name out of the ARN, and counts on that.
"""

import secrets
from typing import Any

from e2e.emulator.private import provisioners, secretsmanager
from e2e.emulator.types import Json, Made

_handler = provisioners.RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
_made, _updated, _deleted = _handler["create"], _handler["update"], _handler["delete"]


def _name(arn: str) -> str:
    (name,) = [name for name, s in secretsmanager.secrets.items() if s["ARN"] == arn]
    return str(name)


def _create(logical_id: str, properties: Json, stack: str) -> Made:
    name = properties.get("Name") or f"{logical_id}-{secrets.token_hex(6)}"
    if secretsmanager.secrets.get(name, {}).get("DeletedDate"):
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
        raise ValueError(
            "InvalidRequestException: You can't create this secret because a secret with this name "
            f"is already scheduled for deletion: {name}"
        )
    if name in secretsmanager.secrets:
        raise ValueError(f"ResourceExistsException: the secret {name} already exists")
    _, attributes = _made(logical_id, {**properties, "Name": name}, stack)
    return attributes["Arn"], attributes


def _update(arn: str, old: Json, new: Json, *rest: Any) -> Made:
    name = _name(arn)
    old, new = ({"Name": name, **properties} for properties in (old, new))
    _, attributes = _updated(name, old, new, *rest)
    return attributes["Arn"], attributes


def _delete(arn: str, properties: Json) -> None:
    _deleted(_name(arn), properties)


def install() -> None:
    """Wrap MiniStack's secrets."""
    _handler.update(create=_create, update=_update, delete=_delete)
