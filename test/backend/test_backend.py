"""GalvBackend as a whole: beside another, in any environment, with everything brought along."""

from typing import Any

import pytest
from aws_cdk import Duration, Stack, Tags
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match
from backends import (
    CERTIFICATE_ARN,
    KEY_ARN,
    MakeBackend,
    RefusedBackend,
    Synth,
    backend_in,
    new_app,
    regional_stack,
    whole_backend_in,
)
from templates import (
    Json,
    as_list,
    container,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
    task_definition,
    text,
)

from galv_constructs import (
    DEFAULT_SETUP_STEPS,
    GalvDatabase,
    GalvLogBucket,
    GalvMail,
    GalvNetwork,
    ReleaseStep,
)


class TestTemplates:
    def test_a_default_given_explicitly_changes_nothing(
        self, default: Json, synth_whole: Synth
    ) -> None:
        template = synth_whole(
            root_domain_name="example.com",
            frontend_domain_names=["api.example.com"],
            version="latest",
            environment={},
            secrets={},
            cpu=512,
            memory_limit_mib=1024,
            workers=2,
            min_tasks=1,
            max_tasks=4,
            request_timeout=Duration.minutes(2),
            setup_steps=list(DEFAULT_SETUP_STEPS),
            setup_timeout=Duration.minutes(15),
            check_status_command=["python", "manage.py", "check_status"],
            check_status="off",
            database=GalvDatabase,
            media_key=False,
            production=True,
            removal_protection=True,
            execute_command=False,
            container_insights=True,
        )

        assert text(template) == text(default)

    def test_passing_none_changes_nothing(self, default: Json, synth_whole: Synth) -> None:
        names = [
            *("certificate", "root_domain_name", "frontend_domain_names", "mail", "version"),
            *("image", "user", "registry_credentials", "environment", "secrets", "workers"),
            *("request_timeout", "setup_steps", "setup_timeout", "check_status_command"),
            *("network", "cluster", "database"),
            *("media_bucket", "log_bucket", "encryption_key", "media_key"),
            "web_acl_arn",
            *("removal_protection", "execute_command", "container_insights"),
        ]

        assert text(synth_whole(**dict.fromkeys(names))) == text(default)

    def test_two_syntheses_are_the_same(self, default: Json, synth_whole: Synth) -> None:
        # Neither a time nor a random number makes a task run again.
        assert text(synth_whole()) == text(default)

    def test_the_default_network_and_cluster_are_those_of_a_vpc_of_its_own(
        self, stack: Stack, synth_whole: Synth, default: Json
    ) -> None:
        logs = GalvLogBucket(stack, "Logs").bucket
        network = GalvNetwork(stack, "Network", log_bucket=logs)
        template = synth_whole(network=network, log_bucket=logs)

        kinds = [
            sorted(resource["Type"] for resource in t["Resources"].values())
            for t in (template, default)
        ]
        assert kinds[0] == kinds[1]

    def test_two_backends_fit_in_one_stack(self, stack: Stack, default: Json) -> None:
        whole_backend_in(stack, "One")
        whole_backend_in(stack, "Two", domain_name="two.example.com")
        template = synthesize(stack)

        # Functions of CDK's are made once for a stack.
        shared = [name for name in template["Resources"] if not name.startswith(("One", "Two"))]
        assert len(template["Resources"]) == 2 * len(default["Resources"]) - len(shared)
        names = [
            str(resource["Properties"]["LogGroupName"])
            for resource in of_type(template, "AWS::Logs::LogGroup").values()
            if "LogGroupName" in resource["Properties"]
        ]
        assert len(names) == len(set(names)) == 6

    def test_two_backends_share_a_network_and_a_cluster(self, stack: Stack) -> None:
        one = backend_in(stack, "One")
        backend_in(
            stack,
            "Two",
            domain_name="two.example.com",
            network=one.network,
            cluster=one.cluster,
        )
        template = synthesize(stack)

        assert len(of_type(template, "AWS::EC2::VPC")) == 1
        assert len(of_type(template, "AWS::ECS::Cluster")) == 1
        assert len(of_type(template, "AWS::ECS::Service")) == 2

    def test_synthesizes_for_any_environment(self, default: Json) -> None:
        azs = {
            str(resource["Properties"]["AvailabilityZone"])
            for resource in of_type(default, "AWS::EC2::Subnet").values()
        }

        assert all("Fn::GetAZs" in az for az in azs)
        assert len(azs) == 2

    def test_synthesizes_for_a_given_environment(self, default: Json) -> None:
        stack = regional_stack()
        whole_backend_in(stack)
        template = synthesize(stack)

        assert set(template["Resources"]) == set(default["Resources"])
        azs = {
            resource["Properties"]["AvailabilityZone"]
            for resource in of_type(template, "AWS::EC2::Subnet").values()
        }
        assert azs == {"eu-west-1a", "eu-west-1b"}
        assert str(container(template, "web")["Environment"]).count("'eu-west-1'") == 2

    def test_nothing_has_a_physical_name_but_log_groups(self, default: Json) -> None:
        names = {"BucketName", "ClusterName", "ServiceName", "RoleName", "FunctionName", "Name"}
        named = {
            resource["Type"]
            for resource in default["Resources"].values()
            if names & set(resource.get("Properties", {}))
        }

        # The name of a record, and of AWS's service behind an endpoint.
        assert named == {"AWS::Route53::RecordSet", "AWS::EC2::VPCEndpoint"}
        assert "Outputs" not in default


