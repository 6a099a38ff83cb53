"""Acknowledgements of findings that are named after resources."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Fn, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from backends import new_app
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks
from constructs import IConstruct

import galv_constructs
from galv_constructs._core.acknowledge import (
    AWS_LAMBDA_BASIC_EXECUTION,
    OWN_POLICIES,
    acknowledge,
    acknowledge_wildcards,
    standards,
)

REASON = "The names of the objects are not known before."


def acknowledged(construct: IConstruct) -> dict[str, str]:
    """The findings that are acknowledged at a construct."""
    found: list[tuple[str, str]] = []
    for entry in construct.node.metadata:
        if entry.type == "aws:cdk:acknowledged-rules":
            data: dict[str, Any] = entry.data
            found += data.items()
    assert len(dict(found)) == len(found)
    return dict(found)


def role_and_bucket(app: App, *, apart: bool) -> tuple[iam.Role, s3.Bucket]:
    """A role that may read a bucket, which is in another stack or not."""
    stack = Stack(app, "Stack")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    bucket = s3.Bucket(Stack(app, "Elsewhere") if apart else stack, "Bucket")
    role.add_to_policy(
        iam.PolicyStatement(actions=["s3:GetObject"], resources=[f"{bucket.bucket_arn}/*"])
    )
    acknowledge_wildcards(role, {f"{bucket.bucket_arn}/*": REASON, "*": REASON})
    return role, bucket


def test_names_a_resource_as_the_template_does() -> None:
    app = new_app()
    role, bucket = role_and_bucket(app, apart=False)
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)
    logical_id = role.stack.resolve(resource.logical_id)

    app.synth()

    assert acknowledged(role) == {
        f"Annotation::AwsSolutions-IAM5[Resource::<{logical_id}.Arn>/*]": REASON,
        "Annotation::AwsSolutions-IAM5[Resource::*]": REASON,
    }


def test_names_a_resource_of_another_stack_by_its_export() -> None:
    app = new_app()
    role, _ = role_and_bucket(app, apart=True)

    app.synth()

    names = [id for id in acknowledged(role) if "Elsewhere:ExportsOutput" in id]
    assert len(names) == 1
    assert names[0].endswith("/*]")


def test_names_a_resource_behind_a_weak_reference_by_its_consumer() -> None:
    app = new_app({"@aws-cdk/core:defaultCrossStackReferences": "weak"})
    role, _ = role_and_bucket(app, apart=True)

    app.synth()

    (name,) = (id for id in acknowledged(role) if "Elsewhere" in id)
    start = 'Annotation::AwsSolutions-IAM5[Resource::{"Fn::GetStackOutput":{"StackName":"Elsewhere"'
    assert name.startswith(start)
    assert name.endswith('"}}/*]')


def test_acknowledges_once_however_often_a_tree_is_synthesized() -> None:
    app = new_app()
    role, _ = role_and_bucket(app, apart=False)
    app.synth()

    app.synth(force=True)

    assert len(acknowledged(role)) == 2


def test_acknowledges_resources_added_after_a_synthesis() -> None:
    app = new_app()
    role, _ = role_and_bucket(app, apart=False)
    app.synth()
    acknowledge_wildcards(role, {"arn:aws:s3:::later/*": REASON})

    app.synth(force=True)

    assert "Annotation::AwsSolutions-IAM5[Resource::arn:aws:s3:::later/*]" in acknowledged(role)


def roles(app: App, *, with_reasons: bool) -> None:
    """A role for each way in which the template can spell what cdk-nag finds."""
    stack = Stack(app, "Stack")
    here, elsewhere = (logs.LogGroup(each, "LogGroup") for each in (stack, Stack(app, "Elsewhere")))
    wildcards = {
        "Everything": "*",
        "Text": "arn:aws:logs:::lab/*",
        "Attribute": f"{here.log_group_arn}/*",
        "Reference": f"arn:aws:logs:::{here.log_group_name}/*",
        "Arn": stack.format_arn(service="logs", resource="log-group", resource_name="lab/*"),
        "AnotherStack": f"{elsewhere.log_group_arn}/*",
        "Function": f"arn:aws:logs:::{Fn.select(0, Fn.split('/', here.log_group_name))}/*",
        "VariableOfIam": "arn:aws:s3:::lab/${aws:userid}/*",
    }
    lambda_service = iam.ServicePrincipal("lambda.amazonaws.com")
    for id, resource in wildcards.items():
        role = iam.Role(stack, id, assumed_by=lambda_service)
        role.add_to_policy(iam.PolicyStatement(actions=["logs:GetLogEvents"], resources=[resource]))
        if with_reasons:
            acknowledge_wildcards(role, {resource: REASON})
    action = iam.Role(stack, "Action", assumed_by=lambda_service)
    action.add_to_policy(
        iam.PolicyStatement(actions=["s3:GetBucket*"], resources=["arn:aws:s3:::lab"])
    )
    managed = iam.Role(stack, "ManagedPolicy", assumed_by=lambda_service)
    managed.add_managed_policy(
        iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWSLambdaBasicExecutionRole")
    )
    if with_reasons:
        acknowledge(action, {"AwsSolutions-IAM5[Action::s3:GetBucket*]": REASON})
        acknowledge(managed, {AWS_LAMBDA_BASIC_EXECUTION: REASON})
        acknowledge(stack, standards({"CloudWatchLogGroupEncrypted": REASON}) | OWN_POLICIES)
        acknowledge(elsewhere, standards({"CloudWatchLogGroupEncrypted": REASON}))


@pytest.mark.parametrize("references", ["strong", "weak"])
class TestSpellingOfCdkNag:
    """Whatever version of cdk-nag is installed: tools/versions.py brings the lowest and newest."""

    def test_cdk_nag_reports_no_acknowledged_finding(self, references: str) -> None:
        app = checked_app(references)
        roles(app, with_reasons=True)

        # A finding makes the synthesis fail, and says which.
        app.synth()

    def test_cdk_nag_reports_each_other_finding(self, references: str) -> None:
        app = checked_app(references)
        roles(app, with_reasons=False)

        with pytest.raises(RuntimeError, match="ValidationFailed"):
            app.synth()

        report = json.loads((Path(app.outdir) / "validation-report.json").read_text())
        found = {
            construct["constructPath"].split("/")[1]
            for plugin in report["pluginReports"]
            for violation in plugin["violations"]
            if "IAM4" in violation["ruleName"] or "IAM5" in violation["ruleName"]
            for construct in violation["violatingConstructs"]
        }
        assert found == {
            "Everything",
            "Text",
            "Attribute",
            "Reference",
            "Arn",
            "AnotherStack",
            "Function",
            "VariableOfIam",
            "Action",
            "ManagedPolicy",
        }


def checked_app(references: str) -> App:
    """An application that cdk-nag looks at."""
    app = new_app({"@aws-cdk/core:defaultCrossStackReferences": references})
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), HIPAASecurityChecks(app))
    return app


SOURCES = sorted(Path(galv_constructs.__file__).parent.rglob("*.py"))


def reasons_in_classes(source: str) -> list[str]:
    """Findings and reasons that are written out where a class defines its resources."""
    found: list[str] = []
    for part in ast.walk(ast.parse(source)):
        if not isinstance(part, ast.ClassDef):
            continue
        for node in ast.walk(part):
            if isinstance(node, ast.Constant) and re.match(r"AwsSolutions-\w+$", str(node.value)):
                found.append(str(node.value))
            if isinstance(node, ast.Call) and "acknowledge" in ast.unparse(node.func):
                found += [
                    text.value
                    for argument in node.args
                    for text in ast.walk(argument)
                    if isinstance(text, ast.Constant)
                    and isinstance(text.value, str)
                    and " " in text.value
                ]
    return found


def test_keeps_reasons_out_of_the_constructors() -> None:
    found = {path.name: reasons_in_classes(path.read_text("utf-8")) for path in SOURCES}

    assert {name: reasons for name, reasons in found.items() if reasons} == {}


def test_the_check_notices_a_reason_in_a_constructor() -> None:
    source = """
class Part:
    def __init__(self):
        acknowledge(self, {"HIPAA.Security-LambdaDLQ": "It is not needed."})
        acknowledge(self, {"AwsSolutions-L1": _REASON})
"""

    assert reasons_in_classes(source) == ["It is not needed.", "AwsSolutions-L1"]
