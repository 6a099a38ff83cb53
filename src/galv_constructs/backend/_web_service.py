"""The Django API: a Fargate service that gunicorn answers."""

from datetime import timedelta

from aws_cdk import Duration
from constructs import Construct

from galv_constructs._core.validation import (
    check_boolean,
    check_duration,
    check_fargate_size,
    check_known,
    check_range,
)
from galv_constructs.backend._container import GRACE, serve_command
from galv_constructs.backend._host import Host
from galv_constructs.tasks._checks import check_ephemeral_storage
from galv_constructs.tasks._service import check_counts, new_service, new_target_group
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
    ephemeral_storage_gib: int | None,
    spot: bool,
    production: bool,
    workers: int | None,
    threads: int,
    min_tasks: int,
    max_tasks: int,
    request_timeout: Duration | None,
    deregistration_delay: Duration | None,
) -> None:
    """Check sizes, counts and times."""
    check_fargate_size(cpu, memory_limit_mib)
    check_ephemeral_storage(ephemeral_storage_gib)
    check_boolean("spot", spot)
    if spot and production:
        raise ValueError(
            "spot is for deployments that may be away for a while, and production is true: AWS "
            "stops tasks on Fargate Spot with two minutes' notice, and starts others only when it "
            "has room. Leave spot out, or pass production=False"
        )
    if workers is not None:
        check_range("workers", workers, 1, 64)
        check_known("workers", workers)
    check_range("threads", threads, 1, 64)
    check_known("threads", threads)
    check_counts(min_tasks, max_tasks)
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
        ephemeral_storage_gib: int | None,
        spot: bool,
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
            ephemeral_storage_gib=ephemeral_storage_gib,
            spot=spot,
            port=PORT,
            # The agent behind ECS Exec writes to the root file system:
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
            read_only=not execute_command,
            # The command handles signals itself. An init process cleans up after that agent.
            init_process=execute_command,
            # ECS drains the target first and asks the container to stop afterwards.
            stop_timeout=Duration.seconds(LONGEST_STOP),
        )
        self.service = new_service(
            self,
            task=self.task,
            grace_period=Duration.minutes(3),
            execute_command=execute_command,
        )
        self.target_group = new_target_group(
            self,
            host.target_group_id,
            task=self.task,
            service=self.service,
            port=PORT,
            # The slash at the end matters: without it the answer is a redirect.
            health_check_path="/health/",
            deregistration_delay=deregistration_delay,
        )
        host.forward_to(self.target_group)
        host.answer_after(self.service.node.find_child("Service"))

        self.scaling = self.service.auto_scale_task_count(
            min_capacity=min_tasks, max_capacity=max_tasks
        )
        self.scaling.scale_on_cpu_utilization("CpuScaling", target_utilization_percent=60)
        self.scaling.scale_on_request_count(
            "RequestScaling", target_group=self.target_group, requests_per_target=600
        )
