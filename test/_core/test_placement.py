"""The place of given resources: each argument with each wrong region, account and VPC."""

import inspect
import re
from collections.abc import Callable
from typing import Any, cast

import pytest
from aws_cdk import Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import ENVIRONMENT, Refusal, backend_in, new_app, regional_stack, zone_in
from templates import Json

import galv_constructs
from galv_constructs import (
    GalvBackend,
    GalvBackupPlan,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvDeployRole,
    GalvFrontend,
    GalvLoadBalancer,
    GalvMail,
    GalvNetwork,
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
    TaskRuntime,
)
from galv_constructs._core.placement import if_told

HERE = str(ENVIRONMENT.region)
ELSEWHERE = "us-west-2"
OURS = str(ENVIRONMENT.account)
THEIRS = "444455556666"

Make = Callable[..., object]
Given = Callable[[Stack, str, str], Any]


def arn(service: str, region: str, account: str, resource: str) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def certificate(stack: Stack, region: str, account: str) -> acm.ICertificate:
    return acm.Certificate.from_certificate_arn(
        stack, "Given", arn("acm", region, account, "certificate/0a1b2c3d")
    )


def bucket(stack: Stack, region: str, account: str) -> s3.IBucket:
    return s3.Bucket.from_bucket_attributes(
        stack, "Given", bucket_name="aws-waf-logs-x", region=region, account=account
    )


def key(stack: Stack, region: str, account: str) -> kms.IKey:
    return kms.Key.from_key_arn(stack, "Given", arn("kms", region, account, "key/0a1b2c3d"))


def secret(stack: Stack, region: str, account: str) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_complete_arn(
        stack, "Given", arn("secretsmanager", region, account, "secret:ours-a1b2c3")
    )


def secrets(stack: Stack, region: str, account: str) -> dict[str, ecs.Secret]:
    return {"TOKEN": ecs.Secret.from_secrets_manager(secret(stack, region, account), "token")}


def topic(stack: Stack, region: str, account: str) -> sns.ITopic:
    return sns.Topic.from_topic_arn(stack, "Given", arn("sns", region, account, "alarms"))


def identity(stack: Stack, region: str, account: str) -> ses.IEmailIdentity:
    return ses.EmailIdentity.from_email_identity_arn(
        stack, "Given", arn("ses", region, account, "identity/mail.example.com")
    )


def provider(stack: Stack, region: str, account: str) -> iam.IOidcProvider:
    issuer = "oidc-provider/token.actions.githubusercontent.com"
    return iam.OidcProviderNative.from_oidc_provider_arn(
        stack, "Given", f"arn:aws:iam::{account}:{issuer}"
    )


def regional_acl(stack: Stack, region: str, account: str) -> str:
    return arn("wafv2", region, account, "regional/webacl/ours/0a1b2c3d")


def global_acl(stack: Stack, region: str, account: str) -> str:
    return arn("wafv2", region, account, "global/webacl/ours/0a1b2c3d")


def vpc_in(stack: Stack, region: str = HERE, id: str = "vpc-1") -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        id,
        vpc_id=id,
        availability_zones=["a", "b"],
        public_subnet_ids=["subnet-1", "subnet-2"],
        private_subnet_ids=["subnet-3", "subnet-4"],
        region=region,
    )


def network(stack: Stack, region: str, account: str) -> Any:
    return GalvNetwork.from_vpc(vpc_in(stack, region))


def cluster(stack: Stack, region: str, account: str) -> ecs.ICluster:
    return ecs.Cluster.from_cluster_attributes(
        stack,
        "Given",
        cluster_name="ours",
        vpc=vpc_in(stack),
        cluster_arn=arn("ecs", region, account, "cluster/ours"),
    )


def backend(stack: Stack, **arguments: object) -> object:
    return backend_in(stack, **arguments)


def database_by(stack: Stack, region: str, account: str) -> Any:
    return GalvDatabase.from_instance(database_in(stack), secret=secret(stack, region, account))


def database_in(stack: Stack) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_identifier="ours",
        instance_endpoint_address="db.example.com",
        port=5432,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
    )


def frontend(stack: Stack, **arguments: object) -> GalvFrontend:
    given: Json = {"domain_name": "app.example.com", "api_url": "https://api.example.com"}
    if "certificate" not in arguments:
        given["hosted_zone"] = stack.node.try_find_child("Zone") or zone_in(stack)
    return GalvFrontend(stack, "Made", **{**given, **arguments})


