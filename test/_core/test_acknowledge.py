"""Acknowledgements of findings that are named after resources."""

from typing import Any

from aws_cdk import App, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from backends import new_app
from constructs import IConstruct

from galv_constructs._core.acknowledge import acknowledge_wildcards

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


def test_names_a_resource_behind_a_weak_reference_by_what_reads_it() -> None:
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


def test_acknowledges_what_came_after_a_synthesis() -> None:
    app = new_app()
    role, _ = role_and_bucket(app, apart=False)
    app.synth()
    acknowledge_wildcards(role, {"arn:aws:s3:::later/*": REASON})

    app.synth(force=True)

    assert "Annotation::AwsSolutions-IAM5[Resource::arn:aws:s3:::later/*]" in acknowledged(role)
