"""What a site tells preflight, and what of it waits."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import new_app, regional_stack, zone_in
from templates import Json, needs, only, only_id, synthesize

from galv_constructs import FrontendSource, GalvFrontend

CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
WAITS = {
    "AWS::CloudFront::Distribution",
    "Custom::GalvSiteRelease",
}


@pytest.fixture
def app() -> App:
    return new_app()


@pytest.fixture
def stack(app: App) -> Stack:
    return regional_stack(app)


def frontend(stack: Stack, **arguments: Any) -> GalvFrontend:
    given: Json = {
        "domain_name": "app.example.com",
        "api_url": "https://api.example.com",
        "source": FrontendSource.release("v2.2.0"),
        **arguments,
    }
    if "certificate" not in given:
        given["hosted_zone"] = zone_in(stack)
    return GalvFrontend(stack, "Frontend", **given)


def questions(stack: Stack) -> Json:
    return dict(only(synthesize(stack), "Custom::GalvPreflight")["Questions"])


def test_asks_for_the_files_the_names_and_room(stack: Stack) -> None:
    frontend(stack, alternative_domain_names=["www.example.com"])

    assert questions(stack) == {
        "Frontend/Source": {
            "Ask": "site-source",
            "Source": {
                "Type": "release",
                "Repository": "https://github.com/galv-team/galv-frontend",
                "Tag": "v2.2.0",
                "Commit": "",
            },
        },
        "Frontend/Records": {
            "Ask": "records",
            "HostedZoneId": "Z0123456789",
            "Names": ["app.example.com", "www.example.com"],
            "Stack": {"Ref": "AWS::StackId"},
        },
        "Frontend/Quotas/cloudfront": {"Ask": "quotas", "Needs": ["cloudfront=1"]},
        "Frontend/Quotas/response-headers-policy": {
            "Ask": "quotas",
            "Needs": ["response-headers-policy=1"],
        },
        "Frontend/Quotas/codebuild": {"Ask": "quotas", "Needs": ["codebuild=1"]},
    }


def test_the_stack_of_the_certificate_asks_for_its_zone(app: App, stack: Stack) -> None:
    """It comes first, and a certificate waits for DNS."""
    frontend(stack)
    edge = app.node.find_child("Stack-Edge")
    assert isinstance(edge, Stack)

    assert questions(edge) == {
        "Frontend/HostedZone": {
            "Ask": "hosted-zone",
            "HostedZoneId": "Z0123456789",
            "DomainNames": ["app.example.com"],
            "CertificateWanted": "true",
        }
    }
    template = synthesize(edge)
    certificate = only_id(template, "AWS::CertificateManager::Certificate")
    assert only_id(template, "Custom::GalvPreflight") in needs(template, certificate)


def test_the_zone_is_asked_for_all_names_of_the_certificate(app: App, stack: Stack) -> None:
    frontend(stack, alternative_domain_names=["www.example.com", "lab.example.com"])
    edge = app.node.find_child("Stack-Edge")
    assert isinstance(edge, Stack)

    names = ["app.example.com", "www.example.com", "lab.example.com"]
    assert questions(edge)["Frontend/HostedZone"]["DomainNames"] == names


def test_all_that_costs_time_waits(stack: Stack) -> None:
    frontend(stack)
    template = synthesize(stack)
    preflight = only_id(template, "Custom::GalvPreflight")

    for kind in WAITS:
        assert preflight in needs(template, only_id(template, kind))


def test_asks_for_a_given_certificate_in_the_region_of_cloudfront(stack: Stack) -> None:
    certificate = acm.Certificate.from_certificate_arn(stack, "Given", CERTIFICATE)
    frontend(stack, certificate=certificate, alternative_domain_names=["www.example.com"])

    found = questions(stack)

    assert found["Frontend/Certificate"] == {
        "Ask": "certificate",
        "CertificateArn": CERTIFICATE,
        "DomainNames": ["app.example.com", "www.example.com"],
        "Region": "us-east-1",
    }
    assert not {"Frontend/Records", "Frontend/HostedZone"} & found.keys()


def test_asks_for_what_is_pinned(stack: Stack) -> None:
    frontend(stack, source=FrontendSource.release("v2.2.0@sha256:" + "0a" * 32))

    assert questions(stack)["Frontend/Source"]["Source"]["Digest"] == "sha256:" + "0a" * 32


def test_asks_for_the_secrets_of_the_build(stack: Stack) -> None:
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "site")
    frontend(stack, secrets={"KEY": ecs.Secret.from_secrets_manager(secret, "KEY")})

    assert questions(stack)["Frontend/Secrets/site"]["Keys"] == ["KEY"]


def test_files_that_are_there_are_not_asked_for(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    frontend(stack, source=FrontendSource.directory(str(tmp_path)))

    kinds = [one["Ask"] for one in questions(stack).values()]
    assert "site-source" not in kinds
    assert ["codebuild=1"] not in [one.get("Needs") for one in questions(stack).values()]


def test_leaves_out_what_it_is_told_to(stack: Stack) -> None:
    frontend(stack, preflight=["records", "quotas"])

    assert {one["Ask"] for one in questions(stack).values()} == {"site-source"}


@pytest.mark.parametrize("preflight", ["records", ["record"]])
def test_refuses_what_is_no_kind(stack: Stack, preflight: Any) -> None:
    with pytest.raises(ValueError, match="preflight"):
        frontend(stack, preflight=preflight)


def test_leaves_out_a_check_by_its_id(stack: Stack) -> None:
    frontend(stack, preflight=["Frontend/Records", "Frontend/HostedZone"])

    assert questions(stack).keys() == {
        "Frontend/Quotas/cloudfront",
        "Frontend/Quotas/response-headers-policy",
        "Frontend/Quotas/codebuild",
        "Frontend/Source",
    }


def test_asks_nothing_where_that_is_left_out(app: App, stack: Stack) -> None:
    frontend(stack, preflight=False)

    for one in (stack, app.node.find_child("Stack-Edge")):
        assert isinstance(one, Stack)
        assert "Preflight" not in json.dumps(synthesize(one))
