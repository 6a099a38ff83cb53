"""Amazon SES: identities as moto has them, and the account by what AWS documents."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber
from ops.preflight.conftest import REGION

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World


def asked(world: World, **question: str) -> list[Finding]:
    return ask({"Mail/Identity": {"Ask": "mail-identity", **question}}, world, 20)


class TestAnIdentity:
    @pytest.mark.parametrize("kind", ["Domain", "Address"])
    def test_that_is_free_can_be_created(self, world: World, kind: str) -> None:
        name = "example.com" if kind == "Domain" else "galv@example.com"

        assert asked(world, **{kind: name}) == []

    def test_that_is_there_cannot_be_created(self, world: World) -> None:
        boto3.client("sesv2").create_email_identity(EmailIdentity="example.com")

        assert asked(world, Domain="example.com") == [
            Finding(
                "Mail/Identity",
                "error",
                "the SES identity example.com exists already, so that it cannot be created",
                "it belongs to the account, or to another stack of it",
                "share it by passing it as identity, or delete it where nothing needs it",
            )
        ]

    def test_of_the_same_stack_is_its_own(self, world: World) -> None:
        boto3.client("sesv2").create_email_identity(EmailIdentity="example.com")
        summary = {
            "LogicalResourceId": "Identity",
            "PhysicalResourceId": "example.com",
            "ResourceType": "AWS::SES::EmailIdentity",
            "ResourceStatus": "CREATE_COMPLETE",
            "LastUpdatedTimestamp": "2026-01-01T00:00:00Z",
        }
        record = {**summary, "ResourceType": "AWS::Route53::RecordSet"}
        with Stubber(world.client("cloudformation")) as stub:
            stub.add_response("list_stack_resources", {"StackResourceSummaries": [summary]})
            assert asked(world, Domain="example.com", Stack="galv") == []
            stub.add_response("list_stack_resources", {"StackResourceSummaries": [record]})
            assert len(asked(world, Domain="example.com", Stack="galv")) == 1

    def test_that_is_shared_must_be_there(self, world: World) -> None:
        (found,) = asked(world, Domain="example.com", Shared="true")

        assert found.severity == "error"
        assert found.wrong == "the SES identity example.com does not exist, and is to be shared"

    @pytest.mark.parametrize(("verified", "count"), [(True, 0), (False, 1)])
    def test_that_is_shared_should_be_verified(
        self, world: World, verified: bool, count: int
    ) -> None:
        answer = {
            "VerifiedForSendingStatus": verified,
            "VerificationStatus": "SUCCESS" if verified else "PENDING",
        }
        with Stubber(world.client("sesv2")) as stub:
            stub.add_response("get_email_identity", answer)
            found = asked(world, Domain="example.com", Shared="true")

        assert len(found) == count
        assert all("PENDING" in finding.found for finding in found)
        assert {finding.severity for finding in found} <= {"warning"}

    @pytest.mark.parametrize(
        "question", [{}, {"Domain": "example.com", "Address": "a@example.com"}]
    )
    def test_is_one(self, world: World, question: dict[str, str]) -> None:
        (found,) = asked(world, **question)

        assert found.found == "give Domain or Address, one of both"

    def test_is_asked_for_in_its_region(self, world: World) -> None:
        boto3.client("sesv2", "eu-central-1").create_email_identity(EmailIdentity="example.com")

        assert asked(world, Domain="example.com") == []
        assert len(asked(world, Domain="example.com", Region="eu-central-1")) == 1


@pytest.mark.parametrize(
    ("account", "wrong"),
    [
        ({"ProductionAccessEnabled": True, "SendingEnabled": True}, []),
        (
            {
                "ProductionAccessEnabled": False,
                "SendingEnabled": True,
                "SendQuota": {"Max24HourSend": 200.0},
            },
            [f"Amazon SES is in its sandbox in {REGION}"],
        ),
        (
            {
                "ProductionAccessEnabled": True,
                "SendingEnabled": False,
                "EnforcementStatus": "SHUTDOWN",
            },
            [f"Amazon SES sends no mail from this account in {REGION}"],
        ),
    ],
)
def test_warns_of_an_account_that_may_not_send(
    world: World, account: dict[str, object], wrong: list[str]
) -> None:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html."""
    with Stubber(world.client("sesv2")) as stub:
        stub.add_response("get_account", account)
        found = ask({"Mail/Sandbox": {"Ask": "mail-sandbox"}}, world, 20)

    assert [finding.wrong for finding in found] == wrong
    assert {finding.severity for finding in found} <= {"warning"}
    if "SendQuota" in account:
        assert found[0].found == "it sends to verified addresses only, and 200 mails a day"
