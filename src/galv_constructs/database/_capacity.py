"""The capacity of Aurora Serverless v2, and what keeps it from pausing."""

from datetime import timedelta

import jsii
from aws_cdk import Annotations, Aspects, Duration, IAspect
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IConstruct

from galv_constructs._core.validation import check_duration, is_token
from galv_constructs.tasks._frequency import frequent_tasks

_MOST = 256
_STEP = 0.5
_PAUSE = timedelta(minutes=5)


def check_capacity(least: float, most: float, auto_pause: Duration | None) -> None:
    """Refuse bounds that Aurora Serverless v2 does not have.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ServerlessV2ScalingConfiguration.html
    """
    for argument, value, lowest in (("min_capacity", least, 0), ("max_capacity", most, 1)):
        if isinstance(value, bool) or not isinstance(value, int | float) or is_token(value):
            raise ValueError(
                f"{argument} must be a number of ACUs that is known at synthesis, got {value!r}"
            )
        if not lowest <= value <= _MOST or value % _STEP:
            raise ValueError(
                f"{argument} must be from {lowest} to {_MOST} ACUs in steps of {_STEP}, got {value}"
            )
    if least > most:
        raise ValueError(
            f"min_capacity is {least} and max_capacity is {most}: pass a max_capacity of {least} "
            "or more"
        )
    check_duration("auto_pause", auto_pause, timedelta(minutes=5), timedelta(days=1))
    if auto_pause is not None and least != 0:
        raise ValueError(
            f"auto_pause is for a min_capacity of 0, got {least}: pass min_capacity=0, or drop "
            "auto_pause"
        )


def warn_of_no_pause(
    scope: Construct, connections: ec2.Connections, auto_pause: Duration | None
) -> None:
    """Warn of schedules whose tasks connect before a cluster would pause, wherever they are."""
    Aspects.of(scope).add(_Schedules(scope, connections, auto_pause))


@jsii.implements(IAspect)
class _Schedules:
    """The scheduled tasks of the application, when all of them are defined."""

    def __init__(
        self, scope: Construct, connections: ec2.Connections, auto_pause: Duration | None
    ) -> None:
        self._scope = scope
        self._connections = connections
        self._seconds = _PAUSE.total_seconds() if auto_pause is None else auto_pause.to_seconds()

    def visit(self, node: IConstruct) -> None:
        """Look at all of them once, and not at each part of the cluster."""
        if node is not self._scope:
            return
        awake = frequent_tasks(node.node.root, self._connections, self._seconds)
        if awake:
            Annotations.of(node).add_warning_v2(
                "galv-constructs:databaseNeverPauses",
                f"min_capacity is 0, and the cluster never pauses: {', '.join(awake)} starts every "
                f"{self._seconds:g} seconds or more often. Start it less often "
                "(monitorIntervalMinutes in cdk.json), or pass min_capacity=0.5, without the wait "
                "when it resumes.",
            )
