"""Acknowledgements of findings whose ids are computed."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import IConstruct


def acknowledge_wildcard(scope: IConstruct, resource: str, *, reason: str) -> None:
    """Acknowledge one resource with a wildcard in the policies below `scope`.

    cdk-nag names such a finding after the resource as the template spells it.
    """
    spelled = _flatten(Stack.of(scope).resolve(resource))
    Validations.of(scope).acknowledge(
        Acknowledgment(id=f"AwsSolutions-IAM5[Resource::{spelled}]", reason=reason)
    )


def acknowledge_provider(provider: cr.Provider) -> None:
    """Acknowledge what CDK's Provider framework is made of."""
    findings = {
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
        "AWSLambdaBasicExecutionRole]": "The Provider framework's own functions; the managed "
        "policy only lets them write their log.",
        "AwsSolutions-L1": "The Provider framework chooses the runtime of its own functions.",
    }
    functions = [provider.on_event_handler]
    if provider.is_complete_handler is not None:
        findings |= {
            "AwsSolutions-SF1": "The state machine only repeats a check every ten seconds; the "
            "handler that it calls has a log.",
            "AwsSolutions-SF2": "The state machine only repeats a check every ten seconds: there "
            "is nothing to trace.",
        }
        functions.append(provider.is_complete_handler)
        for id in ("framework-isComplete", "framework-onTimeout"):
            function = provider.node.find_child(id)
            assert isinstance(function, lambda_.Function)  # noqa: S101 - what the framework is made of
            functions.append(function)
    Validations.of(provider).acknowledge(
        *(Acknowledgment(id=id, reason=reason) for id, reason in findings.items())
    )
    for function in functions:
        acknowledge_wildcard(
            provider,
            f"{function.function_arn}:*",
            reason="The Provider framework may call any version of this one function.",
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