@pytest.fixture(scope="module")
def brought() -> Json:
    """The template of a backend that makes as little as it can."""
    stack = regional_stack()
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        public_subnet_ids=["subnet-1", "subnet-2"],
        private_subnet_ids=["subnet-3", "subnet-4"],
        private_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
    )
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-database")
    secret = secretsmanager.Secret.from_secret_name_v2
    backend_in(
        stack,
        hosted_zone=None,
        certificate=acm.Certificate.from_certificate_arn(stack, "Cert", CERTIFICATE_ARN),
        network=GalvNetwork.from_vpc(vpc),
        cluster=ecs.Cluster.from_cluster_attributes(
            stack, "Cluster", cluster_name="shared", vpc=vpc
        ),
        database=GalvDatabase.from_instance(
            rds.DatabaseInstance.from_database_instance_attributes(
                stack,
                "Database",
                instance_identifier="shared",
                instance_endpoint_address="shared.internal",
                port=5432,
                security_groups=[group],
            ),
            secret=secret(stack, "DatabaseSecret", "shared"),
        ),
        media_bucket=s3.Bucket.from_bucket_name(stack, "Media", "our-media"),
        log_bucket=s3.Bucket.from_bucket_name(stack, "Logs", "aws-waf-logs-ours"),
        image=ecs.ContainerImage.from_registry("registry.example.org/galv:1"),
        secrets={"TOKEN": ecs.Secret.from_secrets_manager(secret(stack, "Own", "own"))},
        mail=GalvMail.from_secret(secret(stack, "Smtp", "smtp"), sender="a@example.com"),
        encryption_key=kms.Key.from_key_arn(stack, "Key", KEY_ARN),
    )
    return synthesize(stack)


