"""Service-linked roles as moto has them."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import ANY, Stubber

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.service_linked_roles import ROLES
from galv_ops.preflight.world import World

DEPLOYS = "arn:aws:iam::123456789012:role/cdk-exec"
ECS_ROLE = "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"


def create(service: str) -> None:
    """The role as AWS names it; moto's own function writes the service in lower case."""
    boto3.client("iam").create_role(
        RoleName=ROLES[service],
        Path=f"/aws-service-role/{service}/",
        AssumeRolePolicyDocument="{}",
    )


def asked(world: World, *services: str, **more: str) -> list[Finding]:
    question = {"Ask": "service-linked-roles", "Services": list(services), **more}
    return ask({"Backend/Roles": question}, world, 20)


def test_finds_roles_that_are_there(world: World) -> None:
    for service in ROLES:
        create(service)

    assert asked(world, *ROLES) == []


def test_warns_of_those_that_are_not(world: World) -> None:
    create("ecs.amazonaws.com")

    (found,) = asked(world, "ecs.amazonaws.com", "rds.amazonaws.com")

    assert found.severity == "warning"
    assert found.wrong == "the role AWSServiceRoleForRDS does not exist"
    assert "aws iam create-service-linked-role --aws-service-name rds.amazonaws.com" in found.fix


@pytest.mark.parametrize(
    ("decision", "severities"),
    [("allowed", []), ("implicitDeny", ["warning"]), ("explicitDeny", ["error"])],
)
def test_sees_whether_they_can_be_created(
    world: World, decision: str, severities: list[str]
) -> None:
    result = {"EvalActionName": "iam:CreateServiceLinkedRole", "EvalDecision": decision}
    with Stubber(world.client("iam")) as stub:
        stub.add_client_error("get_role", "NoSuchEntity")
        stub.add_response(
            "simulate_principal_policy",
            {"EvaluationResults": [result]},
            {
                "PolicySourceArn": DEPLOYS,
                "ActionNames": ["iam:CreateServiceLinkedRole"],
                # A role may be allowed to create the roles of one service only.
                "ResourceArns": [ECS_ROLE],
                "ContextEntries": ANY,
            },
        )
        found = asked(world, "ecs.amazonaws.com", RoleArn=DEPLOYS)

    assert [finding.severity for finding in found] == severities
    assert all(DEPLOYS in finding.found for finding in found)


def test_refuses_a_service_without_a_role(world: World) -> None:
    (found,) = asked(world, "s3.amazonaws.com")

    assert found.wrong == "the question of this check cannot be asked"
