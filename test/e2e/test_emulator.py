"""The emulator refuses what AWS refuses: what it let pass, no run could find."""

import hashlib
import io
import json
import os
import subprocess
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from e2e.cloud import ENVIRONMENT, ROOT, Cloud
from e2e.stack import Json, Stack
from frontend_site.programs import need

from galv_ops.preflight.dns import resolve

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}
RULE = {"CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}


def resources(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Vpc": VPC, "It": {"Type": kind, "Properties": properties}}


def distribution(**config: Any) -> dict[str, Any]:
    return resources(
        "AWS::CloudFront::Distribution",
        DistributionConfig={"Enabled": True, "Origins": [], "DefaultCacheBehavior": {}, **config},
    )


GROUP = {"GroupDescription": "one", "VpcId": {"Ref": "Vpc"}}
IDENTITY = {"EmailIdentity": "twice.example.com"}
REFUSED = {
    "the same rule twice": (
        resources(
            "AWS::EC2::SecurityGroup",
            **GROUP,
            SecurityGroupIngress=[RULE, {**RULE, "Description": "the same"}],
        ),
        "InvalidPermission.Duplicate",
    ),
    "a rule of no group": (
        resources("AWS::EC2::SecurityGroupIngress", GroupId="sg-0", **RULE),
        "InvalidGroup.NotFound",
    ),
    "two subnets in one range": (
        {
            **resources("AWS::EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.9.0.0/24"),
            "Other": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.9.0.128/25"},
            },
        },
        "InvalidSubnet.Conflict",
    ),
    "a NAT gateway without an address": (
        resources("AWS::EC2::NatGateway", SubnetId="subnet-0", AllocationId="eipalloc-0"),
        "InvalidSubnet.NotFound",
    ),
    "a flow log to no bucket": (
        resources(
            "AWS::EC2::FlowLog",
            ResourceId={"Ref": "Vpc"},
            ResourceType="VPC",
            TrafficType="ALL",
            LogDestinationType="s3",
            LogDestination="arn:aws:s3:::nobody-s",
        ),
        "does not exist",
    ),
    "a site with no certificate": (
        distribution(Aliases=["www.example.com"]),
        "InvalidViewerCertificate",
    ),
    "a log of CloudFront to no bucket": (
        distribution(Logging={"Bucket": "nobody-s.s3.amazonaws.com"}),
        "no bucket 'nobody-s'",
    ),
    "logs of a firewall under another name": (
        resources(
            "AWS::WAFv2::LoggingConfiguration",
            ResourceArn="arn:aws:wafv2:::x",
            LogDestinationConfigs=["arn:aws:s3:::logs"],
        ),
        "does not start as it must",
    ),
    "scaling of no service": (
        resources(
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            PolicyName="x",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId="nothing",
        ),
        "ObjectNotFoundException",
    ),
    "an identity of mail that another has": (
        {
            "One": {"Type": "AWS::SES::EmailIdentity", "Properties": IDENTITY},
            "Other": {
                "Type": "AWS::SES::EmailIdentity",
                "Properties": IDENTITY,
                "DependsOn": "One",
            },
        },
        "Email identity twice.example.com already exists",
    ),
    "an output of no stack": (
        resources(
            "AWS::SSM::Parameter",
            Type="String",
            Value={
                "Fn::GetStackOutput": {
                    "StackName": "nothing",
                    "Region": "us-east-1",
                    "OutputName": "X",
                }
            },
        ),
        "not found in stack 'nothing'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what: str, cloud: Cloud) -> None:
    template, reason = REFUSED[what]
    name = f"refused-{what.replace(' ', '-')}"

    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": template}))

    assert Stack(cloud, name).wait() in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert reason in "\n".join(event.get("ResourceStatusReason", "") for event in events)


def test_refuses_a_type_that_nobody_knows(cloud: Cloud) -> None:
    template = {"Resources": resources("AWS::DataPipeline::Pipeline", Name="x")}

    with pytest.raises(ClientError, match="AWS::DataPipeline::Pipeline"):
        cloud.client("cloudformation").create_stack(
            StackName="unknown", TemplateBody=json.dumps(template)
        )


class TestNamesThatAreTaken:
    """Names that an earlier deployment or a person took: another resource of the name is
    refused."""

    def create(self, cloud: Cloud, stack: str, kind: str, **properties: Any) -> str:
        template = {"Resources": {"It": {"Type": kind, "Properties": properties}}}
        cloudformation = cloud.client("cloudformation")
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
        Stack(cloud, stack).wait()
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def test_a_log_group(self, cloud: Cloud) -> None:
        cloud.client("logs").create_log_group(logGroupName="/taken")

        reason = self.create(cloud, "log", "AWS::Logs::LogGroup", LogGroupName="/taken")

        assert "ResourceAlreadyExistsException" in reason

    def test_a_secret_also_while_it_waits_to_be_deleted(self, cloud: Cloud) -> None:
        secrets = cloud.client("secretsmanager")
        secrets.create_secret(Name="taken", SecretString="{}")
        there = self.create(cloud, "secret", "AWS::SecretsManager::Secret", Name="taken")
        secrets.delete_secret(SecretId="taken")
        going = self.create(cloud, "again", "AWS::SecretsManager::Secret", Name="taken")

        assert "ResourceExistsException" in there
        assert "scheduled for deletion" in going


class TestDeletions:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html"""

    HANDLE: ClassVar[Any] = {"It": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}

    def deploy(self, cloud: Cloud, name: str, outputs: Any, **options: Any) -> None:
        body = json.dumps({"Resources": self.HANDLE, "Outputs": outputs})
        cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=body, **options)
        Stack(cloud, name).wait()

    def test_refuses_to_delete_a_stack_with_termination_protection(self, cloud: Cloud) -> None:
        self.deploy(cloud, "protected", {}, EnableTerminationProtection=True)

        with pytest.raises(ClientError, match="TerminationProtection is enabled"):
            cloud.client("cloudformation").delete_stack(StackName="protected")

        assert Stack(cloud, "protected").status == "CREATE_COMPLETE"

    def test_refuses_to_delete_what_another_stack_imports_from(self, cloud: Cloud) -> None:
        exported = {"Id": {"Value": {"Ref": "AWS::StackId"}, "Export": {"Name": "the-id"}}}
        self.deploy(cloud, "exporting", exported)
        self.deploy(cloud, "importing", {"Id": {"Value": {"Fn::ImportValue": "the-id"}}})

        with pytest.raises(ClientError, match="imported by stack importing"):
            cloud.client("cloudformation").delete_stack(StackName="exporting")

        assert Stack(cloud, "exporting").status == "CREATE_COMPLETE"


class TestImages:
    """What `test_image_mirror.py` asks of the same rules, asked through the emulator."""

    @pytest.fixture
    def ecr(self, cloud: Cloud) -> Iterator[Any]:
        ecr = cloud.client("ecr")
        ecr.create_repository(repositoryName="layers", imageTagMutability="IMMUTABLE")
        yield ecr
        ecr.delete_repository(repositoryName="layers", force=True)

    def begin(self, ecr: Any) -> Json:
        begun = ecr.initiate_layer_upload(repositoryName="layers")
        return {"repositoryName": "layers", "uploadId": begun["uploadId"]}

    def upload(self, ecr: Any, content: bytes) -> Json:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        upload = self.begin(ecr)
        where = {"partFirstByte": 0, "partLastByte": len(content) - 1}
        ecr.upload_layer_part(**upload, **where, layerPartBlob=content)
        ecr.complete_layer_upload(**upload, layerDigests=[digest])
        return {"digest": digest, "size": len(content)}

    def image(self, config: Json, *layers: Json) -> str:
        kind = "application/vnd.oci.image.manifest.v1+json"
        return json.dumps({"mediaType": kind, "config": config, "layers": layers})

    def test_refuses_a_layer_with_another_digest(self, ecr: Any) -> None:
        upload = self.begin(ecr)
        where = {"partFirstByte": 0, "partLastByte": 2}
        ecr.upload_layer_part(**upload, **where, layerPartBlob=b"one")

        with pytest.raises(ClientError, match="InvalidLayerException"):
            ecr.complete_layer_upload(**upload, layerDigests=[f"sha256:{'0' * 64}"])

    def test_refuses_a_part_that_does_not_follow(self, ecr: Any) -> None:
        upload = self.begin(ecr)

        with pytest.raises(ClientError, match="InvalidLayerPartException") as refused:
            ecr.upload_layer_part(**upload, partFirstByte=1, partLastByte=3, layerPartBlob=b"one")

        response: Any = refused.value.response
        assert response["lastValidByteReceived"] == -1

    def test_refuses_an_image_without_its_layers(self, ecr: Any) -> None:
        config = self.upload(ecr, b"config")
        manifest = self.image(config, {"digest": f"sha256:{'0' * 64}", "size": 1})

        with pytest.raises(ClientError, match="LayersNotFoundException"):
            ecr.put_image(repositoryName="layers", imageManifest=manifest, imageTag="v1")

    def test_refuses_to_move_a_tag_and_gives_it_again_when_its_image_is_deleted(
        self, ecr: Any
    ) -> None:
        first, second = (self.image(self.upload(ecr, text)) for text in (b"first", b"second"))
        ecr.put_image(repositoryName="layers", imageManifest=first, imageTag="v1")

        with pytest.raises(ClientError, match="ImageTagAlreadyExistsException"):
            ecr.put_image(repositoryName="layers", imageManifest=second, imageTag="v1")

        ecr.batch_delete_image(repositoryName="layers", imageIds=[{"imageTag": "v1"}])
        ecr.put_image(repositoryName="layers", imageManifest=second, imageTag="v1")
        (there,) = ecr.describe_images(repositoryName="layers")["imageDetails"]
        assert there["imageDigest"] == f"sha256:{hashlib.sha256(second.encode()).hexdigest()}"

    def test_forgets_layers_with_their_repository(self, ecr: Any) -> None:
        layer = self.upload(ecr, b"layer")["digest"]
        assert self.availability(ecr, layer) == "AVAILABLE"
        ecr.delete_repository(repositoryName="layers", force=True)
        ecr.create_repository(repositoryName="layers")

        assert self.availability(ecr, layer) == "UNAVAILABLE"

    def availability(self, ecr: Any, digest: str) -> str:
        asked = ecr.batch_check_layer_availability(repositoryName="layers", layerDigests=[digest])
        return str(asked["layers"][0]["layerAvailability"])


# Threads that change often, and sessions enough to be looked at for longer than that.
REGISTER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from e2e.emulator import iam
from e2e.emulator.private import sts

iam.install()
sys.setswitchinterval(1e-5)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda n: sts.register_session(str(n), {"Expiration": 9e12}), range(9000)))
print(len(sts.sessions))
"""


def test_sessions_begin_at_the_same_time() -> None:
    done = subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-c", REGISTER],
        env=os.environ | {"PYTHONPATH": str(ROOT / "test"), "GATEWAY_PORT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "9000"


def test_answers_many_calls_at_the_same_time(cloud: Cloud) -> None:
    quota = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
    calls = [
        (cloud.client(service), operation, arguments)
        for service, operation, arguments in (
            ("acm", "list_certificates", {}),
            ("cloudformation", "list_stacks", {}),
            ("cloudfront", "list_distributions", {}),
            ("ec2", "describe_vpcs", {}),
            ("iam", "list_roles", {}),
            ("rds", "describe_db_instances", {}),
            ("route53", "list_hosted_zones", {}),
            ("service-quotas", "get_service_quota", quota),
            ("sesv2", "get_account", {}),
        )
    ]
    before = time.monotonic()

    with ThreadPoolExecutor(36) as pool:
        asked = [pool.submit(getattr(client, name), **more) for client, name, more in calls * 4]
        answers = [one.result() for one in asked]

    assert len(answers) == 36
    # As long as a question of a preflight waits.
    assert time.monotonic() - before < 5


def test_bounds_the_processes_of_functions_and_runs_what_it_has_ended(cloud: Cloud) -> None:
    functions, code = cloud.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handle(event, context):\n    return event\n")
    role = cloud.client("iam").create_role(
        RoleName="idle",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                },
            }
        ),
    )["Role"]["Arn"]
    names = [f"idle-{number}" for number in range(45)]

    def invoke(name: str) -> object:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(name).encode())
        return json.loads(answer["Payload"].read())

    def processes() -> int:
        return len(list((cloud.folder / "tmp").glob("ministack-lambda-idle-*")))

    for name in names:
        functions.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="index.handle",
            Code={"ZipFile": code.getvalue()},
        )
    assert [invoke(name) for name in names] == names
    deadline = time.monotonic() + 20
    while processes() > 40 and time.monotonic() < deadline:
        time.sleep(0.2)

    assert processes() <= 40
    assert invoke(names[0]) == names[0]
    for name in names:
        functions.delete_function(FunctionName=name)
    cloud.client("iam").delete_role(RoleName="idle")


