"""A snapshot of the database before setup runs, when a deployment brings another image.

The release gate's two handlers do it for a resource of its own, which comes first. The deployment
fails before anything has changed where there is no snapshot in time. Each step finds what was done
before: the snapshot has a name that follows from the request.
"""

from __future__ import annotations

import hashlib
import logging
import re
from time import time
from typing import Any

from ._answers import AWS_ERRORS, DATABASE_BUSY, error_code
from ._aws import client, fit_reason, kept_id, passes, stack_status

Json = dict[str, Any]

TAG = "galv-constructs:restore-point"
"""Tag of the snapshots, whose value is the stack."""
VERSION_TAG = "galv-version"

_EXISTS = {
    "DBClusterSnapshotAlreadyExistsFault",
    "DBSnapshotAlreadyExists",
    "DBSnapshotAlreadyExistsFault",
}
_MISSING = {
    "DBClusterSnapshotNotFoundFault",
    "DBSnapshotNotFound",
    "DBSnapshotNotFoundFault",
}

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class RestorePointError(Exception):
    """There is no snapshot; the text is the reason for CloudFormation."""


def on_event(event: Json) -> Json:
    """Say which snapshot this request needs; none where the image is the same."""
    name = _name(event) if _is_needed(event) else ""
    log.info("%s: snapshot %s", event["RequestType"], name or "not needed")
    return {
        "PhysicalResourceId": kept_id(event),
        "Data": {"Snapshot": name or "none"},
        # For is_complete, by our own clock.
        "StartedAt": time(),
    }


def is_complete(event: Json) -> Json:
    """Make the snapshot, and tell whether it is there.

    Raises:
        RestorePointError: it could not be made, or not in time.
    """
    name = event["Data"]["Snapshot"]
    if name == "none":
        return {"IsComplete": True}
    try:
        missing = _look(event, name)
    except AWS_ERRORS as error:
        if not passes(error):
            raise _failure(event, f"could not be made: {error}") from error
        missing = f"RDS, which does not answer: {error}"
    log.info("%s waits for %s", name, missing or "nothing more")
    if missing and _seconds_left(event) <= 0:
        seconds = event["ResourceProperties"]["TimeoutSeconds"]
        raise _failure(event, f"is not there after {seconds} s: it waits for {missing}")
    if not missing:
        _drop_old(event, name)
    return {"IsComplete": not missing}


def _is_needed(event: Json) -> bool:
    """Whether the deployment brings another image to a database that is in use."""
    if event["RequestType"] != "Update":
        return False
    old, new = event["OldResourceProperties"], event["ResourceProperties"]
    # The image before may be none that this was told of.
    changed = old.get("Image") != new["Image"]
    # A rollback goes back to code that had this database.
    return changed and "ROLLBACK" not in stack_status(event["StackId"])


def _name(event: Json) -> str:
    """Return the name of the snapshot, by the release and, as a version can come back, by more.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html
    """
    properties = event["ResourceProperties"]
    version = re.sub(r"[^a-z0-9]+", "-", properties["Version"].lower()).strip("-")[:60]
    mark = hashlib.sha256(event["RequestId"].encode()).hexdigest()[:8]
    return re.sub("-+", "-", f"{properties['Prefix']}-{version}-{mark}")


def _look(event: Json, name: str) -> str:
    """Make the snapshot if there is none, and return what it waits for."""
    found = _snapshots(event, SnapshotIdentifier=name)
    if not found:
        return _make(event, name)
    status = found[0]["Status"]
    if status == "available":
        return ""
    if status != "creating":
        raise _failure(event, f"is {status}")
    return f"RDS, which has made {found[0].get('PercentProgress', 0)} percent of it"


def _make(event: Json, name: str) -> str:
    properties = event["ResourceProperties"]
    tags = [
        {"Key": TAG, "Value": event["StackId"].split("/")[1]},
        {"Key": VERSION_TAG, "Value": re.sub(r"[^\w.:/=+@-]", "_", properties["Version"])[:256]},
    ]
    rds = client("rds")
    try:
        if _is_cluster(event):
            rds.create_db_cluster_snapshot(
                DBClusterIdentifier=properties["Database"],
                DBClusterSnapshotIdentifier=name,
                Tags=tags,
            )
        else:
            rds.create_db_snapshot(
                DBInstanceIdentifier=properties["Database"], DBSnapshotIdentifier=name, Tags=tags
            )
    except AWS_ERRORS as error:
        # RDS makes no snapshot of a database that is just backed up, changed or started.
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html
        if error_code(error) in DATABASE_BUSY:
            return f"the database, which is busy: {error}"
        if error_code(error) not in _EXISTS:
            raise
    return "RDS, which begins with it"


def _is_cluster(event: Json) -> bool:
    return bool(event["ResourceProperties"]["Kind"] == "cluster")


def _snapshots(event: Json, **which: str) -> list[Json]:
    """Return manual snapshots of the database, or the one of a name."""
    kind = "DBCluster" if _is_cluster(event) else "DB"
    query = {f"{kind}{key}": value for key, value in which.items()}
    if not which:
        key = "DBClusterIdentifier" if _is_cluster(event) else "DBInstanceIdentifier"
        query = {key: event["ResourceProperties"]["Database"], "SnapshotType": "manual"}
    operation = "describe_db_cluster_snapshots" if _is_cluster(event) else "describe_db_snapshots"
    try:
        pages = client("rds").get_paginator(operation).paginate(**query)
        return [one for page in pages for one in page[f"{kind}Snapshots"]]
    except AWS_ERRORS as error:
        if error_code(error) not in _MISSING:
            raise
    return []


def _drop_old(event: Json, newest: str) -> None:
    """Delete this stack's own restore points but for the newest; no failure fails the release."""
    kind = "DBCluster" if _is_cluster(event) else "DB"
    stack = event["StackId"].split("/")[1]
    keep = int(event["ResourceProperties"]["Keep"])
    try:
        own = [
            one
            for one in _snapshots(event)
            if {"Key": TAG, "Value": stack} in one.get("TagList", [])
            and one["Status"] == "available"
        ]
        own.sort(key=lambda one: one["SnapshotCreateTime"], reverse=True)
        for one in own[keep:]:
            old = one[f"{kind}SnapshotIdentifier"]
            if old == newest:
                continue
            if _is_cluster(event):
                client("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=old)
            else:
                client("rds").delete_db_snapshot(DBSnapshotIdentifier=old)
            log.info("deleted the restore point %s", old)
    except AWS_ERRORS as error:
        log.warning("old restore points are left: %s", error)


def _seconds_left(event: Json) -> float:
    return float(event["StartedAt"] + int(event["ResourceProperties"]["TimeoutSeconds"]) - time())


def _failure(event: Json, what: str) -> RestorePointError:
    database = event["ResourceProperties"]["Database"]
    return RestorePointError(
        fit_reason(
            f"The snapshot of the database {database} before setup {what}",
            "\nNothing has been changed. Deploy again, or without it: snapshot_before_setup=False "
            "(snapshotBeforeSetup in cdk.json)",
        )
    )
