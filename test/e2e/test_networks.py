"""Keys that are changed to and fro: the way to the internet, and mail."""

import json

import pytest
from e2e.app import Application
from e2e.cloud import Cloud

VERSION = "v2.11.4"


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "networks")
    application.publish(VERSION)
    return application


def test_tasks_with_public_addresses_reach_what_they_need(app: Application) -> None:
    done = app.deploy(backendVersion=VERSION, networkPreset="public")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "ENABLED"
    assert app.backend.ids("AWS::EC2::NatGateway") == []


def mail_secret(app: Application) -> str:
    """Name the secret that the web service gets its SMTP user from."""
    definition = app.backend.definition(app.backend.service["taskDefinition"])
    (container,) = definition["containerDefinitions"]
    (secret,) = [s for s in container["secrets"] if s["name"] == "DJANGO_EMAIL_HOST_USER"]
    return str(secret["valueFrom"])


def kept(app: Application) -> list[str]:
    """The resources that hold data."""
    return [*app.backend.ids("AWS::RDS::DBInstance"), *app.backend.ids("AWS::S3::Bucket")]


def test_changing_the_network_preset_and_mail_at_once_keeps_the_data(
    app: Application, cloud: Cloud
) -> None:
    """Mail by a secret that is given."""
    secrets = {"DJANGO_EMAIL_HOST_USER": "theirs", "DJANGO_EMAIL_HOST_PASSWORD": "x"}
    cloud.client("secretsmanager").create_secret(
        Name="their-smtp", SecretString=json.dumps(secrets)
    )
    before = kept(app)
    assert ":secret:networks-smtp" in mail_secret(app)

    done = app.deploy(networkPreset="natGateway", smtpSecretName="their-smtp")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    assert len(app.backend.ids("AWS::EC2::NatGateway")) == 1
    assert ":secret:their-smtp:" in mail_secret(app)
    assert app.backend.ids("AWS::IAM::User") == []
    assert kept(app) == before


def test_both_changes_can_be_reverted(app: Application) -> None:
    before = kept(app)
    del app.context["smtpSecretName"]

    done = app.deploy(networkPreset="public")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "ENABLED"
    assert app.backend.ids("AWS::EC2::NatGateway") == []
    assert ":secret:networks-smtp" in mail_secret(app)
    assert kept(app) == before
