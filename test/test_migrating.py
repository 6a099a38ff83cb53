"""docs/migrating.md, tried on resources of the shape that galv-aws-cdk creates."""

import re
from pathlib import Path

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from backends import new_app
from snippets import SNIPPETS, run
from templates import (
    Json,
    as_list,
    container,
    environment,
    of_type,
    only,
    secrets,
    statements,
    synthesize,
    task_definition,
)

PAGE = Path(__file__).parent.parent / "docs" / "migrating.md"


@pytest.fixture(scope="module")
def old() -> Json:
    """The resources with data of an old backend stack, with removal protection."""
    stack = Stack(new_app(), "galv-GalvStack")
    key = kms.Key(stack, "galv-KmsKey", enable_key_rotation=True)
    s3.Bucket(stack, "galv-LogBucket", removal_policy=RemovalPolicy.RETAIN)
    s3.Bucket(
        stack,
        "galv-BackendStorage",
        removal_policy=RemovalPolicy.RETAIN,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
        enforce_ssl=True,
    )
    rds.DatabaseInstance(
        stack,
        "galv-BackendDatabase",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16_3),
        storage_encrypted=True,
        vpc=ec2.Vpc(stack, "galv-Vpc", max_azs=2, nat_gateways=0),
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        removal_policy=RemovalPolicy.RETAIN,
        deletion_protection=True,
        database_name="galvdb",
        credentials=rds.Credentials.from_secret(
            rds.DatabaseSecret(stack, "galv-DbSecret", username="galvuser")
        ),
    )
    return synthesize(stack)


def snippet(stack: Stack, text: str) -> Json:
    """The template of a stack after the snippet that has a text."""
    (name,) = (
        name
        for name, code in SNIPPETS.items()
        if name.startswith("docs/migrating.md") and text in code
    )
    run(name, stack)
    return synthesize(stack)


@pytest.fixture(scope="module")
def moved() -> Json:
    """The stack of a backend with the old data."""
    return snippet(Stack(new_app(), "Stack"), "snapshot_identifier")


ROWS = re.findall(r"^\| .* \| `(galv\w+)` \| (stays|goes)", PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("start", "fate"), ROWS)
def test_resources_with_data_stay_as_the_page_says(old: Json, start: str, fate: str) -> None:
    kinds = {
        "AWS::KMS::Key",
        "AWS::RDS::DBInstance",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    }
    (resource,) = (
        resource
        for logical_id, resource in old["Resources"].items()
        if logical_id.startswith(start) and resource["Type"] in kinds
    )

    assert resource["DeletionPolicy"] == ("Retain" if fate == "stays" else "Delete")


def test_the_page_names_all_five() -> None:
    assert len(ROWS) == 5


def test_the_database_is_the_restored_one(old: Json, moved: Json) -> None:
    database = only(moved, "AWS::RDS::DBInstance")

    assert database["DBSnapshotIdentifier"] == "galv-before-the-move"
    assert database["EngineVersion"].split(".")[0] == "16"
    before = only(old, "AWS::RDS::DBInstance")
    assert before["EngineVersion"].split(".")[0] == "16"
    assert environment(moved, "web")["POSTGRES_DB"] == before["DBName"]
    # Where the password is made, for the user that owns the tables.
    secret = only(moved, "AWS::SecretsManager::Secret", "RestoredCredentials")
    assert '"galvuser"' in secret["GenerateSecretString"]["SecretStringTemplate"]
    assert "RestoredCredentialsAttachment" in str(
        secrets(moved, "setup-db")["GALV_DATABASE_MASTER_PASSWORD"]
    )


def test_the_uploads_are_the_old_ones(moved: Json) -> None:
    name = environment(moved, "web")["DJANGO_AWS_STORAGE_BUCKET_NAME"]

    assert name.startswith("galv-galvstack-galvbackendstorage")
    assert of_type(moved, "AWS::S3::Bucket", "BackendMediaBucket") == {}
    for task in ("web", "setup-db"):
        role = task_definition(moved, task)[1]["TaskRoleArn"]["Fn::GetAtt"][0]
        may = {
            action
            for statement in statements(moved, role)
            if "0a1b2c3d-0000-4000-8000-000000000000" in str(statement["Resource"])
            for action in as_list(statement["Action"])
        }
        assert {"kms:Decrypt", "kms:GenerateDataKey"} <= may


def test_no_fixture_is_loaded_over_the_data(moved: Json) -> None:
    command = " ".join(container(moved, "setup-db")["Command"])

    assert "migrate" in command
    assert "loaddata" not in command


def test_a_database_that_stays_is_reached_from_the_new_stack() -> None:
    template = snippet(Stack(new_app(), "Stack"), "from_database_instance_attributes")

    for kind in ("AWS::RDS::DBInstance", "AWS::EC2::VPC"):
        assert of_type(template, kind) == {}
    rules = of_type(template, "AWS::EC2::SecurityGroupIngress").values()
    assert {
        rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0]
        for rule in rules
        if rule["Properties"]["GroupId"] == "sg-0123456789abcdef0"
    } == {name for name in of_type(template, "AWS::EC2::SecurityGroup") if "Task" in name}
    service = only(template, "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert service["AssignPublicIp"] == "ENABLED"


def test_importing_the_uploads_changes_nothing(old: Json) -> None:
    app = new_app()
    assert isinstance(app, App)
    snippet_stack = Stack(app, "Stack")
    (example,) = (name for name, code in SNIPPETS.items() if "galv2-DataStack" in code)
    run(example, snippet_stack)
    data = app.node.find_child("galv2-DataStack")
    assert isinstance(data, Stack)
    template = synthesize(data)

    # What CloudFormation takes in has to be kept if its stack is deleted.
    for resource in template["Resources"].values():
        assert resource["DeletionPolicy"] == "Retain"
    for kind, start in (("AWS::S3::Bucket", "galvBackendStorage"), ("AWS::KMS::Key", "galvKmsKey")):
        before, after = only(old, kind, start), only(template, kind)
        assert set(after) <= set(before)
        for name in set(after) - {"BucketEncryption"}:
            assert after[name] == before[name]
