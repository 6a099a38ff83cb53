"""Fixtures: a fresh app for each test, and backends in it."""

import json
import os
from collections.abc import Callable

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53
from templates import Json, synthesize

from galv_constructs import GalvBackend

# CloudFormation validation costs every process seconds; `npm run synth` runs it on the whole.
os.environ["CDK_VALIDATION"] = "false"

MakeBackend = Callable[..., GalvBackend]
CERTIFICATE_ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/0a1b2c3d"


def zone_in(stack: Stack) -> route53.IHostedZone:
    return route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789", zone_name="example.com"
    )


@pytest.fixture
def stack() -> Stack:
    """A stack for any account and region, in an app without context."""
    return Stack(App(), "Stack")


@pytest.fixture
def zone(stack: Stack) -> route53.IHostedZone:
    return zone_in(stack)


@pytest.fixture
def certificate(stack: Stack) -> acm.ICertificate:
    return acm.Certificate.from_certificate_arn(stack, "Certificate", CERTIFICATE_ARN)


@pytest.fixture
def make_backend(stack: Stack, zone: route53.IHostedZone) -> MakeBackend:
    """Make a backend in `stack` from the two arguments that it needs, and others."""

    def make(id: str = "Backend", **overrides: object) -> GalvBackend:
        arguments: Json = {"domain_name": "api.example.com", "hosted_zone": zone, **overrides}
        return GalvBackend(stack, id, **arguments)

    return make


@pytest.fixture
def synth(stack: Stack, make_backend: MakeBackend) -> Callable[..., Json]:
    """Synthesize a backend with arguments into the template of `stack`."""

    def template(**overrides: object) -> Json:
        make_backend(**overrides)
        return synthesize(stack)

    return template


@pytest.fixture
def refusal(stack: Stack) -> Callable[[Callable[[], object]], str]:
    """The message with which a construct is refused, which must leave nothing behind."""

    def message(make: Callable[[], object]) -> str:
        before = [child.node.path for child in stack.node.find_all()]
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - callers look at the text
            make()
        assert [child.node.path for child in stack.node.find_all()] == before
        return str(caught.value)

    return message


@pytest.fixture
def refused_backend(
    refusal: Callable[[Callable[[], object]], str], make_backend: MakeBackend
) -> Callable[..., str]:
    """The message with which a backend with these arguments is refused."""

    def message(**overrides: object) -> str:
        return refusal(lambda: make_backend(**overrides))

    return message


@pytest.fixture(scope="session")
def default_text() -> str:
    stack = Stack(App(), "Stack")
    GalvBackend(stack, "Backend", domain_name="api.example.com", hosted_zone=zone_in(stack))
    return json.dumps(synthesize(stack))


@pytest.fixture
def default(default_text: str) -> Json:
    """The template of a backend with nothing but a name and a zone."""
    template: Json = json.loads(default_text)
    return template
