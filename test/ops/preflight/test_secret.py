"""Secrets as moto has them."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.stub import Stubber

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World


def secret(text: str | None, **more: bytes) -> str:
    given = {} if text is None else {"SecretString": text}
    made = boto3.client("secretsmanager").create_secret(Name="a", **given, **more)
    return str(made["ARN"])


def asked(world: World, arn: str, *keys: str) -> list[Finding]:
    return ask(
        {"Backend/Secret": {"Ask": "secret", "SecretArn": arn, "Keys": list(keys)}}, world, 20
    )


def test_finds_nothing_wrong_with_a_secret_that_has_its_keys(world: World) -> None:
    arn = secret(json.dumps({"user": "a", "password": "b", "port": 25}))

    assert asked(world, arn, "user", "port") == []


def test_takes_any_text_where_no_keys_are_asked_for(world: World) -> None:
    assert asked(world, secret("a plain text")) == []


def test_tells_which_keys_are_missing_and_no_value(world: World) -> None:
    arn = secret(json.dumps({"user": "value-of-user", "pass": "value-of-pass"}))

    assert asked(world, arn, "user", "password", "host") == [
        Finding(
            "Backend/Secret",
            "error",
            f"the secret {arn} lacks password, host",
            "its keys are pass, user",
            "add the missing to its JSON, which needs user, password, host",
        )
    ]


def test_warns_of_a_key_without_a_value(world: World) -> None:
    (found,) = asked(world, secret('{"user": "", "password": "b"}'), "user", "password")

    assert found.severity == "warning"
    assert found.wrong.endswith("has nothing under user")


@pytest.mark.parametrize("text", ["value-1", '"value-1"', "[1]", "{broken: value-1"])
def test_tells_a_text_that_is_no_json_with_keys(world: World, text: str) -> None:
    arn = secret(text)

    (found,) = asked(world, arn, "user")

    assert found.severity == "error"
    assert found.wrong == f"the secret {arn} is no JSON with keys"
    assert found.fix == 'give it a value such as {"user": "…"}'
    assert "value-1" not in str(found)


def test_tells_a_secret_of_bytes(world: World) -> None:
    (found,) = asked(world, secret(None, SecretBinary=b"{}"), "user")

    assert found.found == "it holds bytes"


def test_tells_a_secret_that_is_not_there(world: World) -> None:
    (found,) = asked(world, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:no", "user")

    assert found.severity == "error"
    assert "does not exist, or has no value" in found.wrong


def test_tells_a_secret_that_is_to_be_deleted(world: World) -> None:
    arn = secret("{}")
    boto3.client("secretsmanager").delete_secret(SecretId=arn)

    (found,) = asked(world, arn)

    assert found.severity == "error"
    assert "deleted" in found.found
    assert "restore" in found.fix


@pytest.mark.parametrize(
    ("code", "severity", "wrong"),
    [
        ("DecryptionFailure", "error", "the secret a cannot be decrypted"),
        ("AccessDeniedException", "unanswered", "the check is not allowed to call GetSecretValue"),
        (
            "ThrottlingException",
            "unanswered",
            "AWS throttled GetSecretValue, also when asked again",
        ),
    ],
)
def test_says_what_a_refusal_means(world: World, code: str, severity: str, wrong: str) -> None:
    with Stubber(world.client("secretsmanager")) as stub:
        for _ in range(2):  # with its retry
            stub.add_client_error("get_secret_value", code, "User x is not authorized")
        (found,) = asked(world, "a")

    assert (found.severity, found.wrong) == (severity, wrong)


def test_asks_where_the_secret_is(world: World) -> None:
    made = boto3.client("secretsmanager", "us-east-1").create_secret(Name="b", SecretString="{}")

    assert asked(world, made["ARN"]) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "the image ghcr.io/galv-team/galv:v1 of galv",
            "the image ghcr.io/galv-team/galv:v1 of galv",
        ),
        ("db.example.com:5432 runs postgres", "db.example.com:5432 runs postgres"),
        # A short value stands in other words too.
        ("the login of loginctl in a.login.b", "the [redacted] of loginctl in a.login.b"),
        ("given was 'login'. Basic login.", "given was '[redacted]'. Basic [redacted]."),
        ("xa-password-that-is-longx", "x[redacted]x"),
    ],
)
def test_hides_values_and_neither_names_nor_parts_of_words(
    world: World, text: str, shown: str
) -> None:
    content = {
        "username": "galv",
        "dbname": "galv",
        "engine": "postgres",
        "host": "db.example.com",
        "port": 5432,
        "dbInstanceIdentifier": "example",
        "db_name": "image",
        "password": "a-password-that-is-long",
        "second": "login",
    }
    world.secret(secret(json.dumps(content)))

    assert world.redact(text) == shown
