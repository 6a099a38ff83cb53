"""Acknowledgements of findings, each with the reason.

The findings of a part are constants after its class, and the part applies them.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as cr
from constructs import IConstruct, IValidation


def acknowledge(scope: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of what is at `scope` and below, each an id and the reason."""
    # All in one call, since each is a message to the process that CDK runs in.
    Validations.of(scope).acknowledge(
        *(Acknowledgment(id=id, reason=reason) for id, reason in findings.items())
    )


def acknowledge_wildcards(scope: IConstruct, resources: Mapping[str, str]) -> None:
    """Acknowledge resources with wildcards in the policies below `scope`, each with the reason.

    cdk-nag names such a finding after the resource as the template spells it, and that is known
    when CDK has connected the stacks. It validates the tree after that, and then asks cdk-nag.
    """
    scope.node.add_validation(_Wildcards(scope, resources))


@jsii.implements(IValidation)
class _Wildcards:
    """Those of one call, until they are acknowledged."""

    def __init__(self, scope: IConstruct, resources: Mapping[str, str]) -> None:
        self._scope = scope
        self._pending = resources

    def validate(self) -> list[str]:
        # A tree can be synthesized more than once.
        pending, self._pending = self._pending, {}
        if pending:
            resources = Stack.of(self._scope).resolve(list(pending))
            acknowledge(
                self._scope,
                {
                    f"AwsSolutions-IAM5[Resource::{_spell(resource)}]": reason
                    for resource, reason in zip(resources, pending.values(), strict=True)
                },
            )
        return []


def _spell(value: Any) -> str:
    """Spell a resolved value as cdk-nag does: a reference in angle brackets, the rest in JSON."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_spell(part) for part in parts)
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::ImportValue": name}:
            return _spell(name)
        case str():
            # A variable of IAM's, which cdk-nag takes for a reference.
            return re.sub(r"\$\{([^}]+)\}", r"<\1>", value)
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def standards(rules: Mapping[str, str]) -> dict[str, str]:
    """Findings of cdk-nag's packs for standards, from rules.

    HIPAA, NIST 800-53 and PCI DSS share these rules, each under a name of its own.
    """
    return {
        f"{standard}-{rule}": reason
        for standard in ("HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321")
        for rule, reason in rules.items()
    }


OWN_POLICIES = standards(
    {
        "IAMNoInlinePolicy": "What the role may do is for it alone and goes with it; a policy "
        "apart could be attached to others too."
    }
)
"""Of roles that have their permissions within them."""

OUTSIDE_THE_VPC = standards(
    {
        "LambdaInsideVPC": "The function calls AWS's own APIs over TLS and nothing in the VPC, "
        "where it could reach what is none of its business."
    }
)
"""Of functions that are in no VPC."""

DEPLOYMENT_FUNCTIONS = (
    OWN_POLICIES
    | OUTSIDE_THE_VPC
    | standards(
        {
            "LambdaConcurrency": "The function runs in deployments only, once for each resource.",
            "LambdaDLQ": "CloudFormation waits for the function's answer: a failure fails the "
            "deployment instead of being lost.",
        }
    )
)
"""Of functions that are not set up as a service would be, and of their roles."""

AWS_LAMBDA_BASIC_EXECUTION = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AWSLambdaBasicExecutionRole]"
)
"""Id of the finding that a role has the managed policy with which functions write logs."""


def secret_findings(encryption_key: kms.IKey | None, *, not_rotated: str) -> dict[str, str]:
    """Findings of a secret that no schedule rotates, for the reason that is given."""
    rules = {"SecretsManagerRotationEnabled": not_rotated}
    if encryption_key is None:
        rules["SecretsManagerUsingKMSKey"] = (
            "The secret is encrypted with the account's own key for Secrets Manager; another one "
            "costs $1 a month, and encryption_key takes it."
        )
    return {"AwsSolutions-SMG4": not_rotated, **standards(rules)}


ROTATED_BY_DEPLOYMENT = (
    "Running tasks read the password once, when they start: it is rotated by a deployment, which "
    "replaces them, when the number of the rotation is raised."
)
"""Of secrets whose rotation is a number that an argument gives."""


def acknowledge_provider(
    provider: cr.Provider,
    on_event: lambda_.IFunction,
    is_complete: lambda_.IFunction | None,
) -> None:
    """Acknowledge the resources of CDK's Provider framework around these functions."""
    findings = {
        AWS_LAMBDA_BASIC_EXECUTION: "The Provider framework's own functions; the managed "
        "policy only lets them write their log.",
        "AwsSolutions-L1": "The Provider framework chooses the runtime of its own functions.",
    }
    functions = [on_event]
    if is_complete is not None:
        findings |= {
            "AwsSolutions-SF1": "The state machine only repeats a check every ten seconds; the "
            "handler that it calls has a log.",
            "AwsSolutions-SF2": "The state machine only repeats a check every ten seconds: there "
            "is nothing to trace.",
        }
        functions.append(is_complete)
        for id in ("framework-isComplete", "framework-onTimeout"):
            function = provider.node.find_child(id)
            assert isinstance(function, lambda_.Function)  # noqa: S101 - what the framework is made of
            functions.append(function)
    acknowledge(provider, findings)
    reason = "The Provider framework may call any version of this one function."
    acknowledge_wildcards(provider, {f"{each.function_arn}:*": reason for each in functions})
