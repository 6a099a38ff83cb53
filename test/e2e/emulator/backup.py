"""Parts of AWS Backup that MiniStack lacks: selections as resources, and the names of vaults."""

import json
import re

from e2e.emulator.private import backup_svc
from e2e.emulator.types import Json, Made, add_type, check_before

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-backup-backupvault.html
_NAME = re.compile(r"[a-zA-Z0-9_-]{2,50}")


def _check_name(properties: Json) -> None:
    name = properties["BackupVaultName"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"InvalidParameterValueException: {name} is no name of a vault")


def _create(_logical_id: str, properties: Json, _stack: str) -> Made:
    plan = properties["BackupPlanId"]
    body = {"BackupSelection": properties["BackupSelection"]}
    status, _, answer = backup_svc.create_selection(plan, body)
    said = json.loads(answer)
    if status >= 400:
        raise ValueError(said)
    # What Ref returns.
    return f"{said['SelectionId']}_{plan}", {"SelectionId": said["SelectionId"]}


def _delete(id: str, _properties: Json) -> None:
    selection, _, plan = id.partition("_")
    backup_svc.delete_selection(plan, selection)


def install() -> None:
    """Add what is missing."""
    add_type("AWS::Backup::BackupSelection", create=_create, delete=_delete)
    check_before("AWS::Backup::BackupVault", _check_name)
