"""Deletion protection: closed when a deployment has succeeded, never by the template."""

import json

import pytest
from aws_cdk import NestedStack, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from backends import backend_in, new_app, regional_stack
from templates import Json, needs, of_type, only, only_id, synthesize

from galv_constructs import GalvDatabase, GalvMail, GalvNetwork

PROTECTION = "Custom::GalvProtection"
BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"


@pytest.mark.parametrize("name", ["default", "development", "tuned", "encrypted"])
def test_no_template_sets_deletion_protection_itself(
    name: str, request: pytest.FixtureRequest
) -> None:
    """CloudFormation changes what a template says, and only that: an update would turn it off.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html
    "Any existing attributes that you do not modify retain their current values."
    """
    template: Json = request.getfixturevalue(name)

    assert "DeletionProtection" not in only(template, "AWS::RDS::DBInstance")
    keys = {attribute["Key"] for attribute in only(template, BALANCER)["LoadBalancerAttributes"]}
    assert "deletion_protection.enabled" not in keys
    assert "idle_timeout.timeout_seconds" in keys


def test_protects_the_new_database_and_the_load_balancer(default: Json) -> None:
    protection = only(default, PROTECTION)

    assert protection["Protected"] == "true"
    assert protection["Databases"] == [{"Ref": only_id(default, "AWS::RDS::DBInstance")}]
    assert protection["LoadBalancers"] == [{"Ref": only_id(default, BALANCER)}]


def test_stays_defined_to_remove_deletion_protection(development: Json, default: Json) -> None:
    """Switching it off is an update: a deletion could not be told from that of the construct."""
    assert only(development, PROTECTION)["Protected"] == "false"
    assert only_id(development, PROTECTION) == only_id(default, PROTECTION)


def test_does_not_protect_a_given_database(stack: Stack) -> None:
    vpc = ec2.Vpc(stack, "Vpc")
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    backend_in(
        stack,
        network=GalvNetwork.from_vpc(vpc),
        database=GalvDatabase.from_instance(
            rds.DatabaseInstance(stack, "Data", engine=engine, vpc=vpc)
        ),
    )
    template = synthesize(stack)

    assert only(template, PROTECTION)["Databases"] == []
    actions = json.dumps(of_type(template, "AWS::IAM::Policy", "BackendProtection"))
    assert "rds:" not in actions


def test_deletion_protection_is_a_switch_of_its_own(stack: Stack) -> None:
    backend_in(stack, deletion_protection=False)
    template = synthesize(stack)

    assert only(template, PROTECTION)["Protected"] == "false"
    (media,) = of_type(template, "AWS::S3::Bucket", "BackendMediaBucket").values()
    assert media["DeletionPolicy"] == "Retain"


def test_runs_after_the_web_service_and_the_site(mailing: Json) -> None:
    """And is deleted before it: it refuses before anything is gone."""
    needed = {
        mailing["Resources"][id]["Type"] for id in needs(mailing, only_id(mailing, PROTECTION))
    }

    assert needed >= {
        BALANCER,
        "AWS::CloudFront::Distribution",
        "AWS::ECS::Service",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::RDS::DBInstance",
        "AWS::Route53::RecordSet",
        "AWS::WAFv2::WebACLAssociation",
        "Custom::GalvReleaseTask",
    }


def test_runs_after_mail(stack: Stack) -> None:
    backend_in(stack, mail=GalvMail(stack, "Mail", sender="galv@mail.example.com"))
    template = synthesize(stack)

    assert only_id(template, "AWS::SES::EmailIdentity") in needs(
        template, only_id(template, PROTECTION)
    )


def test_its_handler_may_change_only_the_database_and_the_load_balancer(default: Json) -> None:
    (policy,) = of_type(default, "AWS::IAM::Policy", "BackendProtectionHandlerRole").values()

    allowed = {
        action: statement["Resource"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
        if not action.startswith("logs:")
    }
    database = allowed["rds:ModifyDBInstance"]
    parts = database["Fn::Join"][1]
    assert parts[-2:] == [":db:", {"Ref": only_id(default, "AWS::RDS::DBInstance")}]
    assert allowed == {
        "rds:DescribeDBInstances": database,
        "rds:ModifyDBInstance": database,
        "elasticloadbalancing:ModifyLoadBalancerAttributes": {"Ref": only_id(default, BALANCER)},
        "elasticloadbalancing:DescribeLoadBalancerAttributes": "*",
        "cloudformation:DescribeStacks": {"Ref": "AWS::StackId"},
    }


def test_asks_about_the_whole_deployment_in_a_nested_stack() -> None:
    parent = regional_stack(new_app())
    nested = NestedStack(parent, "Nested")
    backend_in(nested)
    template = synthesize(parent)

    passed = only(template, "AWS::CloudFormation::Stack")["Parameters"]
    assert {"Ref": "AWS::StackId"} in passed.values()
