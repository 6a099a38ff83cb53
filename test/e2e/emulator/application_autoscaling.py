"""Application Auto Scaling, which MiniStack does not have: kept, checked, never acted on."""

from e2e.emulator.types import Json, Records

TARGETS = Records(
    "AWS::ApplicationAutoScaling::ScalableTarget",
    required={"MaxCapacity", "MinCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace"},
    known={"RoleARN", "ScheduledActions", "SuspendedState", "Tags"},
    id=lambda properties: "|".join(
        properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace")
    ),
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


def install() -> None:
    """Add the types."""
    TARGETS.install()
    POLICIES.install()
