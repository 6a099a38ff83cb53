"""The findings of the audit, each weakness by itself, and its answer if it may not look."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aws_cdk import Stack
from backends import new_app
from ops.recorded import (
    ACCOUNT,
    REGION,
    SECRET,
    Answer,
    Json,
    Recorded,
    log_group,
    resource,
    sends_by_ses,
    service,
)
from ops.transcript import transcript
from templates import only, synthesize

from galv_constructs import GalvDeployRole, GitHubSubject
from galv_ops.commands.audit import _LOOKS

BACKEND = "galv-BackendStack"
PAGE = Path(__file__).parents[2] / "docs" / "galv-ops.md"
ISSUER = "token.actions.githubusercontent.com"
NOW = datetime.now(timezone.utc)
OLD = NOW - timedelta(days=400)
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/galv@sha256:{'0a1b' * 16}"
EXECUTION = f"cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
# Of IAM, where it is not that of the service's client.
PREFIXES = {
    "cloudwatch-logs": "logs",
    "elastic-load-balancing-v2": "elasticloadbalancing",
    "secrets-manager": "secretsmanager",
    "sesv2": "ses",
}
ACTIONS = {
    "s3-control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
}


@pytest.fixture
def account(recorded: Recorded) -> Recorded:
    """A deployment in an account in which nothing is weak, with a part of every kind."""
    recorded.resources[BACKEND] += [
        resource("BackendMedia1234ABCD", "AWS::S3::Bucket", "media"),
        resource("BackendAlarm1234ABCD", "AWS::CloudWatch::Alarm", "alarm"),
        resource("BackendSecret1234ABCD", "AWS::SecretsManager::Secret", f"{SECRET}:own-AbC123"),
        resource(
            "BackendLoadBalancer1234ABCD", "AWS::ElasticLoadBalancingV2::LoadBalancer", "arn:lb"
        ),
    ]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
    recorded.answers |= {
        "cloudwatch.DescribeAlarms": {
            "MetricAlarms": [{"AlarmName": "alarm", "AlarmActions": [topic]}]
        },
        "sns.ListSubscriptionsByTopic": {"Subscriptions": [{"SubscriptionArn": f"{topic}:1"}]},
        "secrets-manager.ListSecretVersionIds": versions(NOW),
        "cloudwatch-logs.DescribeLogGroups": kept(365),
        "iam.ListRoles": roles({"sub": "repo:o/r:environment:production"}),
        "iam.GetRole": {"Role": role({}, used=NOW)},
        "ec2.DescribeSecurityGroups": rules((443, "0.0.0.0/0"), (80, "0.0.0.0/0"), (8000, None)),
    }
    sends_by_ses(recorded)
    in_ecr(recorded)
    return recorded


def in_ecr(recorded: Recorded) -> None:
    answer = recorded.answers["ecs.DescribeTaskDefinition"]

    def of_ecr(request: Json, region: str) -> Json:
        assert callable(answer)
        found = answer(request, region)
        found["taskDefinition"]["containerDefinitions"][0]["image"] = ECR
        return found

    recorded.answers["ecs.DescribeTaskDefinition"] = of_ecr


def versions(when: datetime) -> Json:
    return {
        "Name": "own",
        "Versions": [
            {"VersionStages": ["AWSCURRENT"], "CreatedDate": when},
            {"VersionStages": ["AWSPREVIOUS"], "CreatedDate": OLD},
        ],
    }


def kept(days: int | None) -> Answer:
    def answer(request: Json, _region: str) -> Json:
        group: Json = {"logGroupName": request["logGroupNamePrefix"]}
        if days is not None:
            group["retentionInDays"] = days
        # Another one, whose name only begins alike.
        return {"logGroups": [group, {"logGroupName": f"{group['logGroupName']}-2"}]}

    return answer


def role(
    claims: Json, *, operator: str = "StringLike", used: datetime | None = None, **changes: Any
) -> Json:
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
                "Condition": {
                    operator: {f"{ISSUER}:{name}": value for name, value in claims.items()}
                },
            }
        ]
    }
    return {
        "RoleName": "github",
        "Path": "/",
        "RoleId": "AROAEXAMPLEEXAMPLE00",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/github",
        "CreateDate": OLD,
        "AssumeRolePolicyDocument": quote(json.dumps(trust)),
        "RoleLastUsed": {} if used is None else {"LastUsedDate": used},
        **changes,
    }


def roles(claims: Json, **changes: Any) -> Json:
    return {"Roles": [role(claims, **changes)], "IsTruncated": False}


def rules(*given: tuple[int, str | None], protocol: str = "tcp") -> Json:
    return {
        "SecurityGroups": [
            {
                "GroupId": "sg-web",
                "IpPermissions": [
                    {
                        "IpProtocol": protocol,
                        "FromPort": port,
                        "ToPort": port,
                        "IpRanges": [{"CidrIp": cidr}] if cidr else [],
                    }
                    for port, cidr in given
                ],
            }
        ]
    }


def database(**values: Any) -> Json:
    return {"DBInstances": [{"DBInstanceIdentifier": "db", **values}]}


def attached(name: str) -> Json:
    arn = f"arn:aws:iam::aws:policy/{name}"
    return {"AttachedPolicies": [{"PolicyName": name, "PolicyArn": arn}], "IsTruncated": False}


def listener(kind: str) -> Json:
    return {"Listeners": [{"Protocol": "HTTP", "Port": 80, "DefaultActions": [{"Type": kind}]}]}


def test_finds_nothing_in_a_deployment_without_weaknesses(account: Recorded) -> None:
    result = account.run("audit")

    assert (result.stdout, result.exit_code) == ("Nothing was found.\n", 0), result.output


def test_it_changes_nothing(account: Recorded) -> None:
    account.run("audit")

    assert all(re.match(r"(Describe|Get|List)", call.partition(".")[2]) for call in account.calls)


def test_its_calls_are_among_the_documented_permissions(account: Recorded) -> None:
    account.answers["iam.ListAttachedRolePolicies"] = attached("Wide")
    account.answers["iam.GetPolicy"] = {"Policy": {"DefaultVersionId": "v1"}}
    account.answers["iam.GetPolicyVersion"] = {"PolicyVersion": {"Document": quote("{}")}}
    assert account.run("audit").exit_code == 0

    policy = re.search(r"policy: begin -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert policy is not None
    statements = {one["Sid"]: one for one in json.loads(policy[1])["Statement"]}
    called = set()
    for call in account.calls:
        service_id, _, name = call.partition(".")
        action = f"{PREFIXES.get(service_id, service_id)}:{name}"
        called.add(ACTIONS.get(action, action))
    looked = {*statements["Look"]["Action"], *statements["Audit"]["Action"]}
    assert called <= looked
    assert set(statements["Audit"]["Action"]) <= called, "none is asked for in vain"


@pytest.mark.parametrize(
    ("call", "answer", "severity", "text"),
    [
        ("iam.GetAccountSummary", {"SummaryMap": {}}, "high", "root user has no second factor"),
        (
            "iam.GetAccountSummary",
            {"SummaryMap": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 1}},
            "high",
            "root user has an access key",
        ),
        (
            "iam.ListAttachedRolePolicies",
            attached("AdministratorAccess"),
            "medium",
            "CloudFormation deploys with AdministratorAccess",
        ),
        ("iam.ListRoles", roles({}), "high", "any repository on GitHub"),
        ("iam.ListRoles", roles({"aud": "sts.amazonaws.com"}), "high", "any repository on GitHub"),
        ("iam.ListRoles", roles({"sub": "*"}), "high", "repositories of strangers: *"),
        ("iam.ListRoles", roles({"sub": "repo:*"}), "high", "repositories of strangers: repo:*"),
        ("iam.ListRoles", roles({"sub": "repo:*/r:ref:x"}), "high", "repositories of strangers"),
        ("iam.ListRoles", roles({"sub": "repo:o/*"}), "high", "every repository of o: repo:o/*"),
        ("iam.ListRoles", roles({"sub": ["repo:o/r:*"]}), "medium", "every branch, tag and pull"),
        ("iam.GetRole", {"Role": role({})}, "low", "nobody has used for 90 days"),
        ("iam.GetRole", {"Role": role({}, used=OLD)}, "low", "could assume: github."),
        ("cloudtrail.DescribeTrails", {"trailList": []}, "high", "No trail of CloudTrail"),
        (
            "cloudtrail.DescribeTrails",
            {"trailList": [{"TrailARN": "x", "HomeRegion": "eu-north-1"}]},
            "high",
            f"records what is done in {REGION}",
        ),
        (
            "cloudtrail.DescribeTrails",
            {"trailList": [{"TrailARN": "x", "IsMultiRegionTrail": True}]},
            "low",
            "validation is off",
        ),
        ("cloudtrail.GetTrailStatus", {"IsLogging": False}, "high", "No trail of CloudTrail"),
        ("guardduty.ListDetectors", {"DetectorIds": []}, "medium", "GuardDuty is off"),
        (
            "guardduty.GetDetector",
            {"Status": "DISABLED", "ServiceRole": "x"},
            "medium",
            "GuardDuty is off",
        ),
        (
            "s3-control.GetPublicAccessBlock",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            "medium",
            "lets buckets be public",
        ),
        (
            "s3.GetPublicAccessBlock",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            "medium",
            "The bucket media can be made public",
        ),
        (
            "s3.GetBucketPolicyStatus",
            {"PolicyStatus": {"IsPublic": True}},
            "high",
            "The bucket media is public",
        ),
        ("rds.DescribeDBInstances", database(PubliclyAccessible=True), "high", "public address"),
        ("rds.DescribeDBInstances", database(StorageEncrypted=False), "high", "not encrypted"),
        ("rds.DescribeDBInstances", database(BackupRetentionPeriod=0), "high", "no automated"),
        (
            "rds.DescribeDBInstances",
            database(DeletionProtection=False),
            "high",
            "The database db can be deleted by one call",
        ),
        (
            "elastic-load-balancing-v2.DescribeLoadBalancerAttributes",
            {"Attributes": [{"Key": "deletion_protection.enabled", "Value": "false"}]},
            "low",
            "The load balancer can be deleted",
        ),
        (
            "elastic-load-balancing-v2.DescribeListeners",
            listener("forward"),
            "high",
            "forwards plain HTTP on port 80",
        ),
        (
            "ec2.DescribeSecurityGroups",
            rules((5432, "0.0.0.0/0")),
            "high",
            "sg-web lets everybody in on ports 5432 to 5432",
        ),
        ("ec2.DescribeSecurityGroups", rules((443, "0.0.0.0/0"), protocol="udp"), "high", "443"),
        ("secrets-manager.ListSecretVersionIds", versions(OLD), "low", "for a year: own"),
        (
            "ecr.DescribeImageScanFindings",
            {"imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 2, "HIGH": 5}}},
            "high",
            "known weaknesses: 2 critical and 5 high",
        ),
        (
            "ecr.DescribeImageScanFindings",
            {"imageScanFindings": {"findingSeverityCounts": {"HIGH": 1, "LOW": 9}}},
            "medium",
            "known weaknesses: 1 high",
        ),
        (
            "cloudwatch.DescribeAlarms",
            {"MetricAlarms": [{"AlarmName": "a", "AlarmActions": []}]},
            "medium",
            "1 alarm nobody gets",
        ),
        (
            "cloudwatch.DescribeAlarms",
            {"MetricAlarms": [{"AlarmName": "a", "ActionsEnabled": False, "AlarmActions": ["x"]}]},
            "medium",
            "1 alarm nobody gets",
        ),
        (
            "sns.ListSubscriptionsByTopic",
            {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]},
            "medium",
            "1 alarm nobody gets",
        ),
        ("cloudwatch-logs.DescribeLogGroups", kept(None), "low", "kept for ever"),
        ("cloudwatch-logs.DescribeLogGroups", kept(7), "low", "less than 30 days"),
        (
            "sesv2.GetAccount",
            {"ProductionAccessEnabled": False},
            "low",
            "The account is in the sandbox of SES",
        ),
    ],
)
def test_finds_each_weakness(
    account: Recorded, call: str, answer: Answer, severity: str, text: str
) -> None:
    account.answers[call] = answer

    result = account.run("audit")

    assert result.exit_code == 1, result.output
    assert re.search(rf"^{severity} +.*{re.escape(text)}", result.stdout, re.MULTILINE), (
        result.stdout
    )
    assert result.stdout.count("To do: ") == 1


@pytest.mark.parametrize(
    ("call", "code", "text"),
    [
        (
            "s3-control.GetPublicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
            "The account lets buckets be public",
        ),
        (
            "s3.GetPublicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
            "The bucket media can be made public",
        ),
        ("ecr.DescribeImageScanFindings", "ScanNotFoundException", "was never scanned"),
    ],
)
def test_finds_a_missing_setting(account: Recorded, call: str, code: str, text: str) -> None:
    account.refuse(call, code)

    result = account.run("audit")

    assert result.exit_code == 1
    assert text in result.stdout
    assert "Not looked at" not in result.stdout


def test_a_policy_of_ones_own_is_read(account: Recorded) -> None:
    account.answers["iam.ListAttachedRolePolicies"] = attached("Wide")
    account.answers["iam.GetPolicy"] = {"Policy": {"DefaultVersionId": "v3"}}
    document = {"Statement": {"Effect": "Allow", "Action": ["s3:*", "*"], "Resource": "*"}}
    account.answers["iam.GetPolicyVersion"] = {
        "PolicyVersion": {"Document": quote(json.dumps(document))}
    }

    result = account.run("audit")

    assert "CloudFormation deploys with Wide" in result.stdout
    ((_, asked),) = [one for one in account.requests if one[0] == "iam.ListAttachedRolePolicies"]
    assert asked["RoleName"] == EXECUTION


@pytest.mark.parametrize(
    "trusted",
    [
        roles({"sub": "repo:o/r:ref:refs/heads/main"}),
        roles({"sub": "repo:o/r:*", "environment": "production"}),
        roles({"sub": "repo:o/r:*"}, operator="StringEquals"),
        roles({"sub": "repo:o@*/r@*:environment:production"}),
    ],
)
def test_accepts_a_trust_that_names_its_runs(account: Recorded, trusted: Json) -> None:
    account.answers["iam.ListRoles"] = trusted

    assert account.run("audit").exit_code == 0


def test_accepts_the_role_of_this_library(account: Recorded) -> None:
    stack = Stack(new_app(), "Stack")
    subjects = [
        GitHubSubject.environment("octo-org/octo-repo", "production"),
        GitHubSubject.branch("octo-org/octo-repo", "main"),
    ]
    GalvDeployRole(stack, "Role", subjects=subjects)
    document = only(synthesize(stack), "AWS::IAM::Role")["AssumeRolePolicyDocument"]
    for statement in document["Statement"]:
        statement["Principal"] = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
    made = role({}, AssumeRolePolicyDocument=quote(json.dumps(document)))
    account.answers["iam.ListRoles"] = {"Roles": [made], "IsTruncated": False}

    assert account.run("audit").exit_code == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"Path": "/aws-service-role/x/"},
        {"RoleName": "cdk-hnb659fds-deploy-role"},
        {"CreateDate": NOW},
    ],
)
def test_roles_that_may_wait_are_not_unused(account: Recorded, changes: Json) -> None:
    claims = {"sub": "repo:o/r:environment:production"}
    account.answers["iam.ListRoles"] = roles(claims, **changes)
    account.answers["iam.GetRole"] = {"Role": role(claims)}

    assert account.run("audit").exit_code == 0


def test_outside_production_nothing_is_protected_from_deletion(account: Recorded) -> None:
    account.answers["rds.DescribeDBInstances"] = database(DeletionProtection=False)
    account.answers["ecs.DescribeServices"] = {"services": [service(enableExecuteCommand=True)]}

    assert account.run("audit").exit_code == 0


def test_a_redirect_is_no_plain_http(account: Recorded) -> None:
    account.answers["elastic-load-balancing-v2.DescribeListeners"] = listener("redirect")

    assert account.run("audit").exit_code == 0


def test_accepts_a_bucket_without_a_policy(account: Recorded) -> None:
    account.refuse("s3.GetBucketPolicyStatus", "NoSuchBucketPolicy")

    assert account.run("audit").exit_code == 0


def test_a_secret_that_is_gone_is_not_old(account: Recorded) -> None:
    account.refuse("secrets-manager.ListSecretVersionIds", "ResourceNotFoundException")

    assert account.run("audit").exit_code == 0


def test_does_not_look_up_images_outside_ecr(account: Recorded, recorded: Recorded) -> None:
    del account.answers["ecr.DescribeImageScanFindings"]
    answer = account.answers["ecs.DescribeTaskDefinition"]

    def elsewhere(request: Json, region: str) -> Json:
        assert callable(answer)
        found = answer(request, region)
        found["taskDefinition"]["containerDefinitions"][0]["image"] = "ghcr.io/a/b:v1"
        return found

    account.answers["ecs.DescribeTaskDefinition"] = elsewhere

    assert account.run("audit").exit_code == 0


CALLS = (
    "iam.GetAccountSummary",
    "iam.ListAttachedRolePolicies",
    "iam.ListRoles",
    "iam.GetRole",
    "cloudtrail.DescribeTrails",
    "cloudtrail.GetTrailStatus",
    "guardduty.ListDetectors",
    "guardduty.GetDetector",
    "s3-control.GetPublicAccessBlock",
    "s3.GetPublicAccessBlock",
    "s3.GetBucketPolicyStatus",
    "rds.DescribeDBInstances",
    "elastic-load-balancing-v2.DescribeLoadBalancerAttributes",
    "elastic-load-balancing-v2.DescribeListeners",
    "ec2.DescribeSecurityGroups",
    "secrets-manager.ListSecretVersionIds",
    "ecr.DescribeImageScanFindings",
    "cloudwatch.DescribeAlarms",
    "sns.ListSubscriptionsByTopic",
    "cloudwatch-logs.DescribeLogGroups",
    "sesv2.GetAccount",
)


@pytest.mark.parametrize("call", CALLS)
def test_says_which_subjects_may_not_be_read(account: Recorded, call: str) -> None:
    account.refuse(call, "AccessDenied", "no")

    result = account.run("audit")

    assert result.exit_code == 125, result.output
    # Two subjects look at all roles.
    times = 2 if call == "iam.ListRoles" else 1
    assert result.stdout.count("Not looked at: ") == times
    assert result.stdout.count(f"not allowed to call {call.partition('.')[2]}") == times
    assert "Nothing was found" not in result.stdout


def test_json_lists_the_subjects_that_may_not_be_read(account: Recorded) -> None:
    account.refuse("iam.GetAccountSummary", "AccessDenied", "no")

    data = json.loads(account.run("audit", "--json").stdout)

    assert data["findings"] == []
    (gap,) = data["notLookedAt"]
    assert gap.startswith("root user: not allowed to call GetAccountSummary")


def test_each_call_can_be_refused(account: Recorded) -> None:
    account.run("audit")

    found = {"cloudformation", "ecs"}
    assert {call for call in account.calls if call.partition(".")[0] not in found} == set(CALLS)


def test_a_refused_call_hides_no_finding(account: Recorded) -> None:
    account.refuse("cloudtrail.DescribeTrails", "AccessDenied", "no")
    account.answers["guardduty.ListDetectors"] = {"DetectorIds": []}

    result = account.run("audit")

    assert result.exit_code == 1
    assert "GuardDuty is off" in result.stdout
    assert "Not looked at: trail: not allowed to call DescribeTrails" in result.stdout


def test_the_most_severe_comes_first(account: Recorded) -> None:
    account.answers["sesv2.GetAccount"] = {"ProductionAccessEnabled": False}
    account.answers["guardduty.ListDetectors"] = {"DetectorIds": []}
    account.answers["cloudtrail.DescribeTrails"] = {"trailList": []}

    data = json.loads(account.run("audit", "--json").stdout)

    assert [one["severity"] for one in data["findings"]] == ["high", "medium", "low"]
    assert [one["subject"] for one in data["findings"]] == ["trail", "guardduty", "mail"]
    assert data["deployment"] == "galv"


@pytest.mark.parametrize(("least", "code"), [("low", 1), ("medium", 0), ("high", 0)])
def test_less_severe_findings_can_be_left_out(account: Recorded, least: str, code: int) -> None:
    account.answers["sesv2.GetAccount"] = {"ProductionAccessEnabled": False}

    assert account.run("audit", "--at-least", least).exit_code == code


def test_audits_the_account_without_a_backend(account: Recorded) -> None:
    account.resources[BACKEND] = []
    account.answers["guardduty.ListDetectors"] = {"DetectorIds": []}

    result = account.run("audit", "--project", "galv")

    assert "GuardDuty is off" in result.stdout


def test_each_subject_is_on_the_page() -> None:
    text = PAGE.read_text().partition("## What audit looks at")[2].partition("\n## ")[0]

    for look in _LOOKS:
        assert f"| {look.__name__.replace('_', ' ')} |" in text


def test_logs_are_those_of_the_stacks(account: Recorded) -> None:
    account.answers["cloudwatch-logs.DescribeLogGroups"] = kept(None)

    assert log_group("web") in account.run("audit").stdout


def test_what_is_said_of_every_weakness(account: Recorded) -> None:
    account.answers |= {
        "iam.GetAccountSummary": {"SummaryMap": {"AccountAccessKeysPresent": 1}},
        "iam.ListAttachedRolePolicies": attached("AdministratorAccess"),
        "iam.ListRoles": {
            "Roles": [
                role(claims, RoleName=name)
                for name, claims in {
                    "any": {},
                    "strangers": {"sub": "repo:*"},
                    "owner": {"sub": "repo:o/*"},
                    "repository": {"sub": "repo:o/r:*"},
                }.items()
            ],
            "IsTruncated": False,
        },
        "iam.GetRole": {"Role": role({})},
        "cloudtrail.DescribeTrails": {"trailList": []},
        "guardduty.ListDetectors": {"DetectorIds": []},
        "s3-control.GetPublicAccessBlock": {"PublicAccessBlockConfiguration": {}},
        "s3.GetPublicAccessBlock": {"PublicAccessBlockConfiguration": {}},
        "s3.GetBucketPolicyStatus": {"PolicyStatus": {"IsPublic": True}},
        "rds.DescribeDBInstances": database(
            PubliclyAccessible=True,
            StorageEncrypted=False,
            BackupRetentionPeriod=0,
            DeletionProtection=False,
        ),
        "elastic-load-balancing-v2.DescribeLoadBalancerAttributes": {
            "Attributes": [{"Key": "deletion_protection.enabled", "Value": "false"}]
        },
        "elastic-load-balancing-v2.DescribeListeners": listener("forward"),
        "ec2.DescribeSecurityGroups": rules((5432, "0.0.0.0/0")),
        "secrets-manager.ListSecretVersionIds": lambda request, _region: {
            **versions(OLD),
            "Name": request["SecretId"].rpartition(":")[2],
        },
        "ecr.DescribeImageScanFindings": {
            "imageScanFindings": {"findingSeverityCounts": {"CRITICAL": 2, "HIGH": 5}}
        },
        "cloudwatch.DescribeAlarms": {"MetricAlarms": [{"AlarmName": "a", "AlarmActions": []}]},
        "cloudwatch-logs.DescribeLogGroups": kept(7),
        "sesv2.GetAccount": {"ProductionAccessEnabled": False},
    }

    transcript("audit", account.run("audit").stdout)


def test_what_is_said_of_weaknesses_that_exclude_those(account: Recorded) -> None:
    account.answers["cloudtrail.DescribeTrails"] = {
        "trailList": [{"TrailARN": "arn:trail", "IsMultiRegionTrail": True}]
    }
    account.answers["cloudwatch-logs.DescribeLogGroups"] = kept(None)
    account.refuse("ecr.DescribeImageScanFindings", "ScanNotFoundException")
    account.refuse("iam.GetAccountSummary", "AccessDenied", "no")

    transcript("audit-more", account.run("audit").stdout)
    transcript("audit-more-json", account.run("audit", "--json").stdout)


def test_a_stack_that_cdk_s_bootstrap_did_not_deploy_is_no_fault(account: Recorded) -> None:
    for one in account.stacks[REGION]:
        one["Parameters"] = []

    result = account.run("audit")

    assert (result.stdout, result.exit_code) == ("Nothing was found.\n", 0)
    assert "iam.ListAttachedRolePolicies" not in account.calls
