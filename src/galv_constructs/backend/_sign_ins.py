"""Telling a topic when a superuser signs in."""

from aws_cdk import Duration, Names
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.alarms import event_alarm

# `galv_task/apps.py` writes it.
LINE = "galv_task: a superuser signed in"


class SignIns(Construct):
    """Counts the lines of sign-ins in a log, with an alarm at the first one."""

    def __init__(
        self, scope: Construct, id: str, *, log_group: logs.ILogGroup, topic: sns.ITopic
    ) -> None:
        """Define it.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            log_group: Log of what signs people in.
            topic: Topic that is told.
        """
        super().__init__(scope, id)
        # The name is the deployment's own: a metric of a filter has no dimension without a value
        # from the line.
        counted = logs.MetricFilter(
            self,
            "Filter",
            log_group=log_group,
            filter_pattern=logs.FilterPattern.literal(f'"{LINE}"'),
            metric_namespace="Galv",
            metric_name=Names.unique_resource_name(self, max_length=200),
        )
        event_alarm(
            self,
            "Alarm",
            metric=counted.metric(period=Duration.minutes(1), statistic="Sum"),
            description="A superuser of Galv signed in. If nobody knows of it, change the "
            "password in Galv's admin, and end the superuser's sessions and tokens.",
            topic=topic,
        )
