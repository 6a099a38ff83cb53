"""Turn deletion protection on when a deployment has succeeded, and off when it is asked for.

A handler for the Provider framework of `aws_cdk.custom_resources`. The template says nothing about
deletion protection. CloudFormation therefore never changes it, and can delete what it has just
created when the first deployment fails: it deletes this resource before what it protects, and this
handler then opens the protection.
"""

from __future__ import annotations

import logging
from time import monotonic, sleep
from typing import Any

from botocore import exceptions as aws

from ._answers import AWS_ERRORS, DATABASE_BUSY, DATABASE_GONE, error_code
from ._aws import client, fit_reason, kept_id, passes, stack_status

Json = dict[str, Any]

ATTRIBUTE = "deletion_protection.enabled"
# Seconds. A database refuses changes while it is backed up or changed; CloudFormation waits longer.
PATIENCE = 300
PAUSE = 15
# A permission that was granted seconds ago is not known everywhere yet.
_LATER = {*DATABASE_BUSY, "AccessDenied"}
_GONE = {*DATABASE_GONE, "LoadBalancerNotFound"}

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class ProtectionError(Exception):
    """The protection is not as it should be; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Bring the protection in line with the request.

    Raises:
        ProtectionError: a protected stack is being deleted, or a protection could not be changed.
    """
    if event["RequestType"] == "Delete":
        _delete(event)
        return {}
    protected = event["ResourceProperties"]["Protected"] == "true"
    try:
        _set(event, on=protected)
    except ProtectionError:
        # The framework sends no Delete for a resource whose creation failed.
        if event["RequestType"] == "Create" and protected:
            _open_again(event)
        raise
    return {"PhysicalResourceId": kept_id(event)}


def _delete(event: Json) -> None:
    """Open the protection in a rollback, and refuse to be deleted with a protected stack."""
    status = stack_status(event["ResourceProperties"]["StackId"])
    if "ROLLBACK" in status:
        # The deployment that created the database and the load balancer is taken back.
        _set(event, on=False)
    elif status in ("", "DELETE_IN_PROGRESS"):
        # Also when CloudFormation does not say: a protected database is worth a second attempt.
        _refuse_if_protected(event)
    else:
        # The construct was removed from a stack that stays: what holds data stays protected.
        log.info("%s: the protection stays as it is", status)


def _refuse_if_protected(event: Json) -> None:
    databases = [id for id in _names(event, "Databases") if _database_is_protected(id)]
    clusters = [id for id in _names(event, "Clusters") if _cluster_is_protected(id)]
    balancers = [arn for arn in _names(event, "LoadBalancers") if _load_balancer_is_protected(arn)]
    if not databases and not clusters and not balancers:
        return
    commands = [
        *(
            f"aws rds modify-db-instance --no-deletion-protection --db-instance-identifier {id}"
            for id in databases
        ),
        *(
            f"aws rds modify-db-cluster --no-deletion-protection --db-cluster-identifier {id}"
            for id in clusters
        ),
    ] + [
        f"aws elbv2 modify-load-balancer-attributes --attributes Key={ATTRIBUTE},Value=false "
        f"--load-balancer-arn {arn}"
        for arn in balancers
    ]
    raise ProtectionError(
        fit_reason(
            "The stack is protected, and nothing has been deleted yet. To delete it, run\n"
            + "\n".join(commands)
            + "\nand delete it again."
        )
    )


def _set(event: Json, *, on: bool) -> None:
    deadline = monotonic() + PATIENCE
    for id in _names(event, "Databases"):
        _patiently(lambda id=id: _set_database(id, on=on), id, deadline, on=on)
    for id in _names(event, "Clusters"):
        _patiently(lambda id=id: _set_cluster(id, on=on), id, deadline, on=on)
    for arn in _names(event, "LoadBalancers"):
        _patiently(lambda arn=arn: _set_load_balancer(arn, on=on), arn, deadline, on=on)


def _open_again(event: Json) -> None:
    try:
        _set(event, on=False)
    except ProtectionError as error:
        log.warning("%s", error)


def _patiently(change: Any, name: str, deadline: float, *, on: bool) -> None:
    while True:
        try:
            change()
        except AWS_ERRORS as error:
            if not on and error_code(error) in _GONE:
                return
            if monotonic() < deadline and (error_code(error) in _LATER or passes(error)):
                log.info("%s: %s", name, error)
                sleep(PAUSE)
                continue
            what = "on" if on else "off"
            reason = f"Deletion protection of {name} could not be turned {what}: {error}"
            raise ProtectionError(fit_reason(reason)) from error
        log.info("%s: deletion protection %s", name, "on" if on else "off")
        return


def _set_database(id: str, *, on: bool) -> None:
    # Takes effect at once. `ApplyImmediately` would also apply whatever change is pending.
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
    client("rds").modify_db_instance(DBInstanceIdentifier=id, DeletionProtection=on)


def _set_cluster(id: str, *, on: bool) -> None:
    client("rds").modify_db_cluster(DBClusterIdentifier=id, DeletionProtection=on)


def _set_load_balancer(arn: str, *, on: bool) -> None:
    client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": ATTRIBUTE, "Value": "true" if on else "false"}]
    )


def _database_is_protected(id: str) -> bool:
    try:
        (database,) = client("rds").describe_db_instances(DBInstanceIdentifier=id)["DBInstances"]
    except aws.ClientError as error:
        if error_code(error) in _GONE:
            return False
        raise
    return bool(database["DeletionProtection"])


def _cluster_is_protected(id: str) -> bool:
    try:
        (cluster,) = client("rds").describe_db_clusters(DBClusterIdentifier=id)["DBClusters"]
    except aws.ClientError as error:
        if error_code(error) in _GONE:
            return False
        raise
    return bool(cluster["DeletionProtection"])


def _load_balancer_is_protected(arn: str) -> bool:
    try:
        answer = client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)
    except aws.ClientError as error:
        if error_code(error) in _GONE:
            return False
        raise
    return any(
        attribute["Key"] == ATTRIBUTE and attribute["Value"] == "true"
        for attribute in answer["Attributes"]
    )


def _names(event: Json, kind: str) -> list[str]:
    return list(event["ResourceProperties"].get(kind, []))
