"""Acknowledgements of findings whose ids are computed."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def acknowledge_wildcard(scope: IConstruct, resource: str, *, reason: str) -> None:
    """Acknowledge one resource with a wildcard in the policies below `scope`.

    cdk-nag names such a finding after the resource as the template spells it.
    """
    spelled = _flatten(Stack.of(scope).resolve(resource))
    Validations.of(scope).acknowledge(
        Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{spelled}]", reason=reason)
    )


def _flatten(value: Any) -> str:
    """Spell a resolved value as cdk-nag does: a reference in angle brackets."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_flatten(part) for part in parts)
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::ImportValue": name}:
            return _flatten(name)
        case Mapping():
            return str(value)
        case _:
            return str(value)
