"""Fixtures: a fresh app for each test, and backends in it."""

import gc
import os
import re
from collections.abc import Callable, Iterator
from datetime import date

import pytest
from aws_cdk import CfnParameter, Duration, Size, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import (
    CERTIFICATE_ARN,
    WEB_ACL_ARN,
    MakeBackend,
    Refusal,
    RefusedBackend,
    Synth,
    backend_in,
    new_app,
    own_database,
    whole_backend_in,
    zone_in,
)
from templates import Json, synthesize

from galv_constructs import GalvBackend, GalvMail, GalvNetwork, NetworkPreset
from galv_constructs.images import mirrored_image

# It would turn off what test_compliance.py turns on.
os.environ.pop("CDK_VALIDATION", None)

# A synthesis leaves many objects that refer to each other: look for garbage among them less often.
gc.set_threshold(200_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def day() -> Iterator[date]:
    """The day of all syntheses: two templates are not of two days because midnight is between."""
    today = date(2026, 11, 23)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mirrored_image, "today", lambda: today)
        yield today


@pytest.fixture
def stack() -> Stack:
    """A stack for any account and region, in an app without context."""
    return Stack(new_app(), "Stack")


@pytest.fixture
def certificate(stack: Stack) -> acm.ICertificate:
    return acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE_ARN)


@pytest.fixture
def make_backend(stack: Stack) -> MakeBackend:
    """Make a backend in `stack` from the two arguments that it needs, and others."""

    def make(**arguments: object) -> GalvBackend:
        return backend_in(stack, **arguments)

    return make


@pytest.fixture
def synth(stack: Stack, make_backend: MakeBackend) -> Synth:
    """Synthesize a backend with arguments into the template of `stack`."""

    def template(**arguments: object) -> Json:
        make_backend(**arguments)
        return synthesize(stack)

    return template


@pytest.fixture
def synth_whole(stack: Stack) -> Synth:
    """Synthesize what a backend is by default, with arguments, into the template of `stack`."""

    def template(**arguments: object) -> Json:
        whole_backend_in(stack, **arguments)
        return synthesize(stack)

    return template


@pytest.fixture
def refusal(stack: Stack) -> Refusal:
    """The message with which a construct is refused, which must leave nothing behind."""

    def message(make: Callable[[], object]) -> str:
        before = [child.node.path for child in stack.node.find_all()]
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - callers look at the text
            make()
        assert [child.node.path for child in stack.node.find_all()] == before
        return str(caught.value)

    return message


@pytest.fixture
def refused_backend(stack: Stack, refusal: Refusal, make_backend: MakeBackend) -> RefusedBackend:
    """The message with which a backend with these arguments is refused: it names one of them."""
    zone_in(stack)

    def message(**arguments: object) -> str:
        text = refusal(lambda: make_backend(**arguments))
        assert any(re.search(rf"\b{name}\b", text) for name in arguments), text
        return text

    return message


@pytest.fixture(scope="session")
def default() -> Json:
    """The template of a backend with nothing but a name and a zone."""
    stack = Stack(new_app(), "Stack")
    whole_backend_in(stack)
    return synthesize(stack)


@pytest.fixture(scope="session")
def development() -> Json:
    """The template of a backend that is not in production, checked at the end of a deployment."""
    stack = Stack(new_app(), "Stack")
    whole_backend_in(stack, production=False, check_status="warn")
    return synthesize(stack)


@pytest.fixture(scope="session")
def tuned() -> Json:
    """The template of a backend with another value than the default for all that is tuned."""
    stack = Stack(new_app(), "Stack")
    secret = secretsmanager.Secret.from_secret_name_v2
    whole_backend_in(
        stack,
        domain_name="api.lab.example.com",
        root_domain_name="example.net",
        frontend_domain_names=["app.example.com", "lab.example.org"],
        mail=GalvMail.from_secret(
            secret(stack, "Smtp", "galv-smtp"),
            sender="galv@example.org",
            host="mx.example.org",
            port=2525,
        ),
        version="v2.11.4",
        registry_credentials=secretsmanager.Secret(stack, "Registry"),
        environment={"DJANGO_LOG_LEVEL": "INFO", "PGSSLMODE": "verify-full"},
        secrets={"SENTRY_DSN": ecs.Secret.from_secrets_manager(secret(stack, "Own", "own"), "dsn")},
        cpu=1024,
        memory_limit_mib=4096,
        workers=7,
        threads=3,
        deregistration_delay=Duration.minutes(20),
        lab_storage_quota=Size.gibibytes(50),
        min_tasks=2,
        max_tasks=9,
        request_timeout=Duration.minutes(10),
        network=GalvNetwork(stack, "Network", preset=NetworkPreset.PUBLIC),
        database=own_database(instance_type=ec2.InstanceType("m7g.large")),
        web_acl_arn=WEB_ACL_ARN,
    )
    return synthesize(stack)


@pytest.fixture(scope="session")
def deferred() -> Json:
    """The template of a backend with values that are not known before the deployment."""
    stack = Stack(new_app(), "Stack")
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack,
        "Other",
        hosted_zone_id="Z1",
        zone_name=CfnParameter(stack, "ZoneName").value_as_string,
    )
    whole_backend_in(
        stack,
        domain_name="api.example.org",
        hosted_zone=zone,
        version=CfnParameter(stack, "Version").value_as_string,
        environment={"DJANGO_LOG_LEVEL": CfnParameter(stack, "Level").value_as_string},
        min_tasks=CfnParameter(stack, "Least", type="Number").value_as_number,
    )
    return synthesize(stack)


@pytest.fixture(scope="session")
def mailing() -> Json:
    """The template of a backend that sends mail through SES."""
    stack = Stack(new_app(), "Stack")
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Smtp", "galv-smtp")
    whole_backend_in(stack, mail=GalvMail.from_secret(secret, sender="galv@mail.example.com"))
    return synthesize(stack)


@pytest.fixture(scope="session")
def encrypted() -> Json:
    """The template of a backend with a key of its own, `Key`."""
    stack = Stack(new_app(), "Stack")
    whole_backend_in(stack, encryption_key=kms.Key(stack, "Key"), execute_command=True)
    return synthesize(stack)
