"""Application Auto Scaling, which MiniStack does not have: kept, checked, never acted on."""

import json
from typing import Any

from e2e.emulator.private import app, iam_actions, responses, router
from e2e.emulator.types import Json, Records

_SERVICE = "application-autoscaling"
_TARGET = "AnyScaleFrontendService."
_SUSPENDED = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
# By the id of the target: what was suspended since it was made.
_suspended: dict[str, Json] = {}


def _target_id(properties: Json) -> str:
    return "|".join(
        properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace")
    )


TARGETS = Records(
    "AWS::ApplicationAutoScaling::ScalableTarget",
    required={"MaxCapacity", "MinCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace"},
    known={"RoleARN", "ScheduledActions", "SuspendedState", "Tags"},
    id=_target_id,
)


def _policy_id(properties: Json) -> str:
    target = properties["ScalingTargetId"]
    if target not in TARGETS.all:
        raise ValueError(f"ObjectNotFoundException: no scalable target {target!r}")
    return f"{target}/{properties['PolicyName']}"


POLICIES = Records(
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    required={"PolicyName", "PolicyType", "ScalingTargetId"},
    known={"StepScalingPolicyConfiguration", "TargetTrackingScalingPolicyConfiguration"},
    id=_policy_id,
)


def _register(request: Json) -> Json:
    """Change a target: what is not said stays.

    https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
    """
    id = _target_id(request)
    if id not in TARGETS.all:
        raise ValueError(f"ObjectNotFoundException: no scalable target {id!r}")
    TARGETS.all[id] |= {
        key: request[key] for key in ("MinCapacity", "MaxCapacity") if key in request
    }
    _suspended[id] = _suspended.get(id, _SUSPENDED) | request.get("SuspendedState", {})
    return {"ScalableTargetARN": f"arn:aws:{_SERVICE}:::scalable-target/{abs(hash(id)):x}"}


def _describe(request: Json) -> Json:
    found = [
        {
            **{key: properties[key] for key in TARGETS.required},
            "RoleARN": "arn:aws:iam:::role/AWSServiceRoleForApplicationAutoScaling_ECSService",
            "CreationTime": 0,
            "SuspendedState": _suspended.get(id, _SUSPENDED),
        }
        for id, properties in TARGETS.all.items()
        if properties["ResourceId"] in request["ResourceIds"]
    ]
    return {"ScalableTargets": found}


async def _handle(
    _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Json
) -> tuple[int, dict[str, str], bytes]:
    operation, request = headers["x-amz-target"].removeprefix(_TARGET), json.loads(body)
    operations = {"RegisterScalableTarget": _register, "DescribeScalableTargets": _describe}
    answer: tuple[int, dict[str, str], bytes] = responses.json_response(
        operations[operation](request)
    )
    return answer


def checks(action: str, request: Json) -> tuple[str, Any]:
    """Return the resource and the condition keys that the service authorizes.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_applicationautoscaling.html
    """
    if not action.endswith(":RegisterScalableTarget"):
        return "*", {}
    here = f"{responses.get_region()}:{responses.get_account_id()}"
    return f"arn:aws:{_SERVICE}:{here}:scalable-target/0a1b2c3d", {
        f"{_SERVICE}:service-namespace": request["ServiceNamespace"],
        f"{_SERVICE}:scalable-dimension": request["ScalableDimension"],
    }


def install() -> None:
    """Add the types and the service."""
    TARGETS.install()
    POLICIES.install()
    router.SERVICE_PATTERNS[_SERVICE] = {"target_prefixes": [_TARGET]}
    app.SERVICE_HANDLERS[_SERVICE] = _handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE
