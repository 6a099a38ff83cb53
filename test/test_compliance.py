"""Findings of cdk-nag, CloudFormation-Validate and cfn-lint in backends of many shapes."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from aws_cdk import App, Duration, Stack, Validations
from aws_cdk import aws_backup as backup
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import (
    CERTIFICATE_ARN,
    backend_in,
    new_app,
    recommended_flags,
    regional_stack,
    whole_backend_in,
)
from cdk_nag import (
    AwsSolutionsChecks,
    HIPAASecurityChecks,
    NIST80053R5Checks,
    PCIDSS321Checks,
)
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it declares none
from example_app import example_app, run_example
from templates import Json, synthesize
from worker_system import Platform, worker_system

from galv_constructs import (
    GalvBackend,
    GalvBackupPlan,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvDeployRole,
    GalvLoadBalancer,
    GalvLogBucket,
    GalvMail,
    GalvNetwork,
    GalvRehearsal,
    GalvReleaseTask,
    GalvReviewRole,
    GalvScheduledTask,
    GalvService,
    GalvSleep,
    GalvTask,
    GitHubSubject,
    MirroredImage,
    NetworkPreset,
    ReleaseStep,
)

# What cfn-lint says that is not ours to change.
LINT = {
    "W3005": "CDK writes every dependency into DependsOn, a reference to it or not",
    "W3010": "CDK writes the AZs of a stack whose region is known",
}


def least(stack: Stack) -> None:
    whole_backend_in(stack)


def development(stack: Stack) -> None:
    whole_backend_in(stack, production=False, check_status="fail")


def unprotected(stack: Stack) -> None:
    whole_backend_in(
        stack, removal_protection=False, execute_command=True, container_insights=False
    )


def two(stack: Stack) -> None:
    one = whole_backend_in(stack, "One", production=False)
    whole_backend_in(
        stack,
        "Two",
        domain_name="two.example.com",
        cluster=one.cluster,
        execute_command=True,
        check_status="warn",
    )


def public(stack: Stack) -> None:
    in_network(stack, NetworkPreset.PUBLIC)


def in_network(stack: Stack, preset: NetworkPreset, **arguments: object) -> GalvBackend:
    lock = s3.ObjectLockRetention.governance(Duration.days(90))
    logs = GalvLogBucket(stack, "Logs", object_lock_retention=lock).bucket
    network = GalvNetwork(stack, "Net", preset=preset, log_bucket=logs)
    return whole_backend_in(stack, network=network, log_bucket=logs, **arguments)


def apart(stack: Stack) -> None:
    shared = Stack(stack.node.root, "elsewhere")  # type: ignore[arg-type]
    network = GalvNetwork(shared, "Net")
    whole_backend_in(
        stack,
        network=network,
        cluster=ecs.Cluster(shared, "Cluster", vpc=network.vpc),
        media_bucket=s3.Bucket(shared, "Media"),
    )


def endpoints(stack: Stack) -> None:
    name = "ghcr.io/galv-team/galv-backend"
    in_network(
        stack,
        NetworkPreset.ENDPOINTS,
        mail=GalvMail(stack, "Mail", sender="galv@example.com"),
        image=MirroredImage(stack, "Image", repository=name, tag="v2.11.4").image,
    )


def shared(stack: Stack) -> None:
    """Two backends at one internal load balancer, over IPv6 too."""
    logs = GalvLogBucket(stack, "Logs").bucket
    network = GalvNetwork(stack, "Net", ipv6=True, log_bucket=logs)
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Shared zone", hosted_zone_id="Z0123456789", zone_name="example.com"
    )
    balancer = GalvLoadBalancer(
        stack,
        "Shared",
        network=network,
        domain_name="*.example.com",
        hosted_zone=zone,
        internet_facing=False,
    )
    for name in ("stage", "demo"):
        whole_backend_in(stack, name, domain_name=f"{name}.example.com", load_balancer=balancer)


def databases(stack: Stack) -> None:
    """Clusters, a replica, and what is restored from snapshots, without a backend."""
    network = GalvNetwork(stack, "Net", log_bucket=GalvLogBucket(stack, "Logs").bucket)
    GalvDatabaseCluster(stack, "Cluster", network=network)
    GalvDatabaseCluster(stack, "Trial cluster", network=network, production=False, min_capacity=0)
    GalvDatabaseCluster(stack, "Restored cluster", network=network, snapshot_identifier="kept")
    GalvDatabase(stack, "Restored", network=network, snapshot_identifier="rds:galv-2026-11-01")
    GalvDatabase(stack, "Database", network=network).add_read_replica("Replica")


def roles(stack: Stack) -> None:
    repository = "octo-org/octo-repo"
    environment = GitHubSubject.environment(repository, "production")
    role = GalvDeployRole(
        stack, "Deploy", subjects=[environment], check_backends=["galv-BackendStack/Backend"]
    )
    GalvReviewRole(
        stack,
        "Review",
        subjects=[GitHubSubject.pull_request(repository)],
        stacks=["galv-*"],
        provider=role.provider,
    )
    GalvDeployRole(
        stack,
        "Broad",
        subjects=[GitHubSubject.organization("octo-org")],
        provider=role.provider,
        broad=True,
    )


def encrypted(stack: Stack) -> None:
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    mail = GalvMail(stack, "Mail", sender="galv@example.com", encryption_key=key)
    backend = in_network(
        stack,
        NetworkPreset.NAT_INSTANCE,
        encryption_key=key,
        production=False,
        mail=mail,
        rollback_alarms=True,
    )
    GalvReleaseTask(
        stack,
        "Reindex",
        runtime=backend.runtime,
        steps=[ReleaseStep(name="reindex", command=["python", "manage.py", "reindex"])],
    )


def asked(stack: Stack) -> None:
    """A backend that asks, with all that it may create."""
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Asked", hosted_zone_id="Z0123456789", zone_name="example.org"
    )
    mail = GalvMail(stack, "Mail", sender="galv@example.org", hosted_zone=zone, preflight=True)
    whole_backend_in(
        stack, domain_name="api.example.org", hosted_zone=zone, mail=mail, preflight=True
    )


def brought(stack: Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        public_subnet_ids=["subnet-00000000000000001", "subnet-00000000000000002"],
        private_subnet_ids=["subnet-00000000000000003", "subnet-00000000000000004"],
        private_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
    )
    whole_backend_in(
        stack,
        hosted_zone=None,
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE_ARN),
        network=GalvNetwork.from_vpc(vpc),
        cluster=ecs.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="c", vpc=vpc),
        database=GalvDatabase.from_attributes(
            host="shared.internal",
            security_groups=[
                ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")
            ],
            secret=secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "shared"),
        ),
        media_bucket=s3.Bucket.from_bucket_name(stack, "Media", "our-media"),
        log_bucket=s3.Bucket.from_bucket_name(stack, "Logs", "aws-waf-logs-ours"),
        execute_command=True,
        preflight=True,
    )


def workers(stack: Stack) -> None:
    worker_system(stack, Platform(stack, "platform"))


def resting(stack: Stack) -> None:
    """A trial, a worker, Aurora, and a task on demand, all of which sleep."""
    backend = backend_in(stack, production=False)
    export = GalvTask(stack, "Export", runtime=backend.runtime, command=["export"])
    monitor = GalvScheduledTask(
        stack,
        "Monitor",
        runtime=backend.runtime,
        command=["validate"],
        schedule=ScheduleExpression.rate(Duration.minutes(5)),
    )
    cluster = GalvDatabaseCluster(
        stack, "Aurora", network=backend.network, production=False, preflight=False
    )
    worker = GalvService(stack, "Worker", runtime=backend.runtime, command=["work"])
    GalvSleep(stack, "Sleep", sleepers=[backend, monitor, export, worker, cluster])


def vaulted(stack: Stack) -> None:
    """Instance, cluster and bucket in a vault, and copies of them in another region."""
    backend = backend_in(stack)
    cluster = GalvDatabaseCluster(stack, "Aurora", network=backend.network, preflight=False)
    vault = backup.BackupVault.from_backup_vault_arn(
        stack, "Copies", "arn:aws:backup:us-west-2:111122223333:backup-vault:galv"
    )
    GalvBackupPlan(stack, "Backups", resources=[backend, cluster], copy_to=vault)


def rehearsed(stack: Stack) -> None:
    """A release can be rehearsed on a copy of the database."""
    GalvRehearsal(stack, "Rehearsal", backend=backend_in(stack))


AGNOSTIC = [
    *(least, development, unprotected, two, public, apart, endpoints, shared, roles, asked),
    *(databases, workers, resting, vaulted, rehearsed),
]
REGIONAL = [encrypted, brought]
SHAPES = {
    **{f"any-{make.__name__}": make for make in AGNOSTIC},
    **{f"regional-{make.__name__}": make for make in REGIONAL},
}
# The checks that look at a template for seconds see only these, which differ most.
VARIED = [
    *("any-endpoints", "any-roles", "any-asked", "any-databases", "any-workers", "any-resting"),
    "regional-encrypted",
]


def stack_of(app: App, shape: str) -> Stack:
    """The stack of a shape."""
    known = shape.startswith("regional")
    stack = regional_stack(app, shape) if known else Stack(app, shape)
    # All shapes have one name, which one zone has one record for.
    route53.HostedZone.from_hosted_zone_attributes(
        stack,
        "Zone",
        hosted_zone_id=f"Z{list(SHAPES).index(shape):09}",
        zone_name="example.com",
    )
    SHAPES[shape](stack)
    return stack


def build(app: App, shapes: Iterable[str]) -> App:
    """A stack for each shape."""
    for shape in shapes:
        stack_of(app, shape)
    return app


def report(app: App) -> list[Json]:
    """The violations that a synthesis reports, without warnings."""
    try:
        app.synth()
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)  # noqa: PT017 - the findings are in the report
    path = Path(app.outdir) / "validation-report.json"
    plugins = json.loads(path.read_text())["pluginReports"]
    return [
        violation
        for plugin in plugins
        for violation in plugin["violations"]
        if not (
            violation["ruleName"].startswith("Annotation::") and violation["severity"] == "warning"
        )
    ]


def add_packs(app: App) -> None:
    """Let cdk-nag's packs look at a synthesis."""
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app),
        HIPAASecurityChecks(app),
        NIST80053R5Checks(app),
        PCIDSS321Checks(app),
    )


