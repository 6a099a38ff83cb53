"""A service that keeps tasks running: a worker, or what answers HTTP behind a listener."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.alarms import (
    TELLS_NOBODY,
    check_alarm_topic,
    event_alarm,
    silence_alarm,
)
from galv_constructs._core.listener_rules import record_priority
from galv_constructs._core.placement import check_place
from galv_constructs._core.validation import (
    check_boolean,
    check_duration,
    check_given,
    check_list,
    check_range,
)
from galv_constructs.tasks._backlog import check_queue, scale_on_backlog, warn_of_insights
from galv_constructs.tasks._checks import check_task
from galv_constructs.tasks._listener_rule import check_listener_rule
from galv_constructs.tasks._service import check_counts, new_service, new_target_group
from galv_constructs.tasks._task import LONGEST_STOP, Task
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.release_steps import check_command
from galv_constructs.tasks.runtime import TaskRuntime

_DEFAULT_CPU_TARGET = 60


class GalvService(TaskConstruct):
    """Keeps tasks running: a worker, or an HTTP service behind a listener that you have.

    Defines a task definition with roles, a security group and a log group of its own; an ECS
    service that replaces tasks without a gap, and goes back to the last working ones when new ones
    do not stay up; the scaling of their number; an alarm for when no task runs, and with `queue`
    one for messages that wait too long. With `listener` also a target group and a rule.

    A deployment reaches the service only after the `gates` of the runtime have succeeded: with
    `backend.runtime` after setup.

    As an `iam.IGrantable` it is the task role, as an `ec2.IConnectable` the task's security group.

    Costs what its tasks cost (about $11 a month for one of the default size, up to 70% less
    on Fargate Spot), and $0.10 a month for each alarm.

    Example:
        ```python
        worker = GalvService(
            self,
            "Worker",
            runtime=backend.runtime,
            command=["python", "manage.py", "work"],
            queue=queue,
            backlog_per_task=100,
            max_tasks=10,
        )
        results_bucket.grant_read_write(worker)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        command: Sequence[str],
        name: str | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int = 256,
        memory_limit_mib: int = 1024,
        ephemeral_storage_gib: int | None = None,
        spot: bool = False,
        min_tasks: int = 1,
        max_tasks: int = 1,
        cpu_target: int | None = None,
        queue: sqs.IQueue | None = None,
        backlog_per_task: int | None = None,
        max_message_age: Duration | None = None,
        listener: elbv2.IApplicationListener | None = None,
        port: int | None = None,
        conditions: Sequence[elbv2.ListenerCondition] | None = None,
        priority: int | None = None,
        health_check_path: str = "/",
        deregistration_delay: Duration | None = None,
        execute_command: bool = False,
        deployment_alarms: Sequence[cloudwatch.IAlarm] = (),
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Define the service.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            runtime: Image, environment, secrets, network and logs, such as `backend.runtime`.
            command: Program and arguments. It gets SIGTERM when a task is replaced, and 120 seconds
                to end.
            name: Name of the container, the log group and the log stream. Default: `id` in lower
                case, with dashes.
            environment: Variables in addition to those of `runtime`. Default: none.
            secrets: Variables from Secrets Manager in addition to those of `runtime`.
                Default: none.
            cpu: CPU units of a task; 1024 is one vCPU. Default: 256.
            memory_limit_mib: Memory of a task in MiB. Default: 1024.
            ephemeral_storage_gib: Disk of a task in GiB, from 21 to 200. Default: 20 GiB, which
                Fargate charges nothing for.
            spot: Whether tasks are on Fargate Spot, for up to 70% less. AWS may stop one
                with two minutes' notice, and start another only when it has room. Changing it
                replaces the service. The cluster is told to offer it; a cluster that was imported
                has to offer it already. Default: false.
            min_tasks: Minimum number of tasks, from 1. A rule of `scaling.scale_on_schedule` may go
                lower. Default: 1.
            max_tasks: Maximum number of tasks. Default: 1.
            cpu_target: Percentage of CPU that scaling keeps tasks at, from 10 to 90. Default: 60,
                or with `queue` no scaling by CPU.
            queue: Queue that the tasks take messages from, which they get permission for. It scales
                the service, for which the cluster must report Container Insights.
                Default: none.
            backlog_per_task: Number of waiting messages that one task may have before it; scaling
                keeps it there. AWS's advice: the time that a message may wait, divided by the time
                that a task needs for one. Needed with `queue`.
            max_message_age: How long a message may wait until an alarm goes off, from one minute to
                14 days. Default: one hour.
            listener: Listener of an Application Load Balancer that sends requests to the tasks,
                such as `backend.listener`. It needs `port`, `conditions` and `priority` too.
                Default: a worker, which nobody can connect to.
            port: Port that the tasks answer HTTP on.
            conditions: Requests that are for this service, by host, path and others:
                `[elbv2.ListenerCondition.path_patterns(["/reports/*"])]`.
            priority: Priority of the listener's rule, from 1 to 50000, unlike that of any other
                rule, which is refused where both are in one application; lower ones come first. The
                rule of `GalvBackend` has 100.
            health_check_path: Path that answers 200 when a task is healthy. Default: `/`.
            deregistration_delay: How long requests may go on when their task is stopped, up to an
                hour. Default: 5 minutes.
            execute_command: Whether ECS Exec can open a shell in a task, which makes its root file
                system writable. Default: false.
            deployment_alarms: Alarms that stop a deployment of the service and take it back when
                they go off meanwhile. They cannot be this service's own. Default: none.
            alarm_topic: SNS topic that is told when an alarm goes off; CloudWatch must be allowed
                to use the key of an encrypted one. Default: nobody is told.

        Raises:
            ValueError: If an argument is malformed, out of range, or needs another one.
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
        check_counts(min_tasks, max_tasks)
        if cpu_target is not None:
            check_range("cpu_target", cpu_target, 10, 90, " %")
        check_queue(runtime.cluster, queue, backlog_per_task, max_message_age)
        check_place(scope, "queue", queue)
        check_listener_rule(listener, port, conditions, priority, health_check_path)
        check_place(scope, "listener", listener)
        check_duration(
            "deregistration_delay", deregistration_delay, timedelta(0), timedelta(hours=1)
        )
        check_boolean("execute_command", execute_command)
        check_list("deployment_alarms", deployment_alarms, "a list of alarms")
        for index, alarm in enumerate(deployment_alarms):
            check_given(
                f"deployment_alarms[{index}]",
                alarm,
                "alarm_arn",
                "aws_cloudwatch.IAlarm",
                "cloudwatch.Alarm.from_alarm_name(scope, id, name)",
            )
            check_place(scope, f"deployment_alarms[{index}]", alarm)
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
            port=port,
            # The agent behind ECS Exec writes to the root file system.
            read_only=not execute_command,
            stop_timeout=Duration.seconds(LONGEST_STOP),
        )
        self._service = new_service(
            self,
            task=self._task,
            grace_period=None if listener is None else Duration.minutes(3),
            execute_command=execute_command,
            deployment_alarms=deployment_alarms,
        )
        # What it cannot do its work without, such as the database, and the way to the registry.
        self._service.node.add_dependency(*self._task.needed_to_run)
        self._target_group: elbv2.ApplicationTargetGroup | None = None
        if listener is not None and port is not None:
            self._target_group = new_target_group(
                self,
                task=self._task,
                service=self._service,
                port=port,
                health_check_path=health_check_path,
                deregistration_delay=Duration.minutes(5)
                if deregistration_delay is None
                else deregistration_delay,
            )
            elbv2.ApplicationListenerRule(
                self,
                "ListenerRule",
                listener=listener,
                priority=priority or 1,
                conditions=list(conditions or ()),
                target_groups=[self._target_group],
            )
            record_priority(priority or 1, listener, self.node.path)
        self._scaling = self._service.auto_scale_task_count(
            min_capacity=min_tasks, max_capacity=max_tasks
        )
        if queue is not None and backlog_per_task is not None:
            warn_of_insights(self, runtime.cluster)
            queue.grant_consume_messages(self._task.task_role)
            scale_on_backlog(
                self._scaling, self._service, queue=queue, backlog_per_task=backlog_per_task
            )
        if cpu_target is not None or (queue is None and min_tasks != max_tasks):
            self._scaling.scale_on_cpu_utilization(
                "CpuScaling", target_utilization_percent=cpu_target or _DEFAULT_CPU_TARGET
            )
        self._add_alarms(queue, max_message_age or Duration.hours(1), alarm_topic)

    @property
    def service(self) -> ecs.FargateService:
        """The ECS service."""
        return self._service

    @property
    def scaling(self) -> ecs.ScalableTaskCount:
        """Scaling of the service, for rules and schedules of your own."""
        return self._scaling

    @property
    def target_group(self) -> elbv2.ApplicationTargetGroup | None:
        """Target group of the tasks; none without `listener`."""
        return self._target_group

    @property
    def no_task_alarm(self) -> cloudwatch.Alarm:
        """Alarm for when no task has run for five minutes."""
        return self._no_task_alarm

    @property
    def message_age_alarm(self) -> cloudwatch.Alarm | None:
        """Alarm for messages that wait too long; none without `queue`."""
        return self._message_age_alarm

    def _add_alarms(
        self, queue: sqs.IQueue | None, max_message_age: Duration, topic: sns.ITopic | None
    ) -> None:
        # A service without tasks has no data of their CPU.
        self._no_task_alarm = silence_alarm(
            self,
            "NoTaskAlarm",
            metric=self._service.metric_cpu_utilization(
                period=Duration.minutes(1), statistic=cloudwatch.Stats.SAMPLE_COUNT
            ),
            description=f"No task of {self.node.path} has run for five minutes. The events of the "
            "service in ECS, and the ends of its log, say why.",
            topic=topic,
            periods=5,
        )
        self._message_age_alarm: cloudwatch.Alarm | None = None
        if queue is not None:
            seconds = max_message_age.to_seconds()
            self._message_age_alarm = event_alarm(
                self,
                "MessageAgeAlarm",
                metric=queue.metric_approximate_age_of_oldest_message(
                    period=Duration.minutes(5), statistic=cloudwatch.Stats.MAXIMUM
                ),
                description=f"A message for {self.node.path} has waited for {seconds:.0f} seconds: "
                "tasks fail on it, or are too few.",
                topic=topic,
                threshold=seconds,
            )
        if topic is None:
            acknowledge(self, TELLS_NOBODY)
