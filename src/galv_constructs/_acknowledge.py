"""Acknowledgements of findings whose ids are computed."""

from collections.abc import Sequence
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Reference, Stack, Tokenization, Validations
from constructs import IConstruct, IValidation


def acknowledge_wildcard(scope: IConstruct, resource: str, *, reason: str) -> None:
    """Acknowledge one resource with a wildcard in the policies below `scope`.

    cdk-nag names such a finding after the resource as the template spells it.
    """
    finding = _Wildcard(scope, resource, reason)
    if _is_in_another_stack(scope, resource):
        # How the template spells it is known only when CDK has connected the stacks, after which it
        # validates the tree, and then asks cdk-nag.
        scope.node.add_validation(finding)
    else:
        finding.validate()


@jsii.implements(IValidation)
class _Wildcard:
    def __init__(self, scope: IConstruct, resource: str, reason: str) -> None:
        self._scope = scope
        self._resource = resource
        self._reason = reason

    def validate(self) -> list[str]:
        spelled = _flatten(Stack.of(self._scope).resolve(self._resource))
        Validations.of(self._scope).acknowledge(
            Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{spelled}]", reason=self._reason)
        )
        return []


def _is_in_another_stack(scope: IConstruct, resource: str) -> bool:
    path = Stack.of(scope).node.path
    tokens: Sequence[Any] = Tokenization.reverse_string(resource).tokens
    return any(
        Reference.is_reference(token) and Stack.of(token.target).node.path != path
        for token in tokens
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
        case _:
            return str(value)
