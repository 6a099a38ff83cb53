"""Possible secrets are left out of reasons, and the rest stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from galv_constructs import handlers
from galv_constructs.handlers._redact import LONGEST_LINE, has_secret, redact

HANDLERS = Path(handlers.__path__[0])
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
# The examples of AWS's own documents.
KEY_ID, KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DJANGO_SECRET_KEY=a b,c&d'e", "DJANGO_SECRET_KEY=[redacted]"),
        ("export POSTGRES_PASSWORD=x y", "export POSTGRES_PASSWORD=[redacted]"),
        ("DJANGO_EMAIL_HOST_PASSWORD: x", "DJANGO_EMAIL_HOST_PASSWORD: [redacted]"),
        ("with AWS_SESSION_TOKEN=x and y", "with AWS_SESSION_TOKEN=[redacted] and y"),
        ("host=db password=p@ss,w dbname=galv", "host=db password=[redacted] dbname=galv"),
        ("host=db password='p w' dbname=galv", "host=db password='[redacted]' dbname=galv"),
        ('{"password": "x \\" y", "a": 1}', '{"password": "[redacted]", "a": 1}'),
        ("{'PASSWORD': 'x', 'PORT': 5432}", "{'PASSWORD': '[redacted]', 'PORT': 5432}"),
        ('settings["SECRET_KEY"] = "x"', 'settings["SECRET_KEY"] = "[redacted]"'),
        ("tool --password x --host y", "tool --password [redacted] --host y"),
        ("tool --api-key=x --host y", "tool --api-key=[redacted] --host y"),
        ("postgres://galv:a@b/c:d@db:5432/x", "postgres://galv:[redacted]@db:5432/x"),
        ("redis://:x@cache/0", "redis://:[redacted]@cache/0"),
        ("https://0123456789abcdef@sentry.io/1", "https://[redacted]@sentry.io/1"),
        ("Authorization: Bearer a b", "Authorization: [redacted]"),
        ("{'Authorization': 'Token a', 'X': 'y'}", "{'Authorization': '[redacted]', 'X': 'y'}"),
        ("HTTP_AUTHORIZATION='Basic YTpi'", "HTTP_AUTHORIZATION='[redacted]'"),
        ("Cookie: sessionid=x; csrftoken=y", "Cookie: [redacted]"),
        ("sent Bearer abc123def456", "sent Bearer [redacted]"),
        (f"sent Token {'0a1b' * 10}", "sent Token [redacted]"),
        (f"key {KEY_ID}", "key [redacted]"),
        (f"key {KEY} x", "key [redacted] x"),
        (f"session {'aB3+xY' * 60}==", "session [redacted]"),
        (f"jwt {JWT}", "jwt [redacted]"),
        (f"ghp_{'a1' * 18}", "[redacted]"),
        ("//r.example/:_authToken=x", "//r.example/:_authToken=[redacted]"),
        ("GET /a?x=1&X-Amz-Signature=0a1b", "GET /a?x=1&X-Amz-Signature=[redacted]"),
        ("x-api-key: x", "x-api-key: [redacted]"),
        ("X-Amz-Security-Token: x", "X-Amz-Security-Token: [redacted]"),
    ],
)
def test_a_value_is_left_out(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(f"before\n{text}\nafter") == f"before\n{expected}\nafter"
    assert has_secret(text)
    assert redact(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("connect(password=b'x y', host=1)", "connect(password='[redacted]', host=1)"),
        ("{b'PASSWORD': b'x y', b'PORT': b'1'}", "{b'PASSWORD': '[redacted]', b'PORT': b'1'}"),
        ('{b"db-password": b"x"}', '{b"db-password": "[redacted]"}'),
    ],
)
def test_bytes_are_left_out_as_texts_are(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert has_secret(text)
    assert redact(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        'FATAL: password authentication failed for user "galv"',
        "ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "KeyError: 'DJANGO_SECRET_KEY'",
        "cryptography.fernet.InvalidToken: cannot decrypt",
        "(ExpiredToken) when calling: The security token included in the request is expired",
        "TypeError: create_user() got an unexpected keyword argument 'password'",
        'password=os.environ["POSTGRES_PASSWORD"],',
        "password=None",
        "lacks json key DJANGO_TOKEN, arn:aws:secretsmanager:eu-west-2:1:secret:x:DJANGO_TOKEN::",
        "aws secretsmanager restore-secret --secret-id arn:aws:secretsmanager:eu-west-2:1:secret:x",
        "unable to pull secrets or registry auth: execution resource retrieval failed",
        '  File "/usr/local/lib/python3.11/site-packages/django/core/management/base.py", line 412',
        "tag v1 is commit fd369015c14821854bd4722918999f0cc8673333",
        "image ghcr.io/galv-team/galv-backend:v2.11.4@sha256:" + "0a1b" * 16,
        "[release] migrate: failed with exit code 1",
        'django.db.utils.ProgrammingError: relation "galv_cell" already exists',
        "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-2#logsV2:log-groups",
        "https://github.com/galv-team/galv-frontend",
        "PASSWORD_RESET_TIMEOUT=3600",
        "PGSSLMODE=require",
    ],
)
def test_useful_text_stays(text: str) -> None:
    assert redact(text) == text
    assert not has_secret(text)


DUMP = {"PATH": "/usr/bin", "LICENCE": "hunter2", "DJANGO_SECRET_KEY": 'hunter2 "x', "HOME": "/"}


@pytest.mark.parametrize(
    "dump",
    [
        "\n".join(f"{name}={value}" for name, value in DUMP.items()),
        "\n".join(f"declare -x {name}='{value}'" for name, value in DUMP.items()),
        f"environ({DUMP!r})",
        f"{sorted(DUMP.items())}",
        str({name.encode(): value.encode() for name, value in DUMP.items()}),
        "{" + ",\n ".join(f"{name!r}: {value!r}" for name, value in DUMP.items()) + "}",
        "{\n" + ",\n".join(f"  {name!r}: {value!r}" for name, value in DUMP.items()) + "\n}",
        "{\n" + "".join(f"  {name}: {value!r},\n" for name, value in DUMP.items()) + "}",
        "{ " + ", ".join(f"{name}: {value!r}" for name, value in DUMP.items()) + " }",
        "PATH=/usr/bin LICENCE=hunter2 HOME=/ ",
        "".join(f"{name}={value}\0" for name, value in {**DUMP, "DJANGO_SECRET_KEY": "x"}.items()),
        # A value of two lines.
        "PATH=/usr/bin\nHOME=/root\nLICENCE=hunter2\nhunter2\nSHELL=/bin/sh\nTERM=xterm",
    ],
)
def test_an_environment_is_left_out(dump: str) -> None:
    end = "Traceback (most recent call last):\nValueError: incomplete"

    shown = redact(f"[release] migrate: started\n{dump}\n{end}")

    assert "hunter2" not in shown
    assert "/usr/bin" not in shown
    assert "environment left out" in shown
    assert shown.startswith("[release] migrate: started\n")
    assert shown.endswith(end)


def test_two_variables_are_not_taken_for_an_environment() -> None:
    assert redact("A_NAME=1\nANOTHER=2\nmigrated") == "A_NAME=1\nANOTHER=2\nmigrated"


def test_variables_that_are_far_apart_are_no_environment() -> None:
    log = "\n".join([*["before"] * 50, "A_NAME=1", "ANOTHER=2", *["between"] * 5, "THIRD=3"])

    assert redact(log) == log


@pytest.mark.parametrize("begin", ["-----BEGIN RSA PRIVATE KEY-----\n", ""])
@pytest.mark.parametrize("end", ["-----END RSA PRIVATE KEY-----\nafter", ""])
def test_a_private_key_is_left_out(begin: str, end: str) -> None:
    if not (begin or end):
        return
    body = "MIIEowIBAAKCAQEAabcdefgh\nijklmnopqrstuvwxyz123456\n"

    shown = redact(f"{begin}{body}{end}")

    assert "ijklm" not in shown
    assert shown.endswith("after") == bool(end)


def test_names_that_are_known_are_left_out_whatever_they_are() -> None:
    assert redact("LICENCE=x, 'LICENCE': 'y'", ["LICENCE"]) == (
        "LICENCE=[redacted] 'LICENCE': '[redacted]'"
    )
    assert redact("LICENCE=x") == "LICENCE=x"


def test_of_a_long_line_the_end_is_cut_off() -> None:
    shown = redact(f"error {'x' * 3 * LONGEST_LINE} PASSWORD=y")

    assert shown == "error …"


def test_no_handler_reads_a_log_without_redacting_it() -> None:
    """One that asked for the events itself would quote them as they are."""
    asking = [
        path.name
        for path in HANDLERS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"get_log_events", "filter_log_events"}
    ]

    assert asking == ["_aws.py"]
