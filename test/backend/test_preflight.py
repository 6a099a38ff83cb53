"""What a backend tells preflight, and what of it waits."""

import json
from typing import Any

import pytest
from aws_cdk import LegacyStackSynthesizer, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from backends import (
    CERTIFICATE_ARN,
    ENVIRONMENT,
    backend_in,
    new_app,
    regional_stack,
    whole_backend_in,
)
from templates import Json, needs, of_type, only, only_id, synthesize

from galv_constructs import GalvDatabase, GalvMail, GalvNetwork

COSTLY = {
    "AWS::EC2::VPC",
    "AWS::EC2::NatGateway",
    "AWS::RDS::DBInstance",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFront::Distribution",
    "AWS::ECS::Service",
    "Custom::GalvReleaseTask",
    "Custom::GalvProtection",
}


@pytest.fixture
def stack() -> Stack:
    return regional_stack()


def asked(stack: Stack, **arguments: Any) -> Json:
    """The questions of a backend, which are the same whether it copies its image."""
    backend_in(stack, **{"version": "v2.11.4", "preflight": True, **arguments})
    return questions_in(synthesize(stack))


def questions_in(template: Json) -> Json:
    return dict(only(template, "Custom::GalvPreflight")["Questions"])


@pytest.fixture(scope="module")
def template() -> Json:
    """A backend that is given nothing."""
    stack = regional_stack()
    whole_backend_in(stack, version="v2.11.4")
    return synthesize(stack)


@pytest.fixture(scope="module")
def of_given() -> Json:
    """The questions of a backend that is given secrets, mail and a database."""
    stack = regional_stack()
    secrets = secret(stack, "galv-secrets")
    return asked(
        stack,
        registry_credentials=secret(stack, "registry"),
        secrets={key: ecs.Secret.from_secrets_manager(secrets, key) for key in ("B_KEY", "A_KEY")},
        mail=GalvMail.from_secret(secret(stack, "smtp"), sender="galv@example.com"),
        **given_database(stack),
    )


def secret(stack: Stack, name: str) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, name, name)


def given_database(stack: Stack) -> Json:
    """Arguments for a database that is there."""
    return {
        "network": GalvNetwork(stack, "Network"),
        "database": GalvDatabase.from_instance(
            rds.DatabaseInstance.from_database_instance_attributes(
                stack,
                "Given",
                instance_identifier="galv",
                instance_endpoint_address="galv.example.com",
                port=5432,
                security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")],
            ),
            secret=secret(stack, "db"),
        ),
    }


class TestWhatWaits:
    @pytest.mark.parametrize("is_given", [False, True])
    def test_is_all_that_costs_time_or_money(
        self, stack: Stack, template: Json, *, is_given: bool
    ) -> None:
        if is_given:
            whole_backend_in(stack, network=GalvNetwork(stack, "Network"))
            template = synthesize(stack)
        preflight = only_id(template, "Custom::GalvPreflight")

        kinds = {
            resource["Type"]: preflight in needs(template, id)
            for id, resource in template["Resources"].items()
            if resource["Type"] in COSTLY
        }

        assert kinds == dict.fromkeys(COSTLY, True)

    def test_is_nothing_that_preflight_needs(self, template: Json) -> None:
        first = needs(template, only_id(template, "Custom::GalvPreflight"))

        assert first
        assert all(id.startswith("GalvPreflight") for id in first)


