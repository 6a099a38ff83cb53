"""The settings of a database, and those that RDS or PostgreSQL would refuse."""

from functools import partial
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match
from backends import MakeBackend, Refusal, RefusedBackend, Synth, backend_in, own_database
from templates import Json, environment, of_type, only, only_id, secrets, synthesize

from galv_constructs import GalvDatabase, GalvNetwork

INSTANCE = "AWS::RDS::DBInstance"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"engine_version": rds.PostgresEngineVersion.VER_18}, {"EngineVersion": "18"}),
        ({"allow_major_version_upgrade": True}, {"AllowMajorVersionUpgrade": True}),
        (
            {"allocated_storage": 500, "iops": 16000, "storage_throughput": 800},
            {
                "AllocatedStorage": "500",
                "MaxAllocatedStorage": 1000,
                "Iops": 16000,
                "StorageThroughput": 800,
            },
        ),
        ({"max_allocated_storage": 22}, {"MaxAllocatedStorage": 22}),
        (
            {
                "preferred_maintenance_window": "sun:23:45-mon:00:30",
                "preferred_backup_window": "01:00-01:30",
            },
            {
                "PreferredMaintenanceWindow": "sun:23:45-mon:00:30",
                "PreferredBackupWindow": "01:00-01:30",
            },
        ),
        ({"backup_retention": Duration.days(35)}, {"BackupRetentionPeriod": 35}),
        ({"multi_az": False}, {"MultiAZ": False}),
        (
            {"ca_certificate": rds.CaCertificate.RDS_CA_ECC384_G1},
            {"CACertificateIdentifier": "rds-ca-ecc384-g1"},
        ),
        (
            {"database_insights_mode": rds.DatabaseInsightsMode.STANDARD},
            {
                "DatabaseInsightsMode": "standard",
                "EnablePerformanceInsights": True,
                "PerformanceInsightsRetentionPeriod": 7,
            },
        ),
        (
            {"database_insights_mode": rds.DatabaseInsightsMode.ADVANCED},
            {"DatabaseInsightsMode": "advanced", "PerformanceInsightsRetentionPeriod": 465},
        ),
    ],
)
def test_are_those_of_the_instance(synth: Synth, settings: Json, expected: Json) -> None:
    instance = only(synth(database=own_database(**settings)), INSTANCE)

    assert {name: instance[name] for name in expected} == expected


def test_parameters_are_beside_tls(synth: Synth) -> None:
    template = synth(database=own_database(parameters={"log_min_duration_statement": "1000"}))

    assert only(template, "AWS::RDS::DBParameterGroup")["Parameters"] == {
        "log_min_duration_statement": "1000",
        "rds.force_ssl": "1",
    }


def test_a_snapshot_is_restored_with_its_master(synth: Synth) -> None:
    template = synth(
        database=own_database(
            snapshot_identifier="before", master_username="galvuser", database_name="galvdb"
        )
    )

    instance = only(template, INSTANCE)
    assert instance["DBSnapshotIdentifier"] == "before"
    # RDS knows them from the snapshot, and refuses less storage than that has.
    assert not {"AllocatedStorage", "DBName", "MasterUsername", "StorageEncrypted"} & set(instance)
    assert environment(template, "web")["POSTGRES_DB"] == "galvdb"
    generated = only(template, "AWS::SecretsManager::Secret", "BackendDatabase")
    assert '"galvuser"' in generated["GenerateSecretString"]["SecretStringTemplate"]


def test_a_replica_is_as_large_and_reached_by_nobody(stack: Stack) -> None:
    database = GalvDatabase(
        stack,
        "Database",
        network=GalvNetwork(stack, "Network"),
        instance_type=ec2.InstanceType("t4g.small"),
    )
    database.add_read_replica("Reports")
    template = synthesize(stack)

    (replica,) = (
        one["Properties"]
        for one in of_type(template, INSTANCE).values()
        if "SourceDBInstanceIdentifier" in one["Properties"]
    )
    assert replica["DBInstanceClass"] == "db.t4g.small"
    # Encryption is that of its source, and CloudFormation wants nothing said of it.
    assert not {"StorageEncrypted", "KmsKeyId"} & set(replica)
    (group,) = of_type(template, "AWS::EC2::SecurityGroup", "DatabaseReports").values()
    assert "SecurityGroupIngress" not in group["Properties"]


