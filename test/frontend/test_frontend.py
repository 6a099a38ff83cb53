"""GalvFrontend: what it defines, what it refuses, in three shapes of a deployment."""

import functools
import json
import re
from collections.abc import Callable
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import (
    App,
    CfnParameter,
    DefaultStackSynthesizer,
    Duration,
    Environment,
    NestedStack,
    PermissionsBoundary,
    Stack,
    Stage,
    Tags,
    Validations,
)
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.cx_api import CloudAssembly
from backends import new_app, recommended_flags, validation
from cdk_nag import (
    AwsSolutionsChecks,
    HIPAASecurityChecks,
    NIST80053R5Checks,
    PCIDSS321Checks,
)
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it declares none
from snapshot import snapshot_stacks
from templates import Json, needs, of_type, only, only_id, references, statements, synthesize

from galv_constructs import FrontendSource, GalvFrontend
from galv_constructs.frontend import _release as release_module
from galv_constructs.frontend._files import FetchedFiles

ACCOUNT = "111122223333"
EDGE_ARN = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b2c3d"

TOPIC_ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:stacks"

Refusal = Callable[[Callable[[], object]], str]


def stack_in(region: str | None, app: App | None = None) -> Stack:
    env = None if region is None else Environment(account=ACCOUNT, region=region)
    return Stack(app or new_app(), "Stack", env=env)


def zone_in(stack: Stack) -> route53.IHostedZone:
    return route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z0123456789", zone_name="example.com"
    )


def certificate_in(stack: Stack, arn: str = EDGE_ARN) -> acm.ICertificate:
    return acm.Certificate.from_certificate_arn(stack, "Certificate", arn)


def frontend(stack: Stack, id: str = "Frontend", **overrides: Any) -> GalvFrontend:
    arguments: Json = {
        "domain_name": "app.example.com",
        "api_url": "https://api.example.com",
        "source": FrontendSource.git_tag("v2.2.0"),
        **overrides,
    }
    if "hosted_zone" not in arguments and "certificate" not in arguments:
        zone = stack.node.try_find_child("Zone")
        arguments["hosted_zone"] = zone or zone_in(stack)
    return GalvFrontend(stack, id, **arguments)


@functools.cache
def default_text() -> str:
    stack = stack_in("us-east-1")
    frontend(stack)
    return json.dumps(synthesize(stack))


def template(region: str | None = "us-east-1", **overrides: Any) -> Json:
    if region == "us-east-1" and not overrides:
        default: Json = json.loads(default_text())
        return default
    stack = stack_in(region)
    frontend(stack, **overrides)
    return synthesize(stack)


def assembly_of(stack: Stack) -> CloudAssembly:
    stage = Stage.of(stack)
    assert stage is not None
    return stage.synth()


def distribution(found: Json) -> Json:
    config: Json = only(found, "AWS::CloudFront::Distribution")["DistributionConfig"]
    return config


def release(found: Json) -> Json:
    return only(found, "Custom::GalvSiteRelease")


