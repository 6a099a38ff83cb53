"""A snapshot before setup: when there is one, and what may make it."""

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import RefusedBackend, Synth
from templates import Json, needs, of_type, only, only_id, statements

from galv_constructs import GalvDatabase, GalvDatabaseCluster, GalvNetwork

POINT = "Custom::GalvRestorePoint"


def test_production_has_one_before_setup(default: Json) -> None:
    properties = only(default, POINT)

    assert properties["Database"] == {"Ref": only_id(default, "AWS::RDS::DBInstance")}
    assert properties["Kind"] == "instance"
    assert properties["Prefix"] == "stack-before"
    assert properties["Keep"] == "5"
    setup = only_id(default, "Custom::GalvReleaseTask", "BackendSetup")
    assert only_id(default, POINT) in needs(default, setup)
    assert "sha256" in str(properties["Image"]) or "Digest" in str(properties["Image"])


def test_others_have_none(development: Json) -> None:
    assert of_type(development, POINT) == {}


@pytest.mark.parametrize(("production", "wanted"), [(True, False), (False, True)])
def test_the_argument_wins(synth: Synth, production: bool, wanted: bool) -> None:
    template = synth(production=production, snapshot_before_setup=wanted)

    assert bool(of_type(template, POINT)) is wanted
    if wanted:
        # Of another registry's tag.
        assert only(template, POINT)["Version"] == "latest"


def test_of_a_cluster(synth: Synth) -> None:
    template = synth(database=GalvDatabaseCluster)

    properties = only(template, POINT)
    assert properties["Kind"] == "cluster"
    assert properties["Database"] == {"Ref": only_id(template, "AWS::RDS::DBCluster")}
    role = only_id(template, "AWS::IAM::Role", "BackendSetupRunHandlerRole")
    allowed = str(list(statements(template, role)))
    assert "rds:CreateDBClusterSnapshot" in allowed
    assert ":cluster-snapshot:stack-before-*" in allowed


def test_its_role_deletes_no_other_snapshot(default: Json) -> None:
    role = only_id(default, "AWS::IAM::Role", "BackendSetupRunHandlerRole")

    (deleting,) = [one for one in statements(default, role) if "Delete" in str(one["Action"])]

    assert deleting["Action"] == ["rds:AddTagsToResource", "rds:DeleteDBSnapshot"]
    assert str(deleting["Resource"]).count(":snapshot:stack-before-*") == 1


def test_a_server_that_is_no_instance_of_rds_has_none(
    stack: Stack, synth: Synth, refused_backend: RefusedBackend
) -> None:
    network = GalvNetwork(stack, "Network")
    database = GalvDatabase.from_attributes(
        host="db.example.com",
        secret=secretsmanager.Secret.from_secret_name_v2(stack, "Login", "login"),
        security_groups=[ec2.SecurityGroup(stack, "Group", vpc=network.vpc)],
    )

    message = refused_backend(database=database, network=network, snapshot_before_setup=True)

    assert "of database only the host db.example.com is" in message
    assert of_type(synth(database=database, network=network), POINT) == {}
