"""Aurora Serverless v2 in place of an instance."""

from functools import partial
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import MakeBackend, Refusal, Synth
from templates import Json, environment, needs, of_type, only, only_id, synthesize

from galv_constructs import GalvDatabase, GalvDatabaseCluster, GalvNetwork, GalvScheduledTask

CLUSTER, INSTANCE = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"
PAUSES = "never pauses"


def test_takes_the_place_of_the_instance(synth: Synth) -> None:
    template = synth(database=GalvDatabaseCluster)

    cluster = only(template, CLUSTER)
    assert (cluster["Engine"], cluster["DatabaseName"]) == ("aurora-postgresql", "galv")
    assert cluster["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0.5, "MaxCapacity": 2}
    assert cluster["StorageEncrypted"] is True
    assert "DeletionProtection" not in cluster
    assert only(template, "AWS::RDS::DBClusterParameterGroup")["Parameters"] == {
        "rds.force_ssl": "1"
    }
    # In production one of them takes over.
    assert {
        one["Properties"]["DBInstanceClass"] for one in of_type(template, INSTANCE).values()
    } == {"db.serverless"}
    assert len(of_type(template, INSTANCE)) == 2
    host = environment(template, "web")["POSTGRES_HOST"]
    assert host == {"Fn::GetAtt": [only_id(template, CLUSTER), "Endpoint.Address"]}


def test_setup_waits_for_its_instances(synth: Synth) -> None:
    template = synth(database=GalvDatabaseCluster)

    before = needs(template, only_id(template, "Custom::GalvReleaseTask"))
    assert {only_id(template, CLUSTER), *of_type(template, INSTANCE)} <= before


def test_is_protected_at_the_end(synth: Synth) -> None:
    template = synth(database=GalvDatabaseCluster)

    protection = only(template, "Custom::GalvProtection")
    assert protection["Clusters"] == [{"Ref": only_id(template, CLUSTER)}]
    assert protection["Databases"] == []
    (policy,) = of_type(template, "AWS::IAM::Policy", "BackendProtectionHandlerRole").values()
    allowed = str(policy["Properties"]["PolicyDocument"])
    assert "rds:ModifyDBCluster" in allowed
    assert "rds:ModifyDBInstance" not in allowed


def test_outside_production_it_has_no_reader(synth: Synth) -> None:
    template = synth(database=GalvDatabaseCluster, production=False)

    assert len(of_type(template, INSTANCE)) == 1


def test_restores_a_snapshot(synth: Synth) -> None:
    template = synth(database=partial(GalvDatabaseCluster, snapshot_identifier="before"))

    cluster = only(template, CLUSTER)
    assert cluster["SnapshotIdentifier"] == "before"
    assert "DatabaseName" not in cluster


@pytest.mark.parametrize("has_key", [True, False])
def test_asks_for_a_snapshot_that_its_key_may_encrypt(stack: Stack, *, has_key: bool) -> None:
    arn = "arn:aws:rds:eu-west-1:111122223333:snapshot:before"
    GalvDatabaseCluster(
        stack,
        "Database",
        network=GalvNetwork(stack, "Network", preflight=False),
        snapshot_identifier=arn,
        encryption_key=kms.Key(stack, "Key") if has_key else None,
    )
    template = synthesize(stack)

    asked = only(template, "Custom::GalvPreflight")["Questions"]["Database/Snapshot"]
    assert asked == {
        "Ask": "snapshot",
        "SnapshotArn": arn,
        "Resource": only_id(template, CLUSTER),
        "Stack": {"Ref": "AWS::StackId"},
        **({"Encrypts": "true"} if has_key else {}),
    }


def test_runs_the_default_minor_version(stack: Stack) -> None:
    GalvDatabaseCluster(stack, "Database", network=GalvNetwork(stack, "Network"))

    template = synthesize(stack)

    assert only(template, CLUSTER)["EngineVersion"] == "17"
    assert only(template, "AWS::RDS::DBClusterParameterGroup")["Family"] == "aurora-postgresql17"
    Annotations.from_stack(stack).has_no_warning(
        "*", Match.string_like_regexp("is the minor version")
    )


def test_warns_of_a_minor_version(stack: Stack) -> None:
    GalvDatabaseCluster(
        stack,
        "Database",
        network=GalvNetwork(stack, "Network"),
        engine_version=rds.AuroraPostgresEngineVersion.VER_16_8,
    )

    Annotations.from_stack(stack).has_warning(
        "/Stack/Database",
        Match.string_like_regexp(
            r"is the minor version 16\.8.*, rds\.AuroraPostgresEngineVersion\.of\('16', '16'\)\."
        ),
    )


@pytest.mark.parametrize(
    ("every", "pause", "warned"),
    [
        (Duration.minutes(5), None, True),
        (Duration.minutes(6), None, False),
        (Duration.hours(1), Duration.hours(1), True),
        (Duration.days(1), Duration.hours(1), False),
    ],
)
def test_warns_of_a_schedule_that_keeps_it_awake(
    stack: Stack, make_backend: MakeBackend, every: Duration, pause: Duration | None, warned: bool
) -> None:
    backend = make_backend(database=partial(GalvDatabaseCluster, min_capacity=0, auto_pause=pause))
    GalvScheduledTask(
        stack,
        "Monitor",
        runtime=backend.runtime,
        command=["true"],
        schedule=ScheduleExpression.rate(every),
    )

    found = Annotations.from_stack(stack).find_warning(
        "/Stack/Backend/Database", Match.string_like_regexp(f"{PAUSES}: Stack/Monitor")
    )
    assert len(found) == int(warned)


def test_does_not_warn_of_a_schedule_where_it_cannot_pause(
    stack: Stack, make_backend: MakeBackend
) -> None:
    backend = make_backend(database=GalvDatabaseCluster)
    GalvScheduledTask(
        stack,
        "Monitor",
        runtime=backend.runtime,
        command=["true"],
        schedule=ScheduleExpression.rate(Duration.minutes(1)),
    )

    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp(PAUSES))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"max_capacity": 1}, None), ({"max_capacity": 1, "min_capacity": 1}, None)],
)
def test_its_connections_fit(
    stack: Stack, make_backend: MakeBackend, settings: Json, said: None
) -> None:
    make_backend(database=partial(GalvDatabaseCluster, **settings))

    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("too many clients"))


