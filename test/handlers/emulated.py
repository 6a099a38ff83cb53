"""What several handlers need in an emulated AWS."""

import json

import boto3


def task_network() -> tuple[str, str]:
    """Create a subnet and a security group for tasks."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    # Without it moto's RunTask fails at the network interface.
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    return subnet, group


def new_stack() -> str:
    """Create a stack, of which a handler asks the status, and return its id."""
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    stack = boto3.client("cloudformation").create_stack(StackName="app", TemplateBody=topic)
    return str(stack["StackId"])
