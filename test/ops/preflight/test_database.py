"""Databases and snapshots as moto has them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ops.preflight.conftest import REGION

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


def cluster(engine: str = "aurora-postgresql") -> None:
    boto3.client("rds").create_db_cluster(
        DBClusterIdentifier="galv",
        Engine=engine,
        MasterUsername="galv",
        MasterUserPassword="a-password",
    )


def asked(world: World, **question: Any) -> list[Finding]:
    return ask({"Backend/Database": {"Ask": "database", **question}}, world, 20)


def restored(world: World, arn: str) -> list[Finding]:
    return ask({"Database/Snapshot": {"Ask": "snapshot", "SnapshotArn": arn}}, world, 20)


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

    def test_is_named(self, world: World) -> None:
        (found,) = asked(world)

        assert found.found == "InstanceIdentifier must be a text, got None"


class TestASnapshot:
    def test_of_an_instance(self, world: World) -> None:
        instance()
        made = boto3.client("rds").create_db_snapshot(
            DBSnapshotIdentifier="a", DBInstanceIdentifier="galv"
        )

        assert restored(world, made["DBSnapshot"]["DBSnapshotArn"]) == []
        assert restored(world, "a") == []

    def test_of_a_cluster(self, world: World) -> None:
        cluster()
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
        instance(engine="mysql")
        boto3.client("rds").create_db_snapshot(
            DBSnapshotIdentifier="a", DBInstanceIdentifier="galv"
        )

        (found,) = restored(world, "a")

        assert found.found == "its engine is mysql"

    def test_that_is_not_ready(self, world: World) -> None:
        answer = {"Status": "creating", "PercentProgress": 40, "Engine": "postgres"}
        with Stubber(world.client("rds")) as stub:
            stub.add_response("describe_db_snapshots", {"DBSnapshots": [answer]})
            (found,) = restored(world, "a")

        assert found.found == "its status is creating, 40 % done"