class TestBringYourOwn:
    @pytest.mark.parametrize(
        "kind",
        [
            "AWS::CertificateManager::Certificate",
            "AWS::EC2::NatGateway",
            "AWS::EC2::Subnet",
            "AWS::EC2::VPC",
            "AWS::ECS::Cluster",
            "AWS::KMS::Key",
            "AWS::RDS::DBInstance",
            "AWS::Route53::RecordSet",
        ],
    )
    def test_creates_nothing_that_is_given(self, brought: Json, kind: str) -> None:
        assert of_type(brought, kind) == {}

    def test_creates_the_rest(self, brought: Json) -> None:
        assert len(of_type(brought, "AWS::SecretsManager::Secret")) == 2
        assert len(of_type(brought, "AWS::S3::Bucket")) == 1
        assert len(of_type(brought, "AWS::ECS::TaskDefinition")) == 3
        service = only(brought, "AWS::ECS::Service")
        assert service["Cluster"] == "shared"
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["Subnets"] == ["subnet-3", "subnet-4"]
        balancer = only(brought, "AWS::ElasticLoadBalancingV2::LoadBalancer")
        assert balancer["Subnets"] == ["subnet-1", "subnet-2"]

    def test_uses_the_given_key_of_which_no_policy_can_be_written(self, brought: Json) -> None:
        for name in ("web", "setup-db", "check-status"):
            role_id = task_definition(brought, name)[1]["ExecutionRoleArn"]["Fn::GetAtt"][0]
            assert any(
                "kms:Decrypt" in as_list(statement["Action"]) and statement["Resource"] == KEY_ARN
                for statement in statements(brought, role_id)
            )

    def test_health_checks_come_from_the_given_subnets(self, brought: Json) -> None:
        variables = {v["Name"]: v["Value"] for v in container(brought, "web")["Environment"]}

        assert variables["DJANGO_ALLOWED_CIDR_NETS"] == "10.1.0.0/24,10.1.1.0/24"

    def test_a_given_cluster_brings_its_vpc(self, stack: Stack, synth: Synth) -> None:
        vpc = ec2.Vpc(stack, "Vpc")

        template = synth(cluster=ecs.Cluster(stack, "Cluster", vpc=vpc))

        assert len(of_type(template, "AWS::EC2::VPC")) == 1
        assert len(of_type(template, "AWS::ECS::Cluster")) == 1


class TestTags:
    def test_tags_reach_the_tasks(self) -> None:
        app = new_app()
        stack = Stack(app, "Stack")
        backend_in(stack, check_status="warn")
        Tags.of(app).add("project-name", "galv")
        template = synthesize(stack)

        tag = {"Key": "project-name", "Value": "galv"}
        for name in ("web", "setup-db", "check-status"):
            assert tag in task_definition(template, name)[1]["Tags"]
        for kind in ("AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::ECS::Service"):
            for resource in of_type(template, kind).values():
                assert tag in resource["Properties"]["Tags"]
        assert only(template, "AWS::ECS::Service")["PropagateTags"] == "SERVICE"
        assert only(template, "AWS::ECS::Service")["EnableECSManagedTags"] is True


class TestAttributes:
    def test_every_part_is_exposed(self, stack: Stack, make_backend: MakeBackend) -> None:
        backend = make_backend()
        template = synthesize(stack)
        assert backend.certificate is not None

        def ref(kind: str, prefix: str = "") -> Json:
            return {"Ref": only_id(template, kind, f"Backend{prefix}")}

        assert backend.url == "https://api.example.com"
        assert backend.domain_name == "api.example.com"
        exposed: dict[str, Any] = {
            backend.vpc.vpc_id: ref("AWS::EC2::VPC"),
            backend.network.vpc.vpc_id: ref("AWS::EC2::VPC"),
            backend.cluster.cluster_name: ref("AWS::ECS::Cluster"),
            backend.service.service_arn: ref("AWS::ECS::Service"),
            backend.task_definition.task_definition_arn: {
                "Ref": task_definition(template, "web")[0]
            },
            backend.check_status_task_definition.task_definition_arn: {
                "Ref": task_definition(template, "check-status")[0]
            },
            backend.load_balancer.load_balancer_arn: ref(
                "AWS::ElasticLoadBalancingV2::LoadBalancer"
            ),
            backend.listener.listener_arn: ref(
                "AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerHttps"
            ),
            backend.target_group.target_group_arn: ref("AWS::ElasticLoadBalancingV2::TargetGroup"),
            backend.certificate.certificate_arn: ref("AWS::CertificateManager::Certificate"),
            backend.database.host: {
                "Fn::GetAtt": [only_id(template, "AWS::RDS::DBInstance"), "Endpoint.Address"]
            },
            backend.database.secret.secret_arn: ref("AWS::SecretsManager::SecretTargetAttachment"),
            backend.database_login_secret.secret_arn: ref("AWS::SecretsManager::Secret", "Login"),
            backend.media_bucket.bucket_name: ref("AWS::S3::Bucket", "MediaBucket"),
            backend.static_bucket.bucket_name: ref("AWS::S3::Bucket", "StaticAssets"),
            backend.static_distribution.distribution_id: ref("AWS::CloudFront::Distribution"),
            backend.secret_key.secret_arn: ref("AWS::SecretsManager::Secret", "SecretsSecretKey"),
            backend.superuser_password.secret_arn: ref(
                "AWS::SecretsManager::Secret", "SecretsSuperuser"
            ),
            backend.setup.resource.ref: ref("Custom::GalvReleaseTask"),
            backend.runtime.cluster.cluster_name: ref("AWS::ECS::Cluster"),
        }
        for value, reference in exposed.items():
            assert stack.resolve(value) == reference


