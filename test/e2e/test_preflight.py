"""A deployment that asks first, and ends before anything costly when the answer is no."""

import json

import pytest
from e2e.app import DOMAIN, Application
from e2e.cloud import Cloud

VERSION = "v2.11.4"
SECRET, KEY = "asking-backend-secrets", "SENTRY_DSN"
# What the emulator cannot answer: its registry is a folder.
UNANSWERED = ["image"]
COSTLY = {
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFront::Distribution",
    "AWS::EC2::NatGateway",
    "AWS::EC2::VPC",
    "AWS::ECS::Service",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::RDS::DBInstance",
    "Custom::GalvReleaseTask",
}


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    asks: dict[str, object] = {"preflight": UNANSWERED, "backendSecretsKeys": [KEY]}
    application = Application(cloud, "asking", context=asks)
    application.publish(VERSION)
    return application


def test_fails_for_all_reasons_before_anything_costly_and_deploys_when_they_are_gone(
    app: Application, cloud: Cloud
) -> None:
    backend, ses, route53 = app.backend, cloud.client("sesv2"), cloud.client("route53")
    (zone,) = route53.list_hosted_zones_by_name(DNSName=DOMAIN, MaxItems="1")["HostedZones"]
    taken = {
        "Name": f"api-{app.name}.{DOMAIN}",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }

    def record(action: str) -> None:
        change = {"Changes": [{"Action": action, "ResourceRecordSet": taken}]}
        route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=change)

    mail = f"mail-{app.name}.{DOMAIN}"
    ses.create_email_identity(EmailIdentity=mail)
    record("CREATE")

    done = app.deploy(backendVersion=VERSION)

    assert not done.ok, done.output
    assert backend.status == "ROLLBACK_COMPLETE"
    reason = next((text for text in backend.reasons() if "Preflight found" in text), "")
    assert reason, backend.reasons()
    assert "Preflight found 3 errors before anything costly was created." in reason
    assert f"- Backend/Secrets/{SECRET}: " in reason
    assert f"- Backend/Records: {taken['Name']} has a record" in reason
    assert f"- Mail/Identity: the SES identity {mail} exists already" in reason
    created = {
        event["ResourceType"]
        for event in backend.events()
        if event["ResourceStatus"].startswith("CREATE")
    }
    assert "Custom::GalvPreflight" in created
    assert created & COSTLY == set()

    cloud.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps({KEY: "x"}))
    ses.delete_email_identity(EmailIdentity=mail)
    record("DELETE")
    again = app.deploy()

    assert again.ok, again.output
    assert backend.status == "CREATE_COMPLETE"
    assert "not allowed" not in backend.outputs["PreflightWarnings"]
    assert app.problems() == []
