"""Whether the roles that services have for themselves exist, or can be created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AWS_ERRORS, error_code
from .question import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("iam:GetRole", "iam:SimulatePrincipalPolicy")

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html and
# the page of the same name of each other service.
ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": (
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    ),
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "rds.amazonaws.com": "AWSServiceRoleForRDS",
}
_CREATE = "iam:CreateServiceLinkedRole"


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for the roles of `Services`; where one is not there, whether `RoleArn` may create it.

    A service creates its role by itself where who uses it first is allowed to:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    Only an explicit denial is certain: a simulation knows neither all conditions nor who else may
    create the role.
    """
    iam = world.client("iam")
    who = question.text("RoleArn", "")
    for service in question.texts("Services"):
        if service not in ROLES:
            raise ArgumentError(f"Services must name {', '.join(ROLES)}, got {service!r}")
        try:
            iam.get_role(RoleName=ROLES[service])
            continue
        except AWS_ERRORS as error:
            if error_code(error) != "NoSuchEntity":
                raise
        create = f"aws iam create-service-linked-role --aws-service-name {service}"
        if not who:
            yield question.warning(
                f"the role {ROLES[service]} does not exist",
                f"{service} creates it at its first use, where that may call {_CREATE}",
                f"where it may not, run once: {create}",
            )
            continue
        (decision,) = iam.simulate_principal_policy(
            PolicySourceArn=who,
            ActionNames=[_CREATE],
            # Without it the simulation is about all roles, which a policy of one service denies.
            ResourceArns=[_arn(who, service)],
            ContextEntries=[
                {
                    "ContextKeyName": "iam:AWSServiceName",
                    "ContextKeyValues": [service],
                    "ContextKeyType": "string",
                }
            ],
        )["EvaluationResults"]
        if decision["EvalDecision"] == "explicitDeny":
            yield question.error(
                f"the role {ROLES[service]} does not exist, and cannot be created",
                f"{who} is denied {_CREATE} for {service} ({decision['EvalDecision']})",
                f"run once, as who may: {create}",
            )
        elif decision["EvalDecision"] != "allowed":
            yield question.warning(
                f"the role {ROLES[service]} does not exist, and perhaps cannot be created",
                f"nothing allows {who} to call {_CREATE} for {service} "
                f"({decision['EvalDecision']})",
                f"run once, as who may: {create}",
            )


def _arn(who: str, service: str) -> str:
    """Return the ARN of a service's role in the account of a role."""
    _, partition, _, _, account, *_ = [*who.split(":"), *[""] * 4]
    return f"arn:{partition}:iam::{account}:role/aws-service-role/{service}/{ROLES[service]}"
