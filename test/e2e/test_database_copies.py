"""Emulated RDS copies what a database has: its snapshots and restores are of real PostgreSQL."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e.cloud import Cloud
from e2e.rows import ask
from e2e.stack import Json, Stack
from frontend_site.programs import skip
from proof.postgres import programs

from galv_ops.rehearsal import copy as ops_copy

pytestmark = pytest.mark.smoke

SOURCE = "copied"
TEMPLATE = {
    "Resources": {
        "It": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "DBInstanceIdentifier": SOURCE,
                "DBInstanceClass": "db.t4g.small",
                "DBName": "galv",
                "Engine": "postgres",
                "MasterUsername": "galv",
                "MasterUserPassword": "the master's",
                "DeletionProtection": True,
            },
        }
    }
}
TAGS = [{"Key": "galv-constructs:operation", "Value": "restore"}]


def found(rds: Any, name: str) -> Json:
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    return dict(instance)


def wait(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for(rds: Any, name: str) -> Json:
    """Wait until an instance is there and available."""

    def reached() -> bool:
        states = {one["DBInstanceIdentifier"]: one["DBInstanceStatus"] for one in listed(rds)}
        return states.get(name) == "available"

    wait(reached)
    return found(rds, name)


def state(rds: Any, snapshot: str) -> str:
    (one,) = rds.describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    return str(one["Status"])


@pytest.fixture(scope="module")
def rds(cloud: Cloud) -> Iterator[Any]:
    """RDS with an instance of a stack that has a row, and a snapshot of before a second one."""
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    cloud.client("cloudformation").create_stack(
        StackName="copied", TemplateBody=json.dumps(TEMPLATE)
    )
    assert Stack(cloud, "copied").wait() == "CREATE_COMPLETE"
    rds = cloud.client("rds")
    # The server starts when it is first asked for.
    rds.create_db_snapshot(DBSnapshotIdentifier="empty", DBInstanceIdentifier=SOURCE)
    source = found(rds, SOURCE)
    ask(source, "CREATE TABLE kept (row text); INSERT INTO kept VALUES ('before')")
    made = rds.create_db_snapshot(DBSnapshotIdentifier="one", DBInstanceIdentifier=SOURCE)
    assert made["DBSnapshot"]["DBSnapshotIdentifier"] == "one"
    wait(lambda: state(rds, "one") == "available")
    ask(source, "INSERT INTO kept VALUES ('after')")
    yield rds
    for name in ("empty", "one"):
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def test_a_snapshot_is_restored_beside_and_renamed(rds: Any) -> None:
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="copied-beside",
        DBSnapshotIdentifier="one",
        VpcSecurityGroupIds=["sg-1"],
        Tags=TAGS,
    )["DBInstance"]
    assert restored["DBInstanceStatus"] == "creating"
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        rds.modify_db_instance(DBInstanceIdentifier="copied-beside", MasterUserPassword="another's")
    beside = wait_for(rds, "copied-beside")

    assert ask(beside, "SELECT row FROM kept") == ["before"]
    assert beside["DBInstanceClass"] == "db.t4g.small"
    assert beside["TagList"] == TAGS
    assert beside["DeletionProtection"] is False
    assert [one["VpcSecurityGroupId"] for one in beside["VpcSecurityGroups"]] == ["sg-1"]

    # The one that stays keeps its rows under the other name, and the copy gets its endpoint.
    endpoint = found(rds, SOURCE)["Endpoint"]["Address"]
    with pytest.raises(ClientError, match="DBInstanceAlreadyExists"):
        rename(rds, "copied-beside", SOURCE)
    for old, new in ((SOURCE, "copied-replaced"), ("copied-beside", SOURCE)):
        rename(rds, old, new)
        assert found(rds, old)["DBInstanceStatus"] == "renaming"
        wait_for(rds, new)
    now, replaced = found(rds, SOURCE), found(rds, "copied-replaced")

    assert ask(now, "SELECT row FROM kept") == ["before"]
    assert ask(replaced, "SELECT row FROM kept") == ["before", "after"]
    assert now["Endpoint"]["Address"] == endpoint
    assert replaced["Endpoint"]["Address"].startswith("copied-replaced.")
    assert now["DBInstanceArn"].endswith(f":db:{SOURCE}")
    assert rds.list_tags_for_resource(ResourceName=now["DBInstanceArn"])["TagList"] == TAGS
    with pytest.raises(ClientError, match="not found"):
        found(rds, "copied-beside")

    # And back, for the other tests.
    for old, new in ((SOURCE, "copied-beside"), ("copied-replaced", SOURCE)):
        rename(rds, old, new)
        wait_for(rds, new)
    delete(rds, "copied-beside")


def test_a_point_in_time_is_now_or_the_last_snapshot_before_it(rds: Any) -> None:
    target = "copied-in-time"
    for time_given, rows in (
        ({"UseLatestRestorableTime": True}, ["before", "after"]),
        ({"RestoreTime": datetime.now(timezone.utc)}, ["before"]),
    ):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=SOURCE, TargetDBInstanceIdentifier=target, **time_given
        )
        assert ask(wait_for(rds, target), "SELECT row FROM kept") == rows
        delete(rds, target)
    with pytest.raises(ClientError, match="InvalidRestoreFault"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=SOURCE,
            TargetDBInstanceIdentifier=target,
            RestoreTime=datetime(2020, 1, 1, tzinfo=timezone.utc),
        )


def test_galv_ops_copies_what_there_was_at_a_time(
    rds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops_copy, "POLL_SECONDS", 0.2)
    source = SimpleNamespace(id=SOURCE)
    deployment: Any = SimpleNamespace(
        aws=SimpleNamespace(rds=rds),
        backend=SimpleNamespace(name="copied", resources=lambda _kind: [source]),
    )

    told: list[str] = []

    def progress(text: str, *, passing: bool = False) -> None:
        if not passing:
            told.append(text)

    copy = ops_copy.Copy(deployment, progress)
    address = copy.create(
        security_group="sg-1",
        snapshot=None,
        time=found(rds, SOURCE)["LatestRestorableTime"] - timedelta(seconds=1),
        password=lambda: "the copy's",
    )
    beside = copy.find()

    assert beside is not None
    assert ask(beside, "SELECT row FROM kept") == ["before"]
    assert (address.host, address.master) == (beside["Endpoint"]["Address"], "galv")
    assert copy.delete()
    assert told[-1] == f"copy: {copy.name} is deleted"
    wait(lambda: copy.find() is None)
    assert ask(found(rds, SOURCE), "SELECT count(*) FROM kept") == ["2"]


def test_what_is_protected_is_not_deleted(rds: Any) -> None:
    with pytest.raises(ClientError, match="DeletionProtection"):
        rds.delete_db_instance(DBInstanceIdentifier=SOURCE, SkipFinalSnapshot=True)

    assert ask(found(rds, SOURCE), "SELECT count(*) FROM kept") == ["2"]


def rename(rds: Any, old: str, new: str) -> None:
    rds.modify_db_instance(
        DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True
    )


def delete(rds: Any, name: str) -> None:
    """Delete an instance, whose name is free only when it is gone."""
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    assert found(rds, name)["DBInstanceStatus"] == "deleting"
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    wait(lambda: name not in {one["DBInstanceIdentifier"] for one in listed(rds)})


def listed(rds: Any) -> list[Json]:
    return list(rds.describe_db_instances()["DBInstances"])
