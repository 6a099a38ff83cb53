"""Scaling by the messages that wait in a queue, for each task that runs."""

from datetime import timedelta

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from galv_constructs._core.validation import check_construct, check_duration, check_range

_Policy = scaling.CfnScalingPolicy


def check_queue(
    cluster: ecs.ICluster,
    queue: sqs.IQueue | None,
    backlog_per_task: int | None,
    max_message_age: Duration | None,
) -> None:
    """Refuse a queue that cannot scale a service, and what says something of none."""
    check_construct("queue", queue, "aws_sqs.IQueue", "sqs.Queue.from_queue_arn(scope, id, arn)")
    if (queue is None) != (backlog_per_task is None):
        raise ValueError(
            f"queue and backlog_per_task go together, got only "
            f"{'backlog_per_task' if queue is None else 'queue'}: pass both, or neither for a "
            "service that scales by CPU"
        )
    if backlog_per_task is not None:
        check_range("backlog_per_task", backlog_per_task, 1, 100_000)
    if queue is None and max_message_age is not None:
        raise ValueError(
            "max_message_age is about messages, and no queue is given: pass queue too, or leave it "
            "out"
        )
    check_duration("max_message_age", max_message_age, timedelta(minutes=1), timedelta(days=14))
    if queue is not None and _insights(cluster) == "disabled":
        raise ValueError(
            "queue scales by the number of tasks that Container Insights counts, and the cluster "
            "does not report them: pass container_insights=True to GalvBackend, "
            "container_insights_v2=ecs.ContainerInsights.ENABLED to a cluster of yours, or leave "
            "queue out and scale by CPU"
        )


def warn_of_insights(scope: Construct, cluster: ecs.ICluster) -> None:
    """Warn where the account's own setting decides whether a cluster reports them."""
    if isinstance(cluster, ecs.Cluster) and _insights(cluster) is None:
        Annotations.of(scope).add_warning_v2(
            "galv-constructs:noContainerInsights",
            "queue scales by the number of tasks that Container Insights counts, and the cluster "
            "must report Container Insights: it does only where the account's settings say so. "
            "Pass container_insights_v2=ecs.ContainerInsights.ENABLED to the cluster.",
        )


def scale_on_backlog(
    count: ecs.ScalableTaskCount,
    service: ecs.FargateService,
    *,
    queue: sqs.IQueue,
    backlog_per_task: int,
) -> None:
    """Keep the messages that wait, divided by the tasks that run, at a number.

    The expression is AWS's own:
    https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
    CDK's method takes no expression.
    """
    target = count.node.find_child("Target")
    assert isinstance(target, scaling.ScalableTarget)  # noqa: S101 - what CDK's scaling is made of
    _Policy(
        target,
        "BacklogScaling",
        policy_name="BacklogPerTask",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.scalable_target_id,
        target_tracking_scaling_policy_configuration=(
            _Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=backlog_per_task,
                customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(
                    metrics=[
                        _metric(
                            "messages",
                            namespace="AWS/SQS",
                            name="ApproximateNumberOfMessagesVisible",
                            statistic="Sum",
                            dimensions={"QueueName": queue.queue_name},
                        ),
                        _metric(
                            "tasks",
                            namespace="ECS/ContainerInsights",
                            name="RunningTaskCount",
                            statistic="Average",
                            dimensions={
                                "ClusterName": service.cluster.cluster_name,
                                "ServiceName": service.service_name,
                            },
                        ),
                        _Policy.TargetTrackingMetricDataQueryProperty(
                            id="backlog", expression="messages / tasks", return_data=True
                        ),
                    ]
                ),
            )
        ),
    )


def _metric(
    id: str, *, namespace: str, name: str, statistic: str, dimensions: dict[str, str]
) -> scaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
    return _Policy.TargetTrackingMetricDataQueryProperty(
        id=id,
        return_data=False,
        metric_stat=_Policy.TargetTrackingMetricStatProperty(
            stat=statistic,
            metric=_Policy.TargetTrackingMetricProperty(
                namespace=namespace,
                metric_name=name,
                dimensions=[
                    _Policy.TargetTrackingMetricDimensionProperty(name=key, value=value)
                    for key, value in dimensions.items()
                ],
            ),
        ),
    )


def _insights(cluster: ecs.ICluster) -> str | None:
    """Whether a cluster reports Container Insights; none where it does not tell."""
    resource = cluster.node.default_child if isinstance(cluster, ecs.Cluster) else None
    if not isinstance(resource, ecs.CfnCluster):
        return None
    settings = Stack.of(resource).resolve(resource.cluster_settings) or []
    found = (each["value"] for each in settings if each["name"] == "containerInsights")
    return next(found, None)
