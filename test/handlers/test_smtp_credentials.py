"""The SMTP credentials handler, every branch, with a faked IAM and Secrets Manager.

The fake keeps what AWS keeps: the keys of a user, two at most, and a secret's versions with their
labels. What AWS emulated by others says is in test_smtp_credentials_emulated.py.
"""

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from handlers.services import FakeServices, client_error, clients

from galv_constructs.handlers import smtp_credentials
from galv_constructs.handlers.smtp_credentials import (
    PASSWORD_KEY,
    USER_KEY,
    CredentialsError,
    on_event,
    smtp_password,
)

Json = dict[str, Any]

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/galv/0a1b2c3d-0000"
# From the tests of other implementations of the documented algorithm.
SECRET_ACCESS_KEY = "dhSgJJyAs+2z19oLOVkwBrE6GkdNQD5fL5Dou5Tb"
PASSWORD = "BK0hyoUp3vjB+NdwhSiUpkA9oA84fNaqhEKrXZ5PkcX2"


def fault(code: str) -> ClientError:
    return client_error(code, message=f"{code}!")


class FakeAws(FakeServices):
    """A user and a secret."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.made = 0
        self.versions: dict[str, str] = {"0" * 32: "generated"}
        self.stages: dict[str, list[str]] = {"0" * 32: ["AWSCURRENT"]}
        self.identities: set[str] = set()

    def list_access_keys(self, **query: str) -> Json:
        self._called("list_access_keys", query)
        return {"AccessKeyMetadata": [{"AccessKeyId": key} for key in self.keys]}

    def create_access_key(self, **query: str) -> Json:
        self._called("create_access_key", query)
        if len(self.keys) == 2:
            raise fault("LimitExceeded")
        self.made += 1
        key_id = f"AKIA{self.made:016}"
        self.keys.append(key_id)
        return {"AccessKey": {"AccessKeyId": key_id, "SecretAccessKey": SECRET_ACCESS_KEY}}

    def delete_access_key(self, **query: str) -> None:
        self._called("delete_access_key", query)
        if query["AccessKeyId"] not in self.keys:
            raise fault("NoSuchEntity")
        self.keys.remove(query["AccessKeyId"])

    def describe_secret(self, **query: str) -> Json:
        self._called("describe_secret", query)
        labelled = {id_: stages for id_, stages in self.stages.items() if stages}
        return {"VersionIdsToStages": labelled} if labelled else {}

    def put_secret_value(self, **query: str) -> None:
        self._called("put_secret_value", query)
        token = query["ClientRequestToken"]
        assert 32 <= len(token) <= 64
        assert token not in self.versions
        self.versions[token] = query["SecretString"]
        self._label(token)

    def update_secret_version_stage(self, **query: str) -> None:
        self._called("update_secret_version_stage", query)
        assert query["VersionStage"] == "AWSCURRENT"
        # Secrets Manager refuses to move a label without being told where it is.
        assert query.get("RemoveFromVersionId") == self.current
        self._label(query["MoveToVersionId"])

    def get_email_identity(self, **query: str) -> Json:
        self._called("get_email_identity", query)
        if query["EmailIdentity"] not in self.identities:
            raise fault("NotFoundException")
        return {"IdentityType": "DOMAIN"}

    def _label(self, version_id: str) -> None:
        old = self.current
        self.stages = {id_: [] for id_ in self.versions}
        if old is not None:
            self.stages[old] = ["AWSPREVIOUS"]
        self.stages[version_id] = ["AWSCURRENT"]

    @property
    def current(self) -> str | None:
        return next((id_ for id_, stages in self.stages.items() if "AWSCURRENT" in stages), None)

    def credentials(self, version_id: str | None = None) -> Json:
        result: Json = json.loads(self.versions[version_id or str(self.current)])
        return result


class Resource:
    """The custom resource in its stack, as CloudFormation and the Provider framework drive it."""

    def __init__(self, fake: FakeAws) -> None:
        self.aws = fake
        self.physical_id = ""
        self.version_id = ""
        self.properties = {
            "UserName": "mailer",
            "SecretId": "arn:secret",
            "Region": "eu-central-1",
            "Rotation": "1",
        }

    def send(self, request: str, logical_id: str = "Credentials", **other: Any) -> Json:
        event: Json = {
            "RequestType": request,
            "StackId": STACK,
            "LogicalResourceId": logical_id,
            "ResourceProperties": self.properties,
            **other,
        }
        return on_event(event, None)

    def create(self) -> None:
        self._take(self.send("Create"))

    def update(self, **properties: str) -> str:
        """Update it, and return the old physical id, which is not cleaned up yet."""
        old = self.physical_id
        before, self.properties = self.properties, {**self.properties, **properties}
        try:
            answer = self.send("Update", PhysicalResourceId=old, OldResourceProperties=before)
        except BaseException:
            self.properties = before
            raise
        self._take(answer)
        return old

    def delete(self, physical_id: str) -> None:
        assert self.send("Delete", PhysicalResourceId=physical_id) == {}

    def _take(self, answer: Json) -> None:
        self.physical_id = answer["PhysicalResourceId"]
        self.version_id = answer["Data"]["VersionId"]
        assert set(answer) == {"PhysicalResourceId", "Data"}
        assert set(answer["Data"]) == {"VersionId"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(smtp_credentials, "client", clients(fake))
    return fake


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(smtp_credentials, "sleep", slept.append)
    return slept


@pytest.fixture
def resource(aws: FakeAws, pauses: list[float]) -> Resource:
    return Resource(aws)


def refusal(call: Any) -> str:
    with pytest.raises(CredentialsError) as caught:
        call()
    return str(caught.value)


class TestIdentityToCreate:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html"""

    @pytest.fixture(autouse=True)
    @staticmethod
    def status(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        status = {STACK: "UPDATE_IN_PROGRESS"}
        monkeypatch.setattr(smtp_credentials, "stack_status", lambda stack: status[stack])
        return status

    def test_refuses_an_existing_identity_before_anything_is_created(
        self, aws: FakeAws, resource: Resource
    ) -> None:
        aws.identities.add("lab.org")
        resource.properties["NewIdentity"] = "lab.org"

        reason = refusal(resource.create)

        assert "an identity for lab.org" in reason
        assert '"mailIdentity": "existing" in cdk.json' in reason
        assert "GalvMail as identity" in reason
        assert len(reason) < 900
        assert aws.keys == []

    def test_accepts_an_identity_that_does_not_exist(
        self, aws: FakeAws, resource: Resource
    ) -> None:
        resource.properties["NewIdentity"] = "lab.org"

        resource.create()

        assert aws.keys == [resource.physical_id]

    def test_does_not_look_for_an_identity_where_none_is_created(
        self, aws: FakeAws, resource: Resource
    ) -> None:
        resource.create()

        assert "get_email_identity" not in aws.names()

    def test_an_update_refuses_another_one_that_exists(
        self, aws: FakeAws, resource: Resource
    ) -> None:
        resource.create()
        aws.identities.add("lab.org")

        assert "lab.org" in refusal(lambda: resource.update(NewIdentity="lab.org"))

    def test_an_update_leaves_the_own_one_alone(self, aws: FakeAws, resource: Resource) -> None:
        resource.properties["NewIdentity"] = "lab.org"
        resource.create()
        aws.identities.add("lab.org")

        resource.update(Rotation="2")

        assert len(aws.keys) == 2

    @pytest.mark.parametrize("now", ["UPDATE_ROLLBACK_IN_PROGRESS", ""])
    def test_a_rollback_goes_back_to_the_own_one(
        self, aws: FakeAws, resource: Resource, status: dict[str, str], now: str
    ) -> None:
        """Also where AWS does not tell: a rollback must not fail, and CloudFormation asks again."""
        resource.properties["NewIdentity"] = "lab.org"
        resource.create()
        aws.identities.add("lab.org")
        resource.update(NewIdentity="lab.net")
        status[STACK] = now

        resource.update(NewIdentity="lab.org")

        assert aws.keys == [resource.physical_id]

    def test_continues_without_the_permission_to_look(
        self, aws: FakeAws, resource: Resource
    ) -> None:
        aws.faults["get_email_identity"] = [fault("AccessDeniedException")]
        resource.properties["NewIdentity"] = "lab.org"

        resource.create()

        assert aws.keys == [resource.physical_id]


def test_derives_the_password_of_the_public_test_vector() -> None:
    assert smtp_password(SECRET_ACCESS_KEY, "eu-central-1") == PASSWORD


def test_the_password_belongs_to_one_region() -> None:
    assert smtp_password(SECRET_ACCESS_KEY, "us-east-1") != PASSWORD


def test_creates_a_key_and_puts_smtp_credentials_in_the_secret(
    aws: FakeAws, resource: Resource
) -> None:
    resource.create()

    assert aws.keys == [resource.physical_id]
    assert aws.current == resource.version_id
    assert aws.credentials() == {USER_KEY: resource.physical_id, PASSWORD_KEY: PASSWORD}


def test_nothing_secret_is_logged(
    aws: FakeAws, resource: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        resource.create()
        aws.faults["put_secret_value"] = [fault("InternalServiceError")]
        reason = refusal(lambda: resource.update(Rotation="2"))
        resource.delete(resource.physical_id)

    assert caplog.records
    for text in (caplog.text, reason):
        assert SECRET_ACCESS_KEY not in text
        assert PASSWORD not in text


def test_a_create_delivered_twice_creates_one_key(aws: FakeAws, resource: Resource) -> None:
    resource.create()
    first = (resource.physical_id, resource.version_id)

    resource.create()

    assert (resource.physical_id, resource.version_id) == first
    assert aws.made == 1
    assert "update_secret_version_stage" not in aws.names()


def test_a_rotation_keeps_the_old_key_until_the_stack_is_done(
    aws: FakeAws, resource: Resource
) -> None:
    resource.create()
    old_version = resource.version_id

    old = resource.update(Rotation="2")

    assert resource.physical_id != old
    assert aws.keys == [old, resource.physical_id]
    assert aws.credentials()[USER_KEY] == resource.physical_id
    # Tasks that still start from the old task definition get credentials that still work.
    assert aws.credentials(old_version)[USER_KEY] == old

    resource.delete(old)

    assert aws.keys == [resource.physical_id]


@pytest.mark.parametrize(
    "change", [{"Region": "eu-west-2"}, {"SecretId": "arn:other"}, {"UserName": "other"}]
)
def test_another_region_secret_or_user_takes_new_credentials(
    aws: FakeAws, resource: Resource, change: dict[str, str]
) -> None:
    resource.create()

    old = resource.update(**change)

    assert resource.physical_id != old
    region = resource.properties["Region"]
    assert aws.credentials()[PASSWORD_KEY] == smtp_password(SECRET_ACCESS_KEY, region)


def test_an_update_of_nothing_keeps_the_key(aws: FakeAws, resource: Resource) -> None:
    resource.create()

    old = resource.update(ServiceToken="arn:another")

    assert resource.physical_id == old
    assert aws.made == 1


def test_a_rollback_goes_back_to_the_key_that_is_still_there(
    aws: FakeAws, resource: Resource
) -> None:
    resource.create()
    first_version = resource.version_id
    first = resource.update(Rotation="2")

    second = resource.update(Rotation="1")

    assert resource.physical_id == first
    assert resource.version_id == first_version == aws.current
    assert aws.made == 2
    resource.delete(second)
    assert aws.keys == [first]


def test_the_number_of_a_rotation_that_was_rolled_back_can_be_used_again(
    aws: FakeAws, resource: Resource
) -> None:
    resource.create()
    resource.update(Rotation="2")
    resource.delete(resource.update(Rotation="1"))

    resource.delete(resource.update(Rotation="2"))

    assert aws.keys == [resource.physical_id]
    assert aws.credentials()[USER_KEY] == resource.physical_id


def test_a_rollback_of_a_rotation_that_failed_changes_nothing(
    aws: FakeAws, resource: Resource
) -> None:
    resource.create()
    aws.faults["create_access_key"] = [fault("ServiceFailure")]
    with pytest.raises(ClientError, match="ServiceFailure"):
        resource.update(Rotation="2")

    old = resource.update(Rotation="1")

    assert resource.physical_id == old
    assert aws.keys == [old]


def test_sets_a_current_version_when_there_is_none(aws: FakeAws, resource: Resource) -> None:
    resource.create()
    aws.stages = {resource.version_id: ["labelled-by-hand"]}

    resource.create()

    assert aws.current == resource.version_id
    assert aws.made == 1


def test_a_secret_without_any_version_gets_one(aws: FakeAws, resource: Resource) -> None:
    aws.versions, aws.stages = {}, {}

    resource.create()

    assert aws.current == resource.version_id


def test_another_resource_of_the_stack_shares_no_key(aws: FakeAws, resource: Resource) -> None:
    """A renamed construct: the new resource is created before the old one is deleted."""
    resource.create()

    renamed = resource.send("Create", logical_id="Renamed")

    assert renamed["PhysicalResourceId"] != resource.physical_id
    resource.delete(resource.physical_id)
    assert aws.keys == [renamed["PhysicalResourceId"]]


def test_deletes_the_key(aws: FakeAws, resource: Resource) -> None:
    resource.create()

    resource.delete(resource.physical_id)

    assert aws.keys == []


def test_a_key_that_is_gone_already_is_deleted(aws: FakeAws, resource: Resource) -> None:
    resource.create()
    aws.keys.clear()

    resource.delete(resource.physical_id)

    assert aws.names()[-1] == "delete_access_key"


def test_a_key_that_cannot_be_deleted_fails_the_deletion(aws: FakeAws, resource: Resource) -> None:
    resource.create()
    aws.faults["delete_access_key"] = [fault("AccessDenied")]

    with pytest.raises(ClientError, match="AccessDenied"):
        resource.delete(resource.physical_id)

    assert aws.keys == [resource.physical_id]


def test_a_cancelled_create_is_cleaned_up(aws: FakeAws, resource: Resource) -> None:
    """CloudFormation makes up a physical id for a resource that it stopped waiting for."""
    resource.create()
    aws.keys.append("AKIASOMEONEELSES0001")

    resource.delete("galv-Credentials-1ABCDEF")

    assert aws.keys == ["AKIASOMEONEELSES0001"]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("describe_secret", "ResourceNotFoundException"),
        ("list_access_keys", "NoSuchEntity"),
    ],
)
def test_a_cancelled_create_without_user_or_secret_needs_no_cleanup(
    aws: FakeAws, resource: Resource, pauses: list[float], call: str, code: str
) -> None:
    aws.faults[call] = [fault(code)]

    resource.delete("galv-Credentials-1ABCDEF")

    assert pauses == []
    assert "delete_access_key" not in aws.names()


