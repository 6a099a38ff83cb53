"""Differences between regions, and the same application in two of them."""

import json
from collections.abc import Iterator
from functools import cache, partial
from importlib import resources
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import ENVIRONMENT, Refusal, backend_in, new_app, zone_in
from constructs import Construct
from templates import Json, environment, of_type, only, synthesize

from galv_constructs import (
    FrontendSource,
    GalvDeployRole,
    GalvFrontend,
    GalvLogBucket,
    GalvMail,
    GitHubSubject,
)
from galv_constructs._core.regions import (
    AZS_WITHOUT_SMTP_ENDPOINT,
    SERVICES,
    Service,
    is_opt_in,
)

OPT_IN = "eu-central-2"
# Types whose names have to be unique in an account whatever the region, and where the name is.
GLOBAL_NAMES = {
    "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
    "AWS::CloudFront::Function": ("Name",),
    "AWS::CloudFront::OriginAccessControl": ("OriginAccessControlConfig", "Name"),
    "AWS::CloudFront::ResponseHeadersPolicy": ("ResponseHeadersPolicyConfig", "Name"),
    "AWS::IAM::Group": ("GroupName",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::IAM::User": ("UserName",),
    "AWS::S3::Bucket": ("BucketName",),
}
# Those that have no name, or one that only the account's one provider or a resource beside it has.
NAMELESS = {
    "AWS::CloudFront::Distribution",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::Policy",
    "AWS::IAM::AccessKey",
    "AWS::S3::BucketPolicy",
}


def stack_in(region: str, app: App | None = None, id: str = "Stack") -> Stack:
    env = Environment(account=ENVIRONMENT.account, region=region)
    azs = [f"{region}{letter}" for letter in "abc"]
    key = f"availability-zones:account={ENVIRONMENT.account}:region={region}"
    return Stack(app or new_app({key: azs}), id, env=env)


def frontend_in(stack: Construct, **arguments: Any) -> GalvFrontend:
    zone = stack.node.try_find_child("Zone") or zone_in(stack)  # type: ignore[arg-type]
    defaults: Json = {
        "domain_name": "app.example.com",
        "api_url": "https://api.example.com",
        "hosted_zone": zone,
    }
    return GalvFrontend(stack, "Frontend", **{**defaults, **arguments})


def everything_in(region: str) -> Json:
    """The template of all that has names, but for tasks of one's own."""
    stack = stack_in(region)
    zone = zone_in(stack)
    logs = GalvLogBucket(stack, "Logs").bucket
    mail = GalvMail(stack, "Mail", sender="galv@mail.example.com", hosted_zone=zone)
    backend = backend_in(stack, mail=mail, log_bucket=logs)
    frontend_in(stack, storage_buckets=[backend.media_bucket], log_bucket=logs)
    GalvDeployRole(stack, "Role", subjects=[GitHubSubject.branch("octo-org/octo-repo", "main")])
    return synthesize(stack)


def name_of(resource: Json) -> Any:
    value: Any = resource.get("Properties", {})
    for key in GLOBAL_NAMES[resource["Type"]]:
        value = value.get(key) if value else None
    return value


@pytest.mark.slow
class TestTwoRegions:
    @pytest.fixture(scope="class")
    @staticmethod
    def templates() -> list[Json]:
        return [everything_in(region) for region in ("eu-west-1", "eu-west-2")]

    def test_names_that_an_account_has_once_carry_the_region(self, templates: list[Json]) -> None:
        one, other = (
            {
                logical_id: json.dumps(name_of(resource))
                for logical_id, resource in template["Resources"].items()
                if resource["Type"] in GLOBAL_NAMES and name_of(resource) is not None
            }
            for template in templates
        )

        assert one.keys() == other.keys()
        assert len(one) >= 5
        # A reference to the region or the stack has another value in each.
        same = {
            logical_id: name
            for logical_id, name in one.items()
            if name == other[logical_id]
            and "AWS::Region" not in name
            and "AWS::StackId" not in name
        }
        assert same == {}

    def test_the_table_covers_every_resource_type_of_these_services(
        self, templates: list[Json]
    ) -> None:
        kinds = {resource["Type"] for resource in templates[0]["Resources"].values()}
        of_services = {kind for kind in kinds if kind.split("::")[1] in ("CloudFront", "IAM", "S3")}

        assert of_services <= GLOBAL_NAMES.keys() | NAMELESS
        assert {"AWS::CloudFront::OriginAccessControl", "AWS::IAM::User"} <= of_services


@cache
def registry() -> dict[str, frozenset[str]]:
    """Types of resources that CloudFormation knows, by region, as cfn-lint has copied them."""
    folder = resources.files("cfnlint") / "data" / "schemas" / "providers"
    return {
        file.name.removesuffix(".json"): frozenset(json.loads(file.read_text()))
        for file in folder.iterdir()
        if file.name.endswith(".json") and file.name != "sam.json"
    }


def typical(service: Service) -> set[str]:
    """Types of a service that are created here."""
    return {
        "Amazon CloudFront with functions and origin access controls": {
            "AWS::CloudFront::Function",
            "AWS::CloudFront::OriginAccessControl",
        },
        "AWS CodeBuild": {"AWS::CodeBuild::Project"},
        "Amazon SES": {"AWS::SES::EmailIdentity"},
    }[service.name]


def public_regions() -> Iterator[str]:
    """Regions that anyone can have an account in; of others the registry is not told."""
    return (region for region in registry() if "iso" not in region and "eusc" not in region)


class TestTable:
    @pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
    def test_agrees_with_cloudformations_registry(self, service: Service) -> None:
        lacking = {region for region in public_regions() if typical(service) - registry()[region]}
        listed = {
            region for region in public_regions() if region.startswith(tuple(service.missing))
        }

        assert listed == lacking

    @pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
    def test_each_line_names_its_source(self, service: Service) -> None:
        assert service.source.startswith("https://docs.aws.amazon.com/")

    def test_regions_that_are_not_known_are_not_opted_in_to(self) -> None:
        assert not is_opt_in(None)
        assert not is_opt_in("us-east-1")
        assert is_opt_in("eu-central-2")
        assert is_opt_in("xx-new-1")

    def test_knows_the_regions_that_every_account_has(self) -> None:
        default = [region for region in public_regions() if not is_opt_in(region)]

        assert len(default) == 17
        assert set(AZS_WITHOUT_SMTP_ENDPOINT) <= set(default)


class TestRefusals:
    @pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
    def test_refuses_a_region_without_cloudfront(self, refusal: Refusal, region: str) -> None:
        stack = stack_in(region)

        for make in (backend_in, frontend_in):
            said = refusal(partial(make, stack))
            assert f"the stack Stack is in {region}, which does not have Amazon CloudFront" in said

    def test_refuses_mail_in_a_region_without_ses(self, refusal: Refusal) -> None:
        stack = stack_in("eu-south-2")

        said = refusal(lambda: GalvMail(stack, "Mail", sender="galv@mail.example.com"))
        assert "is in eu-south-2, which does not have Amazon SES (https://" in said
        assert "GalvMail.from_secret" in said

    def test_refuses_the_default_host_of_given_credentials_there(self, refusal: Refusal) -> None:
        stack = stack_in("eu-south-2")
        zone_in(stack)
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Smtp", "smtp")
        mail = GalvMail.from_secret(secret, sender="galv@example.com")

        assert "pass host='email-smtp." in refusal(lambda: backend_in(stack, mail=mail))

    def test_refuses_to_build_a_site_without_codebuild(
        self, refusal: Refusal, tmp_path: Any
    ) -> None:
        stack = stack_in("ca-west-1")
        zone_in(stack)

        said = refusal(lambda: frontend_in(stack))
        assert "is in ca-west-1, which does not have AWS CodeBuild" in said
        assert "FrontendSource.directory" in said
        (tmp_path / "index.html").write_text("<html></html>")
        frontend_in(stack, source=FrontendSource.directory(str(tmp_path)))


@pytest.mark.slow
class TestOptInRegion:
    @pytest.fixture(scope="class")
    @staticmethod
    def template() -> Json:
        return everything_in(OPT_IN)

    def test_cloudfront_logs_nowhere(self, template: Json) -> None:
        distributions = of_type(template, "AWS::CloudFront::Distribution").values()

        assert len(distributions) == 2
        for distribution in distributions:
            assert "Logging" not in distribution["Properties"]["DistributionConfig"]

    def test_all_else_is_logged(self, template: Json) -> None:
        attributes = only(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")
        assert {"Key": "access_logs.s3.enabled", "Value": "true"} in attributes[
            "LoadBalancerAttributes"
        ]

    def test_presigned_urls_are_those_of_the_region(self, template: Json) -> None:
        for name in ("web", "setup-db", "check-status"):
            endpoint = environment(template, name)["AWS_ENDPOINT_URL_S3"]
            assert endpoint == f"https://s3.{OPT_IN}.amazonaws.com"

    def test_the_site_may_fetch_from_the_bucket_and_not_from_all_of_s3(
        self, template: Json
    ) -> None:
        text = json.dumps(only(template, "AWS::CloudFront::ResponseHeadersPolicy"))

        assert f"https://s3.{OPT_IN}.amazonaws.com/" in text
        assert f"https://s3.{OPT_IN}.amazonaws.com " not in text
        name = '{"Fn::Select": [0, {"Fn::Split": [".s3.", {"Fn::GetAtt": ["BackendMediaBucket'
        assert f's3.{OPT_IN}.amazonaws.com/", {name}' in text

    def test_a_given_variable_wins(self) -> None:
        stack = stack_in(OPT_IN)
        backend_in(stack, environment={"AWS_ENDPOINT_URL_S3": "https://s3.example.com"})

        endpoint = environment(synthesize(stack), "web")["AWS_ENDPOINT_URL_S3"]
        assert endpoint == "https://s3.example.com"


@pytest.mark.slow
class TestOtherRegions:
    def test_cloudfront_logs(self) -> None:
        stack = stack_in("eu-west-1")
        frontend_in(stack, log_bucket=GalvLogBucket(stack, "Logs").bucket)

        config = only(synthesize(stack), "AWS::CloudFront::Distribution")["DistributionConfig"]
        assert "Logging" in config

    def test_a_bucket_elsewhere_is_not_logged_to(self, refusal: Refusal) -> None:
        stack = stack_in("eu-west-1")
        zone_in(stack)
        logs = s3.Bucket.from_bucket_attributes(
            stack, "Logs", bucket_name="aws-waf-logs-x", region=OPT_IN
        )

        assert f"log_bucket (Stack/Logs) is in region {OPT_IN}" in refusal(
            lambda: frontend_in(stack, log_bucket=logs)
        )

    def test_presigned_urls_are_global(self, default: Json) -> None:
        assert "AWS_ENDPOINT_URL_S3" not in environment(default, "web")


class TestLogBucketName:
    @pytest.mark.parametrize("region", ["me-south-1", "me-central-1"])
    def test_is_unique_where_accounts_have_no_namespace(self, region: str) -> None:
        stack = stack_in(region)
        GalvLogBucket(stack, "Logs")

        bucket = only(synthesize(stack), "AWS::S3::Bucket")
        assert "BucketNamespace" not in bucket
        name = json.dumps(bucket["BucketName"])
        assert "aws-waf-logs" in name
        for part in ("AWS::AccountId", "AWS::Region", "AWS::StackId"):
            assert part in name

    def test_is_in_the_namespace_elsewhere(self) -> None:
        stack = stack_in("eu-west-1")
        GalvLogBucket(stack, "Logs")

        bucket = only(synthesize(stack), "AWS::S3::Bucket")
        assert bucket["BucketNamespace"] == "account-regional"
        assert "BucketName" not in bucket
