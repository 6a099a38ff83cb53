"""What mail tells preflight."""

import json
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ses as ses
from backends import regional_stack, zone_in
from templates import Json, needs, only, only_id, synthesize

from galv_constructs import GalvMail


@pytest.fixture
def stack() -> Stack:
    return regional_stack()


def mail(stack: Stack, **arguments: Any) -> GalvMail:
    given = {"sender": "galv@mail.example.com", **arguments}
    return GalvMail(stack, "Mail", **given)


def questions(stack: Stack) -> Json:
    return dict(only(synthesize(stack), "Custom::GalvPreflight")["Questions"])


def test_a_new_identity_must_be_free(stack: Stack) -> None:
    mail(stack)

    assert questions(stack) == {
        "Mail/Identity": {
            "Ask": "mail-identity",
            "Domain": "mail.example.com",
            "Shared": "false",
            "Stack": {"Ref": "AWS::StackId"},
        },
        "Mail/Sandbox": {"Ask": "mail-sandbox"},
    }


def test_a_given_identity_must_be_there(stack: Stack) -> None:
    identity = ses.EmailIdentity.from_email_identity_name(stack, "Given", "example.com")
    mail(stack, identity=identity)

    assert questions(stack)["Mail/Identity"]["Domain"] == "example.com"
    assert questions(stack)["Mail/Identity"]["Shared"] == "true"


def test_an_identity_that_the_stack_creates_elsewhere_is_not_asked(stack: Stack) -> None:
    identity = ses.EmailIdentity(stack, "Other", identity=ses.Identity.domain("mail.example.com"))
    mail(stack, identity=identity)

    assert list(questions(stack)) == ["Mail/Sandbox"]


def test_records_must_be_free_in_a_zone_that_the_world_asks(stack: Stack) -> None:
    mail(stack, hosted_zone=zone_in(stack), dmarc="reject")

    found = questions(stack)

    assert found["Mail/HostedZone"]["DomainNames"] == ["mail.example.com"]
    assert found["Mail/HostedZone"]["CertificateWanted"] == "false"
    assert found["Mail/Records"]["Names"] == [
        "MX bounce.mail.example.com",
        "TXT bounce.mail.example.com",
        "TXT _dmarc.mail.example.com",
    ]


def test_a_record_that_is_not_created_is_not_asked(stack: Stack) -> None:
    mail(stack, hosted_zone=zone_in(stack), dmarc="off")

    assert not any("_dmarc" in name for name in questions(stack)["Mail/Records"]["Names"])


def test_credentials_and_identity_wait(stack: Stack) -> None:
    mail(stack)
    template = synthesize(stack)
    preflight = only_id(template, "Custom::GalvPreflight")

    for kind in ("Custom::GalvSmtpCredentials", "AWS::SES::EmailIdentity"):
        assert preflight in needs(template, only_id(template, kind))


def test_a_kind_can_be_left_out(stack: Stack) -> None:
    mail(stack, preflight=["mail-sandbox"])

    assert list(questions(stack)) == ["Mail/Identity"]


def test_a_check_can_be_left_out_by_its_id(stack: Stack) -> None:
    mail(stack, preflight=["Mail/Identity"])

    assert list(questions(stack)) == ["Mail/Sandbox"]


def test_asks_nothing_where_that_is_left_out(stack: Stack) -> None:
    mail(stack, preflight=False)

    assert "Preflight" not in json.dumps(synthesize(stack))


def test_refuses_what_is_no_kind(stack: Stack) -> None:
    with pytest.raises(ValueError, match="preflight leaves out 'sandbox'"):
        mail(stack, preflight=["sandbox"])