def test_a_cancelled_create_that_cannot_be_looked_into_fails_the_deletion(
    aws: FakeAws, resource: Resource
) -> None:
    aws.faults["describe_secret"] = [fault("AccessDenied")]

    with pytest.raises(ClientError, match="AccessDenied"):
        resource.delete("galv-Credentials-1ABCDEF")


def test_refuses_a_third_key_and_says_which_to_delete(aws: FakeAws, resource: Resource) -> None:
    resource.create()
    aws.keys.append("AKIASTRAY00000000001")

    reason = refusal(lambda: resource.update(Rotation="2"))

    assert reason.startswith("User mailer has two access keys, and IAM allows no third. ")
    assert f"{resource.physical_id} is in use" in reason
    assert "that nothing uses (AKIASTRAY00000000001)" in reason
    assert "aws iam delete-access-key --user-name mailer" in reason
    assert aws.keys == [resource.physical_id, "AKIASTRAY00000000001"]
    assert aws.credentials()[USER_KEY] == resource.physical_id


def test_refuses_a_third_key_at_the_first_deployment(aws: FakeAws, resource: Resource) -> None:
    aws.keys = ["AKIAONE", "AKIATWO"]

    reason = refusal(resource.create)

    assert "(AKIAONE or AKIATWO)" in reason
    assert "in use" not in reason


