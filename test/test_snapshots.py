"""Logical ids and types, construct by construct: a change here replaces resources of users."""

from collections.abc import Callable
from functools import partial

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import backend_in, whole_backend_in, zone_in
from constructs import Construct
from runtimes import given_runtime
from snapshot import SNAPSHOTS, names, snapshot
from templates import synthesize

import galv_constructs
from galv_constructs import (
    GalvBackupPlan,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvDeployRole,
    GalvLoadBalancer,
    GalvLogBucket,
    GalvMail,
    GalvNetwork,
    GalvPreflight,
    GalvRehearsal,
    GalvReleaseTask,
    GalvReviewRole,
    GalvScheduledTask,
    GalvService,
    GalvSleep,
    GalvTask,
    GalvWebAcl,
    GitHubSubject,
    MirroredImage,
    NetworkPreset,
    PreflightCheck,
)


def backend(stack: Stack) -> None:
    whole_backend_in(stack)


def backend_development(stack: Stack) -> None:
    whole_backend_in(stack, production=False, check_status="warn")


def database(stack: Stack) -> None:
    made = GalvDatabase(stack, "Database", network=given_runtime(stack).network)
    made.add_read_replica("Reports")


def network(stack: Stack, preset: NetworkPreset) -> None:
    GalvNetwork(stack, "Network", preset=preset)


def load_balancer(stack: Stack) -> None:
    zone = zone_in(stack)
    shared = GalvLoadBalancer(
        stack,
        "LoadBalancer",
        network=GalvNetwork(stack, "Network"),
        domain_name="*.example.com",
        hosted_zone=zone,
    )
    whole_backend_in(stack, load_balancer=shared, hosted_zone=zone)


def mail(stack: Stack) -> None:
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:bounces")
    GalvMail(
        stack,
        "Mail",
        sender="galv@mail.example.com",
        hosted_zone=zone_in(stack),
        notification_topic=topic,
    )


def web_acl(stack: Stack) -> None:
    lists = ["192.0.2.0/24", "2001:db8::/32"]
    logs = s3.Bucket.from_bucket_name(stack, "Logs", "aws-waf-logs-x")
    GalvWebAcl(stack, "WebAcl", allowed_cidrs=lists, denied_cidrs=lists, log_bucket=logs)


def deploy_role(stack: Stack) -> None:
    GalvDeployRole(
        stack, "DeployRole", subjects=[GitHubSubject.branch("octo-org/octo-repo", "main")]
    )


def review_role(stack: Stack) -> None:
    subjects = [GitHubSubject.pull_request("octo-org/octo-repo")]
    GalvReviewRole(stack, "ReviewRole", subjects=subjects, stacks=["galv-BackendStack"])


def rehearsal(stack: Stack) -> None:
    GalvRehearsal(stack, "Rehearsal", backend=backend_in(stack))


def release_task(stack: Stack) -> None:
    GalvReleaseTask(stack, "Reindex", runtime=given_runtime(stack), command=["reindex"])


def scheduled_task(stack: Stack) -> None:
    GalvScheduledTask(
        stack,
        "NightlyReport",
        runtime=given_runtime(stack),
        command=["report"],
        schedule=ScheduleExpression.rate(Duration.days(1)),
    )


def service(stack: Stack) -> None:
    runtime = given_runtime(stack)
    GalvService(
        stack,
        "Worker",
        runtime=runtime,
        command=["work"],
        queue=sqs.Queue.from_queue_arn(stack, "Queue", "arn:aws:sqs:eu-west-1:111122223333:jobs"),
        backlog_per_task=10,
        max_tasks=2,
        listener=elbv2.ApplicationListener.from_application_listener_attributes(
            stack,
            "Listener",
            listener_arn="arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/a/b/c",
            security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1"),
        ),
        port=8080,
        conditions=[elbv2.ListenerCondition.path_patterns(["/work/*"])],
        priority=10,
    )


def sleep(stack: Stack) -> None:
    runtime = given_runtime(stack)
    database = GalvDatabase(
        stack, "Database", network=runtime.network, production=False, preflight=False
    )
    worker = GalvService(stack, "Worker", runtime=runtime, command=["work"])
    GalvSleep(stack, "Sleep", sleepers=[worker, database])


def backup_plan(stack: Stack) -> None:
    database = GalvDatabase(
        stack, "Database", network=given_runtime(stack).network, preflight=False
    )
    bucket = s3.Bucket(stack, "Bucket", versioned=True)
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:alarms")
    GalvBackupPlan(stack, "Backups", resources=[database, bucket], alarm_topic=topic)


def task(stack: Stack) -> None:
    GalvTask(stack, "Export", runtime=given_runtime(stack), command=["export"])


def preflight(stack: Stack) -> None:
    GalvPreflight.of(stack).add_check("Image", PreflightCheck.image("registry.example.com/a:v1"))


CONSTRUCTS: dict[str, Callable[[Stack], object]] = {
    "backend": backend,
    "backend-development": backend_development,
    "backup-plan": backup_plan,
    "database": database,
    "database-cluster": lambda stack: GalvDatabaseCluster(
        stack, "Database", network=given_runtime(stack).network
    ),
    "database-cluster-restored": lambda stack: GalvDatabaseCluster(
        stack, "Database", network=given_runtime(stack).network, snapshot_identifier="kept"
    ),
    "database-restored": lambda stack: GalvDatabase(
        stack, "Database", network=given_runtime(stack).network, snapshot_identifier="kept"
    ),
    "deploy-role": deploy_role,
    "load-balancer": load_balancer,
    "log-bucket": lambda stack: GalvLogBucket(stack, "Logs"),
    "log-bucket-locked": lambda stack: GalvLogBucket(
        stack,
        "Logs",
        object_lock_retention=s3.ObjectLockRetention.governance(Duration.days(90)),
    ),
    "log-bucket-development": lambda stack: GalvLogBucket(stack, "Logs", production=False),
    "mail": mail,
    "mirrored-image": lambda stack: MirroredImage(
        stack, "Image", repository="ghcr.io/galv-team/galv-backend", tag="v2.11.4"
    ),
    "preflight": preflight,
    "rehearsal": rehearsal,
    "release-task": release_task,
    "review-role": review_role,
    "scheduled-task": scheduled_task,
    "service": service,
    "sleep": sleep,
    "task": task,
    "web-acl": web_acl,
    **{f"network-{preset.value}": partial(network, preset=preset) for preset in NetworkPreset},
}


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_logical_ids_and_types_stay(stack: Stack, name: str) -> None:
    CONSTRUCTS[name](stack)

    snapshot(synthesize(stack), name)


def test_every_snapshot_is_used() -> None:
    assert names() == set(CONSTRUCTS)


@pytest.mark.parametrize("name", galv_constructs.__all__)
def test_every_construct_has_one(name: str) -> None:
    value = getattr(galv_constructs, name)
    if isinstance(value, type) and issubclass(value, Construct):
        # That of the frontend takes several stacks, and is in a folder: test_frontend.py.
        found = {path.stem.replace("-", "") for path in SNAPSHOTS.iterdir()}
        assert any(kept.startswith(name.removeprefix("Galv").lower()) for kept in found)
