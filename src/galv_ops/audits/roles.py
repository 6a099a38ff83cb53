"""Roles: what CDK deploys with, whom GitHub's roles trust, and which nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from galv_ops.audits.finding import Finding, Json, Severity, is_older
from galv_ops.errors import page
from galv_ops.query.deployment import Deployment

_ISSUER = "token.actions.githubusercontent.com"
_PARAMETER = re.compile(r"/cdk-bootstrap/([\w-]+)/version")
# CDK's own; and those that AWS creates, or whose trust is managed elsewhere.
_BOOTSTRAP, _OTHERS = "cdk-", ("/aws-service-role/", "/aws-reserved/")
_UNUSED_DAYS = 90
# What narrows a trust beside the subject.
_NARROWING = ("ref", "environment", "job_workflow_ref", "workflow_ref")
_SUBJECT = re.compile(r"repo:([^/:]*)/([^:]*)(?::(.*))?")


def bootstrap(deployment: Deployment) -> Iterator[Finding]:
    """Tell whether CloudFormation may do everything when CDK deploys."""
    iam = deployment.aws.iam
    for name in _execution_roles(deployment):
        pages = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
        policies = [policy for found in pages for policy in found["AttachedPolicies"]]
        unlimited = [
            policy["PolicyName"] for policy in policies if _is_unlimited(iam, policy["PolicyArn"])
        ]
        if unlimited:
            yield Finding(
                "medium",
                f"CloudFormation deploys with {', '.join(unlimited)}: whoever may deploy a stack "
                "by CDK may do everything in the account.",
                "Bootstrap again with --cloudformation-execution-policies and a policy, or with "
                "--custom-permissions-boundary.",
                [name],
            )


def github(deployment: Deployment) -> Iterator[Finding]:
    """Tell which roles too much on GitHub may assume."""
    for role in _roles(deployment):
        for statement in _statements(role):
            if _ISSUER in str(statement.get("Principal", {}).get("Federated", "")):
                yield from _trust(role["RoleName"], statement)


def unused_roles(deployment: Deployment) -> Iterator[Finding]:
    """Tell which roles somebody could assume and nobody does.

    Not those that only AWS's services assume, nor CDK's, which the next deployment needs.
    """
    unused = []
    for role in _roles(deployment):
        outside = any(
            {"AWS", "Federated"} & set(_principal(statement)) for statement in _statements(role)
        )
        if (
            outside
            and not role["RoleName"].startswith(_BOOTSTRAP)
            and not role.get("Path", "/").startswith(_OTHERS)
            and is_older(role.get("CreateDate"), _UNUSED_DAYS)
        ):
            found = deployment.aws.iam.get_role(RoleName=role["RoleName"])["Role"]
            last = found.get("RoleLastUsed", {}).get("LastUsedDate")
            if last is None or is_older(last, _UNUSED_DAYS):
                unused.append(role["RoleName"])
    if unused:
        yield Finding(
            "low",
            f"Roles that nobody has used for {_UNUSED_DAYS} days, and somebody could assume: "
            f"{', '.join(unused)}.",
            "Delete them.",
            unused,
        )


def _execution_roles(deployment: Deployment) -> list[str]:
    names = []
    for stack in deployment.stacks:
        match = _PARAMETER.fullmatch(stack.parameters.get("BootstrapVersion", ""))
        if match:
            place = f"{deployment.account}-{stack.aws.region}"
            names.append(f"cdk-{match[1]}-cfn-exec-role-{place}")
    return list(dict.fromkeys(names))


def _is_unlimited(iam: Any, arn: str) -> bool:
    if arn.endswith(":aws:policy/AdministratorAccess"):
        return True
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    return any(
        statement.get("Effect") == "Allow" and "*" in _list(statement.get("Action"))
        for statement in _list(found["Document"].get("Statement"))
    )


def _roles(deployment: Deployment) -> Iterator[Json]:
    for found in deployment.aws.iam.get_paginator("list_roles").paginate():
        yield from found["Roles"]


def _statements(role: Json) -> list[Json]:
    return [
        statement
        for statement in _list(role.get("AssumeRolePolicyDocument", {}).get("Statement"))
        if statement.get("Effect") == "Allow"
    ]


def _principal(statement: Json) -> Json:
    principal = statement.get("Principal", {})
    return principal if isinstance(principal, dict) else {"AWS": principal}


def _trust(name: str, statement: Json) -> Iterator[Finding]:
    patterns: list[str] = []
    narrowed = False
    for operator, values in statement.get("Condition", {}).items():
        for key, value in values.items():
            claim = key.lower().removeprefix(f"{_ISSUER}:")
            if claim == "sub" and "Like" in operator:
                patterns += _list(value)
            elif claim == "sub":
                # A star is a star then.
                patterns += [pattern.replace("*", "-") for pattern in _list(value)]
            narrowed |= claim in _NARROWING
    if not patterns:
        yield _finding("high", name, "any repository on GitHub: its trust names no subject")
    for pattern in patterns:
        match = _SUBJECT.fullmatch(pattern)
        owner, repository, rest = match.groups() if match else (pattern, "", None)
        if "*" in owner.partition("@")[0]:
            yield _finding("high", name, f"repositories of strangers: {pattern}")
        elif "*" in repository.partition("@")[0]:
            yield _finding("high", name, f"every repository of {owner}: {pattern}")
        elif (rest is None or rest.startswith("*")) and not narrowed and "*" in pattern:
            yield _finding(
                "medium", name, f"every branch, tag and pull request of a repository: {pattern}"
            )


def _finding(severity: Severity, name: str, whom: str) -> Finding:
    return Finding(
        severity,
        f"The role {name} may be assumed by {whom}.",
        "Name the repository with an environment or a ref in the condition on sub, as "
        f"GalvDeployRole does: {page('github-actions.md', 'which-runs-are-trusted')}",
        [name],
    )


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
