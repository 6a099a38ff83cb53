"""Running a task when it is due, bounding how long it takes, and saying when it failed."""

from aws_cdk import Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, acknowledge_wildcards
from galv_constructs._core.alarms import TELLS_NOBODY, event_alarm
from galv_constructs._core.handler import handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.scheduled_function import (
    ALARM_PERIOD,
    ANY_VERSION,
    dead_letter_queue,
    dead_letters_alarm,
    findings,
    scheduler_role,
)
from galv_constructs.tasks._longest_run import bound_run
from galv_constructs.tasks._task import Task


class ScheduledRuns(Construct):
    """A schedule that runs a task, and what watches over the runs.

    The reasons for this mechanism are in docs/decisions/0004-scheduled-runs.md.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        task: Task,
        schedule: scheduler.ScheduleExpression,
        timeout: Duration,
        overlap: str,
        retry_attempts: int,
        max_event_age: Duration,
        alarm_topic: sns.ITopic | None,
    ) -> None:
        super().__init__(scope, id)
        self._task = task
        self._task_path = task.node.path
        runtime = task.runtime
        bound_run(task, timeout)
        self.log_group = new_log_group(
            self,
            retention=runtime.log_retention,
            removal_policy=runtime.log_removal_policy,
            encryption_key=runtime.encryption_key,
        )
        self.dead_letter_queue = dead_letter_queue(self)
        # Deleting the group also deletes the deadlines that the function has put into it.
        self.group = scheduler.ScheduleGroup(self, "Group", removal_policy=RemovalPolicy.DESTROY)
        self.scheduler_role = scheduler_role(self, self.group)
        self.function = handler_function(
            self,
            "Function",
            module="scheduled_task",
            entry="handle",
            description=f"Runs of {self._task_path}",
            timeout=Duration.minutes(5),
            role=self._function_role(),
            log_group=self.log_group,
            retry_attempts=retry_attempts,
            max_event_age=max_event_age,
            on_failure=destinations.SqsDestination(self.dead_letter_queue),
            environment={
                "CLUSTER": runtime.cluster.cluster_arn,
                "TASK_DEFINITION": task.task_definition.task_definition_arn,
                "CONTAINER_NAME": task.name,
                "SUBNETS": Fn.join(",", task.subnet_ids),
                "SECURITY_GROUPS": task.security_group.security_group_id,
                "ASSIGN_PUBLIC_IP": task.assign_public_ip,
                "LOG_GROUP": task.log_group.log_group_name,
                "TIMEOUT_SECONDS": str(round(timeout.to_seconds())),
                "OVERLAP": overlap,
                "SCHEDULE_GROUP": self.group.schedule_group_name,
                "SCHEDULE_ROLE": self.scheduler_role.role_arn,
                "DEAD_LETTER_QUEUE": self.dead_letter_queue.queue_arn,
                **({"SPOT": "true"} if task.spot else {}),
            },
        )
        # It knows the task definition: until a gate has opened, it runs the one before.
        self.function.node.add_dependency(*runtime.gates)
        self.schedule = scheduler.Schedule(
            self,
            "Schedule",
            schedule=schedule,
            schedule_group=self.group,
            target=scheduler_targets.LambdaInvoke(
                self.function,
                role=self.scheduler_role,
                # Unlike the time of the attempt or its id, it is the same in every retry.
                input=scheduler.ScheduleTargetInput.from_object(
                    {"due": scheduler.ContextAttribute.scheduled_time}
                ),
                retry_attempts=retry_attempts,
                max_event_age=max_event_age,
                dead_letter_queue=self.dead_letter_queue,
            ),
        )
        acknowledge_wildcards(self.scheduler_role, {f"{self.function.function_arn}:*": ANY_VERSION})
        # The first call comes as soon as the schedule is there.
        self.schedule.node.add_dependency(
            *task.needed_to_run, self.scheduler_role.node.find_child("DefaultPolicy")
        )

        self.failed_runs = self._failed_runs_rule()
        self.failed_runs_alarm = event_alarm(
            self,
            "FailedRunsAlarm",
            metric=self.metric_failed_runs(),
            description=f"A run of {self._task_path} exited with another code than 0, was stopped "
            f"or never started. Look for FAILED in the log group {self.log_group.log_group_name}.",
            topic=alarm_topic,
        )
        self.dead_letters_alarm = dead_letters_alarm(
            self,
            self.dead_letter_queue,
            description=f"A run of {self._task_path} could not be started, or not be stopped in "
            f"time. The messages in the queue {self.dead_letter_queue.queue_name} say why.",
            topic=alarm_topic,
        )
        acknowledge(
            self,
            _FINDINGS | (TELLS_NOBODY if alarm_topic is None else {}),
        )

    def metric_failed_runs(self) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="TriggeredRules",
            dimensions_map={"RuleName": self.failed_runs.rule_name},
            statistic=cloudwatch.Stats.SUM,
            period=ALARM_PERIOD,
        )

    def _function_role(self) -> iam.Role:
        role = handler_role(self, "FunctionRole")
        self.log_group.grant_write(role)
        self._task.grant_run(role)
        deadlines = Stack.of(self).format_arn(
            service="scheduler",
            resource="schedule",
            resource_name=f"{self.group.schedule_group_name}/*",
        )
        for statement in (
            iam.PolicyStatement(actions=["scheduler:CreateSchedule"], resources=[deadlines]),
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.scheduler_role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            ),
        ):
            role.add_to_policy(statement)
        acknowledge_wildcards(role, {deadlines: _ANY_DEADLINE})
        return role

    def _failed_runs_rule(self) -> events.Rule:
        """Match the end of each run that did not succeed.

        A run succeeded if its command ended by itself with 0. Whatever stops a run before that is a
        failure, also where the application takes the signal for a reason to exit with 0.
        """
        task = self._task
        family = Stack.of(self).format_arn(
            service="ecs",
            resource="task-definition",
            resource_name=f"{task.task_definition.family}:",
        )
        return events.Rule(
            self,
            "FailedRuns",
            description=f"Failed runs of {self._task_path}",
            event_pattern=events.EventPattern(
                source=["aws.ecs"],
                detail_type=["ECS Task State Change"],
                detail={
                    "clusterArn": [task.runtime.cluster.cluster_arn],
                    "taskDefinitionArn": [{"prefix": family}],
                    "lastStatus": ["STOPPED"],
                    "$or": [
                        {"stopCode": [{"anything-but": "EssentialContainerExited"}]},
                        # In an array both conditions hold for one element: what runs beside the
                        # container may end as it likes.
                        {
                            "containers": {
                                "name": [task.name],
                                "exitCode": [{"anything-but": 0}],
                            }
                        },
                        {"containers": {"exitCode": [{"exists": False}]}},
                    ],
                },
            ),
            targets=[
                events_targets.LambdaFunction(
                    self.function, retry_attempts=2, max_event_age=Duration.hours(1)
                )
            ],
        )


_FINDINGS = findings(
    not_bounded="The function's calls come from one schedule and from the ends of its runs; a "
    "bound could only lose some of them."
)
_ANY_DEADLINE = "Each run has a deadline in this one group, named after it."