class TestQuotas:
    """https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_Operations.html"""

    FARGATE: ClassVar[Any] = {"ServiceCode": "fargate", "QuotaCode": "L-3032A538"}

    def test_has_defaults_and_what_was_asked_for(self, cloud: Cloud) -> None:
        quotas = cloud.client("service-quotas")

        with pytest.raises(ClientError, match="NoSuchResourceException"):
            quotas.get_service_quota(**self.FARGATE)
        default = quotas.get_aws_default_service_quota(**self.FARGATE)["Quota"]
        quotas.request_service_quota_increase(**self.FARGATE, DesiredValue=8)

        assert (default["Value"], default["UsageMetric"]["MetricName"]) == (6, "ResourceCount")
        assert quotas.get_service_quota(**self.FARGATE)["Quota"]["Value"] == 8

    def test_tells_of_global_services_in_one_region(self, cloud: Cloud) -> None:
        which = {"ServiceCode": "cloudfront", "QuotaCode": "L-24B04930"}
        everywhere = cloud.client("service-quotas", "us-east-1")

        with pytest.raises(ClientError, match="NoSuchResourceException"):
            cloud.client("service-quotas").get_aws_default_service_quota(**which)
        assert everywhere.get_aws_default_service_quota(**which)["Quota"]["GlobalQuota"]


