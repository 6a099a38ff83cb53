"""The Django API: a Fargate service that gunicorn answers."""

from datetime import timedelta

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge_wildcards
from galv_constructs._core.validation import (
    check_duration,
    check_fargate_size,
    check_known,
    check_range,
    is_token,
)
from galv_constructs.backend._container import GRACE, serve_command
from galv_constructs.backend._host import Host
from galv_constructs.tasks._task import LONGEST_STOP, Task
from galv_constructs.tasks.runtime import TaskRuntime

PORT = 8000


def default_workers(cpu: int, memory_limit_mib: int) -> int:
    """As many gunicorn workers as the task has room for.

    A worker takes about 290 MiB (measured on released images); two per vCPU and one more is
    gunicorn's own advice: https://docs.gunicorn.org/en/stable/design.html#how-many-workers
    """
    return max(1, min(2 * cpu // 1024 + 1, (memory_limit_mib - 128) // 320))


def web_command(*, workers: int, threads: int, timeout: int) -> list[str]:
    """Make the command of a web task."""
    return serve_command(
        [
            "gunicorn",
            "--worker-class=gthread",
            f"--workers={workers}",
            f"--threads={threads}",
            # A connection that is kept would hold up the draining of a target.
            "--keep-alive=0",
            f"--timeout={timeout}",
            f"--graceful-timeout={min(timeout, GRACE)}",
            "config.wsgi",
        ],
        port=PORT,
        timeout=timeout,
    )


def default_drain(request_timeout: Duration) -> Duration:
    """Return how long a task is drained: as long as a slow upload takes, and its answer.

    A target without requests and connections is drained at once, whatever the delay:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html
    """
    return Duration.seconds(max(900, request_timeout.to_seconds()))


def check_capacity(
    *,
    cpu: int,
    memory_limit_mib: int,
    workers: int | None,
    threads: int,
    min_tasks: int,
    max_tasks: int,
    request_timeout: Duration | None,
    deregistration_delay: Duration | None,
) -> None:
    """Check sizes, counts and times."""
    check_fargate_size(cpu, memory_limit_mib)
    if workers is not None:
        check_range("workers", workers, 1, 64)
        check_known("workers", workers)
    check_range("threads", threads, 1, 64)
    check_known("threads", threads)
    check_range("min_tasks", min_tasks, 1, 100)
    check_range("max_tasks", max_tasks, 1, 100)
    counts_known = not (is_token(min_tasks) or is_token(max_tasks))
    if counts_known and max_tasks < min_tasks:
        raise ValueError(
            f"max_tasks must be at least min_tasks, got min_tasks={min_tasks} and "
            f"max_tasks={max_tasks}"
        )
    hour = timedelta(hours=1)
    check_duration("request_timeout", request_timeout, timedelta(seconds=30), hour)
    least = 120 if request_timeout is None else request_timeout.to_seconds()
    check_duration("deregistration_delay", deregistration_delay, timedelta(seconds=least), hour)


class WebService(Construct):
    """The service, its target group and its scaling."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: TaskRuntime,
        host: Host,
        cpu: int,
        memory_limit_mib: int,
        workers: int,
        threads: int,
        min_tasks: int,
        max_tasks: int,
        request_timeout: Duration,
        deregistration_delay: Duration,
        execute_command: bool,
    ) -> None:
        super().__init__(scope, id)
        seconds = round(request_timeout.to_seconds())
        self.task = Task(
            self,
            "Task",
            runtime=runtime,
            name="web",
            command=web_command(workers=workers, threads=threads, timeout=seconds),
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
            port=PORT,
            # The agent behind ECS Exec writes to the root file system:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
            read_only=not execute_command,
            # The command handles signals itself. An init process cleans up after that agent.
            init_process=execute_command,
            # ECS drains the target first and asks the container to stop afterwards.
            stop_timeout=Duration.seconds(LONGEST_STOP),
        )
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=runtime.cluster,
            task_definition=self.task.task_definition,
            security_groups=[self.task.security_group],
            vpc_subnets=runtime.network.task_subnets,
            assign_public_ip=runtime.network.assign_public_ip,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            deployment_controller=ecs.DeploymentController(type=ecs.DeploymentControllerType.ECS),
            min_healthy_percent=100,
            max_healthy_percent=200,
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            health_check_grace_period=Duration.minutes(3),
            enable_execute_command=execute_command,
            enable_ecs_managed_tags=True,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        # Roles' policies and the log group too, without which the first tasks fail to start.
        self.service.node.add_dependency(self.task)
        # Scaling owns the count; one in the template would reset it at every deployment.
        resource = self.service.node.find_child("Service")
        assert isinstance(resource, ecs.CfnService)  # noqa: S101 - what an L2 service is made of
        resource.desired_count = None

        self.target_group = elbv2.ApplicationTargetGroup(
            self,
            host.target_group_id,
            vpc=runtime.network.vpc,
            protocol=elbv2.ApplicationProtocol.HTTP,
            port=PORT,
            target_type=elbv2.TargetType.IP,
            targets=[self.service],
            deregistration_delay=deregistration_delay,
            health_check=elbv2.HealthCheck(
                # The slash at the end matters: without it the answer is a redirect.
                path="/health/",
                healthy_http_codes="200",
                interval=Duration.seconds(15),
                timeout=Duration.seconds(10),
                healthy_threshold_count=2,
                unhealthy_threshold_count=4,
            ),
        )
        host.forward_to(self.target_group)

        self.scaling = self.service.auto_scale_task_count(
            min_capacity=min_tasks, max_capacity=max_tasks
        )
        self.scaling.scale_on_cpu_utilization("CpuScaling", target_utilization_percent=60)
        self.scaling.scale_on_request_count(
            "RequestScaling", target_group=self.target_group, requests_per_target=600
        )
        if execute_command:
            self._acknowledge_exec(runtime.cluster)

    def _acknowledge_exec(self, cluster: ecs.ICluster) -> None:
        findings = {"*": _EXEC_CHANNEL}
        configuration = cluster.execute_command_configuration
        log = None if configuration is None else configuration.log_configuration
        log_group = None if log is None else log.cloud_watch_log_group
        if log_group is not None:
            streams = Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=f"{log_group.log_group_ref.log_group_name}:*",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            findings[streams] = _ANY_SESSION
        acknowledge_wildcards(self.task.task_role, findings)


_EXEC_CHANNEL = (
    "ECS Exec opens its channel with ssmmessages actions and finds its log group "
    "with logs:DescribeLogGroups, which have no resource-level permissions."
)
_ANY_SESSION = "ECS Exec writes each session to a stream of its own in this log group."
