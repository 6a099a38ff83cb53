"""The context keys: what they mean, their defaults, and all mistakes at once."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from templates import Json

from galv_constructs import GalvConfig, NetworkPreset

EXAMPLE = Path(__file__).parent.parent / "examples" / "galv-app" / "cdk.json"
LEAST = {"name": "galv", "domainName": "example.com"}


def config(**context: Any) -> GalvConfig:
    return GalvConfig.from_context(App(context={**LEAST, **context}).node)


def mistakes(context: Json) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - callers look at the text
        GalvConfig.from_context(App(context=context).node)
    headline, *listed = str(caught.value).split("\n  - ")
    count = "a mistake" if len(listed) == 1 else f"{len(listed)} mistakes"
    assert headline == f"{count} in the context (cdk.json or --context):"
    return listed


def test_defaults_are_the_documented_ones() -> None:
    assert config() == GalvConfig(
        name="galv",
        project_name_tag="galv",
        domain_name="example.com",
        backend_subdomain="api",
        frontend_subdomain="app",
        is_route53_domain=True,
        certificate_arn=None,
        backend_certificate_arn=None,
        backend_version="latest",
        is_production=True,
        removal_protection=None,
        enable_container_insights=None,
        mail_from_user="galv-no-reply",
        mail_from_domain="mail.example.com",
        smtp_secret_name="galv-smtp",
        backend_environment={},
        backend_secrets_name="galv-backend-secrets",
        backend_secrets_keys=(),
        monitor_interval_minutes=5,
        network_preset=NetworkPreset.NAT_GATEWAY,
    )


def test_reads_the_example() -> None:
    context = json.loads(EXAMPLE.read_text())["context"]

    read = GalvConfig.from_context(App(context=context).node)

    assert read.backend_domain_name == "api.example.com"
    assert read.frontend_domain_name == "app.example.com"
    assert read.mail_sender == "galv-no-reply@mail.example.com"
    # What is empty there stays unset, as some variables stop the application when they are.
    assert read.backend_environment == {
        "DJANGO_SUPERUSER_USERNAME": "admin",
        "DJANGO_LOG_LEVEL": "INFO",
    }


@pytest.mark.parametrize(
    ("key", "value", "attribute", "read"),
    [
        ("projectNameTag", "lab", "project_name_tag", "lab"),
        ("projectNameTag", "lab", "smtp_secret_name", "lab-smtp"),
        ("projectNameTag", None, "project_name_tag", "galv"),
        ("smtpSecretName", "mail", "smtp_secret_name", "mail"),
        ("backendSubdomain", "", "backend_domain_name", "example.com"),
        ("backendSubdomain", "galv.api", "backend_domain_name", "galv.api.example.com"),
        ("frontendSubdomain", "", "frontend_domain_name", "example.com"),
        ("isRoute53Domain", False, "is_route53_domain", False),
        ("isRoute53Domain", "false", "is_route53_domain", False),
        ("isProduction", "True", "is_production", True),
        ("removalProtection", "false", "removal_protection", False),
        ("removalProtection", None, "removal_protection", None),
        ("enableContainerInsights", True, "enable_container_insights", True),
        ("backendVersion", "2.11.4", "backend_version", "2.11.4"),
        ("mailFromUser", "galv", "mail_sender", "galv@mail.example.com"),
        ("mailFromDomain", "example.org", "mail_sender", "galv-no-reply@example.org"),
        ("certificateArn", "arn:aws:x", "certificate_arn", "arn:aws:x"),
        ("backendSecretsName", "own", "backend_secrets_name", "own"),
        ("backendSecretsKeys", ["A", "B"], "backend_secrets_keys", ["A", "B"]),
        ("backendSecretsKeys", '["A"]', "backend_secrets_keys", ["A"]),
        ("backendEnvironment", '{"A": "x", "B": null}', "backend_environment", {"A": "x"}),
        ("monitorIntervalMinutes", 0, "monitor_interval_minutes", 0),
        ("monitorIntervalMinutes", "15", "monitor_interval_minutes", 15),
        ("monitorIntervalMinutes", 5.0, "monitor_interval_minutes", 5),
        ("networkPreset", "natInstance", "network_preset", NetworkPreset.NAT_INSTANCE),
    ],
)
def test_reads_a_key(key: str, value: object, attribute: str, read: object) -> None:
    assert getattr(config(**{key: value}), attribute) == read


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", "must be text, got ''"),
        ("name", 7, "must be text, got 7"),
        ("projectNameTag", " ", "must be text, got ' '"),
        ("domainName", "https://example.com", "must be a bare host name in lower case"),
        ("domainName", "Example.com", "got 'Example.com'"),
        ("backendSubdomain", "API", "must be a bare host name in lower case"),
        ("backendSubdomain", 7, "must be text such as 'api', got 7"),
        ("isRoute53Domain", "yes", "must be true or false, got 'yes'"),
        ("isProduction", 1, "must be true or false, got 1"),
        ("removalProtection", "", "must be true or false, got ''"),
        ("enableContainerInsights", "on", "must be true or false, got 'on'"),
        ("backendVersion", "galv:1", "must be the tag of an image, such as '2.11.4'"),
        ("mailFromUser", "a b", "got 'a b@example.com'"),
        ("mailFromDomain", "mail", "got 'mail'"),
        ("smtpSecretName", [], "must be text, got []"),
        ("certificateArn", "", "must be text, got ''"),
        ("backendEnvironment", ["A"], "must be an object of names and values, got ['A']"),
        ("backendEnvironment", "{", "must be an object of names and values, got '{'"),
        ("backendEnvironment", {"A": 1}, "A must be text, got 1: put it in quotes"),
        ("backendEnvironment", {"A": True}, "A must be text, got True: put it in quotes"),
        ("backendSecretsKeys", "A", "must be a list of keys, got 'A'"),
        ("backendSecretsKeys", ["A", ""], "must be a list of keys, got ['A', '']"),
        ("backendSecretsKeys", ["A", "A"], "has a key twice: ['A', 'A']"),
        ("monitorIntervalMinutes", -1, "must be whole minutes from 0 (off) to 44640"),
        ("monitorIntervalMinutes", 44641, "got 44641"),
        ("monitorIntervalMinutes", 2.5, "got 2.5"),
        ("monitorIntervalMinutes", True, "got True"),
        ("monitorIntervalMinutes", "often", "got 'often'"),
        ("networkPreset", "nat", "must be one of natGateway, natInstance, public, endpoints"),
    ],
)
def test_refuses_a_value_that_makes_no_sense(key: str, value: object, message: str) -> None:
    (mistake,) = mistakes({**LEAST, key: value})

    assert mistake.startswith(f"{key}: ")
    assert message in mistake


def test_refuses_a_context_without_what_is_necessary() -> None:
    assert mistakes({}) == [
        "name: is missing; set it in cdk.json",
        "domainName: is missing; set it in cdk.json",
    ]


def test_tells_all_mistakes_at_once() -> None:
    listed = mistakes({"domainName": "x", "isProduction": "maybe", "networkPreset": "cheap"})

    assert [mistake.partition(":")[0] for mistake in listed] == [
        "name",
        "domainName",
        "isProduction",
        "networkPreset",
    ]


class TestCertificate:
    def test_uses_the_key_for_the_backend_in_every_region(self) -> None:
        read = config(backendCertificateArn="arn:backend", certificateArn="arn:frontend")

        assert read.backend_certificate_arn_in("us-east-1") == "arn:backend"
        assert read.backend_certificate_arn_in("eu-west-1") == "arn:backend"

    def test_one_certificate_serves_both_in_us_east_1(self) -> None:
        read = config(certificateArn="arn:frontend")

        assert read.backend_certificate_arn_in("us-east-1") == "arn:frontend"

    @pytest.mark.parametrize(
        ("context", "region"),
        [({}, "us-east-1"), ({"certificateArn": "arn:frontend"}, "eu-west-1")],
    )
    def test_refuses_a_region_without_a_certificate(self, context: Json, region: str) -> None:
        with pytest.raises(ValueError, match="isRoute53Domain is false") as caught:
            config(**context).backend_certificate_arn_in(region)

        text = str(caught.value)
        assert f"no certificate is given for the API in {region}" in text
        assert f"--region {region} --domain-name api.example.com" in text
        assert "set backendCertificateArn to its ARN" in text
