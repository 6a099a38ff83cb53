"""How mail is sent, and what tasks are told about it."""

from typing import Any

import pytest
from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match
from backends import MakeBackend, Refusal, RefusedBackend, Synth
from templates import Json, environment, of_type, secrets

from galv_constructs import GalvMail


@pytest.fixture
def secret(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "Smtp", "galv-smtp")


def mail_variables(template: Json, name: str = "web") -> Json:
    return {
        variable: value
        for variable, value in environment(template, name).items()
        if "EMAIL" in variable
    }


def open_ports(template: Json) -> set[int]:
    """The ports on which the web task may reach any address."""
    ((_, group),) = of_type(template, "AWS::EC2::SecurityGroup", "BackendWebTask").items()
    rules = group["Properties"]["SecurityGroupEgress"]
    assert all(rule["CidrIp"] == "0.0.0.0/0" for rule in rules)
    return {rule["FromPort"] for rule in rules}


def test_sends_through_ses_when_no_host_is_given(mailing: Json) -> None:
    for name in ("web", "check-status"):
        assert mail_variables(mailing, name) == {
            "DJANGO_DEFAULT_FROM_EMAIL": "galv@mail.example.com",
            "DJANGO_EMAIL_HOST": {
                "Fn::Join": ["", ["email-smtp.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]
            },
            "DJANGO_EMAIL_PORT": "587",
            "DJANGO_EMAIL_USE_TLS": "True",
        }
    assert open_ports(mailing) == {443, 587}


def test_sends_through_the_given_server(tuned: Json) -> None:
    assert mail_variables(tuned) == {
        "DJANGO_DEFAULT_FROM_EMAIL": "galv@example.org",
        "DJANGO_EMAIL_HOST": "mx.example.org",
        "DJANGO_EMAIL_PORT": "2525",
        "DJANGO_EMAIL_USE_TLS": "True",
    }
    assert open_ports(tuned) == {443, 2525}


def test_uses_implicit_tls_on_port_465(synth: Synth, secret: secretsmanager.ISecret) -> None:
    mail = GalvMail.from_secret(secret, sender="galv@example.org", host="mx.example.org", port=465)

    template = synth(mail=mail)

    assert mail_variables(template) == {
        "DJANGO_DEFAULT_FROM_EMAIL": "galv@example.org",
        "DJANGO_EMAIL_HOST": "mx.example.org",
        "DJANGO_EMAIL_PORT": "465",
        "DJANGO_EMAIL_USE_SSL": "True",
    }
    assert open_ports(template) == {443, 465}


def test_opens_port_443_only_once(synth: Synth, secret: secretsmanager.ISecret) -> None:
    template = synth(mail=GalvMail.from_secret(secret, sender="galv@example.org", port=443))

    assert open_ports(template) == {443}


def test_credentials_come_from_the_given_secret(mailing: Json) -> None:
    for name in ("DJANGO_EMAIL_HOST_USER", "DJANGO_EMAIL_HOST_PASSWORD"):
        assert secrets(mailing, "web")[name]["Fn::Join"][1][-1].endswith(
            f":secret:galv-smtp:{name}::"
        )


def test_sends_no_mail_and_warns_when_none_is_given(
    stack: Stack, make_backend: MakeBackend, default: Json
) -> None:
    make_backend()

    assert mail_variables(default) == {}
    assert open_ports(default) == {443}
    Annotations.from_stack(stack).has_warning(
        "/Stack/Backend", Match.string_like_regexp("mail is not given.*GalvMail.from_secret")
    )


def test_does_not_warn_when_mail_is_given(
    stack: Stack, make_backend: MakeBackend, secret: secretsmanager.ISecret
) -> None:
    make_backend(mail=GalvMail.from_secret(secret, sender="galv@example.org"))

    Annotations.from_stack(stack).has_no_warning(
        "/Stack/Backend", Match.string_like_regexp("mail is not given")
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sender": "galv"}, "sender must be an address such as 'galv-no-reply@mail.example.com'"),
        ({"sender": None}, "sender must be an address such as "),
        ({"host": 7}, "host must be a host name, got 7 (int)"),
        ({"port": 0}, "port must be from 1 to 65535, got 0"),
        ({"port": 65536}, "port must be from 1 to 65535, got 65536"),
        ({"port": "587"}, "port must be a whole number, got '587' (str)"),
    ],
)
def test_refuses_invalid_arguments(
    refusal: Refusal, secret: secretsmanager.ISecret, arguments: Json, message: str
) -> None:
    given: Json = {"sender": "galv@example.org", **arguments}

    assert refusal(lambda: GalvMail.from_secret(secret, **given)).startswith(message)


def test_refuses_a_port_that_is_not_known_at_synthesis(
    stack: Stack, refusal: Refusal, secret: secretsmanager.ISecret
) -> None:
    port: Any = CfnParameter(stack, "Port", type="Number").value_as_number

    text = refusal(lambda: GalvMail.from_secret(secret, sender="galv@example.org", port=port))

    assert text.startswith("port must be known at synthesis")


def test_refuses_a_name_in_place_of_a_secret(refusal: Refusal) -> None:
    name: Any = "galv-smtp"

    assert refusal(lambda: GalvMail.from_secret(name, sender="galv@example.org")) == (
        "secret must be an aws_secretsmanager.ISecret, got 'galv-smtp': use "
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)"
    )


def test_refuses_an_address_in_place_of_mail(refused_backend: RefusedBackend) -> None:
    assert refused_backend(mail="galv@example.org") == (
        "mail must be an IGalvMail, got 'galv@example.org': use "
        "GalvMail.from_secret(secret, sender=…)"
    )