def test_gives_roles_of_services_their_names(cloud: Cloud) -> None:
    service = "ecs.application-autoscaling.amazonaws.com"
    iam = cloud.client("iam")

    made = iam.create_service_linked_role(AWSServiceName=service)["Role"]

    name = "AWSServiceRoleForApplicationAutoScaling_ECSService"
    assert made["Arn"].endswith(f":role/aws-service-role/{service}/{name}")
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == made["Arn"]
    iam.delete_service_linked_role(RoleName=name)


class TestNames:
    """What the world is told of hosted zones."""

    def zone(self, cloud: Cloud, name: str) -> tuple[str, list[str]]:
        made = cloud.client("route53").create_hosted_zone(Name=name, CallerReference=name)
        return made["HostedZone"]["Id"], made["DelegationSet"]["NameServers"]

    def record(self, cloud: Cloud, zone: str, name: str, kind: str, *values: str) -> None:
        record = {
            "Name": name,
            "Type": kind,
            "TTL": 60,
            "ResourceRecords": [{"Value": value} for value in values],
        }
        changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        cloud.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    def told(self, cloud: Cloud, name: str, kind: str) -> list[str]:
        port = int(cloud.name_servers.address.read_text())
        return resolve(name, kind, [("127.0.0.1", port)], 5).values(kind)

    def test_are_those_of_zones_that_somebody_delegates_to(self, cloud: Cloud) -> None:
        need("nsd")
        domain, servers = self.zone(cloud, "registered.org")
        self.zone(cloud, "nobody.registered.org")
        self.zone(cloud, "part.registered.org")
        self.record(cloud, domain, "part.registered.org", "NS", *servers)
        self.record(cloud, domain, "*.registered.org", "CAA", '0 issue "amazon.com"')
        cloud.name_servers.publish()

        own = sorted(server.rstrip(".") for server in servers)
        assert sorted(self.told(cloud, "registered.org", "NS")) == own
        assert sorted(self.told(cloud, "part.registered.org", "NS")) == own
        assert self.told(cloud, "nobody.registered.org", "NS") == []
        assert self.told(cloud, "any.registered.org", "CAA") == ["0 issue amazon.com"]
        assert self.told(cloud, servers[0], "A") != []
