"""The role that GitHub Actions assumes: whom it trusts, and what it may do."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Aws, DefaultStackSynthesizer, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Annotations, Match
from backends import Refusal, new_app, regional_stack
from iam_simulation import ACCOUNT, REGION, Resolved, is_allowed
from templates import Json, of_type, only, only_id, synthesize

from galv_constructs import GalvDeployRole, GalvReviewRole, GitHubSubject

PRODUCTION = GitHubSubject.environment("octo-org/octo-repo", "production")
REVIEW = GitHubSubject.pull_request("octo-org/octo-repo")
ORGANIZATION = GitHubSubject.organization("octo-org")
ISSUER = "token.actions.githubusercontent.com"
PROVIDER_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"

Make = Callable[..., GalvDeployRole]


def role_in(stack: Stack, id: str = "Role", /, **arguments: Any) -> GalvDeployRole:
    return GalvDeployRole(stack, id, **{"subjects": [PRODUCTION], **arguments})


@pytest.fixture
def make(stack: Stack) -> Make:
    return lambda **arguments: role_in(stack, **arguments)


def bootstrap(name: str, qualifier: str = "hnb659fds", region: str = REGION) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/cdk-{qualifier}-{name}-{ACCOUNT}-{region}"


class Can:
    """The permissions of the role of a template."""

    def __init__(self, template: Json) -> None:
        resolved, logical_id = Resolved(template), only_id(template, "AWS::IAM::Role")
        self._policies = list(resolved.policies(logical_id))
        self._trust = resolved.role(logical_id)["AssumeRolePolicyDocument"]

    def __call__(self, action: str, resource: str = "*", **context: str) -> bool:
        return is_allowed(self._policies, action, resource, **context)

    def assume(self, name: str, qualifier: str = "hnb659fds", region: str = REGION) -> bool:
        return self("sts:AssumeRole", bootstrap(name, qualifier, region))

    def be_assumed(self, sub: str, aud: str = "sts.amazonaws.com", **others: str) -> bool:
        # As GitHub's own template of a subject begins, with or without numbers.
        repository = re.sub(r"@\d+", "", sub.split(":")[1])
        given = {"sub": sub, "aud": aud, "repository": repository, **others}
        claims = {f"{ISSUER}__{name}": value for name, value in given.items()}
        return is_allowed([self._trust], "sts:AssumeRoleWithWebIdentity", **claims)


@pytest.fixture(scope="module")
def can() -> Can:
    """The permissions of a role with nothing but a subject."""
    stack = Stack(new_app(), "Stack")
    role_in(stack)
    return Can(synthesize(stack))


@pytest.fixture(scope="module")
def checks() -> Can:
    """The permissions of a role that runs check_status afterwards."""
    stack = Stack(new_app(), "Stack")
    role_in(stack, check_backends=["galv-BackendStack/Backend"])
    return Can(synthesize(stack))


class TestTrust:
    def test_trusts_the_subject_in_both_formats(self, can: Can) -> None:
        assert can.be_assumed("repo:octo-org/octo-repo:environment:production")
        assert can.be_assumed("repo:octo-org@1/octo-repo@2:environment:production")

    @pytest.mark.parametrize(
        "sub",
        [
            "repo:octo-org/octo-repo:environment:staging",
            "repo:octo-org/octo-repo:ref:refs/heads/main",
            "repo:octo-org/octo-repo:pull_request",
            "repo:octo-org/other:environment:production",
        ],
    )
    def test_trusts_nothing_else(self, can: Can, sub: str) -> None:
        assert not can.be_assumed(sub)

    def test_a_subject_that_another_repository_made_up_is_not_enough(self, can: Can) -> None:
        # Its template is repository, workflow and environment, and so is the workflow's name.
        sub = "repo:octo-org@1/evil@7:workflow:x/octo-repo@9:environment:production"

        assert can.be_assumed(sub, repository="octo-org/octo-repo")
        assert not can.be_assumed(sub, repository="octo-org/evil")

    def test_wants_tokens_that_are_for_aws(self, can: Can) -> None:
        assert not can.be_assumed("repo:octo-org/octo-repo:environment:production", aud="other")

    def test_trusts_each_subject_once(self, stack: Stack, make: Make) -> None:
        make(subjects=[PRODUCTION, GitHubSubject.tag("octo-org/octo-repo", "v*"), PRODUCTION])

        template = synthesize(stack)
        assert Can(template).be_assumed("repo:octo-org/octo-repo:ref:refs/tags/v1")
        (statement,) = only(template, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
        assert len(statement["Condition"]["StringLike"][f"{ISSUER}:sub"]) == 4

    def test_a_subject_with_conditions_has_a_statement_of_its_own(
        self, stack: Stack, make: Make
    ) -> None:
        main = GitHubSubject.environment("octo-org/other", "production", ref="refs/heads/main")
        make(subjects=[PRODUCTION, main])

        may = Can(synthesize(stack))
        other = "repo:octo-org/other:environment:production"
        assert may.be_assumed("repo:octo-org/octo-repo:environment:production")
        assert may.be_assumed(other, ref="refs/heads/main")
        assert not may.be_assumed(other, ref="refs/heads/feature")
        assert not may.be_assumed(other)

    def test_checks_the_number_of_the_repository(self, stack: Stack, make: Make) -> None:
        make(subjects=[GitHubSubject.branch("octo-org/octo-repo", "main", repository_id=7)])

        may = Can(synthesize(stack))
        sub = "repo:octo-org/octo-repo:ref:refs/heads/main"
        assert may.be_assumed(sub, repository_id="7")
        assert not may.be_assumed(sub, repository_id="8")

    def test_lasts_as_long_as_a_first_deployment(self, stack: Stack, make: Make) -> None:
        make()

        assert only(synthesize(stack), "AWS::IAM::Role")["MaxSessionDuration"] == 7200


class TestProvider:
    def test_creates_one_when_none_is_given(self, stack: Stack, make: Make) -> None:
        role = make()

        template = synthesize(stack)
        provider = only(template, "AWS::IAM::OIDCProvider")
        assert provider == {"ClientIdList": ["sts.amazonaws.com"], "Url": f"https://{ISSUER}"}
        assert len(template["Resources"]) == 2
        provider_id = only_id(template, "AWS::IAM::OIDCProvider")
        assert stack.resolve(role.provider.oidc_provider_arn) == {"Ref": provider_id}

    def test_uses_the_given_one(self, stack: Stack, make: Make) -> None:
        given = iam.OidcProviderNative.from_oidc_provider_arn(stack, "Provider", PROVIDER_ARN)
        make(provider=given)

        template = synthesize(stack)
        assert of_type(template, "AWS::IAM::OIDCProvider") == {}
        (statement,) = only(template, "AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": PROVIDER_ARN}

    def test_two_roles_share_one(self, stack: Stack, make: Make) -> None:
        make()
        first = stack.node.find_child("Role")
        assert isinstance(first, GalvDeployRole)
        GalvReviewRole(
            stack, "Review", subjects=[REVIEW], stacks=["galv-*"], provider=first.provider
        )

        template = synthesize(stack)
        assert len(of_type(template, "AWS::IAM::OIDCProvider")) == 1
        assert len(of_type(template, "AWS::IAM::Role")) == 2


class TestBootstrapRoles:
    ROLES = ("deploy-role", "file-publishing-role", "image-publishing-role", "lookup-role")

    @pytest.mark.parametrize("name", ROLES)
    def test_may_assume_those_that_the_cli_needs(self, can: Can, name: str) -> None:
        assert can.assume(name)
        assert can.assume(name, region="us-east-1")

    def test_may_assume_no_others(self, can: Can) -> None:
        assert not can.assume("cfn-exec-role")
        assert not can.assume("deploy-role", qualifier="other")
        assert not can.assume("deploy-role", region="eu-west-2")
        assert not can("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin")
        assert not can("sts:AssumeRole", bootstrap("deploy-role").replace(ACCOUNT, "999999999999"))

    def test_may_do_nothing_else(self, can: Can) -> None:
        for action in ("cloudformation:CreateStack", "iam:PassRole", "s3:GetObject", "ecs:RunTask"):
            assert not can(action)

    def test_in_us_east_1_there_is_one_region(self) -> None:
        stack = Stack(new_app(), "Stack", env={"account": ACCOUNT, "region": "us-east-1"})
        role_in(stack)

        (policy,) = only(synthesize(stack), "AWS::IAM::Role")["Policies"]
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert len(statement["Resource"]) == 4

    def test_uses_the_given_qualifiers_and_regions(self, stack: Stack, make: Make) -> None:
        make(qualifiers=["one", "two"], regions=[Aws.REGION, "eu-west-2"])

        may = Can(synthesize(stack))
        assert may.assume("deploy-role", "one")
        assert may.assume("lookup-role", "two", "eu-west-2")
        assert not may.assume("deploy-role")
        assert not may.assume("deploy-role", "one", "us-east-1")

    def test_uses_the_qualifier_of_the_application(self) -> None:
        stack = Stack(new_app({"@aws-cdk/core:bootstrapQualifier": "galv"}), "Stack")
        role_in(stack)

        may = Can(synthesize(stack))
        assert may.assume("deploy-role", "galv")
        assert not may.assume("deploy-role")

    def test_refuses_to_guess_the_qualifier_of_a_synthesizer(self) -> None:
        given = DefaultStackSynthesizer(qualifier="galv")
        stack = Stack(new_app(), "Stack", synthesizer=given)

        with pytest.raises(ValueError, match=r"pass them, such as qualifiers=\['hnb659fds'\]"):
            role_in(stack)
        role_in(stack, qualifiers=["galv"])


class TestCheckStatus:
    STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack"
    ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
    LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"

    def test_may_run_the_check_and_read_its_log(self, checks: Can) -> None:
        cluster = "galv-BackendStack-BackendClusterF18E857C-x"
        family = "galv-BackendStack_Backend_check-status"
        log = f"{self.LOGS}:/galv-BackendStack/Backend/0a1b2c3d/check-status:log-stream:x"
        to_ecs = {"iam__PassedToService": "ecs-tasks.amazonaws.com"}
        role = f"arn:aws:iam::{ACCOUNT}:role/galv-BackendStack/Backend/check-status/galv-x"
        for action, resource in (
            ("cloudformation:DescribeStacks", "*"),
            ("cloudformation:ListStackResources", f"{self.STACK}/galv-BackendStack/0a1b"),
            ("ecs:DescribeServices", f"{self.ECS}:service/{cluster}/web"),
            ("ecs:DescribeTaskDefinition", "*"),
            ("ecs:DescribeTasks", f"{self.ECS}:task/{cluster}/0a1b"),
            ("ecs:StopTask", f"{self.ECS}:task/{cluster}/0a1b"),
            ("logs:GetLogEvents", log),
            ("ses:GetAccount", "*"),
        ):
            assert checks(action, resource), action
        definition = f"{self.ECS}:task-definition/{family}:7"
        for name, allowed in ((cluster, True), ("other", False)):
            arn = f"{self.ECS}:cluster/{name}"
            assert checks("ecs:RunTask", definition, ecs__cluster=arn) is allowed
        task = f"{self.ECS}:task/{cluster}/0a1b"
        assert checks("ecs:TagResource", task, ecs__CreateAction="RunTask")
        assert checks("iam:PassRole", role, **to_ecs)
        assert not checks("iam:PassRole", role, iam__PassedToService="lambda.amazonaws.com")
        assert not checks("iam:PassRole", role)

    def test_may_do_nothing_like_it_elsewhere(self, checks: Can) -> None:
        for action, resource in (
            ("cloudformation:UpdateStack", f"{self.STACK}/galv-BackendStack/0a1b"),
            ("ecs:RunTask", f"{self.ECS}:task-definition/galvBackendStackBackendWebTask:1"),
            ("ecs:RunTask", f"{self.ECS}:task-definition/galv-BackendStack_Two_check-status:1"),
            ("ecs:ExecuteCommand", f"{self.ECS}:task/galv-BackendStack-x/0a1b"),
            ("ecs:StopTask", f"{self.ECS}:task/other/0a1b"),
            ("ecs:TagResource", f"{self.ECS}:task/galv-BackendStack-x/0a1b"),
            ("logs:GetLogEvents", f"{self.LOGS}:/galv-BackendStack/Backend/0a1b2c3d/web:x"),
            ("secretsmanager:GetSecretValue", "*"),
        ):
            assert not checks(action, resource), action
        for role in (
            "admin",
            "galv-BackendStack-BackendWebTaskRole-x",
            "galv-BackendStack2/Backend/check-status/galv-BackendStack2-x",
            "galv-BackendStack/Backend2/check-status/galv-BackendStack-x",
        ):
            assert not checks(
                "iam:PassRole",
                f"arn:aws:iam::{ACCOUNT}:role/{role}",
                iam__PassedToService="ecs-tasks.amazonaws.com",
            )

    def test_no_task_but_the_check_can_be_run_in_any_cluster_of_the_stack(
        self, default: Json
    ) -> None:
        stack = Stack(new_app(), "Stack")
        role_in(stack, check_backends=["Stack/Backend"])
        may = Can(synthesize(stack))
        families = {
            resource["Properties"]["Family"]
            for resource in of_type(default, "AWS::ECS::TaskDefinition").values()
        }
        allowed = {
            family
            for family in families
            if may(
                "ecs:RunTask",
                f"{self.ECS}:task-definition/{family}:1",
                ecs__cluster=f"{self.ECS}:cluster/Stack-x",
            )
        }

        assert len(families) >= 3
        assert allowed == {"Stack_Backend_check-status"}

    def test_the_roles_of_the_check_have_the_path_that_may_be_passed(self, default: Json) -> None:
        paths = {
            logical_id: json.dumps(resource["Properties"].get("Path"))
            for logical_id, resource in of_type(default, "AWS::IAM::Role").items()
        }
        checked = {logical_id for logical_id, path in paths.items() if path != "null"}

        assert len(checked) == 2
        assert all("CheckStatus" in logical_id for logical_id in checked)
        assert {paths[logical_id] for logical_id in checked} == {'"/Stack/Backend/check-status/"'}

    def test_may_not_run_the_check_by_default(self, stack: Stack, make: Make) -> None:
        make()

        assert not Can(synthesize(stack))("ecs:DescribeTaskDefinition")

    def test_uses_the_given_clusters(self, stack: Stack, make: Make) -> None:
        make(check_backends=["Galv/Backend"], check_clusters=["shared"])

        may = Can(synthesize(stack))
        assert may("ecs:DescribeTasks", f"{self.ECS}:task/shared/0a1b")
        assert not may("ecs:DescribeTasks", f"{self.ECS}:task/Galv-x/0a1b")


class TestBroad:
    def test_trusts_an_organization_with_a_warning(self, stack: Stack, make: Make) -> None:
        make(subjects=[ORGANIZATION], broad=True)

        may = Can(synthesize(stack))
        assert may.be_assumed("repo:octo-org/any:ref:refs/heads/main")
        assert not may.be_assumed("repo:other/any:ref:refs/heads/main")
        assert may.assume("deploy-role", "any", "ap-south-1")
        assert not may.assume("cfn-exec-role")
        Annotations.from_stack(stack).has_warning(
            "/Stack/Role", Match.string_like_regexp("broad is set: whoever can push")
        )

    def test_says_nothing_when_it_is_not(self, stack: Stack, make: Make) -> None:
        make()

        Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


def test_can_be_granted_permissions() -> None:
    stack = regional_stack()
    s3.Bucket.from_bucket_name(stack, "Bucket", "ours").grant_read(role_in(stack))

    assert Can(synthesize(stack))("s3:GetObject", "arn:aws:s3:::ours/key")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subjects": []}, "subjects must be a list of GitHubSubject, at least one, got []"),
        ({"subjects": "octo-org/octo-repo"}, "subjects must be a list of GitHubSubject"),
        ({"subjects": ["repo:octo-org/octo-repo:*"]}, "subjects must be a list of GitHubSubject"),
        ({"subjects": PRODUCTION}, "subjects must be a list of GitHubSubject"),
        ({"subjects": [PRODUCTION, REVIEW]}, "subjects has pull requests, which run code that "),
        ({"subjects": [ORGANIZATION]}, "subjects has a whole organization, 'repo:octo-org/*'"),
        ({"provider": PROVIDER_ARN}, "provider must be an aws_iam.IOidcProvider"),
        ({"qualifiers": []}, "qualifiers must be a list such as ['hnb659fds'], got []"),
        ({"qualifiers": "galv"}, "qualifiers must be a list such as ['hnb659fds'], got 'galv'"),
        (
            {"qualifiers": ["*"]},
            "qualifiers must be names such as 'hnb659fds', with no wildcards, got '*'",
        ),
        ({"qualifiers": ["elevenletters"]}, "qualifiers must be names such as "),
        (
            {"regions": ["eu-west-*"]},
            "regions must be names such as 'eu-west-2', with no wildcards",
        ),
        ({"regions": [7]}, "regions must be names such as 'eu-west-2', with no wildcards, got 7"),
        ({"check_backends": "galv"}, "check_backends must be a list such as ['galv-Backend"),
        ({"check_backends": ["*/B"]}, "check_backends must be names such as 'galv-Backend"),
        (
            {"check_backends": ["galv-BackendStack"]},
            "check_backends must be names such as 'galv-BackendStack/Backend'",
        ),
        ({"check_backends": ["a/B"], "check_clusters": ["*"]}, "check_clusters must be names"),
        ({"check_clusters": ["a"]}, "check_clusters are given without check_backends"),
        ({"broad": 1}, "broad must be true or false, got 1"),
        ({"broad": True, "regions": ["eu-west-2"]}, "qualifiers or regions are given with broad"),
        ({"broad": True, "qualifiers": ["galv"]}, "qualifiers or regions are given with broad"),
    ],
)
def test_refuses_unsafe_or_contradictory_arguments(
    make: Make, refusal: Refusal, arguments: Json, message: str
) -> None:
    assert refusal(lambda: make(**arguments)).startswith(message)
