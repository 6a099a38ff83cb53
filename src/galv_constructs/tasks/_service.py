"""The parts of a service that keeps tasks running: the ECS service and its target group."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge_wildcards
from galv_constructs._core.validation import check_range, is_token
from galv_constructs.tasks._task import Task


def check_counts(min_tasks: int, max_tasks: int) -> None:
    """Refuse bounds of the number of tasks that are none."""
    check_range("min_tasks", min_tasks, 1, 100)
    check_range("max_tasks", max_tasks, 1, 100)
    counts_known = not (is_token(min_tasks) or is_token(max_tasks))
    if counts_known and max_tasks < min_tasks:
        raise ValueError(
            f"max_tasks must be at least min_tasks, got min_tasks={min_tasks} and "
            f"max_tasks={max_tasks}"
        )


def new_service(
    scope: Construct,
    *,
    task: Task,
    grace_period: Duration | None,
    execute_command: bool,
    deployment_alarms: Sequence[cloudwatch.IAlarm] = (),
) -> ecs.FargateService:
    """Define a service that replaces its tasks one by one, and goes back if new ones fail.

    It waits for the gates of the runtime: a deployment reaches it only after they have succeeded.
    """
    runtime = task.runtime
    service = ecs.FargateService(
        scope,
        "Service",
        cluster=runtime.cluster,
        task_definition=task.task_definition,
        security_groups=[task.security_group],
        vpc_subnets=runtime.network.task_subnets,
        assign_public_ip=runtime.network.assign_public_ip,
        capacity_provider_strategies=[
            ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=1)
        ]
        if task.spot
        else None,
        circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
        deployment_alarms=ecs.DeploymentAlarmConfig(
            alarm_names=[alarm.alarm_name for alarm in deployment_alarms],
            behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
        )
        if deployment_alarms
        else None,
        deployment_controller=ecs.DeploymentController(type=ecs.DeploymentControllerType.ECS),
        min_healthy_percent=100,
        max_healthy_percent=200,
        availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
        health_check_grace_period=grace_period,
        enable_execute_command=execute_command,
        enable_ecs_managed_tags=True,
        propagate_tags=ecs.PropagatedTagSource.SERVICE,
    )
    # Roles' policies and the log group too, without which the first tasks fail to start.
    service.node.add_dependency(task, *runtime.gates)
    if task.spot:
        # Its capacity providers cannot be taken away while a service uses them.
        service.node.add_dependency(runtime.cluster)
    # Scaling owns the count; one in the template would reset it at every deployment.
    resource = service.node.find_child("Service")
    assert isinstance(resource, ecs.CfnService)  # noqa: S101 - what an L2 service is made of
    resource.desired_count = None
    if execute_command:
        _acknowledge_exec(task)
    return service


def new_target_group(
    scope: Construct,
    id: str = "TargetGroup",
    *,
    task: Task,
    service: ecs.FargateService,
    port: int,
    health_check_path: str,
    deregistration_delay: Duration,
) -> elbv2.ApplicationTargetGroup:
    """Define the target group that a service registers its tasks with."""
    return elbv2.ApplicationTargetGroup(
        scope,
        id,
        vpc=task.runtime.network.vpc,
        protocol=elbv2.ApplicationProtocol.HTTP,
        port=port,
        target_type=elbv2.TargetType.IP,
        targets=[service],
        deregistration_delay=deregistration_delay,
        health_check=elbv2.HealthCheck(
            path=health_check_path,
            healthy_http_codes="200",
            interval=Duration.seconds(15),
            timeout=Duration.seconds(10),
            healthy_threshold_count=2,
            unhealthy_threshold_count=4,
        ),
    )


def _acknowledge_exec(task: Task) -> None:
    findings = {"*": _EXEC_CHANNEL}
    configuration = task.runtime.cluster.execute_command_configuration
    log = None if configuration is None else configuration.log_configuration
    log_group = None if log is None else log.cloud_watch_log_group
    if log_group is not None:
        streams = Stack.of(task).format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{log_group.log_group_ref.log_group_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        findings[streams] = _ANY_SESSION
    acknowledge_wildcards(task.task_role, findings)


_EXEC_CHANNEL = (
    "ECS Exec opens its channel with ssmmessages actions and finds its log group "
    "with logs:DescribeLogGroups, which have no resource-level permissions."
)
_ANY_SESSION = "ECS Exec writes each session to a stream of its own in this log group."
