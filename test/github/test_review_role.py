"""The role for pull requests: what it reads, and what it refuses to be."""

from typing import Any

import pytest
from aws_cdk import Stack
from backends import Refusal, new_app
from iam_simulation import ACCOUNT, REGION, Resolved, is_allowed
from templates import Json, as_list, only, only_id, statements, synthesize

from galv_constructs import GalvReviewRole, GitHubSubject
from galv_ops.preflight.kinds import KINDS

REVIEW = GitHubSubject.pull_request("octo-org/octo-repo")


def stack_arn(name: str, region: str = REGION) -> str:
    return f"arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{name}/0a1b"


def version(qualifier: str = "hnb659fds") -> str:
    return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/cdk-bootstrap/{qualifier}/version"


def review_role(stack: Stack, **arguments: Any) -> Json:
    given: Json = {"subjects": [REVIEW], "stacks": ["galv-BackendStack"], **arguments}
    GalvReviewRole(stack, "Role", **given)
    return synthesize(stack)


def may(template: Json, action: str, resource: str) -> bool:
    policies = Resolved(template).policies(only_id(template, "AWS::IAM::Role"))
    return is_allowed(policies, action, resource)


@pytest.fixture(scope="module")
def template() -> Json:
    """A role for one stack."""
    return review_role(Stack(new_app(), "Stack"))


def test_reads_the_templates_of_the_named_stacks(template: Json) -> None:
    for action in ("cloudformation:GetTemplate", "cloudformation:DescribeStacks"):
        assert may(template, action, stack_arn("galv-BackendStack"))
        assert may(template, action, stack_arn("galv-BackendStack", "us-east-1"))
        assert not may(template, action, stack_arn("galv-BackendStack", "eu-west-2"))
        assert not may(template, action, stack_arn("galv-BackendStack-2"))


def test_a_name_may_end_in_a_wildcard() -> None:
    template = review_role(Stack(new_app(), "Stack"), stacks=["galv-*"])

    assert may(template, "cloudformation:GetTemplate", stack_arn("galv-FrontendStack"))
    assert not may(template, "cloudformation:GetTemplate", stack_arn("other-FrontendStack"))


def test_reads_the_version_of_the_bootstrap(template: Json) -> None:
    assert may(template, "ssm:GetParameter", version())
    assert not may(template, "ssm:GetParameter", version("other"))


def test_uses_the_given_qualifiers_and_regions() -> None:
    template = review_role(
        Stack(new_app(), "Stack"), qualifiers=["other"], regions=[REGION, "eu-west-2"]
    )

    assert may(template, "ssm:GetParameter", version("other"))
    assert may(template, "cloudformation:GetTemplate", stack_arn("galv-BackendStack", "eu-west-2"))
    assert not may(
        template, "cloudformation:GetTemplate", stack_arn("galv-BackendStack", "us-east-1")
    )


def test_lasts_an_hour(template: Json) -> None:
    assert only(template, "AWS::IAM::Role")["MaxSessionDuration"] == 3600


def test_creates_the_provider(template: Json) -> None:
    assert only_id(template, "AWS::IAM::OIDCProvider")


def test_can_be_granted_permissions() -> None:
    stack = Stack(new_app(), "Stack")
    role = GalvReviewRole(stack, "Role", subjects=[REVIEW], stacks=["galv-*"])

    assert stack.resolve(role.grant_principal.principal_account) is not None
    assert stack.resolve(role.role.role_arn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": []}, "subjects must be a list of GitHubSubject, at least one, got []"),
        (
            {"subjects": [GitHubSubject.organization("octo-org")]},
            "subjects has a whole organization, 'repo:octo-org/*': name the repositories",
        ),
        ({"provider": "arn"}, "provider must be an aws_iam.IOidcProvider"),
        ({"stacks": []}, "stacks must be a list such as ['galv-BackendStack'], got []"),
        ({"stacks": "galv"}, "stacks must be a list such as ['galv-BackendStack'], got 'galv'"),
        ({"stacks": ["*"]}, "stacks must be names such as 'galv-BackendStack', with a '*' at the"),
        (
            {"stacks": ["galv-*-x"]},
            "stacks must be names such as 'galv-BackendStack', with a '*' at the end",
        ),
        ({"qualifiers": ["*"]}, "qualifiers must be names such as 'hnb659fds', with no wildcards"),
        ({"regions": ["*"]}, "regions must be names such as 'eu-west-2', with no wildcards"),
    ],
)
def test_refuses_unsafe_arguments(
    stack: Stack, refusal: Refusal, arguments: Json, message: str
) -> None:
    assert refusal(lambda: review_role(stack, **arguments)).startswith(message)


@pytest.fixture(scope="module")
def asks() -> Json:
    """A role that may also ask what a preflight asks."""
    return review_role(Stack(new_app(), "Stack"), preflight=True)


class TestPreflight:
    def test_is_not_allowed_by_default(self, template: Json) -> None:
        assert not may(template, "servicequotas:GetServiceQuota", "*")
        assert "route53" not in str(template)

    def test_is_what_its_kinds_read_but_for_what_somebody_hid(self, asks: Json) -> None:
        needed = {action for kind in KINDS.values() for action in kind.actions}
        role = only_id(asks, "AWS::IAM::Role")

        allowed = {action for one in statements(asks, role) for action in as_list(one["Action"])}

        assert needed - allowed == {
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "lambda:InvokeFunction",
            "secretsmanager:GetSecretValue",
        }
        assert allowed - needed == {
            "cloudformation:DescribeStackResource",
            "cloudformation:DescribeStacks",
            "cloudformation:GetTemplate",
            "ssm:GetParameter",
        }

    def test_is_in_the_regions_of_the_stacks(self, asks: Json) -> None:
        for region, allowed in ((REGION, True), ("us-east-1", True), ("eu-north-1", False)):
            for action, resource in (
                ("acm:DescribeCertificate", f"acm:{region}:{ACCOUNT}:certificate/0a1b"),
                ("rds:DescribeDBInstances", f"rds:{region}:{ACCOUNT}:db:galv"),
                ("ses:GetEmailIdentity", f"ses:{region}:{ACCOUNT}:identity/example.com"),
                (
                    "iam:SimulatePrincipalPolicy",
                    f"iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{region}",
                ),
            ):
                assert may(asks, action, f"arn:aws:{resource}") == allowed

    def test_reads_the_resources_of_the_named_stacks_alone(self, asks: Json) -> None:
        for action in ("cloudformation:ListStackResources", "cloudformation:DescribeStackResource"):
            assert may(asks, action, stack_arn("galv-BackendStack"))
            assert not may(asks, action, stack_arn("other"))

    def test_refuses_what_is_no_switch(self, stack: Stack, refusal: Refusal) -> None:
        message = refusal(lambda: review_role(stack, preflight=["image"]))

        assert message.startswith("preflight must be true or false, got ['image']")
