"""The handler of deletion protection, every branch, with faked services."""

import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import protection
from galv_constructs.handlers.protection import ProtectionError, on_event

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"
ROOT = "arn:aws:cloudformation:eu-central-1:123456789012:stack/root/0a1b2c3d-0001"
BALANCER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/galv/0a1b"
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
ATTRIBUTE = "deletion_protection.enabled"


def fault(code: str) -> ClientError:
    return client_error(code, message=f"{code}!")


class FakeAws(FakeServices):
    """A database, a load balancer and a stack."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "CREATE_IN_PROGRESS"
        self.database: bool | None = False
        self.balancer: bool | None = False
        self.cluster: bool | None = False
        self.slept: list[float] = []
        self.now = 0.0

    @property
    def protected(self) -> tuple[bool | None, bool | None]:
        return self.database, self.balancer

    def describe_stacks(self, **query: str) -> Json:
        self._called("describe_stacks", query)
        return {"Stacks": [{"StackStatus": self.status}]}

    def modify_db_instance(self, **change: Any) -> None:
        self._called("modify_db_instance", change)
        assert change.keys() == {"DBInstanceIdentifier", "DeletionProtection"}, change
        if self.database is None:
            raise fault("DBInstanceNotFound")
        self.database = change["DeletionProtection"]

    def describe_db_instances(self, **query: str) -> Json:
        if self.database is None:
            raise fault("DBInstanceNotFound")
        self._called("describe_db_instances", query)
        return {"DBInstances": [{"DeletionProtection": self.database}]}

    def modify_db_cluster(self, **change: Any) -> None:
        self._called("modify_db_cluster", change)
        assert change.keys() == {"DBClusterIdentifier", "DeletionProtection"}, change
        if self.cluster is None:
            raise fault("DBClusterNotFoundFault")
        self.cluster = change["DeletionProtection"]

    def describe_db_clusters(self, **query: str) -> Json:
        if self.cluster is None:
            raise fault("DBClusterNotFoundFault")
        self._called("describe_db_clusters", query)
        return {"DBClusters": [{"DeletionProtection": self.cluster}]}

    def modify_load_balancer_attributes(self, **change: Any) -> None:
        self._called("modify_load_balancer_attributes", change)
        if self.balancer is None:
            raise fault("LoadBalancerNotFound")
        ((attribute),) = change["Attributes"]
        assert attribute["Key"] == ATTRIBUTE
        self.balancer = attribute["Value"] == "true"

    def describe_load_balancer_attributes(self, **query: str) -> Json:
        if self.balancer is None:
            raise fault("LoadBalancerNotFound")
        self._called("describe_load_balancer_attributes", query)
        value = "true" if self.balancer else "false"
        other = {"Key": "idle_timeout.timeout_seconds", "Value": "true"}
        return {"Attributes": [other, {"Key": ATTRIBUTE, "Value": value}]}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(protection, "client", clients(fake))
    monkeypatch.setattr(protection, "sleep", fake.sleep)
    monkeypatch.setattr(protection, "monotonic", lambda: fake.now)
    monkeypatch.setattr("galv_constructs.handlers._aws.client", clients(fake))
    return fake


def event(kind: str, *, protected: bool = True, **properties: object) -> Json:
    request: Json = {
        "RequestType": kind,
        "StackId": STACK,
        "LogicalResourceId": "Protection",
        "ResourceProperties": {
            "Protected": "true" if protected else "false",
            "Databases": ["galv-db"],
            "LoadBalancers": [BALANCER],
            "StackId": ROOT,
            **properties,
        },
    }
    if kind != "Create":
        request["PhysicalResourceId"] = "Protection-0a1b2c3d-0000"
    return request


class TestADeployment:
    def test_turns_on_deletion_protection_when_it_is_created(self, cloud: FakeAws) -> None:
        assert on_event(event("Create"), None) == {"PhysicalResourceId": "Protection-0a1b2c3d-0000"}

        assert cloud.protected == (True, True)

    def test_leaves_deletion_protection_off_where_none_is_wanted(self, cloud: FakeAws) -> None:
        on_event(event("Create", protected=False), None)

        assert cloud.protected == (False, False)

    @pytest.mark.parametrize("protected", [True, False])
    def test_follows_the_switch_in_an_update(self, cloud: FakeAws, protected: bool) -> None:
        cloud.database = cloud.balancer = not protected

        answer = on_event(event("Update", protected=protected), None)

        assert answer == {"PhysicalResourceId": "Protection-0a1b2c3d-0000"}
        assert cloud.protected == (protected, protected)

    def test_needs_neither_a_database_nor_a_load_balancer(self, cloud: FakeAws) -> None:
        on_event(event("Create", Databases=[], LoadBalancers=[]), None)

        assert cloud.protected == (False, False)

    @pytest.mark.parametrize(
        "code", ["InvalidDBInstanceState", "InvalidDBInstanceStateFault", "AccessDenied"]
    )
    def test_waits_for_a_database_that_is_busy(self, cloud: FakeAws, code: str) -> None:
        cloud.faults["modify_db_instance"] = [fault(code), fault("Throttling")]

        on_event(event("Create"), None)

        assert cloud.protected == (True, True)
        assert cloud.slept == [15, 15]

    def test_gives_up_before_cloudformation_does(self, cloud: FakeAws) -> None:
        cloud.faults["modify_db_instance"] = [fault("InvalidDBInstanceState")] * 99

        with pytest.raises(ProtectionError, match=r"galv-db could not be turned on: .*State!"):
            on_event(event("Update"), None)

        assert sum(cloud.slept) == 300

    def test_a_failed_creation_leaves_nothing_closed(self, cloud: FakeAws) -> None:
        cloud.faults["modify_load_balancer_attributes"] = [fault("Broken")]

        with pytest.raises(ProtectionError, match=f"{BALANCER} could not be turned on: .*Broken!"):
            on_event(event("Create"), None)

        assert cloud.protected == (False, False)

    def test_says_the_first_failure_where_opening_again_fails_too(
        self, cloud: FakeAws, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.faults["modify_load_balancer_attributes"] = [fault("First"), fault("Second")]

        with caplog.at_level(logging.WARNING), pytest.raises(ProtectionError, match="First!"):
            on_event(event("Create"), None)

        assert "Second!" in caplog.text


class TestARollback:
    @pytest.mark.parametrize(
        "status",
        [
            "ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        ],
    )
    def test_turns_off_the_protection_of_new_resources(self, cloud: FakeAws, status: str) -> None:
        cloud.database = cloud.balancer = True
        cloud.status = status

        assert on_event(event("Delete"), None) == {}

        assert cloud.protected == (False, False)
        # A nested stack is only deleted in a rollback.
        assert cloud.queries("describe_stacks") == [{"StackName": ROOT}]

    def test_ignores_resources_that_are_gone(self, cloud: FakeAws) -> None:
        cloud.status = "ROLLBACK_IN_PROGRESS"
        cloud.database = cloud.balancer = None

        assert on_event(event("Delete"), None) == {}


class TestADeletion:
    @pytest.mark.parametrize(
        ("database", "balancer", "named", "unnamed"),
        [
            (True, True, ["--db-instance-identifier galv-db", BALANCER], []),
            (True, False, ["--db-instance-identifier galv-db"], [BALANCER]),
            (None, True, [BALANCER], ["galv-db"]),
        ],
    )
    def test_is_refused_with_the_next_steps(
        self,
        cloud: FakeAws,
        database: bool | None,
        balancer: bool,
        named: list[str],
        unnamed: list[str],
    ) -> None:
        cloud.status = "DELETE_IN_PROGRESS"
        cloud.database, cloud.balancer = database, balancer

        with pytest.raises(ProtectionError) as refused:
            on_event(event("Delete"), None)

        reason = str(refused.value)
        assert reason.startswith("The stack is protected, and nothing has been deleted yet.")
        assert all(part in reason for part in named)
        commands = [line.split()[:3] for line in reason.splitlines()[1:-1]]
        rds = ["aws", "rds", "modify-db-instance"]
        elb = ["aws", "elbv2", "modify-load-balancer-attributes"]
        assert commands == [rds] * bool(database) + [elb] * bool(balancer)
        assert not any(part in reason for part in unnamed)
        assert len(reason.encode()) <= 900
        assert cloud.protected == (database, balancer)

    @pytest.mark.parametrize("there", [False, None])
    def test_goes_on_where_nothing_is_protected(self, cloud: FakeAws, there: bool | None) -> None:
        cloud.status = "DELETE_IN_PROGRESS"
        cloud.database = cloud.balancer = there

        assert on_event(event("Delete"), None) == {}

    def test_is_refused_where_cloudformation_does_not_answer(self, cloud: FakeAws) -> None:
        cloud.faults["describe_stacks"] = [fault("InternalError")]
        cloud.database = True

        with pytest.raises(ProtectionError):
            on_event(event("Delete"), None)

    @pytest.mark.parametrize(
        "operation", ["describe_db_instances", "describe_load_balancer_attributes"]
    )
    def test_is_refused_where_the_protection_cannot_be_read(
        self, cloud: FakeAws, operation: str
    ) -> None:
        cloud.status = "DELETE_IN_PROGRESS"
        cloud.faults[operation] = [fault("AccessDenied")]

        with pytest.raises(ClientError, match="AccessDenied"):
            on_event(event("Delete"), None)

    def test_keeps_deletion_protection_when_the_construct_leaves_the_stack(
        self, cloud: FakeAws
    ) -> None:
        """Somebody took the construct out of the app: the database must not go with it."""
        cloud.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        cloud.database = cloud.balancer = True

        assert on_event(event("Delete"), None) == {}

        assert cloud.protected == (True, True)


class TestACluster:
    """In place of an instance; the load balancer is in another stack."""

    def event(self, kind: str, *, protected: bool = True) -> Json:
        return event(
            kind, protected=protected, Databases=[], LoadBalancers=[], Clusters=["galv-cluster"]
        )

    @pytest.mark.parametrize("protected", [True, False])
    def test_follows_the_switch(self, cloud: FakeAws, protected: bool) -> None:
        cloud.cluster = not protected

        on_event(self.event("Update", protected=protected), None)

        assert (cloud.cluster, cloud.database) == (protected, False)

    def test_opens_in_a_rollback(self, cloud: FakeAws) -> None:
        cloud.cluster, cloud.status = True, "ROLLBACK_IN_PROGRESS"

        on_event(self.event("Delete"), None)

        assert cloud.cluster is False

    def test_refuses_to_be_deleted_with_its_stack(self, cloud: FakeAws) -> None:
        cloud.cluster, cloud.status = True, "DELETE_IN_PROGRESS"

        with pytest.raises(ProtectionError) as caught:
            on_event(self.event("Delete"), None)

        assert (
            "aws rds modify-db-cluster --no-deletion-protection --db-cluster-identifier "
            "galv-cluster"
        ) in str(caught.value)

    @pytest.mark.parametrize("cluster", [None, False])
    def test_lets_go_of_what_is_gone_or_open(self, cloud: FakeAws, cluster: bool | None) -> None:
        cloud.cluster, cloud.status = cluster, "DELETE_IN_PROGRESS"

        assert on_event(self.event("Delete"), None) == {}

    def test_waits_while_it_changes(self, cloud: FakeAws) -> None:
        cloud.faults["modify_db_cluster"] = [fault("InvalidDBClusterStateFault")]

        on_event(self.event("Create"), None)

        assert (cloud.cluster, len(cloud.slept)) == (True, 1)

    def test_fails_where_it_may_not_be_looked_at(self, cloud: FakeAws) -> None:
        cloud.cluster, cloud.status = True, "DELETE_IN_PROGRESS"
        cloud.faults["describe_db_clusters"] = [fault("InternalFailure")]

        with pytest.raises(ClientError, match="InternalFailure"):
            on_event(self.event("Delete"), None)
