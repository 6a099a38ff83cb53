"""Keys that are changed to and fro: the way to the internet, mail; a second deployment beside."""

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


def test_a_change_of_the_way_leaves_the_database_alone(app: Application) -> None:
    database, bucket = (
        app.backend.resources(kind) for kind in ("AWS::RDS::DBInstance", "AWS::S3::Bucket")
    )

    done = app.deploy(networkPreset="natGateway")

    assert done.ok, done.output
    assert app.problems() == []
    network = app.backend.service["networkConfiguration"]["awsvpcConfiguration"]
    assert network["assignPublicIp"] == "DISABLED"
    assert len(app.backend.ids("AWS::EC2::NatGateway")) == 1
    for before, kind in ((database, "AWS::RDS::DBInstance"), (bucket, "AWS::S3::Bucket")):
        after = app.backend.resources(kind)
        assert {id: one["PhysicalResourceId"] for id, one in before.items()} == {
            id: one["PhysicalResourceId"] for id, one in after.items()
        }


def mail_secret(app: Application) -> str:
    """Name the secret that the web service gets its SMTP user from."""
    definition = app.backend.definition(app.backend.service["taskDefinition"])
    (container,) = definition["containerDefinitions"]
    (secret,) = [s for s in container["secrets"] if s["name"] == "DJANGO_EMAIL_HOST_USER"]
    return str(secret["valueFrom"])


def test_mail_by_a_secret_that_is_given_and_the_way_back(app: Application, cloud: Cloud) -> None:
    """In one deployment each, whatever else changes with it."""
    secrets = {"DJANGO_EMAIL_HOST_USER": "theirs", "DJANGO_EMAIL_HOST_PASSWORD": "x"}
    cloud.client("secretsmanager").create_secret(
        Name="their-smtp", SecretString=json.dumps(secrets)
    )
    assert ":secret:networks-smtp" in mail_secret(app)

    given = app.deploy(smtpSecretName="their-smtp", networkPreset="public")

    assert given.ok, given.output
    assert app.problems() == []
    assert ":secret:their-smtp:" in mail_secret(app)
    assert app.backend.ids("AWS::IAM::User") == []

    del app.context["smtpSecretName"]
    created = app.deploy(networkPreset="natGateway")

    assert created.ok, created.output
    assert app.problems() == []
    assert ":secret:networks-smtp" in mail_secret(app)


def test_a_second_deployment_shares_the_identity_of_mail_and_goes_again(
    app: Application, cloud: Cloud
) -> None:
    mail = {"mailFromDomain": app.context["mailFromDomain"], "mailIdentity": "existing"}
    second = Application(cloud, "second", mail)

    done = second.deploy(backendVersion=VERSION)

    assert done.ok, done.output
    assert second.problems() == []
    assert app.problems() == []
    gone = second.destroy()
    assert gone.ok, gone.output
    assert app.problems() == []
    identities = cloud.client("sesv2").list_email_identities()["EmailIdentities"]
    assert app.context["mailFromDomain"] in {one["IdentityName"] for one in identities}
