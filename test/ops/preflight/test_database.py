"""Databases and snapshots as moto has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from frontend_site.programs import need
from ops.preflight.conftest import REGION, session
from ops.preflight.servers import name_server

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World


def instance(name: str = "galv", engine: str = "postgres", **more: Any) -> dict[str, Any]:
    made = boto3.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine=engine,
        MasterUsername="galv",
        MasterUserPassword="a-password",
        AllocatedStorage=20,
        **more,
    )
    return dict(made["DBInstance"])


def cluster(engine: str = "aurora-postgresql", **more: Any) -> dict[str, Any]:
    made = boto3.client("rds").create_db_cluster(
        DBClusterIdentifier="galv",
        Engine=engine,
        MasterUsername="galv",
        MasterUserPassword="a-password",
        **more,
    )
    return dict(made["DBCluster"])


def asked(world: World, **question: Any) -> list[Finding]:
    return ask({"Backend/Database": {"Ask": "database", **question}}, world, 20)


def restored(world: World, arn: str, **more: str) -> list[Finding]:
    return ask({"Database/Snapshot": {"Ask": "snapshot", "SnapshotArn": arn, **more}}, world, 20)


class TestADatabase:
    def test_that_is_as_it_should_be(self, world: World) -> None:
        instance(EngineVersion="16.3", VpcSecurityGroupIds=["sg-1", "sg-2"])

        found = asked(
            world, InstanceIdentifier="galv", EngineVersion="15", SecurityGroupIds=["sg-2"]
        )

        assert found == []

    def test_that_is_not_there(self, world: World) -> None:
        (found,) = asked(world, InstanceIdentifier="other")

        assert (found.severity, found.wrong) == ("error", "the database other does not exist")

    def test_that_is_not_postgresql(self, world: World) -> None:
        instance(engine="mysql")

        (found,) = asked(world, InstanceIdentifier="galv", EngineVersion="99")

        assert found.found == "its engine is mysql"

    @pytest.mark.parametrize(("least", "count"), [("9.6", 0), ("16.3", 0), ("16.10", 1), ("17", 1)])
    def test_that_is_too_old(self, world: World, least: str, count: int) -> None:
        instance(EngineVersion="16.3")

        found = asked(world, InstanceIdentifier="galv", EngineVersion=least)

        assert len(found) == count
        assert all(one.wrong == "the database galv is too old" for one in found)

    def test_that_is_stopped(self, world: World) -> None:
        instance()
        boto3.client("rds").stop_db_instance(DBInstanceIdentifier="galv")

        (found,) = asked(world, InstanceIdentifier="galv")

        assert (found.severity, found.found) == ("error", "its status is stopped")

    @pytest.mark.parametrize(
        ("status", "severity"),
        [("modifying", "warning"), ("backing-up", "warning"), ("storage-full", "error")],
    )
    def test_that_is_busy_may_be_available_soon(
        self, world: World, status: str, severity: str
    ) -> None:
        answer = {"DBInstanceStatus": status, "Engine": "postgres", "EngineVersion": "16.3"}
        with Stubber(world.client("rds")) as stub:
            stub.add_response("describe_db_instances", {"DBInstances": [answer]})
            (found,) = asked(world, InstanceIdentifier="galv")

        assert found.severity == severity

    def test_without_a_security_group(self, world: World) -> None:
        instance(VpcSecurityGroupIds=["sg-1"])

        (found,) = asked(world, InstanceIdentifier="galv", SecurityGroupIds=["sg-1", "sg-2"])

        assert found.wrong == "the database galv does not have the security group sg-2"

    def test_with_all_faults_together(self, world: World) -> None:
        instance(EngineVersion="12.1", VpcSecurityGroupIds=["sg-1"])
        boto3.client("rds").stop_db_instance(DBInstanceIdentifier="galv")

        found = asked(
            world, InstanceIdentifier="galv", EngineVersion="15", SecurityGroupIds=["sg-2"]
        )

        assert [finding.severity for finding in found] == ["error"] * 3

    @pytest.mark.parametrize(
        "names", [{}, {"InstanceIdentifier": "galv", "ClusterIdentifier": "galv"}]
    )
    def test_is_an_instance_or_a_cluster(self, world: World, names: dict[str, str]) -> None:
        (found,) = asked(world, **names)

        assert found.found == "give InstanceIdentifier or ClusterIdentifier, one of both"

    def test_in_another_region_is_asked_there(self, world: World) -> None:
        instance()

        (found,) = asked(world, InstanceIdentifier="galv", Region="us-east-1")

        assert found.wrong == "the database galv does not exist"


class TestACluster:
    def test_that_is_as_it_should_be(self, world: World) -> None:
        made = cluster(EngineVersion="16.3", VpcSecurityGroupIds=["sg-1"])

        for endpoint in (made["Endpoint"], made["ReaderEndpoint"]):
            found = asked(
                world,
                ClusterIdentifier="galv",
                EngineVersion="12",
                SecurityGroupIds=["sg-1"],
                Endpoint=endpoint,
            )
            assert found == []

    def test_that_is_not_there(self, world: World) -> None:
        (found,) = asked(world, ClusterIdentifier="other")

        assert (found.severity, found.wrong) == ("error", "the database other does not exist")

    def test_with_all_faults_together(self, world: World) -> None:
        answer = {
            "Status": "inaccessible-encryption-credentials",
            "Engine": "aurora-mysql",
            "EngineVersion": "8.0",
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
        }
        with Stubber(world.client("rds")) as stub:
            stub.add_response("describe_db_clusters", {"DBClusters": [answer]})
            found = asked(world, ClusterIdentifier="galv", SecurityGroupIds=["sg-2"])

        assert [(one.severity, one.found.split(",")[0]) for one in found] == [
            ("error", "its engine is aurora-mysql"),
            ("error", "its status is inaccessible-encryption-credentials"),
            ("error", "it has sg-1"),
        ]


NAMES = {
    "eu-west-1.rds.amazonaws.com": "@ IN NS ns.invalid.\ngalv.abc IN A 192.0.2.1\n",
    "lab.test": "@ IN NS ns.invalid.\n",
}


class TestAnIdentifierThatMayBeInvented:
    """CDK wants one for an imported instance; tasks need the endpoint alone."""

    @pytest.fixture
    def world(self, aws: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
        (program,) = need("nsd")
        with name_server(program, tmp_path_factory.mktemp("nsd"), NAMES) as resolver:
            yield World(region=REGION, session=session(), resolver=resolver)

    def test_is_that_of_a_database_with_the_endpoint(self, world: World) -> None:
        address = instance()["Endpoint"]["Address"]

        assert asked(world, InstanceIdentifier="galv", Endpoint=address.upper()) == []

    def test_of_another_database_says_nothing_of_this_one(self, world: World) -> None:
        instance(engine="mysql")

        (found,) = asked(world, InstanceIdentifier="galv", Endpoint="db.lab.test")

        assert found.severity == "warning"
        assert found.found.startswith("tasks connect to db.lab.test, and it has galv.")

    @pytest.mark.parametrize(
        ("endpoint", "severity"),
        [
            # In another account.
            ("galv.abc.eu-west-1.rds.amazonaws.com", "warning"),
            ("galv.xyz.eu-west-1.rds.amazonaws.com", "error"),
            # The resolver does not know: it refuses, and a name of one's own may be private.
            ("galv.abc.us-west-2.rds.amazonaws.com", "warning"),
            ("db.lab.test", "warning"),
        ],
    )
    def test_of_none_is_an_error_only_where_the_endpoint_is_none_either(
        self, world: World, endpoint: str, severity: str
    ) -> None:
        (found,) = asked(world, InstanceIdentifier="invented", Endpoint=endpoint)

        assert found.severity == severity
        assert endpoint in found.found


class TestASnapshot:
    def test_of_an_instance(self, world: World) -> None:
        instance(StorageEncrypted=True)
        made = boto3.client("rds").create_db_snapshot(
            DBSnapshotIdentifier="a", DBInstanceIdentifier="galv"
        )

        assert restored(world, made["DBSnapshot"]["DBSnapshotArn"]) == []
        assert restored(world, "a") == []

    def test_of_a_cluster(self, world: World) -> None:
        cluster(StorageEncrypted=True)
        made = boto3.client("rds").create_db_cluster_snapshot(
            DBClusterSnapshotIdentifier="a", DBClusterIdentifier="galv"
        )

        assert restored(world, made["DBClusterSnapshot"]["DBClusterSnapshotArn"]) == []

    @pytest.mark.parametrize("kind", ["snapshot", "cluster-snapshot"])
    def test_that_is_not_there(self, world: World, kind: str) -> None:
        arn = f"arn:aws:rds:{REGION}:123456789012:{kind}:other"

        (found,) = restored(world, arn)

        assert (found.severity, found.wrong) == ("error", f"the snapshot {arn} does not exist")

    def test_that_is_in_another_region(self, world: World) -> None:
        (found,) = restored(world, "arn:aws:rds:us-east-1:123456789012:snapshot:a")

        assert found.found == f"it is in us-east-1, and the database is created in {REGION}"

    def test_of_another_engine(self, world: World) -> None:
        instance(engine="mysql", StorageEncrypted=True)
        boto3.client("rds").create_db_snapshot(
            DBSnapshotIdentifier="a", DBInstanceIdentifier="galv"
        )

        (found,) = restored(world, "a")

        assert found.found == "its engine is mysql"

    @pytest.mark.parametrize("encrypted", [True, False])
    def test_that_is_not_encrypted(self, world: World, encrypted: bool) -> None:
        answer = {"Status": "available", "Engine": "postgres", "Encrypted": encrypted}
        with Stubber(world.client("rds")) as stub:
            stub.add_response(
                "describe_db_snapshots", {"DBSnapshots": [{**answer, "DBSnapshotArn": "a"}]}
            )
            found = restored(world, "a")

        assert [one.wrong for one in found] == (
            [] if encrypted else ["the snapshot a is not encrypted"]
        )

    def test_of_a_cluster_that_is_not_encrypted(self, world: World) -> None:
        arn = f"arn:aws:rds:{REGION}:123456789012:cluster-snapshot:a"
        answer = {
            "Status": "available",
            "Engine": "aurora-postgresql",
            "StorageEncrypted": False,
            "DBClusterSnapshotArn": arn,
        }
        with Stubber(world.client("rds")) as stub:
            stub.add_response("describe_db_cluster_snapshots", {"DBClusterSnapshots": [answer]})
            (found,) = restored(world, arn)

        assert found.wrong == f"the snapshot {arn} is not encrypted"
        assert found.fix == "pass encryption_key, which encrypts the restored cluster"

    @pytest.mark.parametrize("kind", ["", "Cluster"])
    def test_that_is_not_encrypted_and_is_restored_with_a_key(
        self, world: World, kind: str
    ) -> None:
        name = "cluster-snapshot" if kind else "snapshot"
        arn = f"arn:aws:rds:{REGION}:123456789012:{name}:a"
        answer = {
            "Status": "available",
            "Engine": "postgres",
            "StorageEncrypted" if kind else "Encrypted": False,
            f"DB{kind}SnapshotArn": arn,
        }
        with Stubber(world.client("rds")) as stub:
            stub.add_response(
                f"describe_db_{kind.lower()}{'_' * bool(kind)}snapshots",
                {f"DB{kind}Snapshots": [answer]},
            )
            assert restored(world, arn, Encrypts="true") == []

    @pytest.mark.parametrize(
        ("name", "kind"), [("rds:galv-2026-11-01", "automated"), ("awsbackup:job-1", "awsbackup")]
    )
    def test_that_aws_created_is_asked_for_by_its_type(
        self, world: World, name: str, kind: str
    ) -> None:
        arn = f"arn:aws:rds:{REGION}:123456789012:snapshot:{name}"
        answer = {"Status": "available", "Engine": "postgres", "DBSnapshotArn": arn}
        with Stubber(world.client("rds")) as stub:
            stub.add_response(
                "describe_db_snapshots",
                {"DBSnapshots": [answer]},
                {"DBSnapshotIdentifier": name, "SnapshotType": kind},
            )
            assert restored(world, arn) == []

    def test_that_is_not_ready(self, world: World) -> None:
        answer = {"Status": "creating", "PercentProgress": 40, "Engine": "postgres"}
        with Stubber(world.client("rds")) as stub:
            stub.add_response("describe_db_snapshots", {"DBSnapshots": [answer]})
            (found,) = restored(world, "a")

        assert found.found == "its status is creating, 40 % done"


class TestASnapshotThatWasRestored:
    """The stack has the database, which reads the snapshot no more."""

    GONE = f"arn:aws:rds:{REGION}:123456789012:snapshot:gone"
    ASKED = {"Resource": "Database", "Stack": "galv"}  # noqa: RUF012 - it is not changed

    def found(self, world: World, status: str, **more: str) -> list[str]:
        """The severities of what is found while the database has a status."""
        resource = {
            "LogicalResourceId": "Database",
            "ResourceType": "AWS::RDS::DBInstance",
            "ResourceStatus": status,
            "LastUpdatedTimestamp": datetime(2026, 11, 1, tzinfo=timezone.utc),
        }
        with Stubber(world.client("cloudformation")) as stub:
            stub.add_response("list_stack_resources", {"StackResourceSummaries": [resource]})
            return [one.severity for one in restored(world, self.GONE, **self.ASKED, **more)]

    @pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED"])
    def test_may_be_gone(self, world: World, status: str) -> None:
        assert self.found(world, status) == ["warning"]

    @pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_COMPLETE"])
    def test_is_needed_until_the_database_is_there(self, world: World, status: str) -> None:
        assert self.found(world, status) == ["error"]

    def test_is_needed_where_another_one_was_asked_for(self, world: World) -> None:
        (found,) = restored(world, self.GONE, **self.ASKED, Changed="true")

        assert found.severity == "error"

    def test_is_needed_where_there_is_no_stack(self, world: World) -> None:
        (found,) = restored(world, self.GONE, **self.ASKED)

        assert found.severity == "error"

    def test_may_have_been_another_one(self, world: World) -> None:
        instance(engine="mysql", StorageEncrypted=False)
        boto3.client("rds").create_db_snapshot(
            DBSnapshotIdentifier="gone", DBInstanceIdentifier="galv"
        )

        assert self.found(world, "CREATE_COMPLETE") == []


class TestAnOrderableDatabase:
    """What RDS can create in the region."""

    ASKED = {"Engine": "postgres", "InstanceClass": "db.t4g.micro"}  # noqa: RUF012 - not changed

    def found(self, world: World, version: str, *versions: str, **more: str) -> list[Finding]:
        """What is found where RDS has these versions with the size."""
        options = [{"EngineVersion": one} for one in versions]
        with Stubber(world.client("rds")) as stub:
            stub.add_response(
                "describe_orderable_db_instance_options",
                {"OrderableDBInstanceOptions": options},
                {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro"},
            )
            return asked(world, **self.ASKED, EngineVersion=version, **more)

    @pytest.mark.parametrize("version", ["17", "17.9", "16.13"])
    def test_with_a_version_that_there_is(self, world: World, version: str) -> None:
        assert self.found(world, version, "16.13", "17.9", "17.10") == []

    @pytest.mark.parametrize("version", ["1", "17.1", "18"])
    def test_with_a_version_that_there_is_not(self, world: World, version: str) -> None:
        (found,) = self.found(world, version, "17.10", "17.9", "16.13")

        assert found.severity == "error"
        assert found.wrong == f"RDS has no postgres {version} on db.t4g.micro in {REGION}"
        assert found.found == "with db.t4g.micro it has 16.13, 17.9, 17.10"

    def test_with_a_size_that_there_is_not(self, world: World) -> None:
        (found,) = self.found(world, "17")

        assert found.found == "it has no db.t4g.micro for postgres"

    def test_that_is_there_is_a_warning(self, world: World) -> None:
        resource = {
            "LogicalResourceId": "Database",
            "ResourceType": "AWS::RDS::DBInstance",
            "ResourceStatus": "CREATE_COMPLETE",
            "LastUpdatedTimestamp": datetime(2026, 11, 1, tzinfo=timezone.utc),
        }
        with Stubber(world.client("cloudformation")) as stub:
            stub.add_response("list_stack_resources", {"StackResourceSummaries": [resource]})
            (found,) = self.found(world, "17.4", "17.9", Resource="Database", Stack="galv")

        assert found.severity == "warning"