@pytest.fixture(scope="module", params=["no flags", "all flags"])
def findings(request: pytest.FixtureRequest) -> dict[str, set[str]]:
    """The ids of cdk-nag's findings for each shape, whatever an application's feature flags are."""
    context = recommended_flags() if request.param == "all flags" else None
    app = build(new_app(context), SHAPES)
    add_packs(app)
    found: dict[str, set[str]] = {name: set() for name in (*SHAPES, "elsewhere", "platform")}
    for violation in report(app):
        for construct in violation["violatingConstructs"]:
            shape, _, path = construct["constructPath"].partition("/")
            found[shape].add(f"{violation['ruleName']} at {path}")
    return found


@pytest.mark.slow
class TestNag:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_finds_only_acknowledged_findings(
        self, findings: dict[str, set[str]], shape: str
    ) -> None:
        assert findings[shape] == set()

    @pytest.mark.parametrize("is_production", [True, False])
    def test_finds_nothing_in_the_example(self, tmp_path: Path, *, is_production: bool) -> None:
        app = example_app(tmp_path, isProduction=is_production, alarmEmail="lab@example.com")
        add_packs(app)

        # A finding makes the synthesis fail, and says which.
        run_example(app)


@pytest.mark.slow
class TestCloudFormationValidate:
    CONTEXT = {"@aws-cdk/core:validateAgainstDefaultRules": True}  # noqa: RUF012

    def test_finds_nothing(self) -> None:
        app = new_app(self.CONTEXT, validate=True)

        assert report(build(app, VARIED)) == []

    def test_finds_a_mistake(self) -> None:
        app = new_app(self.CONTEXT, validate=True)
        definition = ecs.FargateTaskDefinition(Stack(app, "Stack"), "Task", memory_limit_mib=777)
        definition.add_container("Main", image=ecs.ContainerImage.from_registry("main"))

        assert report(app)