def mail(stack: Stack, **arguments: Any) -> GalvMail:
    return GalvMail(stack, "Made", sender="galv@mail.example.com", **arguments)


def prepare(stack: Stack, make: Make) -> None:
    """Define what a construct is given besides, which is not left behind by it."""
    zone_in(stack)
    if make in (database, load_balancer, serverless) and stack.node.try_find_child("vpc-1") is None:
        vpc_in(stack)
    if make in (release_task, release_task_of, scheduled_task, service, sleep, task):
        vpc = vpc_in(stack, id="vpc-2")
        ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="ours", vpc=vpc)
        ecs.Cluster.from_cluster_arn(stack, "Anywhere", arn("ecs", HERE, OURS, "cluster/ours"))
    if make is rehearsal:
        backend_in(stack, "Rehearsed")
    if make is backup_plan:
        s3.Bucket.from_bucket_name(stack, "Uploads", "uploads")
    if make is sleep:
        GalvService(stack, "Sleeper", runtime=runtime_in(stack), command=["true"])


def runtime_in(stack: Stack, **arguments: Any) -> TaskRuntime:
    cluster: Any = arguments.get("cluster") or stack.node.find_child("Cluster")
    defaults: Json = {
        "cluster": cluster,
        "image": ecs.ContainerImage.from_registry("ours"),
        "log_group_prefix": "/ours",
    }
    if "network" not in arguments:
        defaults["network"] = GalvNetwork.from_vpc(cluster.vpc)
    return TaskRuntime(**{**defaults, **arguments})


def release_task(stack: Stack, **arguments: Any) -> GalvReleaseTask:
    runtime = arguments.pop("runtime", None) or runtime_in(stack)
    return GalvReleaseTask(stack, "Made", runtime=runtime, command=["true"], **arguments)


def release_task_of(stack: Stack, **arguments: Any) -> GalvReleaseTask:
    if "network" in arguments:
        # In no VPC that is known, as the network would be in another one.
        arguments["cluster"] = stack.node.find_child("Anywhere")
    return release_task(stack, runtime=runtime_in(stack, **arguments))


def scheduled_task(stack: Stack, **arguments: Any) -> GalvScheduledTask:
    schedule = ScheduleExpression.cron(minute="0")
    return GalvScheduledTask(
        stack,
        "Made",
        runtime=arguments.pop("runtime", None) or runtime_in(stack),
        command=["true"],
        schedule=schedule,
        **arguments,
    )


def deploy_role(stack: Stack, **arguments: Any) -> GalvDeployRole:
    subjects = [GitHubSubject.branch("octo-org/octo-repo", "main")]
    return GalvDeployRole(stack, "Made", subjects=subjects, **arguments)


def review_role(stack: Stack, **arguments: Any) -> GalvReviewRole:
    subjects = [GitHubSubject.pull_request("octo-org/octo-repo")]
    return GalvReviewRole(stack, "Made", subjects=subjects, stacks=["galv-*"], **arguments)


def database(stack: Stack, **arguments: Any) -> GalvDatabase:
    if "network" not in arguments:
        arguments["network"] = GalvNetwork.from_vpc(
            cast("ec2.IVpc", stack.node.find_child("vpc-1"))
        )
    return GalvDatabase(stack, "Made", **arguments)


def serverless(stack: Stack, **arguments: Any) -> GalvDatabaseCluster:
    if "network" not in arguments:
        arguments["network"] = GalvNetwork.from_vpc(
            cast("ec2.IVpc", stack.node.find_child("vpc-1"))
        )
    return GalvDatabaseCluster(stack, "Made", **arguments)


def web_acl(stack: Stack, **arguments: Any) -> GalvWebAcl:
    return GalvWebAcl(stack, "Made", **arguments)


def mirrored_image(stack: Stack, **arguments: Any) -> MirroredImage:
    return MirroredImage(stack, "Made", repository="ghcr.io/galv-team/galv-backend", **arguments)