def policy_of(found: Json) -> dict[str, list[str]]:
    """The content security policy, read as a browser does."""
    config = only(found, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    text = config["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    return {part.split()[0]: part.split()[1:] for part in text.split(";")}


@pytest.fixture
def dist(tmp_path: Path) -> str:
    (tmp_path / "index.html").write_text("<p>")
    return str(tmp_path)


class TestHosting:
    def test_the_bucket_is_private(self) -> None:
        bucket = only(template(), "AWS::S3::Bucket")

        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]

    def test_cloudfront_alone_may_read_it(self) -> None:
        found = template()
        allowed = [
            statement
            for statement in only(found, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        ]

        assert [s["Principal"] for s in allowed] == [{"Service": "cloudfront.amazonaws.com"}]
        # With ListBucket what is missing is a 404.
        assert allowed[0]["Action"] == ["s3:GetObject", "s3:ListBucket"]
        assert only_id(found, "AWS::CloudFront::Distribution") in references(allowed[0])
        (origin,) = distribution(found)["Origins"]
        assert origin["OriginPath"] == "/site"
        assert "OriginAccessControlId" in origin

    def test_uses_current_versions_of_http_and_tls(self) -> None:
        config = distribution(template())

        assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
        assert config["HttpVersion"] == "http2and3"
        assert config["IPV6Enabled"] is True
        assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
        assert config["DefaultCacheBehavior"]["Compress"] is True
        assert config["DefaultRootObject"] == "index.html"

    def test_routes_by_a_function_and_not_by_error_pages(self) -> None:
        found = template()
        config = distribution(found)

        assert "CustomErrorResponses" not in config
        (association,) = config["DefaultCacheBehavior"]["FunctionAssociations"]
        assert association["EventType"] == "viewer-request"
        assert references(association) == {only_id(found, "AWS::CloudFront::Function")}

    def test_has_one_name(self) -> None:
        found = template()

        assert distribution(found)["Aliases"] == ["app.example.com"]
        code = only(found, "AWS::CloudFront::Function")["FunctionCode"]
        assert "ALTERNATIVE_NAMES = []" in code

    def test_redirects_from_other_names(self) -> None:
        found = template(domain_name="example.com", alternative_domain_names=["www.example.com"])

        assert distribution(found)["Aliases"] == ["example.com", "www.example.com"]
        code = only(found, "AWS::CloudFront::Function")["FunctionCode"]
        assert "CANONICAL_NAME = 'example.com'" in code
        assert 'ALTERNATIVE_NAMES = ["www.example.com"]' in code
        certificate = only(found, "AWS::CertificateManager::Certificate")
        assert certificate["SubjectAlternativeNames"] == ["www.example.com"]
        names = [
            (record["Properties"]["Name"], record["Properties"]["Type"])
            for record in of_type(found, "AWS::Route53::RecordSet").values()
        ]
        assert sorted(names) == [
            ("example.com.", "A"),
            ("example.com.", "AAAA"),
            ("www.example.com.", "A"),
            ("www.example.com.", "AAAA"),
        ]

    def test_records_of_other_names_do_not_depend_on_their_order(self) -> None:
        names = ["www.example.com", "old.example.com"]
        one = template(alternative_domain_names=names)
        other = template(alternative_domain_names=names[::-1])

        records = "AWS::Route53::RecordSet"
        assert of_type(one, records) == of_type(other, records)

    def test_global_names_end_with_the_region(self) -> None:
        found = template("eu-west-2")
        access = only(found, "AWS::CloudFront::OriginAccessControl")
        name = access["OriginAccessControlConfig"]["Name"]["Fn::Join"]

        assert name[1][0] == {"Ref": "AWS::Region"}
        # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginAccessControlConfig.html
        assert len("ap-southeast-99" + "".join(name[1][1:])) <= 64

    def test_a_long_path_still_gives_a_short_name(self) -> None:
        stack = stack_in("eu-west-2")
        frontend(stack, "F" * 100)
        access = only(synthesize(stack), "AWS::CloudFront::OriginAccessControl")
        name = access["OriginAccessControlConfig"]["Name"]["Fn::Join"]

        assert len("ap-southeast-99" + "".join(name[1][1:])) <= 64

    def test_uses_the_given_price_class(self) -> None:
        found = template(price_class=cloudfront.PriceClass.PRICE_CLASS_ALL)

        # CloudFormation's own default is all.
        assert distribution(found).get("PriceClass", "PriceClass_All") == "PriceClass_All"

    def test_uses_the_cheapest_price_class_when_none_is_given(self) -> None:
        assert distribution(template())["PriceClass"] == "PriceClass_100"

    def test_uses_the_given_web_acl(self) -> None:
        arn = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/x/0a1b"

        assert distribution(template(web_acl_arn=arn))["WebACLId"] == arn
        assert "WebACLId" not in distribution(template())

    def test_logs_to_the_given_bucket(self) -> None:
        stack = stack_in("us-east-1")
        frontend(stack, log_bucket=s3.Bucket.from_bucket_name(stack, "Logs", "logs"))
        found = synthesize(stack)

        assert distribution(found)["Logging"] == {
            "Bucket": "logs.s3.us-east-1.amazonaws.com",
            "Prefix": "cloudfront/",
        }
        logging = only(found, "AWS::S3::Bucket")["LoggingConfiguration"]
        assert (logging["DestinationBucketName"], logging["LogFilePrefix"]) == ("logs", "s3/")

    def test_logs_nothing_when_no_bucket_is_given(self) -> None:
        found = template()

        assert "Logging" not in distribution(found)
        assert "LoggingConfiguration" not in only(found, "AWS::S3::Bucket")

    @pytest.mark.parametrize(("given", "days"), [(None, 30), (Duration.days(7), 7)])
    def test_lets_superseded_files_expire(self, given: Duration | None, days: int) -> None:
        bucket = only(template(release_retention=given), "AWS::S3::Bucket")

        rules = bucket["LifecycleConfiguration"]["Rules"]
        assert {
            "ExpirationInDays": days,
            "Id": "SupersededFiles",
            "Status": "Enabled",
            "TagFilters": [{"Key": "superseded", "Value": "true"}],
        } in rules
        # Nothing else expires of the site that is there, which has no age.
        others = [rule for rule in rules if "ExpirationInDays" in rule][:-1]
        assert [rule["Prefix"] for rule in others] == ["incoming/"]

    @pytest.mark.parametrize(
        ("options", "policy", "days"),
        [
            ({}, "Retain", 365),
            ({"production": False}, "Delete", 30),
            ({"removal_protection": False}, "Delete", 365),
            ({"production": False, "removal_protection": True}, "Retain", 30),
        ],
    )
    def test_removal_and_retention_follow_the_policy(
        self, options: Json, policy: str, days: int
    ) -> None:
        found = template(**options)

        (bucket,) = of_type(found, "AWS::S3::Bucket").values()
        assert bucket["DeletionPolicy"] == policy
        for group in of_type(found, "AWS::Logs::LogGroup").values():
            assert group["DeletionPolicy"] == policy.replace("Retain", "RetainExceptOnCreate")
            assert group["Properties"]["RetentionInDays"] == days

    def test_logs_that_were_kept_are_not_in_the_way_of_the_next_ones(self) -> None:
        groups = of_type(template(), "AWS::Logs::LogGroup").values()

        assert len(groups) == 3
        assert not any("LogGroupName" in group["Properties"] for group in groups)


class TestContentSecurityPolicy:
    def test_allows_the_site_and_the_api(self) -> None:
        policy = policy_of(template())

        assert policy["default-src"] == ["'self'"]
        assert policy["connect-src"] == ["'self'", "https://api.example.com"]
        assert policy["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
        assert policy["frame-ancestors"] == ["'none'"]

    def test_allows_the_origin_of_an_api_below_a_path(self) -> None:
        policy = policy_of(template(api_url="https://example.com:8443/api/v1"))

        assert policy["connect-src"] == ["'self'", "https://example.com:8443"]

    def test_allows_presigned_downloads(self) -> None:
        stack = stack_in("eu-west-2")
        media = s3.Bucket.from_bucket_name(stack, "Media", "media")
        frontend(stack, certificate=certificate_in(stack), storage_buckets=[media])
        policy = policy_of(synthesize(stack))

        for directive in ("connect-src", "img-src"):
            assert policy[directive][-2:] == [
                "https://media.s3.amazonaws.com",
                "https://media.s3.eu-west-2.amazonaws.com",
            ]

    def test_allows_storage_of_laboratories(self) -> None:
        urls = ["https://*.storage.example.org", "https://s3.eu-west-2.amazonaws.com/lab-data/"]
        policy = policy_of(template(storage_urls=urls))

        for directive in ("connect-src", "img-src"):
            assert policy[directive][-2:] == urls

    def test_allows_the_host_of_the_analytics(self) -> None:
        policy = policy_of(template(analytics_url="https://stats.example.com:8443/a/script.js?1"))

        for directive in ("connect-src", "img-src", "script-src"):
            assert policy[directive][-1] == "https://stats.example.com:8443"

    def test_allows_neither_by_default(self) -> None:
        policy = policy_of(template())

        assert policy["connect-src"] == ["'self'", "https://api.example.com"]
        assert policy["script-src"] == ["'self'", "'wasm-unsafe-eval'"]

    def test_adds_the_given_sources(self) -> None:
        policy = policy_of(
            template(
                content_security_policy={
                    "img-src": ["https://tiles.example.org"],
                    "frame-ancestors": ["https://portal.example.org"],
                    "media-src": ["https://videos.example.org"],
                }
            )
        )

        assert policy["img-src"][-1] == "https://tiles.example.org"
        assert policy["frame-ancestors"] == ["https://portal.example.org"]
        assert policy["media-src"] == ["'self'", "https://videos.example.org"]

    def test_the_other_headers(self) -> None:
        found = only(template(), "AWS::CloudFront::ResponseHeadersPolicy")
        headers = found["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]

        assert headers["ContentTypeOptions"] == {"Override": True}
        assert headers["StrictTransportSecurity"] == {
            "AccessControlMaxAgeSec": 31536000,
            "IncludeSubdomains": False,
            "Override": True,
        }


class TestShapes:
    """Where the certificate is, in three shapes of a deployment and one that is not known."""

    def test_in_us_east_1_the_certificate_is_in_the_stack(self) -> None:
        stack = stack_in("us-east-1")
        frontend(stack)
        assembly = assembly_of(stack)
        found = assembly.get_stack_by_name("Stack").template

        assert len(assembly.stacks) == 1
        certificate = only_id(found, "AWS::CertificateManager::Certificate")
        assert distribution(found)["ViewerCertificate"]["AcmCertificateArn"] == {"Ref": certificate}

    def test_in_other_regions_the_certificate_is_in_an_edge_stack(self) -> None:
        stack = stack_in("eu-west-2")
        frontend(stack)
        assembly = assembly_of(stack)
        edge = assembly.get_stack_by_name("Stack-Edge")

        assert edge.environment.region == "us-east-1"
        assert edge.environment.account == ACCOUNT
        # No custom resource carries the ARN over.
        assert {
            r["Type"]
            for id, r in edge.template["Resources"].items()
            if not id.startswith("GalvPreflight")
        } == {"AWS::CertificateManager::Certificate"}
        found = assembly.get_stack_by_name("Stack")
        arn = distribution(found.template)["ViewerCertificate"]["AcmCertificateArn"]
        assert arn["Fn::GetStackOutput"]["Region"] == "us-east-1"
        assert arn["Fn::GetStackOutput"]["StackName"] == "Stack-Edge"
        (output,) = edge.template["Outputs"]
        assert arn["Fn::GetStackOutput"]["OutputName"] == output
        assert "Custom::CrossRegionExportReader" not in json.dumps(found.template)
        assert edge.id in [dependency.id for dependency in found.dependencies]

    def test_the_edge_stack_has_the_settings_of_its_stack(self) -> None:
        app = new_app()
        stack = Stack(
            app,
            "Stack",
            env=Environment(account=ACCOUNT, region="eu-west-2"),
            synthesizer=DefaultStackSynthesizer(qualifier="ours"),
            tags={"project-name": "galv"},
            termination_protection=True,
            permissions_boundary=PermissionsBoundary.from_name("ours"),
        )
        frontend(stack)
        edge = assembly_of(stack).get_stack_by_name("Stack-Edge")

        assert "/cdk-ours-deploy-role-" in str(edge.assume_role_arn)
        assert edge.tags == {"project-name": "galv"}
        assert edge.termination_protection
        roles = of_type(edge.template, "AWS::IAM::Role").values()
        assert roles
        assert all("PermissionsBoundary" in role["Properties"] for role in roles)

    @pytest.mark.parametrize("flags", [{}, {"@aws-cdk/core:explicitStackTags": True}])
    def test_the_edge_stack_has_tags_that_its_stack_gets_in_any_way(self, flags: Json) -> None:
        stack = stack_in("eu-west-2", new_app(flags))
        Tags.of(stack).add("before", "1")
        frontend(stack)
        Tags.of(stack).add("after", "2")
        Tags.of(stack.node.root).add("all", "3")
        edge = assembly_of(stack).get_stack_by_name("Stack-Edge")

        tags = only(edge.template, "AWS::CertificateManager::Certificate")["Tags"]
        tags = {tag["Key"]: tag["Value"] for tag in tags if tag["Key"] != "Name"}
        assert tags == {"before": "1", "after": "2", "all": "3"}
        assert edge.tags == ({} if flags else tags)

    def test_the_edge_stack_notifies_topics_of_its_own_region(self) -> None:
        stack = stack_in("eu-west-2")
        frontend(stack, edge_notification_arns=[TOPIC_ARN])
        assembly = assembly_of(stack)

        assert assembly.get_stack_by_name("Stack-Edge").notification_arns == [TOPIC_ARN]

    def test_the_edge_stack_has_no_notifications_by_default(self) -> None:
        app = new_app()
        topic = TOPIC_ARN.replace("us-east-1", "eu-west-2")
        env = Environment(account=ACCOUNT, region="eu-west-2")
        frontend(Stack(app, "Stack", env=env, notification_arns=[topic]))
        edge = app.synth().get_stack_by_name("Stack-Edge")

        assert not edge.notification_arns

    def test_the_edge_stack_has_the_synthesizer_of_the_application(self) -> None:
        stack = stack_in("eu-west-2", new_app({"@aws-cdk/core:bootstrapQualifier": "theirs"}))
        frontend(stack)
        edge = assembly_of(stack).get_stack_by_name("Stack-Edge")

        assert "/cdk-theirs-deploy-role-" in str(edge.assume_role_arn)

    def test_a_certificate_that_is_replaced_stays_while_the_distribution_has_it(self) -> None:
        stack = stack_in("eu-west-2")
        frontend(stack)
        edge = assembly_of(stack).get_stack_by_name("Stack-Edge").template

        (certificate,) = of_type(edge, "AWS::CertificateManager::Certificate").values()
        assert certificate["UpdateReplacePolicy"] == "Retain"
        assert certificate.get("DeletionPolicy", "Delete") == "Delete"

    def test_two_frontends_share_an_edge_stack(self) -> None:
        stack = stack_in("eu-west-2")
        zone = zone_in(stack)
        frontend(stack, "One", hosted_zone=zone)
        frontend(stack, "Two", hosted_zone=zone, domain_name="two.example.com")
        assembly = assembly_of(stack)

        edge = assembly.get_stack_by_name("Stack-Edge").template
        assert len(of_type(edge, "AWS::CertificateManager::Certificate")) == 2

    def test_nested_stacks_share_the_edge_stack_of_their_parent(self) -> None:
        stack = stack_in("eu-west-2")
        for name in ("one", "two"):
            frontend(NestedStack(stack, name), domain_name=f"{name}.example.com")

        edge = assembly_of(stack).get_stack_by_name("Stack-Edge").template
        assert only(edge, "Custom::GalvPreflight")["Questions"].keys() == {
            "one/Frontend/HostedZone",
            "two/Frontend/HostedZone",
        }

    def test_says_that_the_edge_region_needs_a_bootstrap(self) -> None:
        app = new_app()
        frontend(stack_in("eu-west-2", app))
        edge = app.node.find_child("Stack-Edge")
        assert isinstance(edge, Stack)

        Annotations.from_stack(edge).has_info(
            "*", Match.string_like_regexp(f"cdk bootstrap aws://{ACCOUNT}/us-east-1")
        )

    def test_a_given_certificate_needs_no_zone_and_no_edge_stack(self) -> None:
        app = new_app()
        stack = stack_in("ap-southeast-2", app)
        frontend(stack, certificate=certificate_in(stack))
        found = synthesize(stack)

        assert distribution(found)["ViewerCertificate"]["AcmCertificateArn"] == EDGE_ARN
        assert of_type(found, "AWS::Route53::RecordSet") == {}
        assert of_type(found, "AWS::CertificateManager::Certificate") == {}
        assert app.node.try_find_child("Stack-Edge") is None

    def test_warns_if_the_region_is_unknown(self) -> None:
        stack = stack_in(None)
        frontend(stack)

        Annotations.from_stack(stack).has_warning(
            "*", Match.string_like_regexp("the region of the stack is not known")
        )

    def test_a_given_certificate_in_a_stack_for_any_region(self) -> None:
        stack = stack_in(None)
        frontend(stack, certificate=certificate_in(stack))

        Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


DIGEST = f"sha256:{'0a' * 32}"


class TestRelease:
    def test_builds_the_tag(self) -> None:
        commit = "0" * 40
        found = template(source=FrontendSource.git_tag("v2.2.0", commit=commit))

        inputs = release(found)["Inputs"]
        assert inputs["Source"] == {
            "Type": "git",
            "Repository": "https://github.com/galv-team/galv-frontend",
            "Tag": "v2.2.0",
            "Commit": commit,
        }
        assert inputs["Environment"] == {"VITE_GALV_API_BASE_URL": "https://api.example.com"}
        assert "AsOf" not in inputs

    @pytest.mark.parametrize(
        ("source", "given"),
        [
            (FrontendSource.release("2.2.0"), {"Tag": "v2.2.0", "Commit": ""}),
            (
                FrontendSource.release(f"2.2.0@{DIGEST}"),
                {"Tag": "v2.2.0", "Commit": "", "Digest": DIGEST},
            ),
            (
                FrontendSource.release(f"v2.2.0@{DIGEST}", commit="0" * 40),
                {"Tag": "v2.2.0", "Commit": "0" * 40, "Digest": DIGEST},
            ),
            (
                FrontendSource.container_image(f"v2.2.0@{DIGEST}"),
                {"Tag": "v2.2.0", "Commit": "", "Digest": DIGEST},
            ),
        ],
    )
    def test_asks_for_a_digest_where_one_is_given(
        self, source: FrontendSource, given: dict[str, str]
    ) -> None:
        asked = release(template(source=source))["Inputs"]["Source"]

        assert {name: asked[name] for name in asked if name not in ("Type", "Repository")} == given

    def test_takes_the_newest_release_when_no_source_is_given(self) -> None:
        stack = stack_in("us-east-1")
        frontend(stack, source=None)
        found = release(synthesize(stack))

        assert found["Inputs"]["Source"]["Type"] == "release"
        assert found["Inputs"]["Source"]["Tag"] == "latest"
        Annotations.from_stack(stack).has_warning(
            "*", Match.string_like_regexp("source is 'latest'")
        )

    def test_takes_the_newest_release_as_of_today(self) -> None:
        before = datetime.now(timezone.utc).date()
        found = release(template(source=None))
        after = datetime.now(timezone.utc).date()

        assert found["Inputs"]["AsOf"] in {before.isoformat(), after.isoformat()}

    def test_is_another_one_on_another_day(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(release_module, "today", lambda: date(2026, 11, 30))

        found = release(template(source=FrontendSource.container_image("latest")))
        assert found["Inputs"]["AsOf"] == "2026-11-30"

    def test_takes_the_newest_release_as_of_the_given_day(self) -> None:
        day = date(2026, 11, 23)

        found = release(template(source=FrontendSource.git_tag(), latest_as_of=day))
        assert found["Inputs"]["AsOf"] == "2026-11-23"

    @pytest.mark.parametrize("day", ["2026-11-23", datetime(2026, 11, 23, tzinfo=timezone.utc)])
    def test_refuses_what_is_no_day(self, refusal: Refusal, stack: Stack, day: object) -> None:
        zone_in(stack)
        text = refusal(lambda: frontend(stack, source=None, latest_as_of=day))

        assert "latest_as_of must be a datetime.date" in text

    def test_refuses_a_day_of_files_that_are_the_same_each_day(
        self, refusal: Refusal, stack: Stack, dist: str
    ) -> None:
        zone_in(stack)

        def said(source: FrontendSource) -> str:
            day = date(2026, 11, 23)
            return refusal(lambda: frontend(stack, source=source, latest_as_of=day))

        what = "the tag of source is {!r}: leave latest_as_of out"
        assert what.format("v2.2.0") in said(FrontendSource.release("v2.2.0"))
        assert what.format(dist) in said(FrontendSource.directory(dist))

    def test_outside_production_latest_needs_no_warning(self) -> None:
        stack = stack_in("us-east-1")
        frontend(stack, source=None, production=False)

        Annotations.from_stack(stack).has_no_warning(
            "*", Match.string_like_regexp("source is 'latest'")
        )

    def test_accepts_a_published_image(self) -> None:
        found = template(source=FrontendSource.container_image("2.2.0"))

        assert release(found)["Inputs"]["Source"] == {
            "Type": "image",
            "Repository": "ghcr.io/galv-team/galv-frontend",
            "Tag": "v2.2.0",
            "Commit": "",
        }
        # The same image serves every API where it has a template of its configuration.
        assert release(found)["Inputs"]["Environment"] == {}

    @pytest.mark.parametrize("tag", ["v2.2.0", "2.2.0"])
    def test_accepts_a_release(self, tag: str) -> None:
        found = template(source=FrontendSource.release(tag))

        assert release(found)["Inputs"]["Source"] == {
            "Type": "release",
            "Repository": "https://github.com/galv-team/galv-frontend",
            "Tag": "v2.2.0",
            "Commit": "",
        }

    @pytest.mark.parametrize(
        "make", [FrontendSource.release, FrontendSource.git_tag, FrontendSource.container_image]
    )
    @pytest.mark.parametrize(
        ("tag", "meant"),
        [("2.2.0", "v2.2.0"), ("v2.2.0", "v2.2.0"), ("v3.0.0-rc1", "v3.0.0-rc1"), ("main", "main")],
    )
    def test_a_release_has_a_v(
        self, make: Callable[[str], FrontendSource], tag: str, meant: str
    ) -> None:
        files = make(tag).files

        assert isinstance(files, FetchedFiles)
        assert files.tag == meant

    def test_passes_variables_to_the_build_and_to_the_publication(self) -> None:
        found = release(
            template(
                environment={"VITE_TITLE": "Galv"},
                analytics_url="https://stats.example.com/script.js",
            )
        )

        assert found["Variables"] == {
            "VITE_TITLE": "Galv",
            "VITE_GALV_API_BASE_URL": "https://api.example.com",
            "VITE_GALV_ANALYTICS_URL": "https://stats.example.com/script.js",
        }
        assert found["Inputs"]["Environment"] == found["Variables"]

    def test_passes_variables_to_the_publication_of_files_with_a_template(
        self, tmp_path: Path
    ) -> None:
        for name in ("index.html", "env.template.js"):
            (tmp_path / name).touch()
        source = FrontendSource.directory(str(tmp_path))
        found = release(template(source=source, environment={"VITE_TITLE": "Galv"}))

        assert found["Variables"]["VITE_TITLE"] == "Galv"
        assert set(found["Inputs"]) == {"Files"}

    def test_looks_at_the_page_under_the_name_that_always_works(self) -> None:
        found = template()
        target = {"Fn::GetAtt": [only_id(found, "AWS::CloudFront::Distribution"), "DomainName"]}

        assert release(found)["PageUrl"] == {"Fn::Join": ["", ["https://", target]]}

    def test_knows_of_a_web_acl_that_may_refuse_it(self) -> None:
        arn = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/x/y"

        assert release(template())["WebAcl"] == "false"
        assert release(template(web_acl_arn=arn))["WebAcl"] == "true"

    def test_takes_files_without_a_project(self, dist: str) -> None:
        found = template(source=FrontendSource.directory(dist))

        assert of_type(found, "AWS::CodeBuild::Project") == {}
        properties = release(found)
        assert properties["AssetKey"] == f"{properties['Inputs']['Files']}.zip"
        assert dist not in json.dumps(found)

    def test_is_the_same_template_every_time(self) -> None:
        assert json.dumps(template(source=None)) == json.dumps(template(source=None))

    def test_feature_flags_change_neither_ids_nor_the_edge_stack(self) -> None:
        contexts: list[Json] = [{}, recommended_flags()]
        ids = []
        for context in contexts:
            stack = stack_in("eu-west-2", new_app(context))
            frontend(stack)
            assembly = assembly_of(stack)
            ids.append({s.stack_name: set(s.template["Resources"]) for s in assembly.stacks})
            found = assembly.get_stack_by_name("Stack").template
            config = distribution(found)
            assert "Fn::GetStackOutput" in json.dumps(config["ViewerCertificate"])
            assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"

        assert ids[0] == ids[1]

    def test_passing_none_changes_nothing(self) -> None:
        nothing = dict.fromkeys(
            (
                "alternative_domain_names",
                "environment",
                "secrets",
                "storage_buckets",
                "content_security_policy",
                "price_class",
                "web_acl_arn",
                "log_bucket",
                "release_retention",
                "build_timeout",
                "removal_protection",
            )
        )

        assert json.dumps(template(**nothing)) == json.dumps(template())

    def test_gives_variables_to_the_build(self) -> None:
        stack = stack_in("us-east-1")
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv-frontend")
        frontend(
            stack,
            environment={"VITE_TITLE": "Galv"},
            secrets={"VITE_KEY": ecs.Secret.from_secrets_manager(secret, "KEY")},
        )
        found = synthesize(stack)

        inputs = release(found)["Inputs"]
        assert inputs["Environment"]["VITE_TITLE"] == "Galv"
        assert json.dumps(inputs["Secrets"]["VITE_KEY"]).count(":secret:galv-frontend:KEY::") == 1
        role = only_id(found, "AWS::IAM::Role", "FrontendReleaseBuild")
        actions = [action for s in statements(found, role) for action in s["Action"]]
        assert "secretsmanager:GetSecretValue" in actions
        Annotations.from_stack(stack).has_warning(
            "*", Match.string_like_regexp("VITE_KEY.*everyone can read")
        )

    def test_the_build_may_write_to_its_own_folder_alone(self) -> None:
        found = template()
        role = only_id(found, "AWS::IAM::Role", "FrontendReleaseBuild")
        bucket = only_id(found, "AWS::S3::Bucket")
        own = [s for s in statements(found, role) if bucket in references(s["Resource"])]

        assert len(own) == 1
        assert own[0]["Resource"]["Fn::Join"][1][-1] == "/incoming/${aws:userid}/*"
        assert own[0]["Action"] == ["s3:AbortMultipartUpload", "s3:PutObject"]

    def test_leftovers_of_builds_expire(self) -> None:
        rules = only(template(), "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]

        assert {
            "Id": "WhatBuildsLeft",
            "Prefix": "incoming/",
            "ExpirationInDays": 1,
            "Status": "Enabled",
        } in rules

    def test_the_handler_records_checksums_outside_of_the_bucket(self) -> None:
        found = template()
        role = only_id(found, "AWS::IAM::Role", "FrontendReleaseHandlerRole")
        (own,) = [s for s in statements(found, role) if "ssm:GetParameter" in s["Action"]]
        (_, (begin, stack, end)) = release(found)["Checksums"]["Fn::Join"]

        assert (begin, stack) == ("/galv-constructs/", {"Ref": "AWS::StackName"})
        assert re.fullmatch("/[A-Za-z0-9]+FrontendRelease[0-9A-F]{8}", end)
        assert own["Action"] == ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"]
        assert own["Resource"]["Fn::Join"][1][-3:] == [
            f":ssm:us-east-1:{ACCOUNT}:parameter/galv-constructs/",
            {"Ref": "AWS::StackName"},
            end,
        ]

    def test_each_site_has_checksums_of_its_own(self) -> None:
        stack = stack_in("us-east-1")
        nested = NestedStack(stack, "Nested")
        for scope in (stack, nested):
            for name in ("One", "Two"):
                frontend(scope, name, domain_name=f"{name}.{scope.node.id}.example.com".lower())
        names = [
            json.dumps(one["Properties"]["Checksums"])
            for found in (Template.from_stack(stack), Template.from_stack(nested))
            for one in found.find_resources("Custom::GalvSiteRelease").values()
        ]

        assert len(set(names)) == 4
        assert all('{"Ref": "AWS::StackName"}' in one for one in names)

    def test_cloudformation_does_not_own_the_checksums(self) -> None:
        """It writes the template's value when anything of a parameter changes, such as a tag."""
        Template.from_json(template()).resource_count_is("AWS::SSM::Parameter", 0)

    def test_the_build_project_has_no_privileges(self) -> None:
        found = template(build_timeout=Duration.minutes(12))
        project = only(found, "AWS::CodeBuild::Project")

        assert project["Environment"]["PrivilegedMode"] is False
        assert project["Environment"]["ComputeType"] == "BUILD_GENERAL1_MEDIUM"
        logs = project["LogsConfig"]["CloudWatchLogs"]
        assert logs["Status"] == "ENABLED"
        assert references(logs) == {only_id(found, "AWS::Logs::LogGroup", "FrontendReleaseBuild")}
        assert project["Artifacts"] == {"Type": "NO_ARTIFACTS"}
        assert "VpcConfig" not in project
        assert "EnvironmentVariables" not in project["Environment"]
        assert project["TimeoutInMinutes"] == 12
        assert project["QueuedTimeoutInMinutes"] == 5

    @pytest.mark.parametrize(("given", "seconds"), [(None, 1200), (Duration.minutes(50), 3000)])
    def test_nobody_waits_for_longer_than_the_build_may_take(
        self, given: Duration | None, seconds: int
    ) -> None:
        properties = release(template(build_timeout=given))

        assert properties["TimeoutSeconds"] == str(seconds)
        assert int(properties["ServiceTimeout"]) == seconds + 600 <= 3600

    def test_its_functions_do_not_wait_for_the_distribution(self) -> None:
        found = template()
        distribution = only_id(found, "AWS::CloudFront::Distribution")
        functions = of_type(found, "AWS::Lambda::Function", "FrontendRelease")

        assert functions
        for function in functions:
            assert distribution not in needs(found, function)

    def test_may_invalidate_before_it_runs(self) -> None:
        found = template()
        role = only_id(found, "AWS::IAM::Role", "FrontendReleaseHandlerRole")
        policy = only_id(found, "AWS::IAM::Policy", "FrontendReleaseInvalidation")
        (own,) = [s for s in statements(found, role) if "cloudfront" in str(s["Action"])]

        assert found["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"] == [own]
        assert own["Action"] == "cloudfront:CreateInvalidation"
        assert only_id(found, "AWS::CloudFront::Distribution") in references(own["Resource"])
        assert policy in needs(found, only_id(found, "Custom::GalvSiteRelease"))

    def test_waits_for_the_resources_that_it_uses(self) -> None:
        found = template()
        before = needs(found, only_id(found, "Custom::GalvSiteRelease"))

        for kind in (
            "AWS::S3::BucketPolicy",
            "AWS::CloudFront::Distribution",
            "AWS::CodeBuild::Project",
            "AWS::IAM::Policy",
        ):
            assert set(of_type(found, kind)) <= before

    def test_a_dependency_on_the_frontend_waits_for_the_release(self) -> None:
        stack = stack_in("us-east-1")
        site = frontend(stack)
        parameter = s3.Bucket(stack, "After")
        parameter.node.add_dependency(site)
        found = synthesize(stack)

        (after,) = of_type(found, "AWS::S3::Bucket", "After").values()
        assert after["DependsOn"] == [only_id(found, "Custom::GalvSiteRelease")]

    def test_assets_are_the_handler_and_the_build_and_no_more(self, tmp_path: Path) -> None:
        app = App(outdir=str(tmp_path), **validation(on=False))
        frontend(stack_in("us-east-1", app), preflight=False)
        app.synth()

        files = {
            str(path.relative_to(asset))
            for asset in tmp_path.glob("asset.*")
            for path in asset.rglob("*")
            if path.suffix in {".py", ".yml"} and path.parent.name != "_preflight"
        }
        assert files == {
            "handlers/site_release.py",
            "handlers/_site_config.py",
            "handlers/_site_page.py",
            "handlers/_site_tag.py",
            "handlers/_answers.py",
            "handlers/_aws.py",
            "handlers/_console.py",
            "handlers/_redact.py",
            "build_site.py",
            "buildspec.yml",
        }
        handler = only(synthesize(stack_of(app)), "AWS::Lambda::Function", "FrontendReleaseOnEvent")
        assert handler["Handler"] == "handlers.site_release.on_event"


def stack_of(app: App) -> Stack:
    stack = app.node.find_child("Stack")
    assert isinstance(stack, Stack)
    return stack


class TestInterface:
    def test_exposes_its_resources(self, dist: str) -> None:
        stack = stack_in("us-east-1")
        site = frontend(stack)
        source = FrontendSource.directory(dist)
        files = frontend(stack, "Files", source=source, domain_name="files.example.com")

        assert site.url == "https://app.example.com"
        assert site.domain_name == "app.example.com"
        assert site.distribution.distribution_domain_name == site.distribution_domain_name
        assert site.bucket.node.path == "Stack/Frontend/Site/Bucket"
        assert site.certificate.node.path == "Stack/Frontend/Site/Certificate"
        assert site.build_project is not None
        assert files.build_project is None
        assert stack.resolve(site.version) == stack.resolve(site.resource.get_att("Version"))
        assert stack.resolve(site.commit) == stack.resolve(site.resource.get_att("Commit"))

    def test_two_in_one_stack(self) -> None:
        stack = stack_in("us-east-1")
        zone = zone_in(stack)
        frontend(stack, "One", hosted_zone=zone)
        frontend(stack, "Two", hosted_zone=zone, domain_name="two.example.com")

        assert len(of_type(synthesize(stack), "AWS::CloudFront::Distribution")) == 2


@pytest.mark.parametrize(
    ("name", "region", "shape"),
    [
        ("us-east-1-zone", "us-east-1", "zone"),
        ("eu-west-2-zone", "eu-west-2", "zone"),
        ("certificate", "ap-southeast-2", "certificate"),
    ],
)
def test_logical_ids_stay(name: str, region: str, shape: str) -> None:
    app = new_app()
    stack = stack_in(region, app)
    options: Json = {"certificate": certificate_in(stack)} if shape == "certificate" else {}
    frontend(stack, alternative_domain_names=["www.example.com"], **options)

    templates = {artifact.stack_name: artifact.template for artifact in app.synth().stacks}
    snapshot_stacks(templates, f"frontend/{name}")


def all_options_in(app: App, dist: str) -> None:
    """A stack in each shape of a deployment, each with another source."""
    for region, source, with_zone in (
        ("us-east-1", FrontendSource.git_tag("v2.2.0"), True),
        ("eu-west-2", FrontendSource.container_image("2.2.0"), True),
        ("ap-southeast-2", FrontendSource.directory(dist), False),
    ):
        stack = Stack(app, region, env=Environment(account=ACCOUNT, region=region))
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv-frontend")
        secrets = {"KEY": ecs.Secret.from_secrets_manager(secret, "KEY")}
        certificate: Json = {} if with_zone else {"certificate": certificate_in(stack)}
        frontend(
            stack,
            domain_name=f"{region}.example.com",
            source=source,
            secrets=secrets if region == "us-east-1" else None,
            log_bucket=s3.Bucket.from_bucket_name(stack, "Logs", "logs"),
            **certificate,
        )


@pytest.mark.parametrize("flagged", [False, True])
def test_has_no_finding_of_cdk_nag(dist: str, *, flagged: bool) -> None:
    app = new_app(recommended_flags() if flagged else None)
    all_options_in(app, dist)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app),
        HIPAASecurityChecks(app),
        NIST80053R5Checks(app),
        PCIDSS321Checks(app),
    )

    # A finding that is not acknowledged makes this raise.
    app.synth()


class TestRefusals:
    @pytest.mark.parametrize(
        ("overrides", "said"),
        [
            ({"domain_name": "https://app.example.com"}, "domain_name must be a bare host name"),
            ({"api_url": "https://api.example.com/"}, "without a slash at the end"),
            ({"api_url": "http://api.example.com"}, "must be the HTTPS URL"),
            ({"api_url": "api.example.com"}, "must be the HTTPS URL"),
            ({"api_url": None}, "must be the HTTPS URL"),
            ({"hosted_zone": None}, "neither hosted_zone nor certificate"),
            ({"domain_name": "app.example.org"}, "is not in hosted_zone"),
            ({"alternative_domain_names": "www.example.com"}, "must be a list of host names"),
            ({"alternative_domain_names": ["*.example.com"]}, "[0] must be a bare host name"),
            ({"alternative_domain_names": ["www.example.org"]}, "is not in hosted_zone"),
            ({"alternative_domain_names": ["app.example.com"]}, "must be different"),
            ({"source": "v2.2.0"}, "must be a FrontendSource"),
            ({"environment": {"VITE_GALV_API_BASE_URL": "x"}}, "pass api_url"),
            ({"environment": {"CODEBUILD_X": "x"}}, "environment sets CODEBUILD_X"),
            ({"secrets": {"KEY": "arn"}}, "must be an aws_ecs.Secret"),
            ({"environment": {"VITE_GALV_ANALYTICS_URL": "x"}}, "pass analytics_url"),
            ({"analytics_url": "stats.example.com"}, "analytics_url must be an HTTPS URL"),
            ({"analytics_url": "https://a.example.com 'none'"}, "must be an HTTPS URL"),
            ({"storage_urls": "https://x.example.com"}, "storage_urls must be a list of URLs"),
            ({"storage_urls": ["https://*"]}, "storage_urls[0] must be an HTTPS URL of storage"),
            ({"storage_urls": ["https://x.example.com/a"]}, "end a path with a slash"),
            ({"storage_urls": ["https://x.example.com;"]}, "must be an HTTPS URL of storage"),
            ({"storage_buckets": "media"}, "must be a list of buckets"),
            ({"storage_buckets": ["media"]}, "storage_buckets[0] must be an aws_s3.IBucket"),
            ({"log_bucket": "logs"}, "log_bucket must be an aws_s3.IBucket"),
            ({"content_security_policy": ["img-src x"]}, "must be a mapping of directives"),
            ({"content_security_policy": {"img-src; x": []}}, "has the directive"),
            ({"content_security_policy": {"img-src": "x"}}, "must be a list of sources"),
            ({"content_security_policy": {"img-src": ["x; y"]}}, "must be a list of sources"),
            ({"price_class": "PriceClass_All"}, "must be a cloudfront.PriceClass"),
            ({"web_acl_arn": 1}, "web_acl_arn must be the ARN of a web ACL"),
            (
                {"web_acl_arn": f"arn:aws:wafv2:eu-west-2:{ACCOUNT}:regional/webacl/x/y"},
                "':global/webacl/'",
            ),
            ({"release_retention": 30}, "must be a Duration"),
            ({"release_retention": Duration.hours(30)}, "must be whole days from 1 to 3650"),
            ({"release_retention": Duration.days(0)}, "must be whole days from 1 to 3650"),
            ({"build_timeout": Duration.minutes(4)}, "build_timeout must be whole seconds"),
            ({"build_timeout": Duration.minutes(51)}, "build_timeout must be whole seconds"),
            ({"production": "yes"}, "production must be true or false"),
        ],
    )
    def test_refuses_invalid_arguments(
        self, refusal: Refusal, stack: Stack, overrides: Json, said: str
    ) -> None:
        zone_in(stack)

        text = refusal(lambda: frontend(stack, **overrides))
        assert said in text
        assert re.search(rf"\b{next(iter(overrides))}\b", text)

    def test_refuses_a_locked_log_bucket(self, refusal: Refusal, stack: Stack) -> None:
        zone_in(stack)
        logs = s3.Bucket(stack, "Logs", object_lock_enabled=True)

        text = refusal(lambda: frontend(stack, log_bucket=logs))
        assert text.startswith("log_bucket must be a bucket without Object Lock, got Stack/Logs")

    def test_refuses_variables_that_built_files_do_not_read(
        self, refusal: Refusal, stack: Stack, dist: str
    ) -> None:
        zone_in(stack)
        source = FrontendSource.directory(dist)

        said = refusal(lambda: frontend(stack, source=source, environment={"X": "x"}))
        assert "built already and have no env.template.js" in said

    @pytest.mark.parametrize("kind", ["image", "directory"])
    def test_refuses_secrets_without_a_build(
        self, refusal: Refusal, stack: Stack, dist: str, kind: str
    ) -> None:
        zone_in(stack)
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "galv-frontend")
        secrets = {"KEY": ecs.Secret.from_secrets_manager(secret, "KEY")}
        sources = {
            "image": FrontendSource.container_image("v2.2.0"),
            "directory": FrontendSource.directory(dist),
        }

        said = refusal(lambda: frontend(stack, source=sources[kind], secrets=secrets))
        assert "secrets is given, and the files of source are built already" in said

    def test_refuses_a_zone_and_a_certificate(self, refusal: Refusal, stack: Stack) -> None:
        both: Json = {"hosted_zone": zone_in(stack), "certificate": certificate_in(stack)}

        assert "both given" in refusal(lambda: frontend(stack, **both))

    def test_refuses_a_certificate_of_another_region(self, refusal: Refusal, stack: Stack) -> None:
        arn = EDGE_ARN.replace("us-east-1", "eu-west-2")
        given = certificate_in(stack, arn)

        said = refusal(lambda: frontend(stack, certificate=given))
        assert "certificate is in eu-west-2" in said
        assert "--region us-east-1" in said

    def test_refuses_a_certificate_created_in_another_region(self, refusal: Refusal) -> None:
        stack = stack_in("eu-west-2")
        given = acm.Certificate(stack, "Certificate", domain_name="app.example.com")

        assert "certificate is in eu-west-2" in refusal(lambda: frontend(stack, certificate=given))

    def test_accepts_a_certificate_of_an_unknown_region(self) -> None:
        stack = stack_in(None)
        arn = CfnParameter(stack, "Arn").value_as_string
        frontend(stack, certificate=certificate_in(stack, arn))

    def test_accepts_values_that_are_not_known_at_synthesis(self) -> None:
        stack = stack_in("us-east-1")
        name = CfnParameter(stack, "Name").value_as_string
        frontend(
            stack,
            domain_name=name,
            api_url=f"https://{name}",
            web_acl_arn=CfnParameter(stack, "WebAcl").value_as_string,
        )
        synthesize(stack)

    def test_refuses_a_token_as_another_name(self, refusal: Refusal, stack: Stack) -> None:
        name = CfnParameter(stack, "Name").value_as_string
        zone_in(stack)

        assert "must be known" in refusal(lambda: frontend(stack, alternative_domain_names=[name]))

    def test_refuses_a_retention_that_is_not_known(self, refusal: Refusal, stack: Stack) -> None:
        days = CfnParameter(stack, "Days", type="Number").value_as_number
        zone_in(stack)

        assert "must be known" in refusal(
            lambda: frontend(stack, release_retention=Duration.days(days))
        )

    @pytest.mark.parametrize(
        "given", [TOPIC_ARN, [TOPIC_ARN.replace("us-east-1", "eu-west-2")], ["stacks"]]
    )
    def test_refuses_topics_that_the_edge_stack_cannot_use(
        self, refusal: Refusal, given: object
    ) -> None:
        stack = stack_in("eu-west-2")
        zone_in(stack)

        said = refusal(lambda: frontend(stack, edge_notification_arns=given))
        assert "edge_notification_arns must be a list of ARNs of SNS topics in us-east-1" in said

    def test_refuses_topics_where_there_is_no_edge_stack(self, refusal: Refusal) -> None:
        stack = stack_in("us-east-1")
        zone_in(stack)

        said = refusal(lambda: frontend(stack, edge_notification_arns=[TOPIC_ARN]))
        assert "there is no stack for them" in said

    def test_refuses_topics_for_an_edge_stack_that_is_there_already(self, stack: Stack) -> None:
        stack = stack_in("eu-west-2")
        zone = zone_in(stack)
        frontend(stack, "One", hosted_zone=zone)

        with pytest.raises(ValueError, match="edge_notification_arns: the stack Stack-Edge is sh"):
            frontend(
                stack,
                "Two",
                hosted_zone=zone,
                domain_name="two.example.com",
                edge_notification_arns=[TOPIC_ARN],
            )

    def test_refuses_a_zone_that_an_edge_stack_cannot_know(self, refusal: Refusal) -> None:
        stack = stack_in("eu-west-2")
        zone = route53.PublicHostedZone(stack, "New", zone_name="example.com")

        said = refusal(lambda: frontend(stack, hosted_zone=zone))
        assert "is not known at synthesis" in said


class TestSource:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda: FrontendSource.git_tag("--upload-pack=x"), "tag must be the tag"),
            (lambda: FrontendSource.git_tag(""), "tag must be the tag"),
            (lambda: FrontendSource.git_tag("v1", repository="git@x:y"), "must be the HTTPS URL"),
            (
                lambda: FrontendSource.git_tag("v1", repository="https://user:pass@x/y"),
                "leave out a user name",
            ),
            (lambda: FrontendSource.git_tag("v1", commit="0a1b"), "all 40 digits"),
            (lambda: FrontendSource.git_tag(commit="0" * 40), "for the tag 'latest'"),
            (lambda: FrontendSource.release("v1@sha256:0a1b"), "digest of frontend-build.tar.gz"),
            (lambda: FrontendSource.container_image("v1@0a1b"), "digest of the image after '@'"),
            (lambda: FrontendSource.release(f"latest@{DIGEST}"), "other files with each release"),
            (lambda: FrontendSource.container_image(f"latest@{DIGEST}"), "name the release"),
            (
                lambda: FrontendSource.release("v1", commit="0" * 40),
                "write tag='v1@sha256:…', or build the source",
            ),
            (lambda: FrontendSource.release(f"v1@{DIGEST}", commit="0a1b"), "all 40 digits"),
            (lambda: FrontendSource.container_image("a b"), "tag must be the tag of an image"),
            (
                lambda: FrontendSource.container_image("1", repository="https://ghcr.io/x"),
                "leave out the scheme",
            ),
            (lambda: FrontendSource.directory("no/such/folder"), "must be a folder"),
        ],
    )
    def test_refuses_an_invalid_source(self, make: Callable[[], object], said: str) -> None:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is what counts
            make()

        assert said in str(caught.value)

    def test_refuses_a_tag_that_is_not_known(self) -> None:
        tag = CfnParameter(stack_in(None), "Tag").value_as_string

        with pytest.raises(ValueError, match="must be known"):
            FrontendSource.git_tag(tag)

    def test_refuses_a_folder_without_a_page(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"has no index\.html"):
            FrontendSource.directory(str(tmp_path))


