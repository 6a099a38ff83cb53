"""docs/upgrading.md against templates: what replaces what holds data, and what does not."""

import re
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest
import template_diff
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from backends import new_app, own_database, whole_backend_in
from templates import Json, synthesize

from galv_constructs import GalvBackend, GalvDatabase, GalvNetwork, NetworkPreset

PAGE = Path(__file__).parent.parent / "docs" / "upgrading.md"
DATABASE, BUCKET, VPC = "AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::EC2::VPC"

MOVED = (GalvBackend, GalvDatabase)
Arguments = Callable[[Stack], Json]
# Settings of a database that exists, none of which may replace it.
IN_PLACE: list[Json] = [
    {"instance_type": ec2.InstanceType("t4g.small")},
    {"engine_version": rds.PostgresEngineVersion.VER_18, "allow_major_version_upgrade": True},
    {"allocated_storage": 400, "iops": 12000},
    {"parameters": {"log_min_duration_statement": "1000"}},
    {"database_insights_mode": rds.DatabaseInsightsMode.STANDARD},
    {"preferred_backup_window": "01:00-01:30", "multi_az": False},
    {"rotation": 2},
]


def backend(arguments: Arguments) -> Json:
    stack = Stack(new_app(), "Stack")
    whole_backend_in(stack, **arguments(stack))
    return synthesize(stack)


def network(stack: Stack, **arguments: object) -> Json:
    options: Json = dict(arguments)
    return {"network": GalvNetwork(stack, "Network", **options)}


@pytest.fixture(scope="module")
def before() -> Json:
    """The template of a backend with nothing unusual."""
    return backend(network)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "replaced"),
    [
        (lambda stack: {"encryption_key": kms.Key(stack, "Key")}, {DATABASE}),
        (lambda stack: network(stack, cidr="10.9.0.0/16"), {VPC}),
        (lambda _: {"production": False}, set()),
        (lambda _: {"removal_protection": False}, set()),
        (lambda _: {"domain_name": "galv.example.com"}, set()),
        (lambda _: {"min_tasks": 2}, set()),
        (lambda _: {"media_key": True}, set()),
        *(
            (lambda _, settings=settings: {"database": own_database(**settings)}, set())
            for settings in IN_PLACE
        ),
        *(
            (lambda stack, preset=preset: network(stack, preset=preset), set())
            for preset in NetworkPreset
            if preset is not NetworkPreset.ENDPOINTS
        ),
    ],
)
def test_each_documented_change_replaces_its_resources(
    before: Json, arguments: Arguments, replaced: set[str]
) -> None:
    def options(stack: Stack) -> Json:
        given = arguments(stack)
        return given if "network" in given else {**network(stack), **given}

    after = backend(options)

    gone = {
        change.type
        for change in template_diff.changes(before, after)
        if change.kind in ("replaced", "removed")
    }
    assert gone & {DATABASE, BUCKET, VPC} == replaced


def test_another_vpc_is_asked_of_the_subnet_group_that_exists(before: Json) -> None:
    """CloudFormation would not replace it, and RDS refuses."""

    def given(stack: Stack) -> Json:
        return {"network": GalvNetwork.from_vpc(ec2.Vpc(stack, "Other"))}

    changes = template_diff.changes(before, backend(given))

    group, database = (
        {change.kind for change in changes if change.type == f"AWS::RDS::{kind}"}
        for kind in ("DBSubnetGroup", "DBInstance")
    )
    assert group == {"changed in place"}
    assert not database & {"replaced", "removed"}


def test_another_id_replaces_everything(before: Json) -> None:
    stack = Stack(new_app(), "Stack")
    whole_backend_in(stack, "Other", domain_name="other.example.com", **network(stack))

    gone = {
        change.type
        for change in template_diff.changes(before, synthesize(stack))
        if change.kind == "removed"
    }
    assert {DATABASE, BUCKET} <= gone


def test_properties_replace_what_the_page_says() -> None:
    rows = re.findall(r"^\| `(AWS::[\w:]+)`[^|]* \| (.*) \|$", PAGE.read_text(), re.MULTILINE)

    assert {DATABASE, BUCKET, VPC} <= {resource for resource, _ in rows}
    for resource, properties in rows:
        for name in re.findall(r"`(\w+)`", properties):
            old, new = (
                {"Resources": {"It": {"Type": resource, "Properties": {name: value}}}}
                for value in "ab"
            )
            (change,) = template_diff.changes(old, new)
            assert (change.kind, change.why) == ("replaced", name)


def test_what_the_page_moves_from_is_gone_and_what_it_moves_to_is_there() -> None:
    section = PAGE.read_text().partition("## From a checkout")[2].partition("\n## ")[0]
    before, now = (
        set(re.findall(r"(\w+)=", "".join(column)))
        for column in zip(*re.findall(r"^\| (`.*) \| (.*) \|$", section, re.MULTILINE), strict=True)
    )

    backend, database = (set(signature(each.__init__).parameters) for each in MOVED)
    assert {"database_instance_type", "database_secret", "enabled"} <= before
    assert before & backend == {"database"}
    assert {"instance_type", "owner_role", "rotation", "ca_file"} <= now & database
