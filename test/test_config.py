import json
from pathlib import Path
from typing import Any

import config_docs
import jsonschema
import pytest
from aws_cdk import App

from galv_constructs import GalvConfig, NetworkPreset
from galv_constructs._config_keys import KEYS, schema

CDK_JSON = Path(__file__).parent.parent / "examples" / "galv-app" / "cdk.json"
ARN = "arn:aws:acm:{region}:{account}:certificate/0a1b2c3d-0000-4000-8000-000000000000"
DOCUMENTED = [
    "name",
    "backendVersion",
    "frontendVersion",
    "projectNameTag",
    "isProduction",
    "removalProtection",
    "mailFromUser",
    "mailFromDomain",
    "frontendEnvironment",
    "backendEnvironment",
    "frontendSecretsName",
    "frontendSecretsKeys",
    "backendSecretsName",
    "backendSecretsKeys",
    "monitorIntervalMinutes",
    "frontendSubdomain",
    "backendSubdomain",
    "domainName",
    "isRoute53Domain",
    "enableContainerInsights",
    "certificateArn",
    "smtpSecretName",
]


def read(*, account: str | None = None, region: str | None = None, **context: Any) -> GalvConfig:
    context = {"name": "galv", "domainName": "example.com", **context}
    app = App(context={key: value for key, value in context.items() if value is not ...})
    return GalvConfig.from_context(app.node, account=account, region=region)


def refusal(**context: Any) -> str:
    with pytest.raises(ValueError, match="in the context") as error:
        read(**context)
    return str(error.value)


def arn(region: str = "us-east-1", account: str = "123456789012") -> str:
    return ARN.format(region=region, account=account)


def test_knows_every_documented_key() -> None:
    assert [key.name for key in KEYS if not key.ours] == DOCUMENTED
    assert len(DOCUMENTED) == 22


def test_every_key_is_read() -> None:
    values: dict[str, Any] = {
        "backendVersion": "v2.11.4",
        "frontendVersion": "v2.2.0",
        "projectNameTag": "lab",
        "isProduction": False,
        "removalProtection": True,
        "mailFromUser": "noreply",
        "mailFromDomain": "example.org",
        "frontendEnvironment": {"VITE_X": "1"},
        "backendEnvironment": {"DJANGO_LOG_LEVEL": "INFO"},
        "frontendSecretsName": "f",
        "frontendSecretsKeys": ["VITE_KEY"],
        "backendSecretsName": "b",
        "backendSecretsKeys": ["SENTRY_DSN"],
        "monitorIntervalMinutes": 7,
        "frontendSubdomain": "www",
        "backendSubdomain": "rest",
        "isRoute53Domain": False,
        "enableContainerInsights": True,
        "certificateArn": arn(),
        "smtpSecretName": "smtp",
        "backendCertificateArn": arn("eu-west-2"),
        "networkPreset": "public",
        "alarmEmail": "lab@example.com",
    }
    plain, changed = read(), read(region="eu-west-2", **values)

    unread = [name for name in vars(plain) if getattr(plain, name) == getattr(changed, name)]

    # Rotation goes with credentials that are made, not given.
    assert unread == ["name", "domain_name", "smtp_rotation"]
    assert read(smtpRotation=2).smtp_rotation == 2
    assert set(values) | {"name", "domainName", "smtpRotation"} == {key.name for key in KEYS}


def test_defaults() -> None:
    config = read()

    assert config.backend_domain_name == "api.example.com"
    assert config.frontend_domain_name == "app.example.com"
    assert config.mail_sender == "galv-no-reply@mail.example.com"
    assert config.project_name_tag == "galv"
    assert config.default_smtp_secret_name == "galv-smtp"
    assert config.backend_secrets_name == "galv-backend-secrets"
    assert (config.backend_version, config.frontend_version) == ("latest", "latest")
    assert config.is_production
    assert config.removal_protection is None
    assert config.is_route53_domain
    assert config.monitor_interval_minutes == 5
    assert config.network_preset is NetworkPreset.NAT_GATEWAY


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("2.11.4", "v2.11.4"),
        ("v2.11.4", "v2.11.4"),
        ("latest", "latest"),
        ("v3.0.0-rc1", "v3.0.0-rc1"),
        ("3.0.0-rc1", "3.0.0-rc1"),
        ("develop", "develop"),
        ("2024.11", "2024.11"),
    ],
)
def test_a_release_is_the_same_with_and_without_its_v(given: str, tag: str) -> None:
    config = read(backendVersion=given, frontendVersion=given)

    assert (config.backend_version, config.frontend_version) == (tag, tag)