@pytest.mark.slow
class TestLint:
    @pytest.mark.parametrize("shape", VARIED)
    def test_finds_nothing_in_the_resources_of_the_library(
        self, shape: str, tmp_path: Path
    ) -> None:
        stack = stack_of(new_app(), shape)
        template = tmp_path / "template.json"
        template.write_text(json.dumps(synthesize(stack)))

        found = {f"{match.rule.id} {match.message}" for match in lint_file(template)}

        assert {finding for finding in found if finding[:5] not in LINT} == set()

    def test_takes_a_major_version_alone_for_a_deprecated_one(self, tmp_path: Path) -> None:
        """Which is why the database asks it not to; when it learns better, that can go.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.DBVersions.html
        """
        content = synthesize(stack_of(new_app(), "any-endpoints"))
        for resource in content["Resources"].values():
            resource.get("Metadata", {}).pop("cfn-lint", None)
        template = tmp_path / "template.json"
        template.write_text(json.dumps(content))

        found = {f"{match.rule.id} {match.message}" for match in lint_file(template)}

        (said,) = (finding for finding in found if finding[:5] not in LINT)
        assert said.startswith("W3691")
        assert "'17' for engine 'postgres'" in said

    def test_finds_a_mistake(self, tmp_path: Path) -> None:
        template = tmp_path / "template.json"
        template.write_text('{"Resources": {"Bucket": {"Type": "AWS::S3::Buckett"}}}')

        assert lint_file(template)
