"""The emulator refuses what AWS refuses: what it let pass, no run could find."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from e2e.cloud import Cloud

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

    while "IN_PROGRESS" in status(cloud, name):
        time.sleep(0.05)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    assert reason in "\n".join(event.get("ResourceStatusReason", "") for event in events)
    assert status(cloud, name) in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


def test_refuses_a_type_that_nobody_knows(cloud: Cloud) -> None:
    template = {"Resources": resources("AWS::DataPipeline::Pipeline", Name="x")}

    with pytest.raises(ClientError, match="AWS::DataPipeline::Pipeline"):
        cloud.client("cloudformation").create_stack(
            StackName="unknown", TemplateBody=json.dumps(template)
        )


def status(cloud: Cloud, name: str) -> str:
    (stack,) = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(stack["StackStatus"])
