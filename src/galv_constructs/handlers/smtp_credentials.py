"""SMTP credentials for Amazon SES, created while CloudFormation deploys.

A handler for the Provider framework of `aws_cdk.custom_resources`. It creates an access key for an
IAM user, derives the SMTP password, and puts both in a secret. Neither the key nor the password
leaves this function by another way: what it logs, returns and raises names the key's id only.

The id of the access key is the physical id of the resource. When a deployment changes the number
of the rotation, the answer has a new id, which CloudFormation takes for a replacement: it deletes
the old one, with a Delete for it, after the whole stack has been updated and tasks run with the new
one; or the new one, after a rollback.

Before that it looks whether Amazon SES has an identity already where the stack is about to create
one: this resource is first, and what CloudFormation says then names nothing that could be set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
from time import sleep
from typing import Any

from botocore import exceptions as aws

from ._answers import AWS_ERRORS, error_code
from ._aws import client, stack_status

Json = dict[str, Any]

# The keys in the secret, which `galv_constructs.mail` names too.
USER_KEY = "DJANGO_EMAIL_HOST_USER"
PASSWORD_KEY = "DJANGO_EMAIL_HOST_PASSWORD"  # noqa: S105 - the key in the secret, not a value
ACCESS_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
# IAM tells of a new user everywhere only after seconds.
PAUSES = (2, 4, 8, 16)

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class CredentialsError(Exception):
    """There are no new credentials; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Make the credentials that the request asks for, or delete those that it is about.

    Raises:
        CredentialsError: there are no new credentials, and the old ones are as they were.
    """
    if event["RequestType"] == "Delete":
        _delete(event)
        return {}
    _check_identity(event)
    key_id = _existing(event) or _make(event)
    log.info("%s: access key %s", event["RequestType"], key_id)
    return {"PhysicalResourceId": key_id, "Data": {"VersionId": _version_id(event, key_id)}}


def smtp_password(secret_access_key: str, region: str) -> str:
    """The SMTP password that belongs to a secret access key in one region.

    https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html gives the algorithm.
    """
    signature = f"AWS4{secret_access_key}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.digest(signature, part.encode(), hashlib.sha256)
    return base64.b64encode(b"\x04" + signature).decode()


def _check_identity(event: Json) -> None:
    """Refuse an identity that the stack is to create, and that exists."""
    domain = event["ResourceProperties"].get("NewIdentity")
    if domain in (None, event.get("OldResourceProperties", {}).get("NewIdentity")):
        return
    # While it rolls back, the stack goes back to an identity of its own.
    if event["RequestType"] == "Update" and stack_status(event["StackId"]) != "UPDATE_IN_PROGRESS":
        return
    try:
        client("sesv2").get_email_identity(EmailIdentity=domain)
    except AWS_ERRORS as error:
        if error_code(error) != "NotFoundException":
            log.warning("cannot ask for the identity %s: %s", domain, error)
        return
    raise CredentialsError(
        f"Amazon SES has an identity for {domain} in this account and region already: another "
        "deployment created it, or one that was destroyed left it. To send through it, set "
        '"mailIdentity": "existing" in cdk.json, or pass it to GalvMail as identity, and deploy '
        "again. To create it here, delete it first, with its DNS records"
    )


def _version_id(event: Json, key_id: str) -> str:
    """The id of the secret's version that holds what this request and this key lead to.

    It is computed, so that a key can be recognized by it. The resource is part of it: two of them
    must not share a key, because one would be deleted before the other.
    """
    properties = event["ResourceProperties"]
    parts = [event["StackId"], event["LogicalResourceId"], key_id]
    parts += [properties[name] for name in ("UserName", "SecretId", "Region", "Rotation")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _existing(event: Json) -> str | None:
    """The key of an earlier answer to the same request, if there is one.

    When the request was delivered twice; or when it is a rollback, which goes back to a key that
    CloudFormation has not deleted yet.
    """
    secret_id = event["ResourceProperties"]["SecretId"]
    versions = (
        client("secretsmanager").describe_secret(SecretId=secret_id).get("VersionIdsToStages", {})
    )
    for key_id in _keys(event):
        version_id = _version_id(event, key_id)
        if version_id in versions:
            _make_current(secret_id, version_id, versions)
            return key_id
    return None


def _make_current(secret_id: str, version_id: str, versions: dict[str, list[str]]) -> None:
    """Let those who ask for no version of the secret get this one."""
    current = next((id_ for id_, stages in versions.items() if "AWSCURRENT" in stages), None)
    if current == version_id:
        return
    move = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version_id}
    if current is not None:
        move["RemoveFromVersionId"] = current
    client("secretsmanager").update_secret_version_stage(SecretId=secret_id, **move)


def _keys(event: Json) -> list[str]:
    """The ids of the user's access keys, at most two, with patience for a user created just now."""
    user = event["ResourceProperties"]["UserName"]
    pauses = iter(PAUSES if event["RequestType"] == "Create" else ())
    while True:
        try:
            keys = client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
            return [key["AccessKeyId"] for key in keys]
        except aws.ClientError as error:
            pause = next(pauses, None)
            if pause is None or error_code(error) != "NoSuchEntity":
                raise
        sleep(pause)


