"""Snapshots, restores, renames and deletions of RDS's instances, with what their servers have.

A snapshot is a copy of a server. A point in time is the server as it is now, or for a time given
the last snapshot before it: who wants to come back to a time takes a snapshot then. A change takes
seconds, in which the instance is as RDS has it: creating, renaming, deleting.
"""

import copy
import secrets
import shutil
import threading
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from e2e.emulator import databases
from e2e.emulator.private import MASTER_PASSWORD, rds
from e2e.emulator.types import Json

# Seconds that a change takes.
_CHANGE = 3
_ARN = "DBInstanceArn"
_ID = "DBInstanceIdentifier"
_NEW = f"New{_ID}"
_SNAPSHOT = "DBSnapshotIdentifier"
_STATUS = "DBInstanceStatus"


@dataclass(frozen=True)
class _Copy:
    """What a server had at a time, and what RDS said of its instance."""

    instance: Json
    folder: Path
    at: datetime

    @classmethod
    def of(cls, instance: Json) -> "_Copy":
        folder = databases.new_folder("copy")
        databases.start(instance).postgres.copy(folder / "copy")
        return cls(copy.deepcopy(instance), folder, datetime.now(timezone.utc))

    def restore(self, request: Json) -> Json:
        """Restore it into a new instance.

        What is not given is as in the copy, but protection, more zones and public access, which
        are off, and security groups, parameter group and tags, which are the default.
        https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
        """
        id = rds.p(request, f"Target{_ID}") or rds.p(request, _ID)
        given = copy.deepcopy(self.instance)
        group = rds.p(request, "DBParameterGroupName") or "default.postgres"
        groups = rds.parse_member_list(request, "VpcSecurityGroupIds")
        _rename(given, id)
        given.update(
            {
                "DbiResourceId": f"db-{secrets.token_hex(10).upper()}",
                "InstanceCreateTime": _now(),
                _STATUS: "creating",
                "DBInstanceClass": rds.p(request, "DBInstanceClass") or given["DBInstanceClass"],
                "DBParameterGroups": [
                    {"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}
                ],
                "VpcSecurityGroups": [
                    {"VpcSecurityGroupId": one, "Status": "active"} for one in groups
                ],
                "TagList": rds.parse_tags(request),
                **{
                    name: rds.p(request, name) == "true"
                    for name in ("MultiAZ", "PubliclyAccessible", "DeletionProtection")
                },
            }
        )
        if (name := rds.p(request, "DBSubnetGroupName")) in rds.subnet_groups:
            given["DBSubnetGroup"] = rds.subnet_groups[name]
        rds.instances[id] = given
        rds.tags[given[_ARN]] = given["TagList"]
        databases.start(given, self.folder / "copy")
        _later(lambda: given.update({_STATUS: "available"}))
        return given


# By ARN of the snapshot.
_snapshots: dict[str, _Copy] = {}
_usual: dict[str, Any] = {}


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _later(change: Any) -> None:
    """Change something in the account and region of this request, when it is answered."""
    threading.Timer(_CHANGE, copy_context().run, [change]).start()


def _answer(action: str, instance: Json) -> Any:
    told = f"<DBInstance>{rds.instance_xml(instance)}</DBInstance>"
    return rds.xml(200, f"{action}Response", f"<{action}Result>{told}</{action}Result>")


def _refusal(id: str) -> Any:
    """Refuse what there is not, or what is changing."""
    if id not in rds.instances:
        return rds.error("DBInstanceNotFound", f"DBInstance {id} not found.", 404)
    status = rds.instances[id][_STATUS]
    if status != "available":
        return rds.error("InvalidDBInstanceState", f"Instance {id} is {status}.", 400)
    return None


def _taken(id: str) -> Any:
    if id in rds.instances:
        return rds.error("DBInstanceAlreadyExists", f"DB instance {id} already exists.", 400)
    return None


def _snapshot(request: Json) -> Any:
    instance_id, id = rds.p(request, _ID), rds.p(request, _SNAPSHOT)
    if refusal := _refusal(instance_id):
        return refusal
    if id in rds.snapshots:
        return _usual["CreateDBSnapshot"](request)
    made = _Copy.of(rds.instances[instance_id])
    answer = _usual["CreateDBSnapshot"](request)
    snapshot = rds.snapshots[id]
    _snapshots[snapshot["DBSnapshotArn"]] = made
    snapshot.update(Status="creating", PercentProgress=0)
    _later(lambda: snapshot.update(Status="available", PercentProgress=100))
    return answer


def _delete_snapshot(request: Json) -> Any:
    arn = rds.snapshots.get(rds.p(request, _SNAPSHOT), {}).get("DBSnapshotArn")
    answer = _usual["DeleteDBSnapshot"](request)
    if there := _snapshots.pop(arn, None):
        shutil.rmtree(there.folder)
    return answer


def _restore_snapshot(request: Json) -> Any:
    id = rds.p(request, _SNAPSHOT)
    if refusal := _taken(rds.p(request, _ID)):
        return refusal
    snapshot = rds.snapshots.get(id)
    if snapshot is None:
        return rds.error("DBSnapshotNotFound", f"DBSnapshot {id} not found.", 404)
    if snapshot["Status"] != "available":
        return rds.error("InvalidDBSnapshotState", f"{id} is {snapshot['Status']}.", 400)
    restored = _snapshots[snapshot["DBSnapshotArn"]].restore(request)
    return _answer("RestoreDBInstanceFromDBSnapshot", restored)


def _restore_time(request: Json) -> Any:
    source = rds.p(request, f"Source{_ID}")
    if refusal := _refusal(source) or _taken(rds.p(request, f"Target{_ID}")):
        return refusal
    instance = rds.instances[source]
    if rds.p(request, "UseLatestRestorableTime") == "true":
        now = _Copy.of(instance)
        restored = now.restore(request)
        shutil.rmtree(now.folder)
        return _answer("RestoreDBInstanceToPointInTime", restored)
    time = datetime.fromisoformat(rds.p(request, "RestoreTime").replace("Z", "+00:00"))
    kept = [
        one
        for one in _snapshots.values()
        if one.instance["DbiResourceId"] == instance["DbiResourceId"] and one.at <= time
    ]
    if not kept:
        return rds.error("InvalidRestoreFault", f"{source} cannot be restored to {time}.", 400)
    restored = max(kept, key=lambda one: one.at).restore(request)
    return _answer("RestoreDBInstanceToPointInTime", restored)


def _modify(request: Json) -> Any:
    """Change an instance; a new name takes a while, in which it has its old one.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
    """
    id, name = rds.p(request, _ID), rds.p(request, _NEW)
    if refusal := _refusal(id) or (name and _taken(name)):
        return refusal
    instance = rds.instances[id]
    answer = _usual["ModifyDBInstance"](request)
    if password := rds.p(request, "MasterUserPassword"):
        instance[MASTER_PASSWORD] = password
        databases.start(instance).postgres.change_password(instance["MasterUsername"], password)
    if name and rds.p(request, "ApplyImmediately") == "true":
        instance[_STATUS] = "renaming"
        _later(lambda: _renamed(id, name))
    return answer


def _renamed(id: str, name: str) -> None:
    instance = rds.instances.pop(id)
    tags = rds.tags.pop(instance[_ARN], [])
    _rename(instance, name)
    instance[_STATUS] = "available"
    rds.tags[instance[_ARN]] = tags
    rds.instances[name] = instance


def _rename(instance: Json, name: str) -> None:
    """Give an instance another name, which its ARN and its endpoint have too."""
    address = databases.address_of(name)
    arn = instance[_ARN].rpartition(":")[0]
    instance.update(
        {
            _ID: name,
            _ARN: f"{arn}:{name}",
            "Endpoint": {**instance["Endpoint"], "Address": address},
        }
    )


def _delete(request: Json) -> Any:
    id = rds.p(request, _ID)
    if id in rds.instances and rds.instances[id][_STATUS] in ("creating", "renaming", "deleting"):
        return _refusal(id)
    instance = rds.instances.get(id)
    tags = list(instance["TagList"]) if instance else []
    answer = _usual["DeleteDBInstance"](request)
    # Refused, for example as it is protected.
    if instance is None or id in rds.instances:
        return answer
    rds.instances[id] = instance
    rds.tags[instance[_ARN]] = tags
    databases.end(instance)
    _later(lambda: (rds.instances.pop(id), rds.tags.pop(instance[_ARN])))
    return answer


def end_all() -> None:
    """Delete all copies."""
    for one in _snapshots.values():
        shutil.rmtree(one.folder, ignore_errors=True)


def install() -> None:
    """Wrap MiniStack's actions."""
    actions = {
        "CreateDBSnapshot": _snapshot,
        "DeleteDBInstance": _delete,
        "DeleteDBSnapshot": _delete_snapshot,
        "ModifyDBInstance": _modify,
        "RestoreDBInstanceFromDBSnapshot": _restore_snapshot,
        "RestoreDBInstanceToPointInTime": _restore_time,
    }
    _usual.update({name: rds.ACTION_MAP.get(name) for name in actions})
    rds.ACTION_MAP.update(actions)
