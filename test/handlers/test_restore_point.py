"""The handler of restore points, every branch, with faked services."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import restore_point
from galv_constructs.handlers.release_task import RESTORE_POINT, is_complete, on_event
from galv_constructs.handlers.restore_point import TAG, RestorePointError

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"
NOW = datetime(2026, 11, 27, tzinfo=timezone.utc)
OPERATIONS = {"instance": "DB", "cluster": "DBCluster"}


class FakeAws(FakeServices):
    """A database with its snapshots, of an instance or a cluster."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = OPERATIONS[kind]
        self.status = "UPDATE_IN_PROGRESS"
        self.snapshots: dict[str, Json] = {}
        self.now = 1000.0

    def add(
        self, name: str, *, age: int = 0, status: str = "available", stack: str = "galv"
    ) -> None:
        self.snapshots[name] = {
            f"{self.kind}SnapshotIdentifier": name,
            "Status": status,
            "PercentProgress": 40,
            "SnapshotCreateTime": NOW - timedelta(days=age),
            "TagList": [{"Key": TAG, "Value": stack}],
        }

    def describe_stacks(self, **_: str) -> Json:
        return {"Stacks": [{"StackStatus": self.status}]}

    def get_paginator(self, _: str) -> "FakeAws":
        return self

    def paginate(self, **query: str) -> list[Json]:
        self._called("describe", query)
        name = query.get(f"{self.kind}SnapshotIdentifier")
        if name is not None and name not in self.snapshots:
            raise client_error("DBSnapshotNotFound")
        found = [self.snapshots[name]] if name else list(self.snapshots.values())
        return [{f"{self.kind}Snapshots": found}]

    def _create(self, query: Json) -> None:
        self._called("create", query)
        self.add(query[f"{self.kind}SnapshotIdentifier"], status="creating")

    def create_db_snapshot(self, **query: Any) -> None:
        assert query["DBInstanceIdentifier"] == "galv-db"
        self._create(query)

    def create_db_cluster_snapshot(self, **query: Any) -> None:
        assert query["DBClusterIdentifier"] == "galv-db"
        self._create(query)

    def _delete(self, query: Json) -> None:
        self._called("delete", query)
        del self.snapshots[query[f"{self.kind}SnapshotIdentifier"]]

    def delete_db_snapshot(self, **query: str) -> None:
        self._delete(query)

    def delete_db_cluster_snapshot(self, **query: str) -> None:
        self._delete(query)