def test_warns_of_connections_that_do_not_fit(stack: Stack, make_backend: MakeBackend) -> None:
    make_backend(database=partial(GalvDatabaseCluster, max_capacity=1), max_tasks=20)

    Annotations.from_stack(stack).has_warning(
        "/Stack/Backend", Match.string_like_regexp("allows about 189, .* Pass max_capacity=2, or")
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"min_capacity": -1}, "min_capacity must be from 0 to 256 ACUs in steps of 0.5, got -1"),
        ({"min_capacity": 0.7}, "min_capacity must be from 0 to 256 ACUs in steps of 0.5, got 0.7"),
        ({"max_capacity": 0.5}, "max_capacity must be from 1 to 256 ACUs in steps of 0.5, got 0.5"),
        ({"max_capacity": 257}, "max_capacity must be from 1 to 256 ACUs in steps of 0.5, got 257"),
        ({"max_capacity": "2"}, "max_capacity must be a number of ACUs"),
        ({"min_capacity": 4}, "min_capacity is 4 and max_capacity is 2: pass a max_capacity of 4"),
        (
            {"auto_pause": Duration.minutes(5)},
            "auto_pause is for a min_capacity of 0, got 0.5: pass min_capacity=0, or drop",
        ),
        (
            {"min_capacity": 0, "auto_pause": Duration.minutes(4)},
            "auto_pause must be whole seconds from 300 to 86400, got 240",
        ),
        ({"readers": 16}, "readers must be from 0 to 15, got 16"),
        (
            {"engine_version": rds.PostgresEngineVersion.VER_17},
            "engine_version must be an rds.AuroraPostgresEngineVersion",
        ),
        (
            {"engine_version": rds.AuroraPostgresEngineVersion.of("13.20", "13")},
            "engine_version must be PostgreSQL 14 to 18, got '13.20'",
        ),
    ],
)
def test_refuses_bounds_that_there_are_not(
    stack: Stack, refusal: Refusal, settings: Any, expected: str
) -> None:
    network = GalvNetwork(stack, "Network")

    assert expected in refusal(
        lambda: GalvDatabaseCluster(stack, "Database", network=network, **settings)
    )


def test_a_cluster_of_cdk_is_used_as_it_is(stack: Stack, synth: Synth) -> None:
    network = GalvNetwork(stack, "Network")
    cluster = rds.DatabaseCluster(
        stack,
        "Shared",
        engine=rds.DatabaseClusterEngine.aurora_postgres(
            version=rds.AuroraPostgresEngineVersion.VER_17_9
        ),
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        vpc=network.vpc,
        vpc_subnets=network.database_subnets,
    )

    template = synth(database=GalvDatabase.from_cluster(cluster), network=network)

    assert len(of_type(template, CLUSTER)) == 1
    before = needs(template, only_id(template, "Custom::GalvReleaseTask"))
    assert only_id(template, INSTANCE) in before


def test_refuses_a_cluster_of_another_engine(stack: Stack, refusal: Refusal) -> None:
    engine = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
    cluster = rds.DatabaseCluster(
        stack,
        "Shared",
        engine=engine,
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        vpc=GalvNetwork(stack, "Network").vpc,
    )

    assert "cluster must be PostgreSQL" in refusal(lambda: GalvDatabase.from_cluster(cluster))
