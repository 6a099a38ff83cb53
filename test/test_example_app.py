"""The example application: the documented deployment, from its own cdk.json."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from example_app import (
    ACCOUNT,
    APP,
    CREDENTIALS,
    DOCUMENTED,
    Assembly,
    certificate_arn,
    example_app,
    run_example,
)
from proof.templates import Assembly as ProofAssembly
from templates import (
    Json,
    container,
    environment,
    of_type,
    only,
    only_id,
    secrets,
    task_definition,
    text,
)

from galv_constructs import GalvConfig
from galv_constructs.config._keys import keys_of

Run = Callable[..., Assembly]
RECORD = "AWS::Route53::RecordSet"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run app.py with the context of cdk.json and other values.

    Unless these say so, without preflight and a copy of the image: the shapes that share one
    synthesis have them.
    """

    def synthesized(*, region: str | None = None, **context: Any) -> Assembly:
        bare = {"preflight": False, "mirrorImage": False}
        return run_example(example_app(tmp_path, **bare | context), region)

    return synthesized


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """What cdk.json as it is gives."""
    return run_example(example_app(tmp_path_factory.mktemp("documented")))


@pytest.fixture(scope="module")
def customized(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """What keys give that have nothing to do with each other."""
    keys = {
        "wafCountedRules": {"AWSManagedRulesCommonRuleSet": ["NoUserAgent_HEADER"]},
        "mediaKey": True,
        "minTasks": 2,
        "adminCidrs": ["192.0.2.0/24"],
        "wafCredentialPaths": ["/sign_in/"],
        "alarmEmail": "lab@example.com",
        "frontendVersion": "v2.2.0",
        "frontendEnvironment": {"VITE_TITLE": "Galv"},
        "frontendSecretsKeys": ["VITE_KEY"],
        "projectNameTag": "lab",
    }
    return run_example(example_app(tmp_path_factory.mktemp("customized"), **keys))


def test_synthesizes_the_documented_deployment(documented: Assembly) -> None:
    template = documented.template()

    assert set(documented.stacks) == {
        "galv-LogBucketStack",
        "galv-BackendStack",
        "galv-FrontendStack",
        "galv-DeletionProtectionStack",
    }
    assert only(template, "AWS::CertificateManager::Certificate")["DomainName"] == "api.example.com"
    variables = environment(template, "web")
    assert variables["FRONTEND_VIRTUAL_HOST"] == "https://app.example.com"
    assert variables["VIRTUAL_HOST_ROOT"] == "example.com"
    assert variables["DJANGO_DEFAULT_FROM_EMAIL"] == "galv-no-reply@mail.example.com"
    assert variables["DJANGO_SUPERUSER_USERNAME"] == "admin"
    # Empty in cdk.json, so not set.
    assert "DJANGO_USER_ACTIVATION_TOKEN_EXPIRY_S" not in variables
    outputs = {n for n in template["Outputs"] if not n.startswith(("ExportsOutput", "Publish"))}
    assert outputs == {
        "BackendImage",
        "BackendUrl",
        "CheckStatus",
        "Cluster",
        "PreflightWarnings",
        "SuperuserPasswordSecret",
    }


def test_npm_run_galv_reads_each_resource(documented: Assembly) -> None:
    types = {
        resource["Type"]
        for stack in documented.stacks
        for resource in documented.template(stack)["Resources"].values()
    }

    resources = dict(ProofAssembly(documented.directory).of_type(*types))

    functions = re.findall(r"'(?:Ref|Fn::\w+)': ", str(resources))
    assert not functions
    assert len(resources) > 100


def test_tells_the_image_that_tasks_run(documented: Assembly) -> None:
    template = documented.template()
    copied = {"Fn::GetAtt": [only_id(template, "Custom::GalvMirroredImage"), "DigestHex"]}

    assert template["Outputs"]["BackendImage"]["Value"] == {
        "Fn::Join": ["", ["ghcr.io/galv-team/galv-backend:latest@sha256:", copied]]
    }


@pytest.mark.slow
def test_pulls_the_image_from_its_registry_if_the_key_says_so(run: Run) -> None:
    template = run(mirrorImage=False).template()

    assert container(template, "web")["Image"] == "ghcr.io/galv-team/galv-backend:latest"
    assert "BackendImage" not in template["Outputs"]


@pytest.mark.slow
def test_runs_the_latest_of_another_day_without_the_internet(run: Run) -> None:
    assembly = run(latestAsOf="2026-02-01", networkPreset="endpoints", mirrorImage=True)
    template = assembly.template()

    assert only(template, "Custom::GalvMirroredImage")["AsOf"] == "2026-02-01"
    site = only(assembly.template("galv-FrontendStack"), "Custom::GalvSiteRelease")
    assert "'AsOf': '2026-02-01'" in str(site)
    assert of_type(template, "AWS::EC2::NatGateway") == {}
    # The image's, and what tasks get, write and send.
    assert {
        "".join(map(str, each["Properties"]["ServiceName"]["Fn::Join"][1])).rpartition(".")[2]
        if isinstance(each["Properties"]["ServiceName"], dict)
        else each["Properties"]["ServiceName"].partition("us-east-1.")[2]
        for each in of_type(template, "AWS::EC2::VPCEndpoint").values()
    } == {"s3", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts", "email-smtp"}


def test_says_how_to_run_check_status(documented: Assembly) -> None:
    template = documented.template()
    _, definition = task_definition(template, "check-status")
    output = template["Outputs"]["CheckStatus"]["Value"]

    command = "".join(part if isinstance(part, str) else "_" for part in output["Fn::Join"][1])
    family = definition["Family"]
    assert f"aws ecs run-task --region us-east-1 --cluster _ --task-definition {family} " in command
    assert "subnets=[_],securityGroups=[_],assignPublicIp=DISABLED}' && aws logs tail" in command


def test_the_waf_only_counts_with_the_rules_that_it_is_told(
    documented: Assembly, customized: Assembly
) -> None:
    def acl(assembly: Assembly) -> str:
        return json.dumps(only(assembly.template(), "AWS::WAFv2::WebACL"))

    assert "NoUserAgent_HEADER" in acl(customized)
    assert "NoUserAgent_HEADER" not in acl(documented)


def test_uploads_have_a_key_of_their_own_if_the_key_says_so(
    documented: Assembly, customized: Assembly
) -> None:
    def keys(assembly: Assembly) -> int:
        return len(of_type(assembly.template(), "AWS::KMS::Key", "BackendMediaKey"))

    assert (keys(documented), keys(customized)) == (0, 1)


def test_runs_at_least_as_many_web_tasks_as_the_key_says(
    documented: Assembly, customized: Assembly
) -> None:
    def at_least(assembly: Assembly) -> int:
        target = only(assembly.template(), "AWS::ApplicationAutoScaling::ScalableTarget")
        return int(target["MinCapacity"])

    assert (at_least(documented), at_least(customized)) == (1, 2)


@pytest.mark.parametrize("with_paths", [False, True])
def test_the_admin_is_for_the_given_ranges(
    run: Run, customized: Assembly, with_paths: bool
) -> None:
    ranges_alone: Json = {"adminCidrs": ["192.0.2.0/24"], "alarmEmail": "lab@example.com"}
    template = (customized if with_paths else run(**ranges_alone)).template()

    acl = json.dumps(only(template, "AWS::WAFv2::WebACL"))
    assert ("sign_in" in acl) is with_paths
    assert only(template, "AWS::WAFv2::IPSet")["Addresses"] == ["192.0.2.0/24"]
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [
            {"Ref": only_id(template, "AWS::SNS::Topic", "Alarms")}
        ]


def test_sends_alarms_to_an_address(customized: Assembly) -> None:
    template = customized.template()

    topic = only_id(template, "AWS::SNS::Topic", "Alarms")
    subscription = only(template, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "lab@example.com")
    assert subscription["TopicArn"] == {"Ref": topic}
    alarms = of_type(template, "AWS::CloudWatch::Alarm", "ValidationMonitor").values()
    assert [alarm["Properties"]["AlarmActions"] for alarm in alarms] == [[{"Ref": topic}]] * 2
    policy = only(template, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert [s["Principal"] for s in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]


def test_alarms_notify_nobody_by_default(documented: Assembly) -> None:
    template = documented.template()

    assert of_type(template, "AWS::SNS::Topic", "Alarms") == {}
    alarms = of_type(template, "AWS::CloudWatch::Alarm", "ValidationMonitor").values()
    assert [alarm["Properties"].get("AlarmActions") for alarm in alarms] == [None] * 2


def test_synthesizes_the_frontend_for_the_backend(customized: Assembly) -> None:
    template = customized.template("galv-FrontendStack")

    release = only(template, "Custom::GalvSiteRelease")
    assert release["ApiUrl"] == "https://api.example.com"
    assert release["Inputs"]["Source"]["Tag"] == "v2.2.0"
    assert release["Inputs"]["Environment"]["VITE_TITLE"] == "Galv"
    assert ":galv-frontend-secrets:VITE_KEY::" in str(release["Inputs"]["Secrets"])
    distribution = only(template, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert distribution["Aliases"] == ["app.example.com"]
    outputs = {name for name, one in template["Outputs"].items() if "Export" not in one}
    assert outputs == {"FrontendCommit", "FrontendUrl", "FrontendVersion", "PreflightWarnings"}


def test_creates_mail_credentials_under_the_default_name(customized: Assembly) -> None:
    template = customized.template()

    assert only(template, "AWS::SES::EmailIdentity")["EmailIdentity"] == "mail.example.com"
    made = only(template, "AWS::SecretsManager::Secret", "MailCredentials")
    assert made["Name"] == "lab-smtp"
    names = [
        resource["Properties"]["Name"]
        for resource in of_type(template, "AWS::Route53::RecordSet", "Mail").values()
    ]
    assert "_dmarc.mail.example.com." in names
    assert not [name for name in template["Outputs"] if name.startswith("MailDnsRecord")]


def test_creates_no_mail_when_a_secret_is_given(run: Run) -> None:
    template = run(smtpSecretName="our-smtp").template()

    assert [name for name in template["Resources"] if name.startswith("Mail")] == []
    assert of_type(template, "AWS::SES::EmailIdentity") == {}
    assert ":our-smtp:" in str(secrets(template, "web")["DJANGO_EMAIL_HOST_PASSWORD"])


def test_says_which_records_mail_from_another_domain_needs(run: Run) -> None:
    template = run(mailFromDomain="lab.example.org").template()

    assert of_type(template, "AWS::Route53::RecordSet", "Mail") == {}
    outputs = [f"MailDnsRecord{number}" for number in range(1, 7)]
    assert set(outputs) <= set(template["Outputs"])
    spf = template["Outputs"]["MailDnsRecord5"]["Value"]
    assert spf == "bounce.lab.example.org TXT v=spf1 include:amazonses.com ~all"


def test_everything_logs_to_the_bucket_of_its_own_stack(documented: Assembly) -> None:
    template, logs = documented.template(), documented.template("galv-LogBucketStack")

    exported = {output["Export"]["Name"] for output in logs["Outputs"].values()}
    imported = set(re.findall(r"'Fn::ImportValue': '([^']+)'", str(template)))
    assert len(exported) == len(imported) == 3
    assert imported == exported
    for kind in ("AWS::EC2::FlowLog", "AWS::WAFv2::LoggingConfiguration"):
        assert "galv-LogBucketStack" in str(only(template, kind))


def test_everything_is_tagged(customized: Assembly) -> None:
    template = customized.template()

    assert customized.stacks["galv-BackendStack"]["properties"]["tags"] == {"project-name": "lab"}
    for name in ("web", "setup-db", "check-status"):
        assert {"Key": "project-name", "Value": "lab"} in task_definition(template, name)[1]["Tags"]


def test_asks_first_where_the_key_says_so(run: Run) -> None:
    assembly = run(region="eu-west-2", preflight=["records", "Mail/Sandbox"])

    kinds = {}
    for name in ("galv-BackendStack", "galv-FrontendStack"):
        template = assembly.template(name)
        questions = only(template, "Custom::GalvPreflight")["Questions"]
        kinds[name] = {one["Ask"] for one in questions.values()}
        assert only_id(template, "Custom::GalvPreflight") in text(
            template["Outputs"]["PreflightWarnings"]
        )
    assert {"image", "mail-identity", "quotas"} <= kinds["galv-BackendStack"]
    assert "mail-sandbox" not in kinds["galv-BackendStack"]
    assert "site-source" in kinds["galv-FrontendStack"]
    assert "records" not in set().union(*kinds.values())


def test_asks_first_by_default(documented: Assembly) -> None:
    asks = {name for name in documented.stacks if "GalvPreflight" in str(documented.template(name))}

    assert asks == {"galv-BackendStack", "galv-FrontendStack"}


def test_asks_nothing_where_the_key_says_so(run: Run) -> None:
    assembly = run(region="eu-west-2", preflight=False)

    for name in assembly.stacks:
        assert "Preflight" not in str(assembly.template(name))


def test_refuses_to_leave_out_a_check_that_there_is_not(run: Run) -> None:
    with pytest.raises(RuntimeError, match=r"'Backend/Imgae', .* did you mean 'Backend/Image'"):
        run(region="eu-west-2", preflight=["Backend/Imgae"])


def test_passes_the_keys_on(run: Run) -> None:
    template = run(
        isProduction="false",
        removalProtection=True,
        enableContainerInsights="true",
        backendVersion="v2.11.4",
        backendSecretsKeys='["SENTRY_DSN"]',
        networkPreset="public",
        mirrorImage=True,
    ).template()

    database = only(template, "AWS::RDS::DBInstance")
    protection = only(template, "Custom::GalvProtection")
    assert (database["MultiAZ"], protection["Protected"]) == (False, "true")
    settings = only(template, "AWS::ECS::Cluster")["ClusterSettings"]
    assert settings == [{"Name": "containerInsights", "Value": "enabled"}]
    assert only(template, "Custom::GalvMirroredImage")["Image"].endswith(":v2.11.4")
    assert ":galv-backend-secrets:SENTRY_DSN::" in str(secrets(template, "web")["SENTRY_DSN"])
    assert of_type(template, "AWS::EC2::NatGateway") == {}


@pytest.mark.slow
def test_creates_the_database_that_the_keys_say(run: Run) -> None:
    template = run(
        databaseInstanceType="db.t4g.medium",
        databaseEngineVersion=18,
        databaseStorageGib="100",
        databaseMaxStorageGib=500,
    ).template()

    database = only(template, "AWS::RDS::DBInstance")
    assert database["DBInstanceClass"] == "db.t4g.medium"
    assert database["EngineVersion"] == "18"
    assert database["AllowMajorVersionUpgrade"] is True
    assert (database["AllocatedStorage"], database["MaxAllocatedStorage"]) == ("100", 500)
    assert only(template, "AWS::RDS::DBParameterGroup")["Family"] == "postgres18"


def test_creates_a_small_empty_database_by_default(documented: Assembly) -> None:
    database = only(documented.template(), "AWS::RDS::DBInstance")

    assert database["DBInstanceClass"] == "db.t4g.micro"
    assert database["EngineVersion"] == "17"
    assert database["AllowMajorVersionUpgrade"] is False
    assert (database["AllocatedStorage"], database["MaxAllocatedStorage"]) == ("20", 200)
    assert "DBSnapshotIdentifier" not in database


def test_restores_the_snapshot_that_the_key_names(run: Run) -> None:
    database = only(run(databaseSnapshot="rds:galv-2026-11-23").template(), "AWS::RDS::DBInstance")

    assert database["DBSnapshotIdentifier"] == "rds:galv-2026-11-23"
    assert "AllocatedStorage" not in database


def test_takes_a_certificate_for_a_domain_elsewhere(run: Run) -> None:
    arn = certificate_arn()
    template = run(isRoute53Domain=False, certificateArn=arn, region="us-east-1").template()

    assert of_type(template, "AWS::Route53::RecordSet") == {}
    assert arn in text(template)
    output = template["Outputs"]["BackendCnameTarget"]
    assert output["Description"] == "Create a CNAME record from api.example.com to this"


def test_says_that_the_top_of_a_zone_elsewhere_takes_no_cname(run: Run) -> None:
    assembly = run(
        region="us-east-1",
        isRoute53Domain=False,
        certificateArn=certificate_arn(),
        frontendSubdomain="",
    )

    output = assembly.template("galv-FrontendStack")["Outputs"]["FrontendCnameTarget"]
    assert output["Description"].startswith("Create an ALIAS or ANAME record from example.com")


def test_refuses_a_domain_elsewhere_without_a_certificate(run: Run) -> None:
    with pytest.raises(SystemExit, match=r"app\.example\.com and api\.example\.com need"):
        run(isRoute53Domain=False)


def test_without_credentials_it_is_for_a_placeholder(documented: Assembly) -> None:
    where = documented.stacks["galv-BackendStack"]["environment"]
    assert where == "aws://123456789012/us-east-1"
    assert "missing" not in documented.manifest
    assert "synthesized for the placeholder account 123456789012" in documented.warnings


def test_with_credentials_the_zone_is_looked_up(run: Run) -> None:
    assembly = run(region="eu-west-1")

    where = assembly.stacks["galv-BackendStack"]["environment"]
    assert where == "aws://111122223333/eu-west-1"
    asked = {question["provider"] for question in assembly.manifest["missing"]}
    assert asked == {"availability-zones", "hosted-zone"}
    assert "placeholder" not in assembly.warnings


def run_as_the_cli_does(
    outdir: Path, name: str = "galv", flags: Json | None = None, **variables: str
) -> Assembly:
    """Run the application in a process of its own."""
    own = {"name": name, "domainName": "example.org"}
    context = json.dumps({**DOCUMENTED, **own, **(flags or {})})
    given = {"CDK_CONTEXT_JSON": context, "CDK_VALIDATION": "false", "CDK_OUTDIR": str(outdir)}
    base = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    subprocess.run(
        [sys.executable, str(APP / "app.py")],
        env={**base, **given, **variables},
        cwd=outdir.parent,
        check=True,
    )
    return Assembly(outdir)


@pytest.mark.slow
def test_takes_its_context_from_the_cdk_cli(tmp_path: Path) -> None:
    """Twice, with the same result."""
    texts = [
        (
            run_as_the_cli_does(tmp_path / run, "lab").directory / "lab-BackendStack.template.json"
        ).read_text()
        for run in ("one", "two")
    ]

    assert texts[0] == texts[1]
    assert "api.example.org" in texts[0]


@pytest.mark.slow
def test_prints_stack_traces_of_constructs_when_asked_to(tmp_path: Path) -> None:
    assembly = run_as_the_cli_does(tmp_path, JSII_HOST_STACK_TRACES="1")

    assert "backend_stack.py" in assembly.warnings


@pytest.mark.slow
def test_names_no_temporary_file_of_cdk(tmp_path: Path) -> None:
    assembly = run_as_the_cli_does(tmp_path)

    assert "latestInProduction" in assembly.warnings
    assert "program.js" not in assembly.warnings


@pytest.mark.slow
def test_a_flag_in_cdk_json_goes_before_the_example_s(tmp_path: Path) -> None:
    flags = {"@aws-cdk/aws-iam:minimizePolicies": False}
    one = run_as_the_cli_does(tmp_path / "one").template()
    other = run_as_the_cli_does(tmp_path / "other", flags=flags).template()

    changed = {
        resource["Type"]
        for name, resource in one["Resources"].items()
        if resource != other["Resources"][name]
    }
    assert changed == {"AWS::IAM::Policy"}


def test_the_zone_may_be_above_the_domain(run: Run) -> None:
    assembly = run(domainName="galv.lab.org", hostedZoneName="lab.org", mailFromDomain="lab.org")
    template = assembly.template()

    assert only(template, "AWS::CertificateManager::Certificate")["DomainName"] == (
        "api.galv.lab.org"
    )
    records = str([r["Properties"]["Name"] for r in of_type(template, RECORD).values()])
    assert "'api.galv.lab.org.'" in records
    assert "'_dmarc.lab.org.'" in records
    assert environment(template, "web")["VIRTUAL_HOST_ROOT"] == "galv.lab.org"


def test_a_zone_with_an_id_is_not_looked_up(run: Run) -> None:
    assembly = run(region="us-east-1", hostedZoneId="Z0123456789ABC")

    asked = {question["provider"] for question in assembly.manifest["missing"]}
    assert asked == {"availability-zones"}
    records = of_type(assembly.template(), RECORD).values()
    assert {r["Properties"]["HostedZoneId"] for r in records} == {"Z0123456789ABC"}


def not_found(key: str) -> dict[str, Any]:
    """The context of the CDK CLI after a look-up that found nothing."""
    return {key: {"$providerError": "Found zones: []", "$dontSaveContext": True}}


def test_a_zone_that_is_not_found_says_which_keys_to_set(run: Run) -> None:
    key = f"hosted-zone:account={ACCOUNT}:domainName=example.com:region=eu-west-2"

    with pytest.raises(SystemExit) as refused:
        run(region="eu-west-2", **not_found(key))

    for name in ("hostedZoneName", "hostedZoneId", "isRoute53Domain"):
        assert name in str(refused.value)


VPC = "vpc-0123456789abcdef0"


def vpc_context(vpc: Any) -> dict[str, Any]:
    where = f"account={ACCOUNT}:filter.vpc-id={VPC}:region=eu-west-2"
    azs = {f"availability-zones:account={ACCOUNT}:region=eu-west-2": ["eu-west-2a", "eu-west-2b"]}
    return {f"vpc-provider:{where}:returnAsymmetricSubnets=true": vpc, **azs}


def subnet_id(number: int) -> str:
    return f"subnet-{number:017x}"


def found_vpc() -> Json:
    return {
        "vpcId": VPC,
        "vpcCidrBlock": "10.4.0.0/16",
        "availabilityZones": [],
        "subnetGroups": [
            {
                "name": kind,
                "type": kind,
                "subnets": [
                    {
                        "subnetId": subnet_id(first + number),
                        "cidr": f"10.4.{first + number}.0/24",
                        "availabilityZone": f"eu-west-2{letter}",
                        "routeTableId": f"rtb-{first + number}",
                    }
                    for number, letter in enumerate("ab")
                ],
            }
            for first, kind in ((1, "Public"), (3, "Private"), (5, "Isolated"))
        ],
    }


def task_network(template: Json) -> Json:
    network: Json = only(template, "AWS::ECS::Service")["NetworkConfiguration"]
    return dict(network["AwsvpcConfiguration"])


def test_uses_a_vpc_that_is_given(run: Run) -> None:
    template = run(region="eu-west-2", vpcId=VPC, **vpc_context(found_vpc())).template()

    assert of_type(template, "AWS::EC2::VPC") == {}
    assert task_network(template)["Subnets"] == [subnet_id(3), subnet_id(4)]
    assert environment(template, "web")["DJANGO_ALLOWED_CIDR_NETS"] == "10.4.3.0/24,10.4.4.0/24"


def test_uses_the_subnets_that_are_given(run: Run) -> None:
    chosen = {"tasks": [subnet_id(6)], "database": [subnet_id(3), subnet_id(4)]}
    template = run(
        region="eu-west-2", vpcId=VPC, vpcSubnets=chosen, **vpc_context(found_vpc())
    ).template()

    assert task_network(template)["Subnets"] == [subnet_id(6)]
    group = only(template, "AWS::RDS::DBSubnetGroup")
    assert group["SubnetIds"] == [subnet_id(3), subnet_id(4)]


def test_a_vpc_is_looked_up_in_a_first_pass(run: Run) -> None:
    keys = {"vpcId": VPC, "vpcSubnets": {"tasks": [subnet_id(6)]}, "networkPreset": "public"}
    # As the CLI sets it: it looks up what is missing before it reports violations itself. The
    # lowest version of CDK validates in any case, here a VPC that stands for the missing one.
    later = {"@aws-cdk/core:failSynthOnValidationErrors": False}

    assembly = run(region="eu-west-2", **keys, **later)

    assert "vpc-provider" in {question["provider"] for question in assembly.manifest["missing"]}


def test_refuses_a_vpc_that_is_not_there(run: Run) -> None:
    ((key, answer), *_) = vpc_context({"$providerError": "none"}).items()

    with pytest.raises(SystemExit, match="vpcId: no VPC"):
        run(region="eu-west-2", vpcId=VPC, **{key: answer})


def test_refuses_a_subnet_of_another_vpc(run: Run) -> None:
    chosen = {"tasks": [subnet_id(9)]}

    with pytest.raises(SystemExit, match=f"vpcSubnets: {subnet_id(9)} for tasks is not in"):
        run(region="eu-west-2", vpcId=VPC, vpcSubnets=chosen, **vpc_context(found_vpc()))


def test_shows_warnings_and_foreign_context(run: Run) -> None:
    shown = run(domainName="lab.org", mailFromDomain="other.org", env="prod").warnings

    assert "mailFromDomain: other.org is not a domain of lab.org" in shown
    assert "env: is not a key of Galv's" in shown


def test_every_warning_names_the_key_that_it_is_about(run: Run) -> None:
    assembly = run(
        region="us-east-1",
        isRoute53Domain=False,
        certificateArn=certificate_arn(),
        mailFromDomain="other.org",
        frontendSubdomain="",
        frontendSecretsKeys=["VITE_KEY"],
    )

    said = [
        entry["data"]
        for path in assembly.directory.glob("*.metadata.json")
        for entries in json.loads(path.read_text()).values()
        for entry in entries
        if entry["type"] == "aws:cdk:warning"
    ]
    assert len(said) >= 5
    for warning in said:
        assert any(key.name in warning for key in keys_of(GalvConfig).values()), warning


@pytest.mark.parametrize(("context", "protected"), [({}, True), ({"isProduction": False}, False)])
def test_the_last_stack_keeps_cdk_destroy_from_the_others(
    run: Run, context: Json, protected: bool
) -> None:
    """It is deployed last and destroyed first, and nothing in it can fail."""
    assembly = run(**context)

    last = assembly.stacks["galv-DeletionProtectionStack"]
    assert last["properties"].get("terminationProtection", False) is protected
    assert {"galv-BackendStack", "galv-FrontendStack"} <= set(last["dependencies"])
    template = assembly.template("galv-DeletionProtectionStack")
    assert [one["Type"] for one in template["Resources"].values()] == [
        "AWS::CloudFormation::WaitConditionHandle"
    ]
    imported = json.dumps(template["Outputs"])
    assert imported.count("Fn::ImportValue") == 2
    others = [name for name in assembly.stacks if name != "galv-DeletionProtectionStack"]
    for name in others:
        assert not assembly.stacks[name]["properties"].get("terminationProtection")
