"""Whether the new database has room for the connections of the web tasks."""

import pytest
from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match
from backends import MakeBackend, own_database
from templates import Json

from galv_constructs import GalvDatabase, GalvNetwork
from galv_constructs.database._connections import allowed_connections

TOO_MANY = Match.string_like_regexp("too many clients")


@pytest.mark.parametrize(
    ("instance_type", "allowed"),
    [
        ("t4g.micro", 81),
        ("t3.small", 191),
        ("t4g.medium", 412),
        ("m7g.large", 851),
        ("r6gd.large", 1729),
        ("m5.xlarge", 1729),
        ("t4g.2xlarge", 3486),
        ("r8g.24xlarge", 5000),
    ],
)
def test_the_limit_follows_from_the_memory(instance_type: str, allowed: int) -> None:
    assert allowed_connections(instance_type) == pytest.approx(allowed, abs=2)


@pytest.mark.parametrize(
    "instance_type", ["x2g.large", "m7g.micro", "z1d.large", "t4g.nano", "serverless", ""]
)
def test_the_limit_of_an_unknown_size_is_not_guessed(instance_type: str) -> None:
    assert allowed_connections(instance_type) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"max_tasks": 4, "threads": 4, "workers": 2},
        {"max_tasks": 10, "database": own_database(instance_type=ec2.InstanceType("t4g.small"))},
        {"max_tasks": 100, "database": own_database(instance_type=ec2.InstanceType("x2g.large"))},
    ],
)
def test_does_not_warn_if_the_connections_fit_or_the_limit_is_unknown(
    stack: Stack, make_backend: MakeBackend, arguments: Json
) -> None:
    make_backend(**arguments)

    Annotations.from_stack(stack).has_no_warning("/Stack/Backend", TOO_MANY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"max_tasks": 5}, "2 \\* 5 \\* 2 \\* 4 = 80 .* allows about 81, .*'t4g.small'"),
        ({"cpu": 4096, "memory_limit_mib": 8192}, "2 \\* 4 \\* 9 \\* 4 = 288 .*'t4g.medium'"),
        ({"threads": 64}, "2 \\* 4 \\* 2 \\* 64 = 1024 .*'t4g.xlarge'"),
        (
            {
                "max_tasks": 100,
                "threads": 64,
                "database": own_database(instance_type=ec2.InstanceType("m5.4xlarge")),
            },
            "allows about 5000.*a larger one to GalvDatabase .*, or lower max_tasks",
        ),
    ],
)
def test_warns_if_the_connections_do_not_fit(
    stack: Stack, make_backend: MakeBackend, arguments: Json, said: str
) -> None:
    make_backend(**arguments)

    Annotations.from_stack(stack).has_warning("/Stack/Backend", Match.string_like_regexp(said))


def test_does_not_warn_if_the_count_is_not_known_at_synthesis(
    stack: Stack, make_backend: MakeBackend
) -> None:
    most = CfnParameter(stack, "Most", type="Number").value_as_number

    make_backend(max_tasks=most)

    Annotations.from_stack(stack).has_no_warning("/Stack/Backend", TOO_MANY)


def test_does_not_warn_of_a_given_database(stack: Stack, make_backend: MakeBackend) -> None:
    network = GalvNetwork(stack, "Network")
    database = rds.DatabaseInstance(
        stack,
        "Database",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
        vpc=network.vpc,
    )

    make_backend(network=network, database=GalvDatabase.from_instance(database), max_tasks=100)

    Annotations.from_stack(stack).has_no_warning("/Stack/Backend", TOO_MANY)