def test_warns_of_a_minor_version(stack: Stack, make_backend: MakeBackend) -> None:
    make_backend(database=own_database(engine_version=rds.PostgresEngineVersion.VER_17_9))

    Annotations.from_stack(stack).has_warning(
        "/Stack/Backend/Database", Match.string_like_regexp("minor version 17.9.*VER_17")
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"engine_version": "17"}, "engine_version must be an rds.PostgresEngineVersion, got '17'"),
        (
            {"engine_version": rds.PostgresEngineVersion.VER_13},
            "engine_version must be PostgreSQL 14 to 18, got '13'",
        ),
        ({"instance_type": ec2.InstanceType("db.t4g.small")}, "instance_type must be written with"),
        (
            {"instance_type": ec2.InstanceType("t4g.nano")},
            "instance_type must be a size that RDS has for PostgreSQL, such as 't4g.micro'",
        ),
        ({"instance_type": "t4g.small"}, "instance_type must be an aws_ec2.InstanceType"),
        ({"allocated_storage": 19}, "allocated_storage must be from 20 to 65536 GiB, got 19"),
        ({"max_allocated_storage": 21}, "max_allocated_storage is 21 GiB, and RDS wants at least"),
        ({"iops": 12000}, "gp3 storage below 400 GiB has 3000 IOPS"),
        ({"allocated_storage": 400, "iops": 3000}, "iops must be from 12000"),
        (
            {"allocated_storage": 400, "storage_throughput": 4000},
            "storage_throughput is 4000 MiB/s, and gp3 wants 4 IOPS for each: pass iops=16000",
        ),
        ({"parameters": {"rds.force_ssl": "0"}}, "the database speaks only TLS"),
        ({"parameters": {"work_mem": 4}}, "parameters must be texts, got 'work_mem': 4"),
        ({"parameters": "x"}, "parameters must be names with values"),
        ({"preferred_backup_window": "1:00-2:00"}, "must be hh:mm-hh:mm in UTC"),
        ({"preferred_backup_window": "01:00-01:29"}, "must be at least 30 minutes, got 29"),
        ({"preferred_maintenance_window": "01:00-02:00"}, "must be ddd:hh:mm-ddd:hh:mm in UTC"),
        ({"preferred_maintenance_window": "sun:01:00-tue:01:00"}, "must be shorter than a day"),
        (
            {
                "preferred_maintenance_window": "sun:23:45-mon:00:30",
                "preferred_backup_window": "00:00-00:30",
            },
            "overlap, which RDS refuses",
        ),
        (
            {
                "preferred_maintenance_window": "mon:00:00-mon:00:30",
                "preferred_backup_window": "23:45-00:15",
            },
            "overlap, which RDS refuses",
        ),
        ({"backup_retention": Duration.days(36)}, "must be from 1 to 35 whole days, got 36"),
        ({"backup_retention": Duration.days(0)}, "must be from 1 to 35 whole days, got 0"),
        ({"backup_retention": 7}, "backup_retention must be a Duration, got 7"),
        ({"multi_az": "yes"}, "multi_az must be true or false"),
        ({"ca_certificate": rds.CaCertificate.RDS_CA_2019}, "which expired in August 2024"),
        ({"ca_certificate": "rds-ca-rsa2048-g1"}, "ca_certificate must be an aws_rds.CaCertif"),
        ({"database_insights_mode": "standard"}, "must be rds.DatabaseInsightsMode.STANDARD or"),
        ({"snapshot_identifier": ""}, "must be the name or the ARN of a snapshot, got ''"),
        (
            {"snapshot_identifier": "before the move"},
            "must be the name or the ARN of a snapshot, got 'before the move'",
        ),
        (
            {"snapshot_identifier": "arn:aws:rds:eu-west-1:111122223333:cluster-snapshot:a"},
            "is a snapshot of a cluster, got arn",
        ),
        ({"master_username": "admin"}, "master_username must not be 'admin', which RDS for Post"),
        ({"master_username": "rdsadmin"}, "master_username must not be 'rdsadmin'"),
        ({"master_username": "pg_master"}, "master_username must not be 'pg_master'"),
        ({"master_username": "User"}, "master_username must not be 'User'"),
        ({"master_username": "_galv"}, "master_username must start with a letter"),
        ({"database_name": "template1"}, "database_name must not be 'template1', which RDS for"),
        ({"database_name": "rdsadmin"}, "database_name must not be 'rdsadmin'"),
        ({"database_name": "table"}, "database_name must not be 'table'"),
        ({"database_name": "_galv"}, "database_name must start with a letter"),
        ({"database_name": "pg_galv"}, "database_name must not start with 'pg_' or 'rds_'"),
        ({"network": "vpc-1"}, "network must be an IGalvNetwork, got 'vpc-1'"),
    ],
)
def test_refuses(stack: Stack, refusal: Refusal, settings: Any, expected: str) -> None:
    arguments = {"network": GalvNetwork(stack, "Network"), **settings}

    assert expected in refusal(lambda: GalvDatabase(stack, "Database", **arguments))


def test_refuses_subnets_in_one_availability_zone(stack: Stack, refusal: Refusal) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a", "eu-west-1a"],
        private_subnet_ids=["subnet-3", "subnet-4"],
        isolated_subnet_ids=["subnet-1", "subnet-2"],
    )
    make = partial(GalvDatabase, stack, "Database", network=GalvNetwork.from_vpc(vpc))

    assert "database_subnets in one Availability Zone" in refusal(make)