def _make(event: Json) -> str:
    """Make a key and put it, as SMTP credentials, in the secret: both or nothing."""
    properties = event["ResourceProperties"]
    user = properties["UserName"]
    try:
        key = client("iam").create_access_key(UserName=user)["AccessKey"]
    except aws.ClientError as error:
        if error_code(error) == "LimitExceeded":
            raise CredentialsError(_two_keys(event)) from error
        raise
    key_id = str(key["AccessKeyId"])
    credentials = {
        USER_KEY: key_id,
        PASSWORD_KEY: smtp_password(key["SecretAccessKey"], properties["Region"]),
    }
    try:
        client("secretsmanager").put_secret_value(
            SecretId=properties["SecretId"],
            ClientRequestToken=_version_id(event, key_id),
            SecretString=json.dumps(credentials),
        )
    except AWS_ERRORS as error:
        left = _take_back(user, key_id)
        raise CredentialsError(f"The secret could not be written: {error}{left}") from error
    return key_id


def _two_keys(event: Json) -> str:
    """Return the fix for a user that has as many keys as IAM allows."""
    user = event["ResourceProperties"]["UserName"]
    current = event.get("PhysicalResourceId")
    others = " or ".join(key_id for key_id in _keys(event) if key_id != current)
    used = f" {current} is in use." if current else ""
    return (
        f"User {user} has two access keys, and IAM allows no third.{used} Delete the one that "
        f"nothing uses ({others}) and deploy again: aws iam delete-access-key --user-name {user} "
        "--access-key-id ID"
    )


def _take_back(user: str, key_id: str) -> str:
    """Delete a key that nobody got to know, and say in the end of a sentence if that failed."""
    try:
        _delete_key(user, key_id)
    except AWS_ERRORS as error:
        return f". Access key {key_id} of user {user} is left and has to be deleted: {error}"
    return ""


def _delete(event: Json) -> None:
    """Delete the key that the request is about; it may be gone already, or its user."""
    for key_id in _own_keys(event):
        was_there = _delete_key(event["ResourceProperties"]["UserName"], key_id)
        log.info("Delete: access key %s%s", key_id, "" if was_there else " is gone already")


def _delete_key(user: str, key_id: str) -> bool:
    """Delete a key, and say whether it was there."""
    try:
        client("iam").delete_access_key(UserName=user, AccessKeyId=key_id)
    except aws.ClientError as error:
        if error_code(error) != "NoSuchEntity":
            raise
        return False
    return True


def _own_keys(event: Json) -> list[str]:
    """The key of the physical id, or those of a request that was cancelled before it had one."""
    physical_id = event["PhysicalResourceId"]
    if ACCESS_KEY_ID.fullmatch(physical_id):
        return [physical_id]
    secret_id = event["ResourceProperties"]["SecretId"]
    try:
        versions = (
            client("secretsmanager")
            .describe_secret(SecretId=secret_id)
            .get("VersionIdsToStages", {})
        )
        return [key_id for key_id in _keys(event) if _version_id(event, key_id) in versions]
    except aws.ClientError as error:
        if error_code(error) in ("NoSuchEntity", "ResourceNotFoundException"):
            return []
        raise