def load_balancer(stack: Stack, **arguments: Any) -> GalvLoadBalancer:
    if "network" not in arguments:
        arguments["network"] = GalvNetwork.from_vpc(
            cast("ec2.IVpc", stack.node.find_child("vpc-1"))
        )
    if "certificate" not in arguments:
        arguments["hosted_zone"] = stack.node.find_child("Zone")
    return GalvLoadBalancer(stack, "Made", domain_name="*.example.com", **arguments)


def task(stack: Stack, **arguments: Any) -> GalvTask:
    return GalvTask(stack, "Made", runtime=runtime_in(stack), command=["true"], **arguments)


def service(stack: Stack, **arguments: Any) -> GalvService:
    return GalvService(stack, "Made", runtime=runtime_in(stack), command=["true"], **arguments)


def sleep(stack: Stack, **arguments: Any) -> GalvSleep:
    return GalvSleep(stack, "Made", sleepers=[stack.node.find_child("Sleeper")], **arguments)  # type: ignore[list-item]


def rehearsal(stack: Stack, **arguments: Any) -> GalvRehearsal:
    return GalvRehearsal(stack, "Made", backend=stack.node.find_child("Rehearsed"), **arguments)  # type: ignore[arg-type]


def backup_plan(stack: Stack, **arguments: Any) -> GalvBackupPlan:
    given: Json = {"resources": [stack.node.find_child("Uploads")]} | arguments
    return GalvBackupPlan(stack, "Made", **given)


def buckets(stack: Stack, region: str, account: str) -> list[s3.IBucket]:
    return [bucket(stack, region, account)]


def queue(stack: Stack, region: str, account: str) -> sqs.IQueue:
    return sqs.Queue.from_queue_arn(stack, "Given", arn("sqs", region, account, "jobs"))


def alarms(stack: Stack, region: str, account: str) -> list[cloudwatch.IAlarm]:
    return [
        cloudwatch.Alarm.from_alarm_arn(
            stack, "Given", arn("cloudwatch", region, account, "alarm:a")
        )
    ]


def _load_balancer_arn(kind: str, region: str, account: str) -> str:
    return arn("elasticloadbalancing", region, account, f"{kind}/app/shared/0123456789abcdef")


def listener(stack: Stack, region: str, account: str) -> elbv2.IApplicationListener:
    return elbv2.ApplicationListener.from_application_listener_attributes(
        stack,
        "Given",
        listener_arn=f"{_load_balancer_arn('listener', region, account)}/fedcba9876543210",
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "GivenGroup", "sg-1"),
    )


def load_balancer_by(stack: Stack, region: str, account: str) -> Any:
    given = elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "GivenBalancer",
        load_balancer_arn=_load_balancer_arn("loadbalancer", region, account),
        security_group_id="sg-1",
    )
    return GalvLoadBalancer.from_listener(listener(stack, region, account), load_balancer=given)


def mail_by(stack: Stack, region: str, account: str) -> Any:
    return GalvMail.from_secret(secret(stack, region, account), sender="galv@example.com")