class TestImage:
    def test_is_the_one_of_the_version(self, template: Json) -> None:
        assert questions_in(template)["Backend/Image"] == {
            "Ask": "image",
            "Image": "ghcr.io/galv-team/galv-backend:v2.11.4",
            "Architecture": "X86_64",
        }

    def test_is_pulled_with_the_credentials(self, of_given: Json) -> None:
        question = of_given["Backend/Image"]

        assert question["CredentialsArn"]["Fn::Join"][1][-1].endswith(":secret:registry")

    def test_of_another_registry_has_its_credentials_and_architecture(self, stack: Stack) -> None:
        image = ecs.ContainerImage.from_registry(
            "registry.example.com/galv:v3", credentials=secret(stack, "registry")
        )

        question = asked(stack, image=image, version=None, architecture="ARM64")["Backend/Image"]

        assert question["Image"] == "registry.example.com/galv:v3"
        assert question["Architecture"] == "ARM64"
        assert "CredentialsArn" in question

    def test_of_ecr_is_asked(self, stack: Stack) -> None:
        repository = ecr.Repository.from_repository_name(stack, "Repository", "galv")
        image = ecs.ContainerImage.from_ecr_repository(repository, "v3")

        question = asked(stack, image=image, version=None)["Backend/Image"]

        assert question["Image"]["Fn::Join"][1][-1] == "/galv:v3"

    def test_of_a_repository_that_the_stack_creates_is_not(self, stack: Stack) -> None:
        image = ecs.ContainerImage.from_ecr_repository(ecr.Repository(stack, "Repository"), "v3")

        assert "Backend/Image" not in asked(stack, image=image, version=None)


class TestSecrets:
    def test_are_those_that_were_given(self, of_given: Json) -> None:
        assert of_given["Backend/Secrets/galv-secrets"]["Keys"] == ["A_KEY", "B_KEY"]

    def test_are_those_of_mail_that_exists(self, of_given: Json) -> None:
        question = of_given["Backend/Secrets/smtp"]

        assert question["Keys"] == ["DJANGO_EMAIL_HOST_PASSWORD", "DJANGO_EMAIL_HOST_USER"]

    def test_that_the_stack_creates_are_not_asked(self, stack: Stack) -> None:
        mail = GalvMail(stack, "Mail", sender="galv@example.com")

        kinds = [one["Ask"] for one in asked(stack, mail=mail).values()]

        assert "secret" not in kinds

    def test_of_a_given_database_have_a_user_and_a_password(self, of_given: Json) -> None:
        assert of_given["Backend/DatabaseSecret"]["Keys"] == ["password", "username"]


class TestNames:
    def test_a_zone_is_asked_for_the_certificate_too(self, template: Json) -> None:
        found = questions_in(template)

        assert found["Backend/HostedZone"] == {
            "Ask": "hosted-zone",
            "HostedZoneId": "Z0123456789",
            "DomainNames": ["api.example.com"],
            "CertificateWanted": "true",
        }
        assert found["Backend/Records"]["Names"] == ["api.example.com"]

    def test_a_zone_that_the_stack_creates_is_not_asked(self, stack: Stack) -> None:
        zone = route53.PublicHostedZone(stack, "New", zone_name="example.com")

        assert not {"Backend/HostedZone", "Backend/Records"} & asked(stack, hosted_zone=zone).keys()

    def test_a_given_certificate_is_asked(self, stack: Stack) -> None:
        certificate = acm.Certificate.from_certificate_arn(stack, "Given", CERTIFICATE_ARN)
        found = asked(stack, hosted_zone=None, certificate=certificate)

        assert found["Backend/Certificate"] == {
            "Ask": "certificate",
            "CertificateArn": CERTIFICATE_ARN,
            "DomainNames": ["api.example.com"],
            "Region": {"Ref": "AWS::Region"},
        }
        assert "Backend/HostedZone" not in found


