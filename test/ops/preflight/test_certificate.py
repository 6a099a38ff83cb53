"""Certificates as ACM has them in moto."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ops.preflight.conftest import REGION

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World


def imported(*names: str, days: int = 365, region: str = REGION) -> str:
    """The ARN of a certificate that ends after some days and a bit."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    made = boto3.client("acm", region).import_certificate(
        Certificate=certificate.public_bytes(serialization.Encoding.PEM),
        PrivateKey=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    return str(made["CertificateArn"])


def asked(world: World, arn: str, *names: str, region: str = REGION) -> list[Finding]:
    question = {
        "Ask": "certificate",
        "CertificateArn": arn,
        "DomainNames": list(names),
        "Region": region,
    }
    return ask({"Backend/Certificate": question}, world, 20)


def test_finds_a_certificate_that_covers_all_names(world: World) -> None:
    arn = imported("example.com", "*.example.com")

    assert asked(world, arn, "example.com", "api.example.com") == []


def test_tells_names_that_it_does_not_cover(world: World) -> None:
    arn = imported("example.com", "*.example.com")

    assert asked(world, arn, "a.b.example.com", "example.com", "example.org") == [
        Finding(
            "Backend/Certificate",
            "error",
            f"the certificate {arn} does not cover a.b.example.com, example.org",
            "it covers example.com, *.example.com",
            "request one for all names and pass its ARN",
        )
    ]


def test_tells_one_in_another_region(world: World) -> None:
    arn = imported("example.com", region="us-east-1")

    assert asked(world, arn, "example.com", region="us-east-1") == []
    (found,) = asked(world, arn, "example.com", region=REGION)
    assert (found.severity, found.found) == (
        "error",
        f"it is in us-east-1, and is used in {REGION}",
    )


def test_tells_one_that_is_not_there(world: World) -> None:
    arn = f"arn:aws:acm:{REGION}:123456789012:certificate/00000000-0000-0000-0000-000000000000"

    (found,) = asked(world, arn, "example.com")

    assert found.severity == "error"
    assert found.wrong == f"the certificate {arn} does not exist"


@pytest.mark.parametrize(
    ("status", "reason", "fix"),
    [
        ("PENDING_VALIDATION", None, "wait until it is issued"),
        ("FAILED", "CAA_ERROR", "request another one"),
        ("EXPIRED", None, "request another one"),
    ],
)
def test_tells_one_that_is_not_issued(
    world: World, status: str, reason: str | None, fix: str
) -> None:
    arn = f"arn:aws:acm:{REGION}:123456789012:certificate/a"
    answer = {"Status": status, "DomainName": "example.com"}
    if reason is not None:
        answer["FailureReason"] = reason
    with Stubber(world.client("acm", REGION)) as stub:
        stub.add_response("describe_certificate", {"Certificate": answer})
        (found,) = asked(world, arn, "example.com")

    assert found.severity == "error"
    assert found.found == f"its status is {status}" + (f" ({reason})" if reason else "")
    assert found.fix.startswith(fix)


@pytest.mark.parametrize(("days", "severities"), [(29, ["warning"]), (31, [])])
def test_warns_of_one_that_ends_soon(world: World, days: int, severities: list[str]) -> None:
    arn = imported("example.com", days=days)

    found = asked(world, arn, "example.com")

    assert [finding.severity for finding in found] == severities
    assert all(finding.wrong.endswith("expires in 29 days") for finding in found)


def test_asks_nothing_of_a_certificate_that_is_not_in_acm(world: World) -> None:
    assert asked(world, "arn:aws:iam::123456789012:server-certificate/a", "example.com") == []
