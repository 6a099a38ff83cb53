"""The copy of the database that a release is rehearsed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.errors import OpsError, is_gone
from galv_ops.query.deployment import Deployment
from galv_ops.query.run import Progress

COPY_OF = "galv-constructs:copy-of"
OPERATION = "galv-constructs:operation"
REHEARSAL = "rehearsal"
POLL_SECONDS = 15
# A restore reads the whole snapshot from S3: hours where a database is large.
LONGEST_MINUTES = 240
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
_FAILED = ("failed", "incompatible-network", "incompatible-parameters", "incompatible-restore")
_MAX_NAME = 63
_SUFFIX = "-rehearsal"


@dataclass(frozen=True, kw_only=True)
class Address:
    """How the copy is reached, and the name of its master."""

    host: str
    port: int
    master: str


class Copy:
    """The copy of a deployment's database: created, given a password, deleted.

    It has one name, so that there are never two, and it is known by its tags: nothing else is
    ever changed or deleted.
    """

    def __init__(self, deployment: Deployment, progress: Progress) -> None:
        self._rds = deployment.aws.rds
        self._source = _instance(deployment)
        self._arn = str(self._source.get("DBInstanceArn", ""))
        self._progress = progress
        # A name ends with no hyphen, and has no two in a row:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
        start = str(self._source["DBInstanceIdentifier"])[: _MAX_NAME - len(_SUFFIX)]
        self.name = f"{start.rstrip('-')}{_SUFFIX}"

    def find(self) -> dict[str, Any] | None:
        """Return the copy as RDS describes it; none if there is none.

        Raises:
            OpsError: If an instance has its name that is no copy of this database.
        """
        try:
            answer = self._rds.describe_db_instances(DBInstanceIdentifier=self.name)
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        found: dict[str, Any] = dict(answer["DBInstances"][0])
        tags = {tag.get("Key"): tag.get("Value") for tag in found.get("TagList", [])}
        if tags.get(OPERATION) != REHEARSAL or tags.get(COPY_OF) != self._arn:
            raise OpsError(
                f"the database instance {self.name} has the name of the copy, and not its tags "
                f"{OPERATION} and {COPY_OF}: galv-ops leaves it alone; rename or delete it yourself"
            )
        return found

    def create(
        self,
        *,
        security_group: str,
        snapshot: str | None,
        time: datetime | None,
        password: Callable[[], str],
    ) -> Address:
        """Restore it beside the database, and give its master another password.

        Args:
            security_group: The only one that it gets.
            snapshot: Snapshot to restore; none for a moment.
            time: Moment to restore, with its zone; none for the last one that can be restored.
            password: Returns the password.

        Raises:
            OpsError: If RDS cannot restore it.
        """
        source = self._source
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
        latest = source.get("LatestRestorableTime")
        if time is not None and (latest is None or time >= latest):
            can = "nothing yet" if latest is None else f"what was before {latest.isoformat()}"
            raise OpsError(f"RDS can restore {can}, and --time is {time.isoformat()}")
        settings: dict[str, Any] = {
            "DBInstanceClass": source["DBInstanceClass"],
            "DBSubnetGroupName": source["DBSubnetGroup"]["DBSubnetGroupName"],
            "DBParameterGroupName": source["DBParameterGroups"][0]["DBParameterGroupName"],
            "VpcSecurityGroupIds": [security_group],
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "DeletionProtection": False,
            "Tags": [
                {"Key": COPY_OF, "Value": self._arn},
                {"Key": OPERATION, "Value": REHEARSAL},
            ],
        }
        if snapshot is None:
            self._rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier=source["DBInstanceIdentifier"],
                TargetDBInstanceIdentifier=self.name,
                **({"UseLatestRestorableTime": True} if time is None else {"RestoreTime": time}),
                **settings,
            )
        else:
            self._rds.restore_db_instance_from_db_snapshot(
                DBInstanceIdentifier=self.name, DBSnapshotIdentifier=snapshot, **settings
            )
        self._wait("is restored")
        self._rds.modify_db_instance(
            DBInstanceIdentifier=self.name, MasterUserPassword=password(), ApplyImmediately=True
        )
        found = self._wait("gets its password")
        return Address(
            host=found["Endpoint"]["Address"],
            port=found["Endpoint"]["Port"],
            master=found["MasterUsername"],
        )

    def delete(self) -> bool:
        """Delete it with its backups, and tell whether it was there.

        RDS refuses in some states; it is asked until it does.
        """
        began = monotonic()
        while True:
            found = self.find()
            if found is None:
                return False
            if found["DBInstanceStatus"] == "deleting":
                return True
            try:
                self._rds.delete_db_instance(
                    DBInstanceIdentifier=self.name,
                    SkipFinalSnapshot=True,
                    DeleteAutomatedBackups=True,
                )
            except ClientError as error:
                if is_gone(error):
                    return False
                if not error_code(error).startswith("InvalidDBInstanceState"):
                    raise
                self._check_time(began, "could be deleted")
            else:
                self._progress(f"copy: {self.name} is deleted")
                return True
            self._progress(f"copy: {found['DBInstanceStatus']}, and cannot be deleted yet")
            sleep(POLL_SECONDS)

    def _wait(self, what: str) -> dict[str, Any]:
        began, before = monotonic(), ""
        while True:
            found = self.find()
            if found is None:
                raise OpsError(f"the copy {self.name} is gone: somebody else has deleted it")
            status = str(found["DBInstanceStatus"])
            passed = f"{(monotonic() - began) / 60:.0f} min"
            self._progress(f"copy: {what}, {status} after {passed}", passing=status == before)
            before = status
            if status in _FAILED:
                raise OpsError(f"RDS could not restore {self.name}: it is {status}")
            pending = found.get("PendingModifiedValues", {}).get("MasterUserPassword")
            if status == "available" and not pending:
                return found
            self._check_time(began, what)
            sleep(POLL_SECONDS)

    def _check_time(self, began: float, what: str) -> None:
        if monotonic() - began > LONGEST_MINUTES * 60:
            raise OpsError(f"{self.name} is not so far after {LONGEST_MINUTES} minutes: {what}")


def _instance(deployment: Deployment) -> dict[str, Any]:
    """Return the database of the backend, as RDS describes it."""
    found: Sequence[dict[str, Any]] = [
        dict(instance)
        for resource in deployment.backend.resources("AWS::RDS::DBInstance")
        for instance in deployment.aws.rds.describe_db_instances(DBInstanceIdentifier=resource.id)[
            "DBInstances"
        ]
        if not instance.get("ReadReplicaSourceDBInstanceIdentifier")
        and not instance.get("DBClusterIdentifier")
    ]
    if len(found) != 1:
        raise OpsError(
            f"{deployment.backend.name} has {len(found)} database instances, and a rehearsal "
            "copies that of one GalvDatabase: rehearse on a copy of your own"
        )
    return found[0]
