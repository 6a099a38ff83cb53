"""The database."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.parts.part import Part, State
from galv_ops.query.deployment import Deployment
from galv_ops.query.sleep import is_asleep

_WELL = {"available", "backing-up", "configuring-enhanced-monitoring", "storage-optimization"}
_AT_REST = {"stopped", "stopping"}
_BUSY = {"creating", "modifying", "rebooting", "starting", "upgrading", "maintenance", "renaming"}


def database(deployment: Deployment) -> Iterator[Part]:
    """Tell the state of the database that the backend created."""
    found = deployment.backend.resources("AWS::RDS::DBInstance")
    if not found and deployment.is_being_created:
        yield Part("database", "busy", "not there yet, or the backend was given one")
    elif not found:
        yield Part("database", "off", "not in the stack: the backend was given one")
    for resource in found:
        pages = deployment.aws.rds.describe_db_instances(DBInstanceIdentifier=resource.id)
        for instance in pages["DBInstances"]:
            status = instance.get("DBInstanceStatus", "unknown")
            engine = f"{instance.get('Engine', '')} {instance.get('EngineVersion', '')}"
            zones = "with a standby" if instance.get("MultiAZ") else "without a standby"
            rests = status in _AT_REST and is_asleep(deployment)
            yield Part(
                "database",
                "off" if rests else _state(status),
                f"{status}: {engine}, {instance.get('DBInstanceClass', '')}, "
                f"{instance.get('AllocatedStorage', 0)} GiB, {zones}",
                data={
                    "id": resource.id,
                    "status": status,
                    "engine": engine,
                    "class": instance.get("DBInstanceClass", ""),
                    "storageGiB": instance.get("AllocatedStorage", 0),
                    "multiAz": instance.get("MultiAZ", False),
                },
            )


def _state(status: str) -> State:
    return "ok" if status in _WELL else "busy" if status in _BUSY else "bad"