# Construct, argument, what is given, and the region that it has to be in.
ARGUMENTS: list[tuple[Make, str, Given, str]] = [
    (backend, "alarm_topic", topic, HERE),
    (backend, "certificate", certificate, HERE),
    (backend, "mail", mail_by, HERE),
    (backend, "cluster", cluster, HERE),
    (backend, "database", database_by, HERE),
    (backend, "encryption_key", key, HERE),
    (backend, "media_key", key, HERE),
    (backend, "load_balancer", load_balancer_by, HERE),
    (load_balancer, "alarm_topic", topic, HERE),
    (load_balancer, "certificate", certificate, HERE),
    (load_balancer, "encryption_key", key, HERE),
    (load_balancer, "log_bucket", bucket, HERE),
    (load_balancer, "network", network, HERE),
    (load_balancer, "web_acl_arn", regional_acl, HERE),
    (task, "secrets", secrets, HERE),
    (service, "alarm_topic", topic, HERE),
    (service, "deployment_alarms", alarms, HERE),
    (service, "listener", listener, HERE),
    (service, "queue", queue, HERE),
    (service, "secrets", secrets, HERE),
    (backend, "log_bucket", bucket, HERE),
    (backend, "media_bucket", bucket, HERE),
    (backend, "network", network, HERE),
    (backend, "registry_credentials", secret, HERE),
    (backend, "secrets", secrets, HERE),
    (backend, "web_acl_arn", regional_acl, HERE),
    (database, "encryption_key", key, HERE),
    (database, "network", network, HERE),
    (serverless, "encryption_key", key, HERE),
    (serverless, "network", network, HERE),
    (frontend, "certificate", certificate, "us-east-1"),
    (frontend, "log_bucket", bucket, HERE),
    (frontend, "secrets", secrets, HERE),
    (frontend, "web_acl_arn", global_acl, "us-east-1"),
    (mail, "encryption_key", key, HERE),
    (mail, "identity", identity, HERE),
    (mail, "notification_topic", topic, HERE),
    (mirrored_image, "encryption_key", key, HERE),
    (mirrored_image, "registry_credentials", secret, HERE),
    (release_task, "secrets", secrets, HERE),
    (release_task_of, "cluster", cluster, HERE),
    (release_task_of, "encryption_key", key, HERE),
    (release_task_of, "network", network, HERE),
    (release_task_of, "secrets", secrets, HERE),
    (scheduled_task, "alarm_topic", topic, HERE),
    (rehearsal, "secrets", secrets, HERE),
    (backup_plan, "alarm_topic", topic, HERE),
    (backup_plan, "encryption_key", key, HERE),
    (backup_plan, "resources", buckets, HERE),
    (sleep, "alarm_topic", topic, HERE),
    (sleep, "alarms", alarms, HERE),
    (web_acl, "alarm_topic", topic, HERE),
    (scheduled_task, "secrets", secrets, HERE),
    (deploy_role, "provider", provider, ""),
    (review_role, "provider", provider, ""),
]


# What an argument goes together with.
BESIDE: dict[tuple[Make, str], Json] = {
    (backend, "certificate"): {"hosted_zone": None},
    (service, "listener"): {
        "port": 80,
        "conditions": [elbv2.ListenerCondition.path_patterns(["/reports/*"])],
        "priority": 7,
    },
    (service, "queue"): {"backlog_per_task": 10, "max_tasks": 2},
}


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.fixture
def stack() -> Stack:
    """A stack whose account and region are known."""
    return regional_stack()


def arguments(make: Make, argument: str, thing: object) -> Json:
    """Return arguments of `make`, of which only `thing` is wrong."""
    return {argument: thing, **BESIDE.get((make, argument), {})}


class TestPlaces:
    @pytest.mark.parametrize("row", ARGUMENTS, ids=lambda row: f"{named(row[0])}-{row[1]}")
    def test_refuses_another_region(
        self,
        refusal: Refusal,
        stack: Stack,
        row: tuple[Make, str, Given, str],
    ) -> None:
        make, argument, given, region = row
        if not region:
            pytest.skip("it is in no region")
        wrong = arguments(make, argument, given(stack, ELSEWHERE, OURS))
        prepare(stack, make)
        said = refusal(lambda: make(stack, **wrong))

        assert argument in said
        assert ELSEWHERE in said
        assert region in said

    @pytest.mark.parametrize("row", ARGUMENTS, ids=lambda row: f"{named(row[0])}-{row[1]}")
    def test_refuses_another_account(
        self,
        refusal: Refusal,
        stack: Stack,
        row: tuple[Make, str, Given, str],
    ) -> None:
        make, argument, given, region = row
        if given is network:
            pytest.skip("an imported VPC does not say whose it is")
        wrong = arguments(make, argument, given(stack, region, THEIRS))
        prepare(stack, make)
        said = refusal(lambda: make(stack, **wrong))

        assert argument in said
        assert f"is in account {THEIRS}" in said
        assert OURS in said

    def test_accepts_a_resource_of_the_same_region_and_account(self, stack: Stack) -> None:
        backend_in(
            stack,
            hosted_zone=None,
            certificate=certificate(stack, HERE, OURS),
            web_acl_arn=regional_acl(stack, HERE, OURS),
        )

    def test_a_stack_for_any_region_accepts_any_resource(self) -> None:
        stack = Stack(new_app(), "Stack")
        mail(stack, encryption_key=key(stack, ELSEWHERE, THEIRS))

    def test_refuses_a_cluster_that_does_not_tell_its_vpc(
        self, refusal: Refusal, stack: Stack
    ) -> None:
        zone_in(stack)
        given = ecs.Cluster.from_cluster_arn(
            stack, "Cluster", arn("ecs", HERE, OURS, "cluster/ours")
        )

        said = refusal(lambda: backend_in(stack, cluster=given))
        assert said.startswith("cluster (Stack/Cluster) does not tell its VPC: import it with")

    def test_every_argument_for_a_thing_is_in_the_table(self) -> None:
        tested = {(CONSTRUCTS[make], argument) for make, argument, _, _ in ARGUMENTS}
        public = [getattr(galv_constructs, name) for name in galv_constructs.__all__]
        constructs = [kind for kind in public if isinstance(kind, type)]
        found = {(kind, name) for kind in constructs for name in things(kind)}

        assert {(kind.__name__, name) for kind, name in found - tested} == ELSEWHERE_OR_NOWHERE