class TestWarnings:
    LATEST = Match.string_like_regexp("version is 'latest'.*version='v2.11.4'")

    @pytest.mark.parametrize("version", [None, "latest"])
    def test_warns_of_latest_in_production(
        self, stack: Stack, make_backend: MakeBackend, version: str | None
    ) -> None:
        make_backend(version=version)

        Annotations.from_stack(stack).has_warning("/Stack/Backend", self.LATEST)

    @pytest.mark.parametrize(
        "arguments",
        [{"version": "v2.11.4"}, {"production": False}, {"version": "latest", "production": False}],
    )
    def test_does_not_warn_otherwise(
        self, stack: Stack, make_backend: MakeBackend, arguments: Json
    ) -> None:
        make_backend(**arguments)

        Annotations.from_stack(stack).has_no_warning("/Stack/Backend", self.LATEST)


class TestRefusals:
    def test_refuses_a_cluster_in_another_vpc(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        network = GalvNetwork(stack, "Network")
        cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Other"))

        assert refused_backend(network=network, cluster=cluster) == (
            "network (Stack/Network/Vpc) and cluster (Stack/Other) are in different VPCs: pass one "
            "of them alone, or a cluster in the network's VPC"
        )

    def test_refuses_a_vpc_in_place_of_a_network(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        assert refused_backend(network=ec2.Vpc(stack, "Vpc")) == (
            "network must be a GalvNetwork, got Vpc: use GalvNetwork.from_vpc(vpc) for a VPC"
        )

    def test_refuses_two_setup_steps_with_one_name(self, refused_backend: RefusedBackend) -> None:
        steps = [ReleaseStep(name="one", command=["one"])] * 2

        assert refused_backend(setup_steps=steps) == (
            "each step of setup_steps must have a name of its own, got one, one"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"network": "vpc-1"},
                "network must be an IGalvNetwork, got 'vpc-1': use GalvNetwork.",
            ),
            ({"cluster": "shared"}, "cluster must be an aws_ecs.ICluster, got 'shared': use ecs."),
            ({"setup_steps": []}, "setup_steps must be a list of at least one ReleaseStep, got []"),
            ({"setup_steps": "migrate"}, "at least one ReleaseStep, got 'migrate'"),
            (
                {"setup_timeout": Duration.hours(1)},
                "setup_timeout must be whole seconds from 60 to",
            ),
            ({"setup_timeout": 900}, "setup_timeout must be a Duration, got 900: use Duration."),
            ({"domain_name": None}, "domain_name must be a bare host name in lower case"),
        ],
    )
    def test_refuses_invalid_arguments(
        self, refused_backend: RefusedBackend, arguments: Json, message: str
    ) -> None:
        assert message in refused_backend(**arguments)