@pytest.fixture(params=OPERATIONS)
def cloud(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> FakeAws:
    fake = FakeAws(request.param)
    monkeypatch.setattr(restore_point, "client", clients(fake))
    monkeypatch.setattr("galv_constructs.handlers._aws.client", clients(fake))
    monkeypatch.setattr(restore_point, "time", lambda: fake.now)
    return fake


def event(cloud: FakeAws, kind: str = "Update", **properties: object) -> Json:
    (name,) = (key for key, value in OPERATIONS.items() if value == cloud.kind)
    request: Json = {
        "RequestType": kind,
        "ResourceType": RESTORE_POINT,
        "RequestId": "0a1b",
        "StackId": STACK,
        "LogicalResourceId": "RestorePoint",
        "ResourceProperties": {
            "Database": "galv-db",
            "Kind": name,
            "Image": "galv@sha256:new",
            "Version": "v3.0.0",
            "Prefix": "galv-before",
            "Keep": "2",
            "TimeoutSeconds": "2700",
            **properties,
        },
    }
    if kind != "Create":
        request["PhysicalResourceId"] = "RestorePoint-0a1b2c3d-0000"
    if kind == "Update":
        request["OldResourceProperties"] = {"Image": "galv@sha256:old"}
    return request


def begun(cloud: FakeAws, request: Json) -> Json:
    """The event that is polled with after this request."""
    return {**request, **on_event(request, None)}


class TestWhetherItIsNeeded:
    def test_another_image_needs_one_named_by_the_release(self, cloud: FakeAws) -> None:
        name = begun(cloud, event(cloud))["Data"]["Snapshot"]

        assert name.startswith("galv-before-v3-0-0-")

    @pytest.mark.parametrize("kind", ["Create", "Delete"])
    def test_the_first_deployment_and_the_last_do_not(self, cloud: FakeAws, kind: str) -> None:
        request = begun(cloud, event(cloud, kind))

        assert request["Data"] == {"Snapshot": "none"}
        assert is_complete(request, None) == {"IsComplete": True}
        assert cloud.calls == []

    def test_the_same_image_does_not(self, cloud: FakeAws) -> None:
        request = event(cloud, Image="galv@sha256:old")

        assert begun(cloud, request)["Data"] == {"Snapshot": "none"}

    def test_a_rollback_does_not(self, cloud: FakeAws) -> None:
        cloud.status = "UPDATE_ROLLBACK_IN_PROGRESS"

        assert begun(cloud, event(cloud))["Data"] == {"Snapshot": "none"}

    def test_a_name_is_one_that_rds_takes(self, cloud: FakeAws) -> None:
        request = event(cloud, Version="latest@SHA__256.", Prefix="my-lab-before")

        name = begun(cloud, request)["Data"]["Snapshot"]

        assert name.startswith("my-lab-before-latest-sha-256-")
        assert "--" not in name


class TestSnapshot:
    def test_is_waited_for(self, cloud: FakeAws, caplog: pytest.LogCaptureFixture) -> None:
        request = begun(cloud, event(cloud))
        name = request["Data"]["Snapshot"]

        assert is_complete(request, None) == {"IsComplete": False}
        assert is_complete(request, None) == {"IsComplete": False}
        assert f"{name} waits for RDS, which has made 40 percent of it" in caplog.text
        cloud.snapshots[name]["Status"] = "available"
        assert is_complete(request, None) == {"IsComplete": True}
        (made,) = cloud.queries("create")
        assert {"Key": TAG, "Value": "galv"} in made["Tags"]
        assert {"Key": "galv-version", "Value": "v3.0.0"} in made["Tags"]

    def test_a_request_that_is_delivered_twice_has_one(self, cloud: FakeAws) -> None:
        first, second = begun(cloud, event(cloud)), begun(cloud, event(cloud))
        cloud.faults["create"] = [None, client_error("DBSnapshotAlreadyExists")]

        is_complete(first, None)

        assert first["Data"] == second["Data"]
        assert is_complete(second, None) == {"IsComplete": False}
        assert len(cloud.snapshots) == 1

    def test_one_that_was_just_made_by_another_delivery_is_enough(self, cloud: FakeAws) -> None:
        cloud.faults["create"] = [client_error("DBSnapshotAlreadyExists")]

        assert is_complete(begun(cloud, event(cloud)), None) == {"IsComplete": False}

    @pytest.mark.parametrize("code", ["InvalidDBInstanceState", "InvalidDBClusterStateFault"])
    def test_a_busy_database_is_waited_for(self, cloud: FakeAws, code: str) -> None:
        request = begun(cloud, event(cloud))
        cloud.faults["create"] = [client_error(code, message="it is backing-up")]

        assert is_complete(request, None) == {"IsComplete": False}
        assert is_complete(request, None) == {"IsComplete": False}
        assert len(cloud.snapshots) == 1

    def test_an_aws_that_does_not_answer_is_asked_again(self, cloud: FakeAws) -> None:
        request = begun(cloud, event(cloud))
        cloud.faults["describe"] = [client_error("InternalFailure", status=500)]

        assert is_complete(request, None) == {"IsComplete": False}

    def test_one_that_fails_fails_the_deployment(self, cloud: FakeAws) -> None:
        request = begun(cloud, event(cloud))
        cloud.add(request["Data"]["Snapshot"], status="failed")

        with pytest.raises(RestorePointError, match=r"galv-db before setup is failed\nNothing has"):
            is_complete(request, None)

    def test_one_that_may_not_be_made_does_too(self, cloud: FakeAws) -> None:
        request = begun(cloud, event(cloud))
        cloud.faults["create"] = [client_error("SnapshotQuotaExceeded", message="100 of 100")]

        with pytest.raises(RestorePointError, match=r"could not be made: .*100 of 100"):
            is_complete(request, None)

    def test_one_that_takes_too_long_does_too(self, cloud: FakeAws) -> None:
        request = begun(cloud, event(cloud))
        is_complete(request, None)
        cloud.now += 2701

        with pytest.raises(RestorePointError, match=r"not there after 2700 s: .* 40 percent"):
            is_complete(request, None)


class TestOldOnes:
    def done(self, cloud: FakeAws) -> None:
        request = begun(cloud, event(cloud))
        cloud.add(request["Data"]["Snapshot"])
        assert is_complete(request, None) == {"IsComplete": True}

    def test_go_but_for_the_newest(self, cloud: FakeAws) -> None:
        for age in (1, 2, 3):
            cloud.add(f"own-{age}", age=age)

        self.done(cloud)

        assert sorted(cloud.snapshots)[1:] == ["own-1"]
        assert len(cloud.snapshots) == 2

    def test_of_others_stay(self, cloud: FakeAws) -> None:
        cloud.add("of-a-person", age=9)
        cloud.snapshots["of-a-person"]["TagList"] = []
        cloud.add("of-another-stack", age=9, stack="other")
        cloud.add("own-1", age=1)
        cloud.add("not-yet", age=9, status="creating")

        self.done(cloud)

        assert "delete" not in cloud.names()

    def test_that_cannot_be_deleted_fail_nothing(self, cloud: FakeAws) -> None:
        for age in (1, 2, 3):
            cloud.add(f"own-{age}", age=age)
        cloud.faults["delete"] = [client_error("InvalidDBSnapshotState")]

        self.done(cloud)

        assert len(cloud.snapshots) == 4
