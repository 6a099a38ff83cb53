"""A task that runs on a schedule and says when it failed."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs._core.alarms import check_alarm_topic
from galv_constructs._core.placement import check_place
from galv_constructs._core.validation import (
    check_duration,
    check_known,
    check_range,
    is_token,
)
from galv_constructs.tasks._checks import check_task
from galv_constructs.tasks._scheduled_runs import ScheduledRuns
from galv_constructs.tasks._task import Task
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.release_steps import check_command
from galv_constructs.tasks.runtime import TaskRuntime

_OVERLAPS = ("skip", "allow")
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
_EXPRESSION = re.compile(
    r"rate\(0*[1-9]\d* (minute|hour|day)s?\)"
    r"|cron\(\S+( \S+){5}\)"
    r"|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
)


class GalvScheduledTask(TaskConstruct):
    """Runs a task on a schedule, stops it when it takes too long, and raises alarms.

    Defines a task definition with roles, a security group and a log group of its own; a schedule
    of EventBridge Scheduler; a function that it calls and that starts the task; a dead-letter
    queue; a rule that finds failed runs; an alarm for failed runs and one for the queue. No
    container runs between the runs, and nothing in the image takes part. A task without a
    schedule is a `GalvTask`.

    A run has succeeded if its command ended by itself with 0. One that fails is not repeated: the
    next one is due anyway. Starting a run is tried again.

    As an `iam.IGrantable` it is the task role, as an `ec2.IConnectable` the task's security group.

    Costs, besides the runs themselves, two alarms ($0.20 a month); the calls at an interval of five
    minutes stay far below a dollar a month even without a free tier.

    Example:
        ```python
        GalvScheduledTask(
            self,
            "NightlyReport",
            runtime=backend.runtime,
            command=["python", "manage.py", "report"],
            schedule=scheduler.ScheduleExpression.cron(
                minute="30", hour="3", time_zone=TimeZone.EUROPE_LONDON
            ),
            alarm_topic=topic,
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        command: Sequence[str],
        schedule: scheduler.ScheduleExpression,
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int = 256,
        memory_limit_mib: int = 1024,
        ephemeral_storage_gib: int | None = None,
        spot: bool = False,
        timeout: Duration | None = None,
        overlap: Literal["skip", "allow"] = "skip",
        retry_attempts: int = 2,
        max_event_age: Duration | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Define the task and its schedule.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            runtime: Image, environment, secrets, network and logs, such as `backend.runtime`.
            command: Program and arguments.
            schedule: When the task runs: `ScheduleExpression.rate(Duration.minutes(5))`, `.cron(…)`
                with a time zone, or `.at(…)` for a single time. CDK writes that time in UTC
                whatever time zone is given beside it, so give none.
            name: Name of the container, the log group and the log stream. Default: `id` in lower
                case, with dashes.
            environment: Variables in addition to those of `runtime`. Default: none.
            secrets: Variables from Secrets Manager in addition to those of `runtime`.
                Default: none.
            cpu: CPU units; 1024 is one vCPU. Default: 256.
            memory_limit_mib: Memory in MiB. Default: 1024.
            ephemeral_storage_gib: Disk of a run in GiB, from 21 to 200. Default: 20 GiB, which
                Fargate charges nothing for.
            spot: Whether runs are on Fargate Spot, for up to 70% less. AWS may stop one
                with two minutes' notice, which is then a failed run, and may have no room for one.
                The cluster is told to offer it; a cluster that was imported has to offer it
                already. Default: false.
            timeout: How long a run may take, its start included, from one minute to seven days. A
                run that takes longer is stopped, within about a minute, and has failed.
                Default: one hour.
            overlap: Reaction when a run is due while another one is going on, also one started
                by hand: `skip` leaves it out, `allow` starts it. Default: `skip`.
            retry_attempts: How often starting a run is tried again, one minute after the first
                attempt and two minutes later, from 0 to 2. Default: 2.
            max_event_age: How late a run may start, after which it is given up, from one minute
                to six hours. Default: one hour.
            alarm_topic: SNS topic that is told when an alarm goes off; CloudWatch must be allowed
                to use the key of an encrypted one. Default: nobody is told.

        Raises:
            ValueError: If an argument is malformed or out of range.
        """
        name = check_task(
            scope,
            id,
            runtime=runtime,
            name=name,
            environment=environment,
            secrets=secrets,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            spot=spot,
        )
        check_command("command", command)
        _check_schedule(schedule)
        check_duration("timeout", timeout, timedelta(minutes=1), timedelta(days=7))
        if overlap not in _OVERLAPS:
            raise ValueError(f"overlap must be one of {', '.join(_OVERLAPS)}, got {overlap!r}")
        check_known("retry_attempts", retry_attempts)
        check_range("retry_attempts", retry_attempts, 0, 2)
        check_duration("max_event_age", max_event_age, timedelta(minutes=1), timedelta(hours=6))
        check_alarm_topic(alarm_topic)
        check_place(scope, "alarm_topic", alarm_topic)
        super().__init__(scope, id)
        self._task = Task(
            self,
            "Task",
            runtime=runtime,
            name=name,
            command=command,
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            ephemeral_storage_gib=ephemeral_storage_gib,
            spot=spot,
            environment=environment,
            secrets=secrets,
        )
        self._runs = ScheduledRuns(
            self,
            "Runs",
            task=self._task,
            schedule=schedule,
            timeout=Duration.hours(1) if timeout is None else timeout,
            overlap=overlap,
            retry_attempts=retry_attempts,
            max_event_age=Duration.hours(1) if max_event_age is None else max_event_age,
            alarm_topic=alarm_topic,
        )

    @property
    def schedule(self) -> scheduler.Schedule:
        """The schedule."""
        return self._runs.schedule

    @property
    def schedule_log_group(self) -> logs.ILogGroup:
        """Log group that says what became of each run."""
        return self._runs.log_group

    @property
    def dead_letter_queue(self) -> sqs.IQueue:
        """Queue with the runs that could not be started or stopped."""
        return self._runs.dead_letter_queue

    @property
    def failed_runs_alarm(self) -> cloudwatch.Alarm:
        """Alarm for runs that failed."""
        return self._runs.failed_runs_alarm

    @property
    def dead_letters_alarm(self) -> cloudwatch.Alarm:
        """Alarm for messages in the dead-letter queue."""
        return self._runs.dead_letters_alarm

    @property
    def schedule_group(self) -> scheduler.IScheduleGroup:
        """Group of the schedule and the deadlines of its runs."""
        return self._runs.group

    @property
    def failed_runs_rule(self) -> events.IRule:
        """Rule that matches the end of a failed run."""
        return self._runs.failed_runs

    @property
    def function(self) -> lambda_.IFunction:
        """Function that starts and stops the runs."""
        return self._runs.function

    def metric_failed_runs(self) -> cloudwatch.Metric:
        """Number of runs that failed."""
        return self._runs.metric_failed_runs()


def _check_schedule(schedule: object) -> None:
    if not isinstance(schedule, scheduler.ScheduleExpression):
        raise ValueError(
            f"schedule must be an aws_scheduler.ScheduleExpression, got {schedule!r}: use "
            "ScheduleExpression.rate(Duration.minutes(5))"
        )
    text = schedule.expression_string
    if not is_token(text) and not _EXPRESSION.fullmatch(text):
        raise ValueError(
            "schedule must be rate(…) with a whole number of minutes, hours or days from 1, "
            f"cron(…) with six fields, or at(yyyy-mm-ddThh:mm:ss), got {text!r}: use a GalvTask "
            "for no schedule"
        )
