"""The permissions of the CDK CLI, checked in the deploy role and the real bootstrap."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_cdk import Stack
from backends import new_app
from iam_simulation import ACCOUNT, REGION, Resolved, is_allowed
from moto.iam.aws_managed_policies import aws_managed_policies_data
from templates import Json, as_list, only_id, synthesize

from galv_constructs import GalvDeployRole, GalvReviewRole, GitHubSubject

CDK = Path(__file__).parents[2] / "node_modules" / ".bin" / "cdk"
SUBJECT = GitHubSubject.environment("octo-org/octo-repo", "production")
QUALIFIER = "hnb659fds"
SUFFIX = f"{ACCOUNT}-{REGION}"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/galv-BackendStack/0a1b"
ASSETS = f"arn:aws:s3:::cdk-{QUALIFIER}-assets-{SUFFIX}"
IMAGES = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/cdk-{QUALIFIER}-container-assets-{SUFFIX}"
EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/cdk-{QUALIFIER}-cfn-exec-role-{SUFFIX}"
VERSION = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/cdk-bootstrap/{QUALIFIER}/version"

# What `cdk synth`, `cdk diff` and `cdk deploy` call, and the role that they call it with.
CALLS = {
    "deploy-role": {
        **{
            f"cloudformation:{action}": STACK
            for action in (
                "ContinueUpdateRollback",
                "CreateChangeSet",
                "DeleteChangeSet",
                "DescribeChangeSet",
                "DescribeEvents",
                "DescribeStackEvents",
                "DescribeStackResources",
                "DescribeStacks",
                "ExecuteChangeSet",
                "GetTemplate",
                "GetTemplateSummary",
                "ListChangeSets",
                "RollbackStack",
                "UpdateTerminationProtection",
            )
        },
        "iam:PassRole": EXECUTION,
        "s3:GetObject": f"{ASSETS}/0a1b.json",
        "ssm:GetParameter": VERSION,
        "sts:GetCallerIdentity": "*",
    },
    "file-publishing-role": {
        "s3:GetBucketLocation": ASSETS,
        "s3:GetEncryptionConfiguration": ASSETS,
        "s3:ListBucket": ASSETS,
        "s3:PutObject": f"{ASSETS}/0a1b.zip",
    },
    "image-publishing-role": {
        "ecr:BatchCheckLayerAvailability": IMAGES,
        "ecr:CompleteLayerUpload": IMAGES,
        "ecr:DescribeImages": IMAGES,
        "ecr:DescribeRepositories": IMAGES,
        "ecr:GetAuthorizationToken": "*",
        "ecr:InitiateLayerUpload": IMAGES,
        "ecr:PutImage": IMAGES,
        "ecr:UploadLayerPart": IMAGES,
    },
    "lookup-role": {
        "cloudformation:DescribeStacks": STACK,
        "cloudformation:GetTemplate": STACK,
        "ec2:DescribeAvailabilityZones": "*",
        "ec2:DescribeVpcs": "*",
        "route53:ListHostedZonesByName": "*",
        "ssm:GetParameter": VERSION,
    },
}


class Principal:
    """A role with its policies, those of AWS among them."""

    def __init__(self, template: Resolved, logical_id: str, managed: Json) -> None:
        role = template.role(logical_id)
        self.trust = role["AssumeRolePolicyDocument"]
        self.policies = list(template.policies(logical_id))
        for arn in role.get("ManagedPolicyArns", []):
            self.policies.append(managed[arn.rpartition("/")[2]]["Document"])

    def may(self, action: str, resource: str = "*", **context: str) -> bool:
        within = {"aws__ResourceAccount": ACCOUNT, "s3__ResourceAccount": ACCOUNT}
        return is_allowed(self.policies, action, resource, **within, **context)

    def may_become(self, other: "Principal", arn: str) -> bool:
        """Whether it may assume a role of its own account."""
        return self.may("sts:AssumeRole", arn) and is_allowed([other.trust], "sts:AssumeRole")


@pytest.fixture(scope="module")
def managed() -> Json:
    """The policies of AWS, by name."""
    policies: Json = json.loads(aws_managed_policies_data)
    return policies


@pytest.fixture(scope="module")
def bootstrap(managed: Json, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Principal]:
    """The roles that `cdk bootstrap` makes, by name."""
    done = subprocess.run(
        [str(CDK), "bootstrap", "--show-template", "--json", "--no-notices"],
        cwd=tmp_path_factory.mktemp("empty"),
        env={**os.environ, "CDK_DISABLE_VERSION_CHECK": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    template = json.loads(done.stdout)
    resolved = Resolved(template)
    return {
        resolved.role(logical_id)["RoleName"]: Principal(resolved, logical_id, managed)
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def role(managed: Json, **arguments: object) -> Principal:
    stack = Stack(new_app(), "Stack")
    given: Json = {"subjects": [SUBJECT], **arguments}
    GalvDeployRole(stack, "Role", **given)
    template = synthesize(stack)
    return Principal(Resolved(template), only_id(template, "AWS::IAM::Role"), managed)


@pytest.fixture(scope="module")
def deploy(managed: Json) -> Principal:
    return role(managed, check_backends=["galv-BackendStack/Backend"])


@pytest.mark.parametrize(
    ("name", "action", "resource"),
    [
        pytest.param(name, action, arn, id=f"{name}-{action}")
        for name, calls in CALLS.items()
        for action, arn in calls.items()
    ],
)
def test_the_cli_may_do_what_it_needs_through_a_bootstrap_role(
    deploy: Principal, bootstrap: dict[str, Principal], name: str, action: str, resource: str
) -> None:
    role_name = f"cdk-{QUALIFIER}-{name}-{SUFFIX}"

    assert deploy.may_become(bootstrap[role_name], f"arn:aws:iam::{ACCOUNT}:role/{role_name}")
    assert bootstrap[role_name].may(action, resource)


def test_the_bootstrap_has_one_more_role_which_only_cloudformation_assumes(
    deploy: Principal, bootstrap: dict[str, Principal]
) -> None:
    names = {f"cdk-{QUALIFIER}-{name}-{SUFFIX}" for name in CALLS}
    (other,) = set(bootstrap) - names

    assert EXECUTION.endswith(other)
    assert not deploy.may_become(bootstrap[other], EXECUTION)
    assert "cloudformation.amazonaws.com" in str(bootstrap[other].trust)


def known_actions(managed: Json) -> Iterator[str]:
    """Every action that a policy of AWS names without a wildcard."""
    for policy in managed.values():
        for statement in as_list(policy["Document"]["Statement"]):
            for action in as_list(statement.get("Action", [])):
                if "*" not in action and ":" in action:
                    yield action


# With which conditions hold.
CONTEXT = {
    "ecs__CreateAction": "RunTask",
    "ecs__cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/galv-BackendStack-x",
    "iam__PassedToService": "ecs-tasks.amazonaws.com",
}


@pytest.mark.slow
def test_the_role_itself_may_do_nothing_else(deploy: Principal, managed: Json) -> None:
    """On any resource that its policies name, of all the actions there are."""
    resources = {
        arn.replace("*", "x")
        for policy in deploy.policies
        for statement in policy["Statement"]
        for arn in as_list(statement["Resource"])
    }
    actions = {action.lower(): action for action in known_actions(managed)}
    assert len(actions) > 5000

    allowed = {
        action
        for action in actions.values()
        for arn in resources
        if deploy.may(action, arn, **CONTEXT)
    }

    assert allowed == {
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeTasks",
        "ecs:RunTask",
        "ecs:StopTask",
        "ecs:TagResource",
        "iam:PassRole",
        "logs:GetLogEvents",
        "ses:GetAccount",
        "sts:AssumeRole",
    }


# What reads users' data, or starts something that does.
READS_DATA = (
    ("s3:GetObject", "arn:aws:s3:::galv-backendstack-media/lab_1/data.parquet"),
    ("s3:GetObject", f"{ASSETS}/0a1b.json"),
    ("s3:ListBucket", "arn:aws:s3:::galv-backendstack-media"),
    ("logs:GetLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/galv/web:log-stream:a"),
    ("logs:StartQuery", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/galv/web"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:galv"),
    ("kms:Decrypt", "*"),
    ("rds:DownloadDBLogFilePortion", "*"),
    ("ecs:RunTask", "*"),
    ("ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/galv/password"),
    ("cloudformation:GetTemplate", STACK.replace("galv-", "payroll-")),
)


class TestReviewRole:
    @pytest.fixture(scope="class")
    @staticmethod
    def review(managed: Json) -> Principal:
        stack = Stack(new_app(), "Stack")
        subject = GitHubSubject.pull_request("octo-org/octo-repo")
        GalvReviewRole(stack, "Role", subjects=[subject], stacks=["galv-*"])
        template = synthesize(stack)
        return Principal(Resolved(template), only_id(template, "AWS::IAM::Role"), managed)

    def test_becomes_no_other_role(
        self, review: Principal, bootstrap: dict[str, Principal]
    ) -> None:
        assert not any(
            review.may_become(other, f"arn:aws:iam::{ACCOUNT}:role/{name}")
            for name, other in bootstrap.items()
        )

    @pytest.mark.parametrize(("action", "resource"), READS_DATA)
    def test_reads_no_data(self, review: Principal, action: str, resource: str) -> None:
        assert not review.may(action, resource)

    def test_may_do_nothing_else_of_all_that_aws_has(
        self, review: Principal, managed: Json
    ) -> None:
        allowed = {
            action
            for action in {action.lower() for action in known_actions(managed)}
            for arn in ("*", STACK, VERSION, ASSETS)
            if review.may(action, arn, **CONTEXT)
        }

        assert allowed == {
            "cloudformation:describestacks",
            "cloudformation:gettemplate",
            "ssm:getparameter",
        }


def test_the_lookup_role_would_read_uploads(bootstrap: dict[str, Principal]) -> None:
    """Why pull requests do not get it."""
    lookup = bootstrap[f"cdk-{QUALIFIER}-lookup-role-{SUFFIX}"]

    assert lookup.may("s3:GetObject", READS_DATA[0][1])
