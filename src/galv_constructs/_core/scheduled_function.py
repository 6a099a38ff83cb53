"""Parts around a function that EventBridge Scheduler calls: its role, and where failures go."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs._core.acknowledge import OUTSIDE_THE_VPC, OWN_POLICIES, standards
from galv_constructs._core.alarms import event_alarm

ALARM_PERIOD = Duration.minutes(5)

ANY_VERSION = "EventBridge Scheduler may call any version of this one function."


def dead_letter_queue(scope: Construct) -> sqs.Queue:
    """The queue `DeadLetterQueue` of what the function failed on."""
    return sqs.Queue(
        scope,
        "DeadLetterQueue",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )


def dead_letters_alarm(
    scope: Construct, queue: sqs.IQueue, *, description: str, topic: sns.ITopic | None
) -> cloudwatch.Alarm:
    """The alarm `DeadLettersAlarm`, for messages in the queue."""
    return event_alarm(
        scope,
        "DeadLettersAlarm",
        metric=queue.metric_approximate_number_of_messages_visible(
            period=ALARM_PERIOD, statistic=cloudwatch.Stats.MAXIMUM
        ),
        description=description,
        topic=topic,
    )


def scheduler_role(scope: Construct, group: scheduler.IScheduleGroup) -> iam.Role:
    """The role `SchedulerRole` of the schedules of a group."""
    return iam.Role(
        scope,
        "SchedulerRole",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com",
            # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            conditions={
                "StringEquals": {
                    "aws:SourceAccount": Aws.ACCOUNT_ID,
                    "aws:SourceArn": group.schedule_group_arn,
                }
            },
        ),
    )


def findings(*, not_bounded: str) -> dict[str, str]:
    """Findings of the function and its queue, with the reason why it has no bound."""
    return (
        {"AwsSolutions-SQS3": "The queue is itself a dead-letter queue."}
        | OWN_POLICIES
        | OUTSIDE_THE_VPC
        | standards(
            {
                "LambdaConcurrency": not_bounded,
                "LambdaDLQ": "Events that the function fails on go to the dead-letter queue, as a "
                "destination, which the rule does not look at.",
            }
        )
    )
