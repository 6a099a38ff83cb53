"""Acknowledgements of findings whose ids are computed."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Acknowledgment, Reference, Stack, Tokenization, Validations
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import IConstruct, IValidation

from galv_constructs._policy import DeploymentPolicy


def acknowledge_wildcards(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge resources with wildcards in the policies below `scope`, each with the reason.

    cdk-nag names such a finding after the resource as the template spells it.
    """
    path = _path(Stack.of(scope))
    is_elsewhere = {
        resource: any(_stack_path(token) not in (path, None) for token in _TOKEN.findall(resource))
        for resource in findings
    }
    here = _Wildcards(scope, {r: why for r, why in findings.items() if not is_elsewhere[r]})
    elsewhere = _Wildcards(scope, {r: why for r, why in findings.items() if is_elsewhere[r]})
    here.validate()
    if elsewhere.findings:
        # How the template spells it is known only when CDK has connected the stacks, after which it
        # validates the tree, and then asks cdk-nag.
        scope.node.add_validation(elsewhere)


@jsii.implements(IValidation)
class _Wildcards:
    def __init__(self, scope: IConstruct, findings: Mapping[str, str]) -> None:
        self._scope = scope
        self.findings = findings

    def validate(self) -> list[str]:
        spelled = list(self.findings)
        if any(_TOKEN.search(resource) for resource in spelled):
            spelled = Stack.of(self._scope).resolve(spelled)
        if spelled:
            Validations.of(self._scope).acknowledge(
                *(
                    Acknowledgment(
                        id=f"AwsSolutions-IAM5[Resource::{_flatten(resource)}]", reason=reason
                    )
                    for resource, reason in zip(spelled, self.findings.values(), strict=True)
                )
            )
        return []


# Asking CDK takes a call to another process each time, and a backend asks hundreds of times.
_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")
_PATHS: WeakKeyDictionary[Stack, str] = WeakKeyDictionary()


def _path(stack: Stack) -> str:
    if stack not in _PATHS:
        _PATHS[stack] = stack.node.path
    return _PATHS[stack]


@lru_cache(maxsize=1024)
def _stack_path(token: str) -> str | None:
    """Path of the stack of what a token refers to, if it refers to a construct."""
    tokens: Sequence[Any] = Tokenization.reverse_string(token).tokens
    paths = [_path(Stack.of(t.target)) for t in tokens if Reference.is_reference(t)]
    return paths[0] if paths else None


def acknowledge_standards(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag's packs for standards, each a rule and the reason.

    HIPAA, NIST 800-53 and PCI DSS share these rules, each under a name of its own.
    """
    Validations.of(scope).acknowledge(
        *(
            Acknowledgment(id=f"{standard}-{rule}", reason=reason)
            for standard in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
            for rule, reason in findings.items()
        )
    )


def acknowledge_own_policies(scope: IConstruct) -> None:
    """Acknowledge that roles below `scope` have their permissions within them."""
    acknowledge_standards(
        scope,
        {
            "IAMNoInlinePolicy": "What the role may do is for it alone and goes with it; a policy "
            "apart could be attached to others too."
        },
    )


def acknowledge_deployment_functions(scope: IConstruct) -> None:
    """Acknowledge that functions below `scope` are not set up as a service would be."""
    acknowledge_standards(
        scope,
        {
            "LambdaConcurrency": "It runs in deployments only, once for each resource.",
            "LambdaDLQ": "CloudFormation waits for its answer: a failure fails the deployment "
            "instead of being lost.",
            "LambdaInsideVPC": "It calls AWS's own APIs over TLS and nothing in the VPC, where it "
            "could reach what is none of its business.",
        },
    )


def acknowledge_log_group(log_group: IConstruct, encryption_key: kms.IKey | None) -> None:
    """Acknowledge a log group without a key of its own."""
    if encryption_key is None:
        acknowledge_standards(
            log_group,
            {
                "CloudWatchLogGroupEncrypted": "It is encrypted with a key that CloudWatch Logs "
                "owns; another one costs $1 a month, and encryption_key takes it."
            },
        )


def acknowledge_secret(
    secret: IConstruct, encryption_key: kms.IKey | None, *, not_rotated: str
) -> None:
    """Acknowledge a secret that no schedule rotates, for the reason that is given."""
    findings = {"SecretsManagerRotationEnabled": not_rotated}
    if encryption_key is None:
        findings["SecretsManagerUsingKMSKey"] = (
            "It is encrypted with the account's own key for Secrets Manager; another one costs $1 "
            "a month, and encryption_key takes it."
        )
    Validations.of(secret).acknowledge(Acknowledgment(id="AwsSolutions-SMG4", reason=not_rotated))
    acknowledge_standards(secret, findings)


def acknowledge_bucket(
    bucket: IConstruct, policy: DeploymentPolicy, *, not_kms: str | None
) -> None:
    """Acknowledge a bucket in one region and, for the reason that is given, without a KMS key."""
    findings = {
        "S3BucketReplicationEnabled": "S3 keeps each object in three zones; a copy in another "
        "region doubles the price, and is for the owner of the data to decide."
    }
    if not_kms is not None:
        findings["S3DefaultEncryptionKMS"] = not_kms
    if not policy.versioned:
        findings["S3BucketVersioningEnabled"] = (
            "Removal protection is off for this deployment: what is in it is not meant to last."
        )
    acknowledge_standards(bucket, findings)


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
    acknowledge_own_policies(provider)
    for scope in (provider, provider.on_event_handler, provider.is_complete_handler):
        if scope is not None:
            acknowledge_deployment_functions(scope)
    reason = "The Provider framework may call any version of this one function."
    acknowledge_wildcards(provider, {f"{each.function_arn}:*": reason for each in functions})


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