CONSTRUCTS: dict[Make, type] = {
    mirrored_image: MirroredImage,
    backend: GalvBackend,
    backup_plan: GalvBackupPlan,
    database: GalvDatabase,
    serverless: GalvDatabaseCluster,
    deploy_role: GalvDeployRole,
    frontend: GalvFrontend,
    load_balancer: GalvLoadBalancer,
    mail: GalvMail,
    rehearsal: GalvRehearsal,
    release_task: GalvReleaseTask,
    release_task_of: TaskRuntime,
    review_role: GalvReviewRole,
    scheduled_task: GalvScheduledTask,
    service: GalvService,
    sleep: GalvSleep,
    task: GalvTask,
    web_acl: GalvWebAcl,
}
# Of these nothing says where they are, or it does not matter.
ELSEWHERE_OR_NOWHERE = {
    # ECR is pulled from across regions and accounts.
    ("GalvBackend", "image"),
    ("TaskRuntime", "image"),
    # DNS is in no region; see below for private ones.
    *(
        (construct, "hosted_zone")
        for construct in ("GalvBackend", "GalvFrontend", "GalvLoadBalancer", "GalvMail")
    ),
    # Has to be elsewhere: test_backup_plan.py.
    ("GalvBackupPlan", "copy_to"),
    # Pages may load from any bucket.
    ("GalvFrontend", "storage_buckets"),
    # Have to be in us-east-1, in any account: test_frontend.py.
    ("GalvFrontend", "edge_notification_arns"),
    # Flows and requests may be logged to a bucket elsewhere; that of a backend may not.
    ("GalvNetwork", "log_bucket"),
    ("GalvWebAcl", "log_bucket"),
    # Configuration has checks of its own: test_config.py.
    ("GalvConfig", "certificate_arn"),
    ("GalvConfig", "backend_certificate_arn"),
    # Are in the stack of what lets them sleep: test_sleep.py.
    ("GalvSleep", "sleepers"),
    # A construct of the application, which the answers wait for.
    ("PreflightCheck", "waits_for"),
}


def things(construct: type) -> set[str]:
    """Arguments whose type is a thing in AWS, or several, and the ARNs of such."""
    kinds = inspect.get_annotations(construct.__init__, eval_str=True)  # type: ignore[misc]
    return {
        name
        for name, kind in kinds.items()
        if _THING.search(str(kind)) or name.endswith(("_arn", "_arns"))
    }


# An interface of CDK's or ours, a secret, or an image; not what is none by itself.
_THING = re.compile(
    r"\.I(?!Connectable|Role|Dependable)[A-Z]\w+|aws_ecs\.(?:Secret|ContainerImage)"
)


class TestRuntime:
    """The network of a runtime is where its cluster is."""

    def test_refuses_a_cluster_in_another_vpc_before_there_is_a_task(
        self, refusal: Refusal, stack: Stack
    ) -> None:
        prepare(stack, release_task)
        network = GalvNetwork.from_vpc(vpc_in(stack))

        said = refusal(lambda: runtime_in(stack, network=network))

        assert said.startswith(
            "cluster is in the VPC 'vpc-2', and network in 'vpc-1': pass "
            "network=GalvNetwork.from_vpc(…) with the VPC of cluster"
        )

    @pytest.mark.parametrize("make", [release_task, scheduled_task], ids=named)
    def test_accepts_a_cluster_whose_vpc_is_not_known(self, stack: Stack, make: Make) -> None:
        given = ecs.Cluster.from_cluster_arn(
            stack, "Cluster", arn("ecs", HERE, OURS, "cluster/ours")
        )
        make(
            stack,
            runtime=runtime_in(stack, cluster=given, network=GalvNetwork.from_vpc(vpc_in(stack))),
        )


