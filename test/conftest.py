"""Fixtures: a fresh app for each test, and backends in it."""

import gc
import os
from collections.abc import Callable

import pytest
from aws_cdk import Stack
from aws_cdk import aws_certificatemanager as acm
from backends import (
    CERTIFICATE_ARN,
    MakeBackend,
    Refusal,
    RefusedBackend,
    Synth,
    backend_in,
    new_app,
    zone_in,
)
from templates import Json, synthesize

from galv_constructs import GalvBackend

# It would turn off what test_compliance.py turns on.
os.environ.pop("CDK_VALIDATION", None)

# A synthesis leaves many objects that refer to each other: look for garbage among them less often.
gc.set_threshold(200_000, 20, 100)


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
    """The message with which a backend with these arguments is refused."""
    zone_in(stack)

    def message(**arguments: object) -> str:
        return refusal(lambda: make_backend(**arguments))

    return message


@pytest.fixture(scope="session")
def default() -> Json:
    """The template of a backend with nothing but a name and a zone."""
    stack = Stack(new_app(), "Stack")
    backend_in(stack)
    return synthesize(stack)


@pytest.fixture(scope="session")
def development() -> Json:
    """The template of a backend that is not in production, checked at the end of a deployment."""
    stack = Stack(new_app(), "Stack")
    backend_in(stack, production=False, check_status="warn")
    return synthesize(stack)