class TestPlace:
    def test_a_new_network_needs_room(self, template: Json) -> None:
        assert {
            name: one["Needs"]
            for name, one in questions_in(template).items()
            if one["Ask"] == "quotas"
        } == {
            "Backend/Database/Quotas/db-instance": ["db-instance=1"],
            "Backend/Network/Quotas/eip": ["eip=1"],
            "Backend/Network/Quotas/internet-gateway": ["internet-gateway=1"],
            "Backend/Network/Quotas/vpc": ["vpc=1"],
            "Backend/Quotas/cloudfront": ["cloudfront=1"],
            "Backend/Quotas/cache-policy": ["cache-policy=1"],
            "Backend/Quotas/fargate-vcpu": ["fargate-vcpu=0.5"],
        }

    def test_tasks_on_spot_need_processors_of_another_quota(self, stack: Stack) -> None:
        sizes = {"cpu": 2048, "memory_limit_mib": 4096, "min_tasks": 3}
        found = asked(stack, **sizes, spot=True, production=False)

        assert found["Backend/Quotas/fargate-spot-vcpu"]["Needs"] == ["fargate-spot-vcpu=6"]
        # That of setup.
        assert found["Backend/Quotas/fargate-vcpu"]["Needs"] == ["fargate-vcpu=0.5"]

    @pytest.mark.parametrize("spot", [True, False])
    def test_a_given_cluster_is_asked_for_spot(self, stack: Stack, *, spot: bool) -> None:
        network = GalvNetwork(stack, "Network", preflight=False)
        cluster = ecs.Cluster.from_cluster_attributes(
            stack, "Given", cluster_name="shared", vpc=network.vpc
        )
        found = asked(stack, network=network, cluster=cluster, spot=spot, production=False)

        question = {
            "Ask": "cluster",
            "Cluster": "shared",
            "CapacityProviders": ["FARGATE_SPOT"],
        }
        assert found.get("Backend/Cluster") == (question if spot else None)

    def test_tasks_need_as_many_processors_as_they_have(self, stack: Stack) -> None:
        found = asked(stack, cpu=2048, memory_limit_mib=4096, min_tasks=3, max_tasks=9)

        assert found["Backend/Quotas/fargate-vcpu"]["Needs"] == ["fargate-vcpu=6"]

    @pytest.mark.parametrize(
        ("given", "route"),
        [
            ({}, "nat"),
            ({"assign_public_ip": True}, "internet"),
            ({"has_internet": False}, "none"),
        ],
    )
    def test_given_subnets_are_asked(self, stack: Stack, given: Json, route: str) -> None:
        vpc = ec2.Vpc.from_vpc_attributes(
            stack,
            "Given",
            vpc_id="vpc-1",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            public_subnet_ids=["subnet-1", "subnet-2"],
            public_subnet_ipv4_cidr_blocks=["10.1.0.0/24", "10.1.1.0/24"],
            private_subnet_ids=["subnet-3", "subnet-4"],
            private_subnet_ipv4_cidr_blocks=["10.1.2.0/24", "10.1.3.0/24"],
            isolated_subnet_ids=["subnet-5", "subnet-6"],
            isolated_subnet_ipv4_cidr_blocks=["10.1.4.0/24", "10.1.5.0/24"],
        )
        repository = ecr.Repository.from_repository_name(stack, "Repository", "galv")
        image = ecs.ContainerImage.from_ecr_repository(repository, "v3")
        network = GalvNetwork.from_vpc(vpc, **given)

        found = asked(stack, network=network, image=image, version=None, min_tasks=2)

        assert found["Backend/LoadBalancerSubnets"] == {
            "Ask": "subnets",
            "VpcId": "vpc-1",
            "SubnetIds": ["subnet-1", "subnet-2"],
            "Route": "internet",
            "Addresses": "0",
            "AddressesEach": "8",
        }
        assert found["Backend/TaskSubnets"]["Route"] == route
        assert found["Backend/TaskSubnets"]["Addresses"] == "4"
        assert found["Backend/TaskSubnets"]["AddressesEach"] == "0"
        assert not [name for name in found if name.startswith("Backend/Network")]

    def test_subnets_that_the_stack_creates_are_not_asked(self, stack: Stack) -> None:
        found = asked(stack, network=GalvNetwork.from_vpc(ec2.Vpc(stack, "Vpc")))

        assert "subnets" not in {one["Ask"] for one in found.values()}

    def test_a_given_database_is_asked(self, of_given: Json) -> None:
        assert of_given["Backend/Database"] == {
            "Ask": "database",
            "InstanceIdentifier": "galv",
            "Endpoint": "galv.example.com",
            "EngineVersion": "12",
            "SecurityGroupIds": ["sg-1"],
        }
        assert "Backend/Database/Quotas/db-instance" not in of_given

    def test_a_database_that_the_stack_creates_is_not_asked(self, stack: Stack) -> None:
        network = GalvNetwork(stack, "Network")
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
        database = rds.DatabaseInstance(stack, "Given", engine=engine, vpc=network.vpc)

        found = asked(stack, network=network, database=GalvDatabase.from_instance(database))

        assert not {"Backend/Database", "Backend/DatabaseSecret"} & found.keys()

    def test_roles_of_services_may_be_created_by_the_role_of_the_deployment(
        self, template: Json
    ) -> None:
        question = questions_in(template)["Backend/ServiceLinkedRoles"]

        assert "ecs.amazonaws.com" in question["Services"]
        arn = "".join(
            part if isinstance(part, str) else "aws" for part in question["RoleArn"]["Fn::Join"][1]
        )
        assert arn == (
            f"arn:aws:iam::{ENVIRONMENT.account}:role/cdk-hnb659fds-cfn-exec-role-"
            f"{ENVIRONMENT.account}-{ENVIRONMENT.region}"
        )

    def test_roles_are_asked_for_where_anybody_may_deploy(self) -> None:
        stack = Stack(new_app(), "Stack", synthesizer=LegacyStackSynthesizer())

        assert "RoleArn" not in asked(stack)["Backend/ServiceLinkedRoles"]