class TestDatabase:
    def database(self, stack: Stack, engine: rds.IInstanceEngine) -> rds.DatabaseInstance:
        vpc = ec2.Vpc(stack, "Theirs", max_azs=2)
        return rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc)

    def postgres(self) -> rds.IInstanceEngine:
        version = rds.PostgresEngineVersion.VER_17
        return rds.DatabaseInstanceEngine.postgres(version=version)

    def test_refuses_one_in_another_vpc(self, refusal: Refusal, stack: Stack) -> None:
        zone_in(stack)
        database = self.database(stack, self.postgres())
        ours = GalvNetwork(stack, "Network")

        said = refusal(
            lambda: backend_in(stack, database=GalvDatabase.from_instance(database), network=ours)
        )
        assert "database is in the VPC Stack/Theirs" in said
        assert "network in Stack/Network/Vpc" in said

    def test_refuses_one_without_its_network(self, refusal: Refusal, stack: Stack) -> None:
        zone_in(stack)
        database = self.database(stack, self.postgres())

        said = refusal(lambda: backend_in(stack, database=GalvDatabase.from_instance(database)))
        assert "a new network would be another one" in said

    def test_refuses_another_engine(self, refusal: Refusal, stack: Stack) -> None:
        zone_in(stack)
        engine = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
        database = self.database(stack, engine)

        said = refusal(lambda: GalvDatabase.from_instance(database))
        assert "instance must be PostgreSQL" in said
        assert "got 'mysql'" in said


class TestPrivateZones:
    @pytest.fixture(params=["imported", "defined", "defined with VPCs"])
    def zone(self, request: pytest.FixtureRequest, stack: Stack) -> route53.IHostedZone:
        match request.param:
            case "imported":
                return route53.PrivateHostedZone.from_private_hosted_zone_id(stack, "Private", "Z1")
            case "defined":
                return route53.PrivateHostedZone(
                    stack, "Private", zone_name="example.com", vpc=vpc_in(stack)
                )
            case _:
                return route53.HostedZone(
                    stack, "Private", zone_name="example.com", vpcs=[vpc_in(stack)]
                )

    @pytest.mark.parametrize("private", [True, False])
    def test_recognizes_a_looked_up_zone_by_its_look_up(
        self, refusal: Refusal, private: bool
    ) -> None:
        asked = "domainName=example.com" + ":privateZone=true" * private
        where = f"account={ENVIRONMENT.account}:{asked}:region={ENVIRONMENT.region}"
        key = f"hosted-zone:{where}" + ":vpcId=vpc-1" * private
        answer = {"Id": "/hostedzone/Z1", "Name": "example.com."}
        stack = regional_stack(new_app({key: answer}))
        zone = route53.HostedZone.from_lookup(
            stack,
            "Found",
            domain_name="example.com",
            private_zone=private or None,
            vpc_id="vpc-1" if private else None,
        )
        assert zone.hosted_zone_id == "Z1"

        if not private:
            mail(stack, hosted_zone=zone)
            return
        said = refusal(lambda: mail(stack, hosted_zone=zone))
        assert "hosted_zone (Stack/Found) is a private zone" in said

    def test_a_public_one_is_taken(self, stack: Stack) -> None:
        mail(stack, hosted_zone=route53.HostedZone(stack, "Public", zone_name="example.com"))

    @pytest.mark.parametrize("make", [backend, frontend, mail], ids=named)
    def test_refuses_a_private_zone(
        self, refusal: Refusal, stack: Stack, make: Make, zone: route53.IHostedZone
    ) -> None:
        zone_in(stack)
        said = refusal(lambda: make(stack, hosted_zone=zone))

        assert "hosted_zone (Stack/Private) is a private zone" in said


def test_an_error_of_something_else_is_not_taken_for_a_missing_attribute() -> None:
    class Thing:
        @property
        def zone_name(self) -> str:
            raise RuntimeError("the kernel has ended")

    with pytest.raises(RuntimeError, match="the kernel has ended"):
        if_told(Thing(), "zone_name")
