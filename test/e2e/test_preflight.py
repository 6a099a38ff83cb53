"""A deployment that asks first, and ends before anything costly when the answer is no."""

import json

import pytest
from e2e.app import DOMAIN, Application
from e2e.asking import begun, seconds_asked
from e2e.cloud import Cloud
from e2e.inventory import inventory
from e2e.stack import Stack
from e2e.world import World
from frontend_site.programs import need

VERSION = "v2.11.4"
SECRET, KEY = "asking-backend-secrets", "SENTRY_DSN"
VPCS = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
# Seconds for all questions, with the start of the functions: on a machine with time, five.
LONGEST = 60
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
    need("nsd")
    asks: dict[str, object] = {"preflight": True, "backendSecretsKeys": [KEY]}
    application = Application(cloud, "asking", context=asks)
    application.publish(VERSION)
    return application


def test_fails_for_all_reasons_before_anything_costly_and_deploys_when_they_are_gone(
    app: Application, cloud: Cloud
) -> None:
    backend, world, ses = app.backend, World(cloud), cloud.client("sesv2")
    quotas, secrets = cloud.client("service-quotas"), cloud.client("secretsmanager")
    taken = f"api-{app.name}.{DOMAIN}", "A", "192.0.2.1"
    forbids = f"api-{app.name}.{DOMAIN}", "CAA", '0 issue "letsencrypt.org"'
    mail = f"mail-{app.name}.{DOMAIN}"
    room = quotas.get_service_quota(**VPCS)["Quota"]["Value"]
    before = inventory(cloud)
    ses.create_email_identity(EmailIdentity=mail)
    world.record("CREATE", *taken)
    world.record("CREATE", *forbids)
    quotas.request_service_quota_increase(**VPCS, DesiredValue=0)
    try:
        done = app.deploy(backendVersion=VERSION)
    finally:
        ses.delete_email_identity(EmailIdentity=mail)
        world.record("DELETE", *taken)
        world.record("DELETE", *forbids)
        quotas.request_service_quota_increase(**VPCS, DesiredValue=room)

    assert not done.ok, done.output
    assert backend.status == "ROLLBACK_COMPLETE"
    reason = next((text for text in backend.reasons() if "Preflight found" in text), "")
    assert reason, backend.reasons()
    assert "Preflight found 5 errors before anything costly was created." in reason
    assert f"- Backend/Secrets/{SECRET}: " in reason
    assert f"- Backend/Records: {taken[0]} has a record" in reason
    assert "- Backend/HostedZone: CAA records forbid Amazon" in reason
    assert f"- Mail/Identity: the SES identity {mail} exists already" in reason
    assert "- Network/Quotas/vpc: the quota 'VPCs per Region'" in reason
    assert "Custom::GalvPreflight" in begun(backend)
    assert begun(backend) & COSTLY == set()
    assert seconds_asked(backend) < LONGEST
    # The bucket of logs has a stack of its own, which needs nothing of the world; and the log of
    # the function that empties buckets is Lambda's, of which CloudFormation knows nothing.
    logs = Stack(cloud, f"{app.name}-LogBucketStack")
    known = logs.name, f"logs: /aws/lambda/{backend.name}-CustomS3AutoDelete"
    left = {one for one in inventory(cloud) - before if not any(name in one for name in known)}
    assert left == {f"cloudformation: {backend.name}", f"s3: {logs.id_of('AWS::S3::Bucket')}"}

    secrets.create_secret(Name=SECRET, SecretString=json.dumps({KEY: "x"}))
    again = app.deploy()

    assert again.ok, again.output
    assert backend.status == "CREATE_COMPLETE"
    assert "could not" not in backend.outputs["PreflightWarnings"]
    assert "not allowed" not in backend.outputs["PreflightWarnings"]
    assert app.problems() == []