class TestSharing:
    """One server with a database for each backend."""

    @pytest.fixture
    def shared(self, stack: Stack) -> Json:
        network = GalvNetwork(stack, "Network")
        return {
            "network": network,
            "database": GalvDatabase(stack, "Database", network=network),
        }

    def test_gives_each_an_owner_and_a_login(self, stack: Stack, shared: Json) -> None:
        backend_in(stack, "Stage", **shared)
        demo = {**shared, "database": shared["database"].add_database("demo", rotation=2)}
        backend_in(stack, "Demo", domain_name="demo.example.com", **demo)
        template = synthesize(stack)

        assert len(of_type(template, INSTANCE)) == 1
        logins = {
            id: only(template, "AWS::SecretsManager::Secret", f"{id}Login")["GenerateSecretString"]
            for id in ("Stage", "Demo")
        }
        assert '"galv_tasks_1"' in logins["Stage"]["SecretStringTemplate"]
        assert '"demo_tasks_2"' in logins["Demo"]["SecretStringTemplate"]
        assert "Clusters" not in only(template, "Custom::GalvProtection", "Database")

    def test_setup_creates_only_the_added_one(self, stack: Stack, shared: Json) -> None:
        added = shared["database"].add_database("demo")
        backend_in(stack, network=shared["network"], database=added)
        template = synthesize(stack)

        variables = environment(template, "setup-db")
        assert (variables["GALV_DATABASE_NEW"], variables["POSTGRES_DB"]) == ("demo", "demo")
        assert "GALV_DATABASE_NEW" not in environment(template, "web")
        assert "GALV_DATABASE_MASTER_PASSWORD" in secrets(template, "setup-db")

    def test_the_own_one_is_not_created_by_setup(self, default: Json) -> None:
        assert "GALV_DATABASE_NEW" not in environment(default, "setup-db")

    def test_refuses_two_backends_in_one_database(
        self, stack: Stack, shared: Json, refusal: Refusal
    ) -> None:
        backend_in(stack, "Stage", **shared)

        said = refusal(lambda: backend_in(stack, "Demo", domain_name="demo.example.com", **shared))
        assert said.startswith("database 'galv' is that of Stack/Stage already")
        assert "pass database.add_database(…)" in said

    def test_counts_the_connections_of_both(self, stack: Stack, shared: Json) -> None:
        backend_in(stack, "Stage", **shared)
        demo = {**shared, "database": shared["database"].add_database("demo")}
        backend_in(stack, "Demo", domain_name="demo.example.com", **demo)

        Annotations.from_stack(stack).has_warning(
            "/Stack/Demo", Match.string_like_regexp("= 64 connections .*, and other backends 64,")
        )

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("galv", "is the server's own"),
            ("1", "database_name must be letters"),
            ("postgres", "database_name must not be 'postgres': each server has one of its own"),
            ("template1", "database_name must not be 'template1'"),
            ("pg_lab", "database_name must not start with 'pg_' or 'rds_'"),
        ],
    )
    def test_refuses_a_name(self, shared: Json, name: str, expected: str) -> None:
        with pytest.raises(ValueError, match=expected):
            shared["database"].add_database(name)

    def test_refuses_it_without_the_master(self, stack: Stack, shared: Json) -> None:
        database = GalvDatabase(stack, "Other", network=shared["network"], owner_role=False)

        with pytest.raises(ValueError, match="needs the credentials of the server's master"):
            database.add_database("demo")


def test_takes_the_names_that_rds_takes(stack: Stack) -> None:
    GalvDatabase(
        stack,
        "Database",
        network=GalvNetwork(stack, "Network"),
        master_username="postgres",
        database_name="postgres",
        preflight=False,
    )

    assert only(synthesize(stack), INSTANCE)["DBName"] == "postgres"


def test_takes_any_database_of_a_snapshot(stack: Stack) -> None:
    database = GalvDatabase(
        stack,
        "Database",
        network=GalvNetwork(stack, "Network"),
        snapshot_identifier="before",
        database_name="table",
        preflight=False,
    )

    assert database.database_name == "table"


def test_refuses_a_way_to_create_something_else(make_backend: MakeBackend) -> None:
    # Only the call shows what it returns, and by then a part of the backend is there.
    with pytest.raises(ValueError, match=r"must create an IGalvDatabase, and what .* 'galv'"):
        make_backend(database=lambda *_, **__: "galv")


def test_protects_itself_where_it_is_not_the_backends(stack: Stack) -> None:
    GalvDatabase(stack, "Database", network=GalvNetwork(stack, "Network"))
    template = synthesize(stack)

    protection = only(template, "Custom::GalvProtection")
    assert protection["Databases"] == [{"Ref": only_id(template, INSTANCE)}]
    assert protection["LoadBalancers"] == []


def test_setting_the_backends_own_says_more_than_the_backend(synth: Synth) -> None:
    template = synth(database=own_database(production=False))

    assert only(template, INSTANCE)["MultiAZ"] is False


def test_refuses_variables_that_only_setup_sets(refused_backend: RefusedBackend) -> None:
    text = refused_backend(environment={"GALV_DATABASE_NEW": "x"})

    assert "database.add_database(…) sets it" in text