@pytest.mark.slow
class TestLint:
    """The findings of cfn-lint and CloudFormation-Validate."""

    @pytest.mark.parametrize("region", ["us-east-1", "eu-west-2"])
    def test_cfn_lint_finds_nothing_of_ours(self, region: str, tmp_path: Path) -> None:
        app = App(outdir=str(tmp_path), **validation(on=False))
        stack = stack_in(region, app)
        logs = s3.Bucket.from_bucket_name(stack, "Logs", "logs")
        frontend(stack, log_bucket=logs, alternative_domain_names=["www.example.com"])
        app.synth()

        found = {
            f"{match.rule.id} {match.message}"
            for template in tmp_path.glob("*.template.json")
            for match in lint_file(template)
        }
        # CDK writes every dependency into DependsOn, a reference to it or not.
        assert {finding for finding in found if not finding.startswith("W3005")} == set()

    def test_cloudformation_validate_finds_nothing(
        self, dist: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("CDK_VALIDATION", raising=False)
        app = new_app({"@aws-cdk/core:validateAgainstDefaultRules": True}, validate=True)
        all_options_in(app, dist)
        frontend(stack_in("us-east-1", app))

        # A finding makes this raise.
        app.synth()


@pytest.mark.parametrize("region", ["eu-west-2", "af-south-1"])
def test_the_bucket_for_uploads_can_be_exchanged(region: str) -> None:
    """An export in use could not be taken away: the backend would never get another bucket."""
    app = new_app()
    env = Environment(account=ACCOUNT, region=region)
    backend, site = Stack(app, "BackendStack", env=env), Stack(app, "SiteStack", env=env)
    media = s3.Bucket(backend, "Media")
    frontend(site, certificate=certificate_in(site), storage_buckets=[media])
    assembly = app.synth()

    assert "Fn::ImportValue" not in json.dumps(assembly.get_stack_by_name("SiteStack").template)
    outputs = assembly.get_stack_by_name("BackendStack").template["Outputs"]
    assert outputs
    assert not any("Export" in output for output in outputs.values())
