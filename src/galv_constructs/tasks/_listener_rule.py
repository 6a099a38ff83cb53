"""Checks of the rule that sends requests to a service."""

from collections.abc import Sequence

from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from galv_constructs._core.listener_rules import HIGHEST_PRIORITY, check_priority
from galv_constructs._core.validation import check_given, check_range, is_list


def check_listener_rule(
    listener: elbv2.IApplicationListener | None,
    port: int | None,
    conditions: Sequence[elbv2.ListenerCondition] | None,
    priority: int | None,
    health_check_path: object,
) -> None:
    """Refuse a rule that is not whole, and parts of one without a listener."""
    parts = {"port": port, "conditions": conditions, "priority": priority}
    if listener is None:
        given = [name for name, value in parts.items() if value is not None]
        if given:
            raise ValueError(
                f"{', '.join(given)} given without listener, which sends the requests: pass "
                "listener=backend.listener, another listener, or none of them for a worker"
            )
        return
    check_given(
        "listener",
        listener,
        "listener_arn",
        "aws_elasticloadbalancingv2.IApplicationListener",
        "backend.listener, load_balancer.listener or "
        "elbv2.ApplicationListener.from_application_listener_attributes(scope, id, …)",
    )
    missing = [name for name, value in parts.items() if value is None]
    if missing:
        raise ValueError(
            f"listener needs {', '.join(missing)} too: the port of the tasks, which requests are "
            "for them, and the place of the rule among those of the listener"
        )
    check_range("port", port or 0, 1, 65535)
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html
    check_range("priority", priority or 0, 1, HIGHEST_PRIORITY)
    check_priority("priority", priority or 0, listener)
    if (
        not is_list(conditions)
        or not conditions
        or not all(isinstance(each, elbv2.ListenerCondition) for each in conditions)
    ):
        raise ValueError(
            "conditions must be a list of at least one aws_elasticloadbalancingv2."
            f"ListenerCondition, got {conditions!r}: use "
            "[elbv2.ListenerCondition.path_patterns(['/reports/*'])]"
        )
    if not isinstance(health_check_path, str) or not health_check_path.startswith("/"):
        raise ValueError(
            f"health_check_path must be a path such as '/health/', got {health_check_path!r}"
        )
