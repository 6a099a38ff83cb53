"""Quotas as AWS documents their answers, and what is in use as moto has it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ops.preflight.conftest import REGION

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.quotas import QUOTAS
from galv_ops.preflight.world import World

ABSENT = "NoSuchResourceException"


def asked(world: World, *needs: str) -> list[Finding]:
    return ask({"Quotas": {"Ask": "quotas", "Needs": list(needs)}}, world, 20)


def quota(name: str, value: float, **more: Any) -> dict[str, Any]:
    one = QUOTAS[name]
    described = {
        "ServiceCode": one.service,
        "QuotaCode": one.code,
        "QuotaName": one.name,
        "Value": value,
        "Adjustable": True,
    }
    return {"Quota": {**described, **more}}


def in_use(service: str, amount: float) -> dict[str, Any]:
    """The metric of a quota, which says so much."""
    dimensions = {
        "Service": service,
        "Type": "Resource",
        "Resource": "vCPU",
        "Class": "Standard/OnDemand",
    }
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Usage",
        MetricData=[
            {
                "MetricName": "ResourceCount",
                "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()],
                "Value": amount,
                "Timestamp": datetime.now(timezone.utc) - timedelta(minutes=2),
            }
        ],
    )
    return {
        "MetricNamespace": "AWS/Usage",
        "MetricName": "ResourceCount",
        "MetricDimensions": dimensions,
        "MetricStatisticRecommendation": "Maximum",
    }


def stubbed(world: World, region: str | None = None) -> Stubber:
    return Stubber(world.client("service-quotas", region))


class TestOfWhatIsCounted:
    @pytest.mark.parametrize(("need", "count"), [("eip=3", 0), ("eip=4", 1), ("eip", 0)])
    def test_addresses(self, world: World, need: str, count: int) -> None:
        for _ in range(2):
            boto3.client("ec2").allocate_address(Domain="vpc")
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("eip", 5.0))
            found = asked(world, need)

        assert len(found) == count
        if found:
            assert found[0].severity == "error"
            assert found[0].wrong == (
                "the quota 'EC2-VPC Elastic IPs' (ec2 L-0263D0A3) in eu-west-1 leaves no room for "
                "4 more"
            )
            assert found[0].found == "the quota is 5, and 2 are in use"
            assert found[0].fix.endswith(
                "--service-code ec2 --quota-code L-0263D0A3 --desired-value 6 --region eu-west-1"
            )

    @pytest.mark.parametrize(("limit", "count"), [(2.0, 0), (1.0, 1)])
    def test_vpcs(self, world: World, limit: float, count: int) -> None:
        # moto has the one that every account begins with.
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("vpc", limit))
            assert len(asked(world, "vpc=1")) == count

    @pytest.mark.parametrize(("account", "count"), [("123456789012", 1), ("210987654321", 0)])
    def test_what_other_accounts_share_is_not(self, world: World, account: str, count: int) -> None:
        boto3.client("ec2").create_internet_gateway()
        for name in ("vpc", "internet-gateway"):
            question = {"Ask": "quotas", "Needs": [f"{name}=1"], "Account": account}
            with stubbed(world) as stub:
                stub.add_response("get_service_quota", quota(name, 1.0))
                assert len(ask({"Quotas": question}, world, 20)) == count

    def test_vpcs_by_the_quota_that_moto_has(self, world: World) -> None:
        for number in range(4):
            boto3.client("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16")

        (found,) = asked(world, "vpc=1")

        assert found.found == "the quota is 5, and 5 are in use"

    def test_internet_gateways_and_databases(self, world: World) -> None:
        boto3.client("ec2").create_internet_gateway()
        boto3.client("rds").create_db_instance(
            DBInstanceIdentifier="a", DBInstanceClass="db.t4g.micro", Engine="postgres"
        )
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("internet-gateway", 1.0))
            stub.add_response("get_service_quota", quota("db-instance", 1.0))
            found = asked(world, "internet-gateway=1", "db-instance=1")

        assert [finding.found for finding in found] == ["the quota is 1, and 1 are in use"] * 2

    def test_processors_by_their_metric(self, world: World) -> None:
        metric = in_use("Fargate", 4.0)
        for need, count in (("fargate-vcpu=2", 0), ("fargate-vcpu=2.5", 1)):
            with stubbed(world) as stub:
                answer = quota("fargate-vcpu", 6.0, UsageMetric=metric)
                stub.add_response("get_service_quota", answer)
                found = asked(world, need)

            assert len(found) == count
        assert found[0].found == "the quota is 6, and 4 are in use"

    def test_processors_without_a_metric(self, world: World) -> None:
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("fargate-vcpu", 2.0))
            assert asked(world, "fargate-vcpu=2") == []
            stub.add_response("get_service_quota", quota("fargate-vcpu", 0.0))
            (found,) = asked(world, "fargate-vcpu=2")

        assert found.found == "the quota is 0, and 0 are in use"


class TestOfBuilds:
    @pytest.mark.parametrize(("limit", "count"), [(1.0, 0), (0.0, 1)])
    def test_a_fresh_account_may_have_none(self, world: World, limit: float, count: int) -> None:
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("codebuild", limit))
            found = asked(world, "codebuild=1")

        assert len(found) == count

    def test_those_that_run_are_waited_for(self, world: World) -> None:
        metric = in_use("CodeBuild", 1.0)
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("codebuild", 1.0, UsageMetric=metric))
            assert asked(world, "codebuild=1") == []


class TestOfDistributions:
    def distribution(self) -> None:
        config: Any = {
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "site.s3"}]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        }
        boto3.client("cloudfront").create_distribution(DistributionConfig=config)

    @pytest.mark.parametrize(("limit", "severities"), [(200.0, []), (1.0, ["error"])])
    def test_are_told_in_us_east_1(self, world: World, limit: float, severities: list[str]) -> None:
        self.distribution()
        with stubbed(world, "us-east-1") as stub:
            stub.add_response("get_service_quota", quota("cloudfront", limit))
            found = asked(world, "cloudfront=1")

        assert [finding.severity for finding in found] == severities

    def test_warns_of_an_account_without_any(self, world: World) -> None:
        with stubbed(world, "us-east-1") as stub:
            stub.add_response("get_service_quota", quota("cloudfront", 200.0))
            (found,) = asked(world, "cloudfront=1")

        assert found.severity == "warning"
        assert "verified this account" in found.wrong


class TestOfCloudFrontsPolicies:
    """The 21st laboratory of an account has no room for its own."""

    @pytest.mark.parametrize(("used", "severities"), [(19, []), (20, ["error"])])
    @pytest.mark.parametrize(
        ("need", "operation", "item"),
        [
            ("cache-policy", "list_cache_policies", "CachePolicy"),
            (
                "response-headers-policy",
                "list_response_headers_policies",
                "ResponseHeadersPolicy",
            ),
        ],
    )
    def test_are_counted_without_those_of_aws(  # noqa: PLR0917 - two parametrizations
        self, world: World, used: int, severities: list[str], need: str, operation: str, item: str
    ) -> None:
        config = {"Name": "a"} | ({"MinTTL": 0} if item == "CachePolicy" else {})
        at = datetime(2026, 1, 1, tzinfo=timezone.utc)
        policy = {"Id": "1", "LastModifiedTime": at, f"{item}Config": config}
        items = [{"Type": "custom", item: policy}] * used
        with (
            stubbed(world, "us-east-1") as quotas,
            Stubber(world.client("cloudfront", "us-east-1")) as cloudfront,
        ):
            quotas.add_response("get_service_quota", quota(need, 20.0))
            cloudfront.add_response(
                operation,
                {f"{item}List": {"MaxItems": 100, "Quantity": used, "Items": items}},
                {"Type": "custom", "MaxItems": "100"},
            )
            found = asked(world, f"{need}=1")

        assert [finding.severity for finding in found] == severities


class TestThatSeveralNeed:
    """Two networks need two VPCs, and each alone would fit."""

    def asked(self, world: World, quota_of: str, limit: float, **needs: str) -> list[Finding]:
        questions = {
            f"{check}/Quotas": {"Ask": "quotas", "Needs": [need]} for check, need in needs.items()
        }
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota(quota_of, limit))
            return ask(questions, world, 20)

    def test_is_asked_once_for_all_of_them(self, world: World) -> None:
        # moto has one VPC from the beginning.
        assert self.asked(world, "vpc", 3.0, A="vpc=1", B="vpc=1") == []
        (found,) = self.asked(world, "vpc", 2.0, A="vpc=1", B="vpc=1")

        assert (found.check, found.severity) == ("A/Quotas", "error")
        assert found.wrong.endswith("leaves no room for 2 more")
        assert found.found == (
            "the quota is 2, and 1 are in use; needed are 1 for A/Quotas, 1 for B/Quotas"
        )

    def test_may_be_parts(self, world: World) -> None:
        needs = {"A": "fargate-vcpu=2", "B": "fargate-vcpu=0.5", "C": "fargate-vcpu=4"}

        assert self.asked(world, "fargate-vcpu", 6.5, **needs) == []
        (found,) = self.asked(world, "fargate-vcpu", 6.0, **needs)

        assert "2 for A/Quotas, 0.5 for B/Quotas, 4 for C/Quotas" in found.found

    def test_of_one_that_cannot_be_read_is_asked_without_it(self, world: World) -> None:
        found = self.asked(world, "vpc", 1.0, A="vpc=many", B="vpc=1")

        assert [one.check for one in found] == ["A/Quotas", "B/Quotas"]
        assert found[1].found == "the quota is 1, and 1 are in use"


class TestOfTheAnswer:
    def test_takes_the_default_where_none_was_applied(self, world: World) -> None:
        with stubbed(world) as stub:
            stub.add_client_error("get_service_quota", ABSENT)
            stub.add_response("get_aws_default_service_quota", quota("codebuild", 0.0))
            (found,) = asked(world, "codebuild=1")

        assert found.found == "the quota is 0, and 0 are in use"

    def test_warns_where_service_quotas_knows_none(self, world: World) -> None:
        with stubbed(world) as stub:
            stub.add_client_error("get_service_quota", ABSENT)
            stub.add_client_error("get_aws_default_service_quota", ABSENT)
            (found,) = asked(world, "codebuild=1")

        assert (found.severity, found.found) == ("warning", "there is none")

    def test_warns_where_a_code_is_another_quota(self, world: World) -> None:
        with stubbed(world) as stub:
            answer = quota("codebuild", 0.0, QuotaName="Build projects")
            stub.add_response("get_service_quota", answer)
            (found,) = asked(world, "codebuild=1")

        assert (found.severity, found.found) == ("warning", "it is called 'Build projects'")

    def test_says_where_aws_does_not_raise_it(self, world: World) -> None:
        with stubbed(world) as stub:
            stub.add_response("get_service_quota", quota("codebuild", 0.0, Adjustable=False))
            (found,) = asked(world, "codebuild=1")

        assert "AWS does not raise this quota" in found.fix

    def test_tells_all_that_are_used_up(self, world: World) -> None:
        with stubbed(world) as stub:
            for name in ("codebuild", "fargate-vcpu", "eip"):
                stub.add_response("get_service_quota", quota(name, 0.0))
            found = asked(world, "codebuild=1", "fargate-vcpu=2", "eip=1")

        assert [finding.severity for finding in found] == ["error"] * 3


@pytest.mark.parametrize("need", ["lambda=1", "eip=many", "=1"])
def test_refuses_what_is_no_quota(world: World, need: str) -> None:
    (found,) = asked(world, need)

    assert found.wrong == "the question of this check cannot be asked"
    assert repr(need) in found.found
    assert world.region == REGION
