"""The SMTP credentials handler against an emulated AWS (moto): real boto3 calls, nothing stubbed.

What moto does not do is said where it matters.
"""

import json
from typing import Any

import boto3
import pytest

from galv_constructs.handlers import _aws, smtp_credentials
from galv_constructs.handlers.smtp_credentials import PASSWORD_KEY, USER_KEY

Json = dict[str, Any]

REGION = "eu-central-1"


class Emulated:
    """A user and a secret, as the stack has them, and the custom resource."""

    def __init__(self) -> None:
        self.iam: Any = boto3.client("iam")
        self.secrets = boto3.client("secretsmanager")
        self.iam.create_user(UserName="mailer")
        self.secret_id = self.secrets.create_secret(Name="galv-smtp", SecretString="generated")[
            "ARN"
        ]
        self.physical_id = ""
        self.version_id = ""

    def send(self, request: str, rotation: int = 1, physical_id: str | None = None) -> Json:
        event: Json = {
            "RequestType": request,
            "StackId": f"arn:aws:cloudformation:{REGION}:123456789012:stack/galv/0a1b2c3d",
            "LogicalResourceId": "Credentials",
            "ResourceProperties": {
                "UserName": "mailer",
                "SecretId": self.secret_id,
                "Region": REGION,
                "Rotation": str(rotation),
            },
        }
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        answer = smtp_credentials.on_event(event, None)
        if answer:
            self.physical_id = answer["PhysicalResourceId"]
            self.version_id = answer["Data"]["VersionId"]
        return answer

    def keys(self) -> list[str]:
        found = self.iam.list_access_keys(UserName="mailer")["AccessKeyMetadata"]
        return [key["AccessKeyId"] for key in found]

    def credentials(self, **version: str) -> Json:
        # Without a label moto answers the version that was put last, wherever AWSCURRENT is.
        which: Json = version or {"VersionStage": "AWSCURRENT"}
        value = self.secrets.get_secret_value(SecretId=self.secret_id, **which)
        result: Json = json.loads(value["SecretString"])
        return result


@pytest.fixture
def emulated(emulated_aws: None) -> Emulated:
    return Emulated()


@pytest.mark.slow
def test_creates_credentials_once(emulated: Emulated) -> None:
    emulated.send("Create")
    emulated.send("Create")

    assert emulated.keys() == [emulated.physical_id]
    credentials = emulated.credentials()
    assert credentials[USER_KEY] == emulated.physical_id
    assert len(credentials[PASSWORD_KEY]) == 44
    assert emulated.credentials(VersionId=emulated.version_id) == credentials


@pytest.mark.slow
def test_rotates_rolls_back_and_rotates_again(emulated: Emulated) -> None:
    emulated.send("Create")
    first, first_version = emulated.physical_id, emulated.version_id
    first_credentials = emulated.credentials()

    emulated.send("Update", rotation=2, physical_id=first)
    second = emulated.physical_id
    assert sorted(emulated.keys()) == sorted([first, second])
    assert emulated.credentials()[USER_KEY] == second
    assert emulated.credentials(VersionId=first_version) == first_credentials

    emulated.send("Update", rotation=1, physical_id=second)
    emulated.send("Delete", rotation=2, physical_id=second)
    assert emulated.physical_id == first
    assert emulated.keys() == [first]
    assert emulated.credentials() == first_credentials

    emulated.send("Update", rotation=2, physical_id=first)
    emulated.send("Delete", rotation=1, physical_id=first)
    assert emulated.keys() == [emulated.physical_id]
    # By its id: in moto a label that was moved once stays behind when the next version is put.
    credentials = emulated.credentials(VersionId=emulated.version_id)
    assert credentials[USER_KEY] == emulated.physical_id


@pytest.mark.slow
def test_leaves_a_user_that_can_be_deleted(emulated: Emulated) -> None:
    emulated.send("Create")

    emulated.send("Delete", physical_id=emulated.physical_id)
    emulated.send("Delete", physical_id=emulated.physical_id)
    emulated.iam.delete_user(UserName="mailer")
    emulated.send("Delete", physical_id=emulated.physical_id)


@pytest.mark.slow
def test_refuses_a_third_key(emulated: Emulated) -> None:
    emulated.send("Create")
    stray = emulated.iam.create_access_key(UserName="mailer")["AccessKey"]["AccessKeyId"]

    with pytest.raises(smtp_credentials.CredentialsError, match=f"nothing uses \\({stray}\\)"):
        emulated.send("Update", rotation=2, physical_id=emulated.physical_id)

    assert sorted(emulated.keys()) == sorted([emulated.physical_id, stray])


@pytest.mark.slow
def test_takes_the_key_back_when_the_secret_is_gone(emulated: Emulated) -> None:
    emulated.send("Create")

    def vanish(**_: Any) -> None:
        emulated.secrets.delete_secret(SecretId=emulated.secret_id, ForceDeleteWithoutRecovery=True)

    events = _aws.client("secretsmanager").meta.events
    events.register_first("before-call.secretsmanager.PutSecretValue", vanish)

    with pytest.raises(smtp_credentials.CredentialsError, match="could not be written"):
        emulated.send("Update", rotation=2, physical_id=emulated.physical_id)

    assert emulated.keys() == [emulated.physical_id]
