"""The shapes that the keys of cdk.json give the documented deployment."""

from collections.abc import Callable
from typing import Any

import pytest
from example_app import Assembly, certificate_arn, example_app, run_example
from snapshot import names, snapshot_stacks
from templates import Json, container, environment, of_type, only, secrets

BACKEND, FRONTEND = "galv-BackendStack", "galv-FrontendStack"
CERTIFICATE = "AWS::CertificateManager::Certificate"
DATABASE = "AWS::RDS::DBInstance"
RECORD = "AWS::Route53::RecordSet"
EXTERNAL = {"isRoute53Domain": False, "certificateArn": certificate_arn()}
ABROAD = {**EXTERNAL, "backendCertificateArn": certificate_arn("eu-west-2")}

SHAPES: dict[str, Json] = {
    "production": {},
    "development": {"isProduction": False},
    "production-unprotected": {"removalProtection": False},
    "development-protected": {"isProduction": False, "removalProtection": True},
    "elsewhere": {"region": "eu-west-2"},
    "external-domain": {"region": "us-east-1", **EXTERNAL},
    "external-domain-elsewhere": {"region": "eu-west-2", **ABROAD},
    "never-validating": {"monitorIntervalMinutes": 0},
    "nat-instance": {"networkPreset": "natInstance"},
    "public": {"networkPreset": "public"},
    "endpoints": {"networkPreset": "endpoints"},
    "not-mirrored": {"mirrorImage": False},
    "api-at-apex": {"backendSubdomain": ""},
    "frontend-at-apex": {"frontendSubdomain": ""},
    "smtp-given": {"smtpSecretName": "lab-smtp"},
    "variables-and-secrets": {
        "backendEnvironment": {"DJANGO_LOG_LEVEL": "DEBUG"},
        "backendSecretsKeys": ["SENTRY_DSN"],
        "frontendEnvironment": {"VITE_TITLE": "Galv"},
        "frontendSecretsKeys": ["VITE_KEY"],
    },
    "insights-off": {"enableContainerInsights": False},
    "insights-on": {"isProduction": False, "enableContainerInsights": True},
    "pinned": {"backendVersion": "v2.11.4", "frontendVersion": "v2.2.0"},
    "locked-logs": {"logLockDays": 90, "removalProtection": False},
    "internal": {"internetFacing": False, "allowedCidrs": ["10.8.0.0/16"]},
    "resting": {
        "isProduction": False,
        "awakeHours": "Mon-Fri 07:00-19:00",
        "timeZone": "Europe/London",
    },
    "alarmed": {"alarmEmail": "lab@example.com"},
    "backed-up": {
        "backupDays": 35,
        "backupLockDays": 14,
        "backupCopyTo": "arn:aws:backup:us-west-2:444455556666:backup-vault:galv",
        "databaseKey": True,
        "alarmEmail": "lab@example.com",
    },
}


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    """Synthesize a shape, once: a second each, so what needs one is slow."""
    made: dict[str, Assembly] = {}

    def assembly(name: str) -> Assembly:
        if name not in made:
            context: dict[str, Any] = {**SHAPES[name]}
            region = context.pop("region", None)
            outdir = tmp_path_factory.mktemp(name)
            made[name] = run_example(example_app(outdir, **context), region)
        return made[name]

    return assembly


Shape = Callable[[str], Assembly]


def protection(template: Json) -> tuple[bool, str]:
    """Whether the stack refuses to be deleted, and what becomes of the uploads."""
    (media,) = of_type(template, "AWS::S3::Bucket", "BackendMediaBucket").values()
    protected = only(template, "Custom::GalvProtection")["Protected"]
    return protected == "true", media["DeletionPolicy"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_synthesizes(shape: Shape, name: str) -> None:
    assembly = shape(name)
    edge = {"galv-FrontendStack-Edge"} if name == "elsewhere" else set()

    last = "galv-DeletionProtectionStack"
    assert set(assembly.stacks) == {"galv-LogBucketStack", BACKEND, FRONTEND, last} | edge
    snapshot_stacks(
        {stack: assembly.template(stack) for stack in assembly.stacks}, f"example/{name}"
    )


def test_every_snapshot_is_of_a_shape() -> None:
    assert names("example") == set(SHAPES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "is_protected"),
    [
        ("production", True),
        ("development", False),
        ("production-unprotected", False),
        ("development-protected", True),
    ],
)
def test_removal_protection_overrides_both_ways(
    shape: Shape, name: str, *, is_protected: bool
) -> None:
    expected = (True, "Retain") if is_protected else (False, "Delete")

    assert protection(shape(name).template()) == expected
    assert only(shape(name).template(), DATABASE)["MultiAZ"] == ("production" in name)


