"""A deployment that rests when nobody works with it."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, acknowledge_wildcards
from galv_constructs._core.alarms import TELLS_NOBODY, check_alarm_topic
from galv_constructs._core.handler import handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.placement import check_place
from galv_constructs._core.protection import root_stack
from galv_constructs._core.scheduled_function import (
    ANY_VERSION,
    dead_letter_queue,
    dead_letters_alarm,
    findings,
    scheduler_role,
)
from galv_constructs._core.validation import check_construct, check_list
from galv_constructs.backend.backend import GalvBackend
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.sleep._sleepers import (
    Forgotten,
    Parts,
    check_sleepers,
    parts_of,
    warn_of_windows,
)
from galv_constructs.sleep._waking import Waking
from galv_constructs.sleep.awake_hours import AwakeHours
from galv_constructs.tasks.scheduled_task import GalvScheduledTask
from galv_constructs.tasks.service import GalvService
from galv_constructs.tasks.task import GalvTask

# "RDS-EVENT-0154: The DB instance is being started due to it exceeding the maximum allowed time
# being stopped", and RDS-EVENT-0153 for a cluster:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
_RESTARTED = ["RDS-EVENT-0153", "RDS-EVENT-0154"]


class GalvSleep(Construct):
    """Lets a trial or a stage rest at night and at weekends, when it costs a fraction.

    Asleep, services have no tasks, schedules are off, and the database is stopped. The load
    balancer answers 503. AWS starts a database that has been stopped for seven days; it is stopped
    again. It wakes in the morning of each day of `awake`, by `galv-ops wake`, and by itself before
    a deployment changes anything.

    Defines two schedules of EventBridge Scheduler; a function that they call; a dead-letter queue
    with an alarm for when it could neither sleep nor wake; a rule for AWS's restarts; and what
    wakes the stack at the beginning of a deployment.

    A database of the backend's own sleeps with it. One that the backend was given may be that of
    others too, and sleeps if it is in `sleepers`.

    Costs an alarm ($0.10 a month). What it saves is in the project's `docs/costs.md`: tasks and
    database cost nothing for the hours in which they rest, storage and load balancer cost the same.

    Example:
        ```python
        from functools import partial

        hours = AwakeHours(days="Mon-Fri", start="07:00", end="19:00")
        trial = GalvBackend(
            self,
            "Trial",
            domain_name="trial.example.com",
            hosted_zone=zone,
            # RDS does nothing to a database that is stopped, and would choose times at night.
            database=partial(
                GalvDatabase,
                preferred_backup_window=hours.backup_window,
                preferred_maintenance_window=hours.maintenance_window,
            ),
            production=False,
        )
        GalvSleep(self, "Sleep", sleepers=[trial], awake=hours)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sleepers: Sequence[
            GalvBackend | GalvService | GalvScheduledTask | GalvTask | IGalvDatabase
        ],
        awake: AwakeHours | None = None,
        alarms: Sequence[cloudwatch.IAlarm] = (),
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Define when it sleeps, and what does.

        Args:
            scope: Parent of this construct, in the stack of what sleeps.
            id: Id of this construct in its parent.
            sleepers: What sleeps: backends that are not in production, services, scheduled tasks,
                and databases. The database is stopped when no task of theirs runs any more, runs of
                a `GalvTask` among them.
            awake: When it does not. Default: from Monday to Friday, from 7:00 to 19:00 in UTC.
            alarms: Alarms of your own that tell nobody while it sleeps, such as one for hosts that
                are not healthy. Those of a `GalvService` for tasks that are not there tell nobody
                anyway. Default: none.
            alarm_topic: SNS topic that is told when it could neither sleep nor wake; CloudWatch
                must be allowed to use the key of an encrypted one. Default: nobody is told.

        Raises:
            ValueError: If an argument is malformed, or something cannot sleep: a backend in
                production, what is in another stack, or what sleeps by another `GalvSleep`. What
                connects to a database that is stopped, and is not in `sleepers`, is refused at
                synthesis, and so is a read replica, which RDS stops neither itself nor its source
                of.
        """
        check_sleepers(scope, sleepers)
        hours = AwakeHours() if awake is None else awake
        if not isinstance(hours, AwakeHours):
            raise ValueError(
                f"awake must be an AwakeHours, got {awake!r}: use "
                "AwakeHours(days='Mon-Fri', start='07:00', end='19:00')"
            )
        check_list("alarms", alarms, "a list of alarms")
        for index, alarm in enumerate(alarms):
            check_construct(
                f"alarms[{index}]",
                alarm,
                "aws_cloudwatch.IAlarm",
                "cloudwatch.Alarm.from_alarm_name(scope, id, name)",
            )
            check_place(scope, f"alarms[{index}]", alarm)
        check_alarm_topic(alarm_topic)
        check_place(scope, "alarm_topic", alarm_topic)
        _check_once(scope, sleepers)
        super().__init__(scope, id)
        self._sleepers = list(sleepers)
        parts = parts_of(sleepers, alarms)
        warn_of_windows(self, parts, hours)
        self.node.add_validation(Forgotten(self, sleepers, parts))
        runtime = parts.runtimes[0]
        self._log_group = new_log_group(
            self,
            retention=runtime.log_retention,
            removal_policy=runtime.log_removal_policy,
            encryption_key=runtime.encryption_key,
        )
        self._dead_letter_queue = dead_letter_queue(self)
        self._function = handler_function(
            self,
            "Function",
            module="sleep",
            entry="handle",
            description=f"Sleep of {self.node.path}",
            # It waits for tasks to end, and for a database to start, which takes minutes.
            timeout=Duration.minutes(15),
            role=self._role(parts),
            log_group=self._log_group,
            retry_attempts=2,
            max_event_age=Duration.hours(2),
            on_failure=destinations.SqsDestination(self._dead_letter_queue),
            environment={"PLAN": self._plan(parts)},
        )
        self._let_call_itself()
        self._schedule_group = scheduler.ScheduleGroup(
            self, "Group", removal_policy=RemovalPolicy.DESTROY
        )
        role = scheduler_role(self, self._schedule_group)
        self._wake_schedule = self._schedule("WakeSchedule", hours.wake_schedule, "wake", role)
        self._sleep_schedule = self._schedule("SleepSchedule", hours.sleep_schedule, "sleep", role)
        acknowledge_wildcards(role, {f"{self._function.function_arn}:*": ANY_VERSION})
        self._restarts = self._restarts_rule(parts)
        Waking(
            self,
            "Waking",
            function=self._function,
            before=parts.held,
            after=[
                self._wake_schedule,
                self._sleep_schedule,
                # With their scaling, which is asked whether they sleep.
                *(part.service for part in parts.services),
                *(run.schedule for run in parts.runs),
            ],
            log_group=self._log_group,
        )
        self._dead_letters_alarm = dead_letters_alarm(
            self,
            self._dead_letter_queue,
            description=f"{self.node.path} could not go to sleep, or not wake. The messages in the "
            f"queue {self._dead_letter_queue.queue_name} and the log group "
            f"{self._log_group.log_group_name} say why.",
            topic=alarm_topic,
        )
        acknowledge(self, _FINDINGS | (TELLS_NOBODY if alarm_topic is None else {}))

    @property
    def function(self) -> lambda_.IFunction:
        """Function that lets it sleep and wakes it."""
        return self._function

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group that says what became of each night, and of waking before a deployment."""
        return self._log_group

    @property
    def wake_schedule(self) -> scheduler.Schedule:
        """Schedule that wakes it."""
        return self._wake_schedule

    @property
    def sleep_schedule(self) -> scheduler.Schedule:
        """Schedule that lets it sleep."""
        return self._sleep_schedule

    @property
    def schedule_group(self) -> scheduler.IScheduleGroup:
        """Group of both schedules."""
        return self._schedule_group

    @property
    def dead_letter_queue(self) -> sqs.IQueue:
        """Queue with the nights and mornings that failed."""
        return self._dead_letter_queue

    @property
    def dead_letters_alarm(self) -> cloudwatch.Alarm:
        """Alarm for messages in the dead-letter queue."""
        return self._dead_letters_alarm

    @property
    def restarts_rule(self) -> events.IRule | None:
        """Rule that matches AWS's start of a database after seven days; none without a database."""
        return self._restarts

    def _plan(self, parts: Parts) -> str:
        """Return the names of what sleeps, as the function reads them."""
        return Stack.of(self).to_json_string(
            {
                "stack": root_stack(self).stack_id,
                "services": [
                    f"{part.cluster.cluster_name}/{part.service.service_name}"
                    for part in parts.services
                ],
                "tasks": [f"{cluster.cluster_name}/{family}" for cluster, family in parts.families],
                "databases": [instance.instance_identifier for instance in parts.instances],
                "clusters": [cluster.cluster_identifier for cluster in parts.clusters],
                "schedules": [
                    f"{run.group.schedule_group_name}/{run.schedule.schedule_name}"
                    for run in parts.runs
                ],
                "alarms": [alarm.alarm_name for alarm in parts.alarms],
            }
        )

    def _let_call_itself(self) -> None:
        """Let the function hand on what waits for tasks to end.

        A policy apart, as the function waits for those of its role.
        """
        role = self._function.role
        assert role is not None  # noqa: S101 - it was given
        iam.Policy(
            self,
            "CallPolicy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[self._function.function_arn]
                )
            ],
        )

    def _role(self, parts: Parts) -> iam.Role:
        role = handler_role(self, "FunctionRole")
        self._log_group.grant_write(role)
        stack = Stack.of(self)
        services = [part.service.service_arn for part in parts.services]
        clusters = {cluster.cluster_name: cluster for cluster, _ in parts.families}
        tasks = [
            stack.format_arn(service="ecs", resource="task", resource_name=f"{name}/*")
            for name in clusters
        ]
        targets = stack.format_arn(
            service="application-autoscaling", resource="scalable-target", resource_name="*"
        )
        instances = [instance.instance_arn for instance in parts.instances]
        of_aurora = [cluster.cluster_arn for cluster in parts.clusters]
        # Their names are in no template where the cluster is given.
        member = stack.format_arn(
            service="rds",
            resource="db",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        members = [member] if of_aurora else []
        schedules = [run.schedule.schedule_arn for run in parts.runs]
        alarms = [alarm.alarm_arn for alarm in parts.alarms]
        allowed = {
            "cloudformation:DescribeStacks": [root_stack(self).stack_id],
            "ecs:DescribeServices": services,
            "ecs:UpdateService": services,
            "ecs:DescribeTasks": tasks,
            "rds:DescribeDBInstances": instances + members,
            "rds:StartDBInstance": instances,
            "rds:StopDBInstance": instances,
            "rds:DescribeDBClusters": of_aurora,
            "rds:StartDBCluster": of_aurora,
            "rds:StopDBCluster": of_aurora,
            "scheduler:GetSchedule": schedules,
            "scheduler:UpdateSchedule": schedules,
            "cloudwatch:DisableAlarmActions": alarms,
            "cloudwatch:EnableAlarmActions": alarms,
            # Knows no resources.
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_applicationautoscaling.html
            "application-autoscaling:DescribeScalableTargets": ["*"],
        }
        for action, resources in allowed.items():
            if resources:
                role.add_to_policy(iam.PolicyStatement(actions=[action], resources=resources))
        conditioned = [
            iam.PolicyStatement(
                actions=["application-autoscaling:RegisterScalableTarget"],
                # AWS names a target after nothing that is known.
                resources=[targets],
                conditions={
                    "StringEquals": {
                        "application-autoscaling:service-namespace": "ecs",
                        "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                    }
                },
            ),
            # ListTasks knows no resource but a container instance, which Fargate has none of.
            iam.PolicyStatement(
                actions=["ecs:ListTasks"],
                resources=["*"],
                conditions={
                    "ArnEquals": {
                        "ecs:cluster": [cluster.cluster_arn for cluster in clusters.values()]
                    }
                },
            ),
        ]
        if parts.runs:
            conditioned.append(
                # Of a schedule that is changed all is said again, its role too.
                iam.PolicyStatement(
                    actions=["iam:PassRole"],
                    resources=[run.scheduler_role.role_arn for run in parts.runs],
                    conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
                )
            )
        for statement in conditioned:
            role.add_to_policy(statement)
        acknowledge_wildcards(
            role,
            {
                "*": _NO_RESOURCE,
                targets: _ANY_TARGET,
                **dict.fromkeys(tasks, _ANY_TASK),
                **dict.fromkeys(members, _ANY_MEMBER),
            },
        )
        return role

    def _schedule(
        self, id: str, expression: scheduler.ScheduleExpression, do: str, role: iam.Role
    ) -> scheduler.Schedule:
        schedule = scheduler.Schedule(
            self,
            id,
            schedule=expression,
            schedule_group=self._schedule_group,
            target=scheduler_targets.LambdaInvoke(
                self._function,
                role=role,
                input=scheduler.ScheduleTargetInput.from_object({"do": do}),
                max_event_age=Duration.hours(2),
                dead_letter_queue=self._dead_letter_queue,
            ),
        )
        schedule.node.add_dependency(role.node.find_child("DefaultPolicy"))
        return schedule

    def _restarts_rule(self, parts: Parts) -> events.Rule | None:
        identifiers = [
            *(instance.instance_identifier for instance in parts.instances),
            *(cluster.cluster_identifier for cluster in parts.clusters),
        ]
        if not identifiers:
            return None
        return events.Rule(
            self,
            "Restarts",
            description=f"AWS's start of a stopped database of {self.node.path} after seven days",
            event_pattern=events.EventPattern(
                source=["aws.rds"],
                detail={"EventID": _RESTARTED, "SourceIdentifier": identifiers},
            ),
            targets=[
                events_targets.LambdaFunction(
                    self._function,
                    event=events.RuleTargetInput.from_object(
                        {
                            "do": "restarted",
                            "database": events.EventField.from_path("$.detail.SourceIdentifier"),
                        }
                    ),
                    retry_attempts=2,
                    max_event_age=Duration.hours(2),
                )
            ],
        )


def _check_once(scope: Construct, sleepers: Sequence[Any]) -> None:
    """Refuse what another one lets sleep: each would wake and stop the other's."""
    others = [child for child in Stack.of(scope).node.find_all() if isinstance(child, GalvSleep)]
    for index, sleeper in enumerate(sleepers):
        for other in others:
            if sleeper in other._sleepers:  # noqa: SLF001 - of this class
                raise ValueError(
                    f"sleepers[{index}] sleeps by {other.node.path} already, and two would wake "
                    "and stop it against each other: leave it out of one of them"
                )


_FINDINGS = findings(
    not_bounded="The function is called by two schedules, by deployments and by operators; a bound "
    "could only lose some of these calls."
)
_NO_RESOURCE = (
    "Listing tasks and reading scaling know no resource-level permissions; tasks are listed in "
    "the clusters of what sleeps alone."
)
_ANY_TARGET = (
    "The id of a scalable target is AWS's and in no template; conditions leave the count of tasks "
    "of ECS services alone."
)
_ANY_MEMBER = "The members of a cluster are AWS's to tell; their status is read, and no more."
_ANY_TASK = (
    "The id of a task is not known before it runs; these are of the clusters of what sleeps."
)
