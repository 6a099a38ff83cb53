"""A system of workers that has nothing to do with Galv, on what a platform has already."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression

from galv_constructs import GalvNetwork, GalvScheduledTask, GalvService, GalvTask, TaskRuntime


class Platform(Stack):
    """Network, cluster, load balancer, queue and topic."""

    def __init__(self, scope: Stack, id: str) -> None:
        super().__init__(scope.node.root, id)  # type: ignore[arg-type]
        self.vpc = ec2.Vpc(self, "Vpc", max_azs=2, nat_gateways=1)
        self.cluster = ecs.Cluster(
            self, "Cluster", vpc=self.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
        )
        self.listener = elbv2.ApplicationLoadBalancer(
            self, "LoadBalancer", vpc=self.vpc
        ).add_listener(
            "Http", port=80, default_action=elbv2.ListenerAction.fixed_response(404), open=False
        )
        self.jobs = sqs.Queue(self, "Jobs")
        self.topic = sns.Topic(self, "Topic")


def worker_system(stack: Stack, platform: Platform) -> None:
    """A worker, an HTTP service, a task on demand and a schedule, which share an image."""
    runtime = TaskRuntime(
        cluster=platform.cluster,
        network=GalvNetwork.from_vpc(platform.vpc),
        image=ecs.ContainerImage.from_registry("registry.example.com/jobs:1.4.2"),
        architecture="ARM64",
        log_group_prefix="/jobs",
        environment={"QUEUE": platform.jobs.queue_url},
        grants=[platform.topic.grant_publish],
    )
    GalvService(
        stack,
        "Worker",
        runtime=runtime,
        command=["jobs", "work"],
        queue=platform.jobs,
        backlog_per_task=50,
        max_tasks=20,
        spot=True,
        alarm_topic=platform.topic,
    )
    api = GalvService(
        stack,
        "Api",
        runtime=runtime,
        command=["jobs", "serve"],
        listener=platform.listener,
        port=8080,
        conditions=[elbv2.ListenerCondition.path_patterns(["/jobs", "/jobs/*"])],
        priority=10,
        min_tasks=2,
        max_tasks=4,
        alarm_topic=platform.topic,
    )
    platform.jobs.grant_send_messages(api)
    replay = GalvTask(
        stack, "Replay", runtime=runtime, command=["jobs", "replay"], ephemeral_storage_gib=100
    )
    replay.grant_run(api)
    GalvScheduledTask(
        stack,
        "CleanUp",
        runtime=runtime,
        command=["jobs", "clean"],
        schedule=ScheduleExpression.rate(Duration.days(1)),
        spot=True,
        alarm_topic=platform.topic,
    )