@pytest.mark.slow
def test_in_other_regions_the_certificate_of_the_frontend_is_in_us_east_1(shape: Shape) -> None:
    assembly = shape("elsewhere")

    edge = assembly.stacks["galv-FrontendStack-Edge"]
    assert edge["environment"] == "aws://111122223333/us-east-1"
    assert edge["properties"]["tags"] == {"project-name": "galv"}
    certificate = only(assembly.template("galv-FrontendStack-Edge"), CERTIFICATE)
    assert certificate["DomainName"] == "app.example.com"
    assert only(assembly.template(), CERTIFICATE)["DomainName"] == "api.example.com"
    assert of_type(assembly.template(FRONTEND), CERTIFICATE) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "region"),
    [("external-domain", "us-east-1"), ("external-domain-elsewhere", "eu-west-2")],
)
def test_outside_route_53_certificates_are_given_and_records_are_listed(
    shape: Shape, name: str, region: str
) -> None:
    backend, frontend = shape(name).template(), shape(name).template(FRONTEND)

    for template in (backend, frontend):
        assert of_type(template, CERTIFICATE) == of_type(template, RECORD) == {}
    listeners = of_type(backend, "AWS::ElasticLoadBalancingV2::Listener").values()
    certificates = [listener["Properties"].get("Certificates") for listener in listeners]
    assert [{"CertificateArn": certificate_arn(region)}] in certificates
    distribution = only(frontend, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert distribution["ViewerCertificate"]["AcmCertificateArn"] == certificate_arn()
    assert {"BackendCnameTarget", "MailDnsRecord1"} <= set(backend["Outputs"])
    assert "FrontendCnameTarget" in frontend["Outputs"]


@pytest.mark.slow
def test_an_interval_of_zero_leaves_a_task_to_run_by_hand(shape: Shape) -> None:
    never, always = (shape(name).template() for name in ("never-validating", "production"))

    assert of_type(never, "AWS::Scheduler::Schedule") == {}
    assert only(always, "AWS::Scheduler::Schedule")["ScheduleExpression"] == "rate(5 minutes)"
    assert container(never, "validation-monitor") == container(always, "validation-monitor")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "gateways", "instances"),
    [("production", 1, 0), ("nat-instance", 0, 1), ("public", 0, 0)],
)
def test_synthesizes_each_network_preset(
    shape: Shape, name: str, gateways: int, instances: int
) -> None:
    template = shape(name).template()

    assert len(of_type(template, "AWS::EC2::NatGateway")) == gateways
    assert len(of_type(template, "AWS::EC2::Instance")) == instances
    network = only(template, "AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == ("ENABLED" if name == "public" else "DISABLED")
    assert f"assignPublicIp={network['AssignPublicIp']}" in str(template["Outputs"]["CheckStatus"])


@pytest.mark.slow
def test_an_empty_subdomain_is_the_domain_itself(shape: Shape) -> None:
    api, site = shape("api-at-apex").template(), shape("frontend-at-apex").template(FRONTEND)

    assert only(api, CERTIFICATE)["DomainName"] == "example.com"
    assert api["Outputs"]["BackendUrl"]["Value"] == "https://example.com"
    assert "example.com." in [r["Properties"]["Name"] for r in of_type(api, RECORD).values()]
    distribution = only(site, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert distribution["Aliases"] == ["example.com"]
    assert {r["Properties"]["Name"] for r in of_type(site, RECORD).values()} == {"example.com."}


@pytest.mark.slow
def test_a_given_smtp_secret_is_used(shape: Shape) -> None:
    template = shape("smtp-given").template()

    assert ":lab-smtp:" in str(secrets(template, "web")["DJANGO_EMAIL_HOST_PASSWORD"])
    assert of_type(template, "AWS::SES::EmailIdentity") == {}


@pytest.mark.slow
def test_variables_and_secrets_reach_both_parts(shape: Shape) -> None:
    backend = shape("variables-and-secrets").template()
    frontend = shape("variables-and-secrets").template(FRONTEND)

    for task in ("web", "setup-db", "check-status", "validation-monitor"):
        assert environment(backend, task)["DJANGO_LOG_LEVEL"] == "DEBUG"
        assert ":galv-backend-secrets:SENTRY_DSN::" in str(secrets(backend, task)["SENTRY_DSN"])
    inputs = only(frontend, "Custom::GalvSiteRelease")["Inputs"]
    assert inputs["Environment"]["VITE_TITLE"] == "Galv"
    assert ":galv-frontend-secrets:VITE_KEY::" in str(inputs["Secrets"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("production", "enabled"),
        ("insights-off", "disabled"),
        ("development", "disabled"),
        ("insights-on", "enabled"),
    ],
)
def test_insights_follow_production_unless_told(shape: Shape, name: str, setting: str) -> None:
    settings = only(shape(name).template(), "AWS::ECS::Cluster")["ClusterSettings"]

    assert settings == [{"Name": "containerInsights", "Value": setting}]


@pytest.mark.slow
def test_versions_are_pinned_or_the_latest(shape: Shape) -> None:
    pinned, latest = shape("pinned"), shape("production")

    for assembly, tag in ((pinned, "v2.11.4"), (latest, "latest")):
        image = only(assembly.template(), "Custom::GalvMirroredImage")["Image"]
        assert image == f"ghcr.io/galv-team/galv-backend:{tag}"
    inputs = [
        only(assembly.template(FRONTEND), "Custom::GalvSiteRelease")["Inputs"]["Source"]["Tag"]
        for assembly in (pinned, latest)
    ]
    assert inputs == ["v2.2.0", "latest"]
    assert "galv-constructs:latestInProduction" in latest.warnings
    assert "galv-constructs:latestInProduction" not in pinned.warnings


@pytest.mark.slow
def test_running_tasks_are_tagged(shape: Shape) -> None:
    template = shape("production").template()

    service = only(template, "AWS::ECS::Service")
    assert service["PropagateTags"] == "SERVICE"
    assert {"Key": "project-name", "Value": "galv"} in service["Tags"]
