"""Whether a snapshot to restore is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code, error_message
from .database import ENGINES
from .stack import ACTION, has

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = (ACTION, "rds:DescribeDBClusterSnapshots", "rds:DescribeDBSnapshots")
"""The first to see what was restored; the second for a cluster's, the third for an instance's."""

# What RDS and AWS Backup create by themselves is named so, and described by its type only.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html
_TYPES = {"rds": "automated", "awsbackup": "awsbackup"}


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `SnapshotArn`, which is of an instance or of a cluster.

    `Encrypts` says that a cluster is restored with a key of its own, `Resource` which resource of
    `Stack` is restored. A resource that is there read the snapshot when it was created, and does so
    again only where the deployment replaces it: `Changed` says that it asked for another one.
    """
    is_restored = not question.flag("Changed") and has(question, world)
    arn = question.text("SnapshotArn")
    rds = world.client("rds")
    parts = arn.split(":")
    # Of a name alone nobody can tell which of both it is, and an instance's is the usual one.
    is_cluster = len(parts) > 6 and parts[5] == "cluster-snapshot"
    if len(parts) > 6 and parts[3] != rds.meta.region_name and not is_restored:
        yield question.error(
            f"the snapshot {arn} is in another region",
            f"it is in {parts[3]}, and the database is created in {rds.meta.region_name}",
            f"copy it into {rds.meta.region_name} and pass the copy",
        )
        return
    found, said = _found(rds, arn, is_cluster=is_cluster)
    if found is None and is_restored:
        yield question.warning(
            f"the snapshot {arn} is gone",
            "the database was restored from it, and a deployment that replaces the database fails",
            "keep snapshot_identifier as it is: without it CloudFormation replaces the database",
        )
    elif found is None:
        yield question.error(
            f"the snapshot {arn} does not exist",
            said,
            "correct its ARN; `aws rds describe-db-snapshots` lists those that there are",
        )
    elif not is_restored:
        yield from _wrong(question, arn, found, is_cluster=is_cluster)


def _wrong(question: Question, arn: str, found: Any, *, is_cluster: bool) -> Iterable[Finding]:
    if found["Status"] != "available":
        yield question.error(
            f"the snapshot {arn} cannot be restored",
            f"its status is {found['Status']}, {found.get('PercentProgress', 0)} % done",
            "wait until it is available, or pass another one",
        )
    # A key of its own encrypts what is restored into a cluster; a copy of a cluster's cannot be.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBClusterFromSnapshot.html
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBClusterSnapshot.html
    encrypted = found.get("StorageEncrypted" if is_cluster else "Encrypted")
    if encrypted is False and not question.flag("Encrypts"):
        yield question.error(
            f"the snapshot {arn} is not encrypted",
            "a database that is restored from it would not be either",
            "pass encryption_key, which encrypts the restored cluster"
            if is_cluster
            else "copy it under a KMS key, with `aws rds copy-db-snapshot`, and pass the copy",
        )
    if found["Engine"] not in ENGINES:
        yield question.error(
            f"the snapshot {arn} is not of PostgreSQL",
            f"its engine is {found['Engine']}",
            f"pass one of the engine {' or '.join(ENGINES)}",
        )


def _found(rds: Any, arn: str, *, is_cluster: bool) -> tuple[Any, str]:
    """Return the snapshot, or None and what AWS says.

    One of another account is known by its ARN only:
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBSnapshots.html
    """
    kind = "DBClusterSnapshot" if is_cluster else "DBSnapshot"
    describe = rds.describe_db_cluster_snapshots if is_cluster else rds.describe_db_snapshots
    said = ""
    known_by = ":".join(arn.split(":")[6:]) or arn
    made_by = _TYPES.get(known_by.partition(":")[0])
    more = {"IncludeShared": True} if made_by is None else {"SnapshotType": made_by}
    for name in dict.fromkeys((known_by, arn)):
        try:
            reply = describe(**{f"{kind}Identifier": name}, **more)
        except AWS_ERRORS as error:
            if "NotFound" not in error_code(error):
                raise
            said = error_message(error)
            continue
        for found in reply[f"{kind}s"]:
            if arn in (found.get(f"{kind}Arn"), name):
                return found, ""
    return None, said or "RDS knows none with that ARN"