@pytest.mark.parametrize(
    "error", [fault("InternalServiceError"), EndpointConnectionError(endpoint_url="https://x")]
)
def test_a_secret_that_cannot_be_written_leaves_no_key(
    aws: FakeAws, resource: Resource, error: Exception
) -> None:
    resource.create()
    aws.faults["put_secret_value"] = [error]

    reason = refusal(lambda: resource.update(Rotation="2"))

    assert reason == f"The secret could not be written: {error}"
    assert aws.keys == [resource.physical_id]
    assert aws.current == resource.version_id


def test_a_key_that_cannot_be_taken_back_is_named(aws: FakeAws, resource: Resource) -> None:
    aws.faults["put_secret_value"] = [fault("AccessDenied")]
    aws.faults["delete_access_key"] = [fault("Throttling")]

    reason = refusal(resource.create)

    assert f"Access key {aws.keys[0]} of user mailer is left and has to be deleted" in reason


def test_a_key_to_take_back_may_be_gone(aws: FakeAws, resource: Resource) -> None:
    aws.faults["put_secret_value"] = [fault("AccessDenied")]
    aws.faults["delete_access_key"] = [fault("NoSuchEntity")]

    assert "is left" not in refusal(resource.create)


def test_waits_for_a_user_created_just_now(
    aws: FakeAws, resource: Resource, pauses: list[float]
) -> None:
    aws.faults["list_access_keys"] = [fault("NoSuchEntity")] * 2

    resource.create()

    assert pauses == [2, 4]
    assert aws.keys == [resource.physical_id]


def test_does_not_wait_for_ever(aws: FakeAws, resource: Resource, pauses: list[float]) -> None:
    aws.faults["list_access_keys"] = [fault("NoSuchEntity")] * 9

    with pytest.raises(ClientError, match="NoSuchEntity"):
        resource.create()

    assert pauses == [2, 4, 8, 16]


def test_does_not_wait_for_a_permanent_error(
    aws: FakeAws, resource: Resource, pauses: list[float]
) -> None:
    aws.faults["list_access_keys"] = [fault("AccessDenied")]

    with pytest.raises(ClientError, match="AccessDenied"):
        resource.create()

    assert pauses == []


def test_does_not_wait_for_a_user_in_an_update(
    aws: FakeAws, resource: Resource, pauses: list[float]
) -> None:
    resource.create()
    aws.faults["list_access_keys"] = [fault("NoSuchEntity")]

    with pytest.raises(ClientError, match="NoSuchEntity"):
        resource.update(Rotation="2")

    assert pauses == []