def test_refuses_a_backend_that_is_too_old() -> None:
    assert "backendVersion: must be v2.11.3 or later" in refusal(backendVersion="2.7.4")


def test_an_empty_subdomain_is_the_domain_itself() -> None:
    assert read(frontendSubdomain="").frontend_domain_name == "example.com"


@pytest.mark.parametrize("value", [False, "false", "False"])
def test_reads_booleans_as_text(value: object) -> None:
    assert not read(isProduction=value).is_production


@pytest.mark.parametrize("value", [0, "0", 0.0])
def test_reads_numbers_as_text(value: object) -> None:
    assert read(monitorIntervalMinutes=value).monitor_interval_minutes == 0


def test_reads_json_as_text() -> None:
    config = read(backendEnvironment='{"A": "b"}', backendSecretsKeys='["C"]')

    assert config.backend_environment == {"A": "b"}
    assert config.backend_secrets_keys == ["C"]


@pytest.mark.parametrize("value", [None, ""])
def test_null_and_empty_mean_not_set(value: object) -> None:
    config = read(backendVersion=value, backendEnvironment={"A": value}, smtpSecretName=value)

    assert config.backend_version == "latest"
    assert config.backend_environment == {}
    assert config.smtp_secret_name is None


@pytest.mark.parametrize(
    "key",
    ["@aws-cdk/core:x", "aws:cdk:y", "hosted-zone:account=1", "cdk-migrate", "aws-cdk:z"],
)
def test_ignores_what_is_cdks_own(key: str) -> None:
    context: Any = {key: "anything"}

    assert read(**context) == read()


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("name", ..., "is missing"),
        ("name", "a b", "letters, digits and '-'"),
        ("domainName", "Example.com", "got 'Example.com'"),
        ("domainName", "https://example.com", "leave out the scheme"),
        ("backendSubdomain", "a_b", "got 'a_b'"),
        ("backendVersion", "a b", "tag of an image"),
        ("isProduction", "yes", "must be true or false, got 'yes'"),
        ("isProduction", 1, "must be true or false, got 1"),
        ("removalProtection", "", "must be true or false"),
        ("mailFromUser", "a b", "before the @"),
        ("mailFromDomain", "mail", "bare host name"),
        ("monitorIntervalMinutes", -1, "from 0 (off) to 44640"),
        ("monitorIntervalMinutes", 2.5, "a whole number"),
        ("monitorIntervalMinutes", "soon", "a whole number"),
        ("monitorIntervalMinutes", True, "a whole number"),
        ("backendEnvironment", "A=b", "an object of names and values"),
        ("backendEnvironment", {"A": 1}, "put the value in quotes"),
        ("backendEnvironment", {"1A": "b"}, "do not start with a digit, got '1A'"),
        ("backendEnvironment", {"POSTGRES_HOST": "b"}, "must not set POSTGRES_HOST"),
        ("backendEnvironment", {"DB_PASSWORD": "b"}, "DB_PASSWORD looks like one"),
        ("backendSecretsKeys", ["DJANGO_SECRET_KEY"], "must not set DJANGO_SECRET_KEY"),
        ("backendSecretsKeys", ["A", "A"], "got A more than once"),
        ("backendSecretsKeys", "A", "a list of names"),
        ("frontendSecretsKeys", ["a b"], "got 'a b'"),
        ("backendSecretsName", "galv-AbC123", "must not end in a dash and six characters"),
        ("smtpSecretName", "a secret", "the name of a secret"),
        ("networkPreset", "nat", "natGateway, natInstance, public, got 'nat'"),
        ("networkPreset", "endpoints", "natGateway, natInstance, public, got 'endpoints'"),
        ("projectNameTag", "Galv & Co", "letters, digits and any of"),
        ("certificateArn", "arn:aws:iam::1:server-certificate/x", "ARN of a certificate in ACM"),
        ("backendversion", "1", "did you mean backendVersion?"),
        ("monitorInterval", "1", "did you mean monitorIntervalMinutes?"),
        ("alarmEmail", "nobody", "got 'nobody'"),
        ("smtpRotation", 0, "from 1 to 1000000, got 0"),
        ("smtpRotation", 1.5, "a whole number, got 1.5"),
        ("colour", "red", "known keys: name, backendVersion"),
    ],
)
def test_refuses(key: str, value: object, says: str) -> None:
    message = refusal(**{key: value})

    assert f"- {key}: " in message
    assert says in message


