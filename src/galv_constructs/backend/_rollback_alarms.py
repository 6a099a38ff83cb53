"""Alarms that stop a deployment of the web service and take it back.

Amazon ECS computes how long it goes on watching after the new tasks run, from the alarms' periods:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html

It goes back to the last deployment that completed. A first deployment has none:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-failure-detection.html
"""

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.alarms import TELLS_NOBODY, event_alarm

SERVER_ERRORS = 10
"""How many answers with 5xx in a minute are too many: a single one is no reason to go back."""


def add_rollback_alarms(
    scope: Construct, service: ecs.FargateService, target_group: elbv2.ApplicationTargetGroup
) -> None:
    """Have a deployment taken back when the application fails or its tasks become unhealthy.

    Minutes without data are no failure: the load balancer reports answers with 5xx only where
    there are some, and health only of targets that are registered.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """
    place = Construct(scope, "RollbackAlarms")
    minute = Duration.minutes(1)
    alarms = [
        event_alarm(
            place,
            "ServerErrors",
            metric=target_group.metrics.http_code_target(
                elbv2.HttpCodeTarget.TARGET_5XX_COUNT, period=minute, statistic="Sum"
            ),
            description=f"The API answered {SERVER_ERRORS} requests or more with 5xx in a minute.",
            topic=None,
            threshold=SERVER_ERRORS,
        ),
        event_alarm(
            place,
            "UnhealthyTasks",
            # The least of a minute: a task that fails one health check and recovers does not count.
            metric=target_group.metrics.unhealthy_host_count(period=minute, statistic="Minimum"),
            description="A task of the API was unhealthy for a whole minute.",
            topic=None,
        ),
    ]
    service.enable_deployment_alarms(
        [alarm.alarm_name for alarm in alarms], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
    )
    acknowledge(place, TELLS_NOBODY)
