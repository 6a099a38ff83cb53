"""Alarms that go off at the first event, and whom they tell."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.acknowledge import standards
from galv_constructs._core.validation import check_boolean, check_construct

# What the standards say of alarms that tell nobody, and why it is true here.
TELLS_NOBODY = standards(
    {"CloudWatchAlarmAction": "No alarm_topic is given: the alarms are there to be seen."}
)


def check_alarm_topic(alarm_topic: sns.ITopic | None) -> None:
    """Refuse what is not a topic."""
    check_construct(
        "alarm_topic", alarm_topic, "aws_sns.ITopic", "sns.Topic.from_topic_arn(scope, id, arn)"
    )


def check_told(name: str, value: object, alarm_topic: sns.ITopic | None) -> None:
    """Refuse a switch that is not one, or that raises an alarm which nobody gets."""
    check_boolean(name, value)
    if value and alarm_topic is None:
        raise ValueError(
            f"{name} is given without alarm_topic, and nobody would be told: pass "
            "alarm_topic=sns.Topic(…) with it"
        )


def event_alarm(
    scope: Construct,
    id: str,
    *,
    metric: cloudwatch.IMetric,
    description: str,
    topic: sns.ITopic | None,
    threshold: float = 1,
) -> cloudwatch.Alarm:
    """Create an alarm that goes off when there is one event, or more, in the metric's period."""
    alarm = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        alarm_description=description,
        threshold=threshold,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    _tell(alarm, topic)
    return alarm


def silence_alarm(
    scope: Construct,
    id: str,
    *,
    metric: cloudwatch.IMetric,
    description: str,
    topic: sns.ITopic | None,
    periods: int,
) -> cloudwatch.Alarm:
    """Create an alarm that goes off when a metric has had no data for some of its periods."""
    alarm = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        alarm_description=description,
        threshold=1,
        evaluation_periods=periods,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
    )
    _tell(alarm, topic)
    return alarm


def _tell(alarm: cloudwatch.Alarm, topic: sns.ITopic | None) -> None:
    """Have a topic told when an alarm goes off."""
    if topic is not None:
        alarm.add_alarm_action(cloudwatch_actions.SnsAction(topic))