def test_refuses_all_mistakes_at_once() -> None:
    message = refusal(
        isProduction="maybe",
        backendVersoin="1",
        domainName=...,
        backendEnvironment={"A": "b", "POSTGRES_HOST": "x", "X_TOKEN": "y"},
        frontendEnvironment={"F": "1"},
        frontendSecretsKeys=["F"],
    )

    assert message.startswith("5 mistakes")
    for key in ("isProduction", "backendVersoin", "domainName", "POSTGRES_HOST", "X_TOKEN", "both"):
        assert key in message


def test_a_setting_that_only_sounds_like_a_secret_is_no_secret() -> None:
    name = "DJANGO_USER_ACTIVATION_TOKEN_EXPIRY_S"

    assert read(backendEnvironment={name: "60"}).backend_environment == {name: "60"}


def test_refuses_to_rotate_what_is_given() -> None:
    assert "drop smtpRotation" in refusal(smtpSecretName="ours", smtpRotation=2)


def test_refuses_one_host_name_for_both() -> None:
    assert "need a host name each" in refusal(backendSubdomain="", frontendSubdomain="")


class TestCertificates:
    def test_one_in_us_east_1_serves_both_there(self) -> None:
        config = read(region="us-east-1", isRoute53Domain=False, certificateArn=arn())

        assert config.backend_certificate_arn == arn()

    def test_a_certificate_says_that_the_domain_is_elsewhere(self) -> None:
        assert not read(certificateArn=arn()).is_route53_domain

    def test_elsewhere_the_api_needs_its_own(self) -> None:
        message = refusal(region="eu-west-2", certificateArn=arn())

        assert "- backendCertificateArn: is missing" in message
        assert "--region eu-west-2 --domain-name api.example.com" in message

    def test_without_any_the_error_is_the_instructions(self) -> None:
        message = refusal(region="eu-west-2", isRoute53Domain=False)

        assert "--region us-east-1 --domain-name app.example.com --validation" in message
        assert "set certificateArn to its ARN" in message
        assert "set backendCertificateArn to its ARN" in message

    def test_without_any_in_us_east_1_one_for_both_is_enough(self) -> None:
        message = refusal(region="us-east-1", isRoute53Domain=False)

        assert message.startswith("a mistake")
        assert "--subject-alternative-names api.example.com" in message

    def test_refuses_another_region(self) -> None:
        message = refusal(
            region="eu-west-2",
            certificateArn=arn("eu-west-2"),
            backendCertificateArn=arn("us-east-1"),
        )

        assert "certificateArn: must be in us-east-1, got one in eu-west-2" in message
        assert "backendCertificateArn: must be in eu-west-2, got one in us-east-1" in message

    def test_refuses_another_account(self) -> None:
        message = refusal(account="111122223333", region="us-east-1", certificateArn=arn())

        assert "in the account of the deployment, 111122223333, got one in 123456789012" in message

    def test_refuses_one_beside_a_zone(self) -> None:
        message = refusal(isRoute53Domain=True, certificateArn=arn())

        assert "isRoute53Domain is true" in message


def test_schema_and_table_are_up_to_date() -> None:
    for path, content in config_docs.pages().items():
        assert path.read_text() == content


def test_the_schema_knows_the_same_keys_and_takes_the_examples_own_file() -> None:
    document = json.loads(CDK_JSON.read_text())
    validator = jsonschema.Draft202012Validator(schema())

    assert set(schema()["properties"]["context"]["properties"]) == {key.name for key in KEYS}
    assert list(validator.iter_errors(document)) == []
    for key, value in (("isProduction", "yes"), ("colour", "red"), ("monitorIntervalMinutes", -1)):
        wrong = {**document, "context": {**document["context"], key: value}}
        assert list(validator.iter_errors(wrong)) != []
