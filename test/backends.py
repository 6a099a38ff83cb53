"""Backends to test, and the types of the fixtures that make them."""

import json
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path

from aws_cdk import App, Environment, Stack
from aws_cdk import aws_route53 as route53
from templates import Json

from galv_constructs import GalvBackend, GalvDatabase

ENVIRONMENT = Environment(account="111122223333", region="eu-west-1")
CERTIFICATE_ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/0a1b2c3d"
WEB_ACL_ARN = "arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/ours/0a1b2c3d"
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d"

MakeBackend = Callable[..., GalvBackend]
Synth = Callable[..., Json]
Refusal = Callable[[Callable[[], object]], str]
RefusedBackend = Callable[..., str]


def validation(*, on: bool) -> Json:
    """The argument of `App` for CloudFormation-Validate, which costs seconds.

    aws-cdk-lib 2.274 has none, and validates.
    """
    name = "builtin_cloud_formation_validation"
    return {name: on} if name in signature(App.__init__).parameters else {}


def recommended_flags() -> Json:
    """The feature flags that CDK sets in a new application."""
    folder = Path(__file__).parent.parent / "node_modules/aws-cdk/lib/init-templates"
    flags: Json = json.loads((folder / ".recommended-feature-flags.json").read_text())
    assert len(flags) > 50
    return flags


def new_app(context: Json | None = None, *, validate: bool = False) -> App:
    """An app without CloudFormation-Validate, unless asked for.

    It leaves out tree.json, a tenth of a test's time, which no test reads.
    """
    azs = [f"{ENVIRONMENT.region}{letter}" for letter in "abc"]
    where = f"account={ENVIRONMENT.account}:region={ENVIRONMENT.region}"
    return App(
        context={f"availability-zones:{where}": azs, **(context or {})},
        tree_metadata=False,
        **validation(on=validate),
    )


def zone_in(stack: Stack) -> route53.IHostedZone:
    """The zone `example.com`."""
    return route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789", zone_name="example.com"
    )


def regional_stack(app: App | None = None, id: str = "Stack") -> Stack:
    """A stack whose region and Availability Zones are known."""
    return Stack(app or new_app(), id, env=ENVIRONMENT)


def backend_in(stack: Stack, id: str = "Backend", /, **arguments: object) -> GalvBackend:
    """A backend from its two necessary arguments, unless others are given.

    It has neither preflight nor a copy of its image, unless these are given: most tests are not
    about them, and they are a third of the time of a synthesis.
    """
    given: Json = {"domain_name": "api.example.com", "preflight": False} | arguments
    if "image" not in given:
        given.setdefault("mirror_image", False)
    if "hosted_zone" not in given:
        given["hosted_zone"] = stack.node.try_find_child("Zone") or zone_in(stack)
    return GalvBackend(stack, id, **given)


def whole_backend_in(stack: Stack, id: str = "Backend", /, **arguments: object) -> GalvBackend:
    """A backend that has all that one has by default."""
    given: Json = {"preflight": True} | arguments
    if "image" not in given:
        given.setdefault("mirror_image", True)
    return backend_in(stack, id, **given)


def own_database(**settings: object) -> Callable[..., GalvDatabase]:
    """How to create the database of a backend, with settings, at its usual path."""
    return partial(GalvDatabase, **settings)  # type: ignore[arg-type]
