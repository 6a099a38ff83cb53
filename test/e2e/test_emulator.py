"""The emulator refuses what AWS refuses: what it let pass, no run could find."""

import json
import os
import subprocess
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError
from e2e.cloud import ENVIRONMENT, ROOT, Cloud
from e2e.stack import Stack

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