class TestLeavingOut:
    def test_everything_leaves_nothing_of_it(self, stack: Stack) -> None:
        whole_backend_in(stack, preflight=False)

        assert "Preflight" not in json.dumps(synthesize(stack))

    def test_an_id_leaves_the_others(self, stack: Stack) -> None:
        given = ecs.Secret.from_secrets_manager(secret(stack, "galv-secrets"), "KEY")
        left_out = ["Backend/Secrets/galv-secrets", "Backend/Network/Quotas/vpc"]

        found = asked(stack, preflight=left_out, secrets={"KEY": given})

        assert not found.keys() & {*left_out}
        assert {"Backend/Image", "Backend/Network/Quotas/eip"} <= found.keys()

    def test_a_kind_leaves_the_others(self, stack: Stack) -> None:
        given = ecs.Secret.from_secrets_manager(secret(stack, "galv-secrets"), "KEY")

        kinds = {
            one["Ask"] for one in asked(stack, preflight=["image"], secrets={"KEY": given}).values()
        }

        assert "image" not in kinds
        assert "secret" in kinds

    @pytest.mark.parametrize("preflight", ["image", ["imgae"], [None], None])
    def test_refuses_what_is_no_kind(self, stack: Stack, preflight: Any) -> None:
        with pytest.raises(ValueError, match="preflight"):
            whole_backend_in(stack, preflight=preflight)


def test_preflight_is_no_stranger_that_reads_a_secret(stack: Stack) -> None:
    """A topic that is told of readers is not told of it."""
    whole_backend_in(
        stack,
        **given_database(stack),
        alarm_topic=sns.Topic(stack, "Topic"),
        alarm_on_secret_reads=True,
    )
    template = synthesize(stack)

    role = {"Fn::GetAtt": [only_id(template, "AWS::IAM::Role", "GalvPreflightHandler"), "RoleId"]}
    readers = {
        id: rule["Properties"]["EventPattern"]["detail"]["userIdentity"]["sessionContext"][
            "sessionIssuer"
        ]["principalId"][0]["anything-but"]
        for id, rule in of_type(template, "AWS::Events::Rule", "BackendSecretReads").items()
    }
    knows = {id for id, ids in readers.items() if role in ids}
    assert {id for id in readers if "SecretReadsDatabase" in id and "Login" not in id} == knows
