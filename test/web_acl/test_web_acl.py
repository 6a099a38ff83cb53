"""The web ACL."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Environment, Stack
from aws_cdk import aws_sns as sns
from backends import ENVIRONMENT, WEB_ACL_ARN, Refusal, RefusedBackend, backend_in, new_app
from templates import Json, needs, of_type, only, only_id, synthesize

from galv_constructs import DEFAULT_CREDENTIAL_PATHS, GalvLogBucket, GalvWebAcl
from galv_constructs.web_acl.web_acl import DEFAULT_UPLOAD_PATHS

WEB_ACL = "AWS::WAFv2::WebACL"
ASSOCIATION = "AWS::WAFv2::WebACLAssociation"
LOGGING = "AWS::WAFv2::LoggingConfiguration"
IP_SET = "AWS::WAFv2::IPSet"
ALARM = "AWS::CloudWatch::Alarm"


def rules(template: Json) -> dict[str, Json]:
    return {rule["Name"]: rule for rule in only(template, WEB_ACL)["Rules"]}


def synth_acl(**arguments: Any) -> Json:
    stack = Stack(new_app(), "Stack")
    GalvWebAcl(stack, "WebAcl", **arguments)
    return synthesize(stack)


def counted(template: Json) -> dict[str, list[str]]:
    """Rules of the managed groups that count, by the id of the group."""
    return {
        id: [
            override["Name"]
            for override in rule["Statement"]["ManagedRuleGroupStatement"].get(
                "RuleActionOverrides", []
            )
        ]
        for id, rule in rules(template).items()
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }


@dataclass(frozen=True)
class Request:
    """The parts of a request that the statements here inspect."""

    path: str
    content_type: str


def label_of(rule: str) -> str:
    """The end of the label that a managed rule adds, as AWS documents it: `_BODY` is `_Body`."""
    return ":" + rule.replace("_BODY", "_Body")


def is_blocked(template: Json, request: Request, matched: str) -> bool:
    """Whether a request is blocked that matches one rule of a managed group.

    "If the rule action is Count, … labels are added and the evaluation goes on":
    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-label-overview.html
    """
    if matched not in {name for names in counted(template).values() for name in names}:
        return True
    statement = rules(template)["Body"]["Statement"]
    return rules(template)["Body"]["Action"] == {"Block": {}} and holds(
        statement, request, label_of(matched)
    )


def holds(statement: Json, request: Request, label: str) -> bool:
    match statement:
        case {"AndStatement": {"Statements": parts}}:
            return all(holds(part, request, label) for part in parts)
        case {"OrStatement": {"Statements": parts}}:
            return any(holds(part, request, label) for part in parts)
        case {"NotStatement": {"Statement": part}}:
            return not holds(part, request, label)
        case {"LabelMatchStatement": {"Scope": "LABEL", "Key": key}}:
            return bool(key.endswith(label))
        case {"RegexMatchStatement": {"FieldToMatch": {"UriPath": {}}, "RegexString": pattern}}:
            return re.search(pattern, request.path) is not None
        case {
            "ByteMatchStatement": {
                "FieldToMatch": {"SingleHeader": {"Name": "content-type"}},
                "PositionalConstraint": "STARTS_WITH",
                "SearchString": start,
            }
        }:
            return request.content_type.lower().startswith(start)
        case _:
            raise NotImplementedError(statement)


FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data; boundary=x"
SEARCHED = (
    "CrossSiteScripting_BODY",
    "EC2MetaDataSSRF_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "JavaDeserializationRCE_BODY",
    "Log4JRCE_BODY",
    "ReactJSRCE_BODY",
    "SQLiExtendedPatterns_BODY",
    "SQLi_BODY",
)


class TestUploads:
    @pytest.fixture(scope="class")
    @staticmethod
    def template() -> Json:
        return synth_acl()

    @pytest.mark.parametrize("matched", SEARCHED)
    @pytest.mark.parametrize("path", DEFAULT_UPLOAD_PATHS)
    def test_pass_with_anything_in_them(self, template: Json, path: str, matched: str) -> None:
        assert not is_blocked(template, Request(path, FILES), matched)
        assert not is_blocked(template, Request(f"{path}7/report/", FILES), matched)

    @pytest.mark.parametrize("matched", SEARCHED)
    @pytest.mark.parametrize(
        "request_",
        [
            Request("/admin/login/", FORM),
            Request("/admin/galv/lab/add/", FILES),
            Request("/users/", FILES),
            Request("/files/", FORM),
            Request("/files/", "application/json"),
            Request("/files/7/", "text/plain; multipart/form-data"),
            Request("/xfiles/", FILES),
            Request("/users/files/", FILES),
            Request("/%66iles/", FILES),
        ],
        ids=lambda request: f"{request.path} {request.content_type}",
    )
    def test_forms_do_not_pass(self, template: Json, request_: Request, matched: str) -> None:
        assert is_blocked(template, request_, matched)

    def test_bodies_of_any_size_pass(self, template: Json) -> None:
        assert not is_blocked(template, Request("/users/", FORM), "SizeRestrictions_BODY")

    def test_path_and_headers_of_uploads_are_inspected(self, template: Json) -> None:
        upload = Request("/files/", FILES)

        for matched in ("CrossSiteScripting_QUERYARGUMENTS", "Log4JRCE_HEADER", "SQLi_COOKIE"):
            assert is_blocked(template, upload, matched)

    def test_may_go_to_other_paths(self) -> None:
        template = synth_acl(upload_paths=["/blobs/"])

        assert not is_blocked(template, Request("/blobs/1/", FILES), "SQLi_BODY")
        assert is_blocked(template, Request("/files/", FILES), "SQLi_BODY")

    def test_may_go_nowhere(self) -> None:
        template = synth_acl(upload_paths=[])

        assert is_blocked(template, Request("/files/", FILES), "SQLi_BODY")

    def test_the_table_in_the_documentation_is_true(self, template: Json) -> None:
        text = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
        row = r"^\| (`[A-Za-z0-9_`, ]+_BODY`) \|.*\| (.*) \| (.*) \|$"
        lines = re.findall(row, text, re.MULTILINE)
        told = {
            rule: (in_uploads, elsewhere)
            for names, in_uploads, elsewhere in lines
            for rule in re.findall(r"`([A-Za-z0-9_]+)`", names)
        }

        assert set(told) == {*SEARCHED, "SizeRestrictions_BODY"}
        verb = {True: "blocks", False: "counts"}
        for rule, answers in told.items():
            upload, form = Request("/files/", FILES), Request("/admin/login/", FORM)
            assert answers == (
                verb[is_blocked(template, upload, rule)],
                verb[is_blocked(template, form, rule)],
            )


class TestRules:
    def test_uses_the_managed_groups_in_this_order(self) -> None:
        managed = {
            rule["Statement"]["ManagedRuleGroupStatement"]["Name"]: rule
            for rule in sorted(rules(synth_acl()).values(), key=lambda rule: int(rule["Priority"]))
            if "ManagedRuleGroupStatement" in rule["Statement"]
        }

        assert list(managed) == [
            "AWSManagedRulesAmazonIpReputationList",
            "AWSManagedRulesKnownBadInputsRuleSet",
            "AWSManagedRulesCommonRuleSet",
            "AWSManagedRulesSQLiRuleSet",
        ]
        for rule in managed.values():
            assert rule["Statement"]["ManagedRuleGroupStatement"]["VendorName"] == "AWS"
            assert rule["OverrideAction"] == {"None": {}}
            assert "Action" not in rule

    def test_counts_with_the_rules_for_bodies_and_no_others(self) -> None:
        found = counted(synth_acl())

        assert found["IpReputation"] == []
        for id in ("KnownBadInputs", "Common", "SqlInjection"):
            assert found[id]
            assert all(name.endswith("_BODY") for name in found[id])

    def test_what_the_rules_for_bodies_would_block_they_count(self) -> None:
        overrides = [
            override
            for rule in rules(synth_acl()).values()
            for override in rule["Statement"]
            .get("ManagedRuleGroupStatement", {})
            .get("RuleActionOverrides", [])
        ]

        assert overrides
        assert all(override["ActionToUse"] == {"Count": {}} for override in overrides)

    def test_samples_and_counts_requests_of_every_rule(self) -> None:
        acl = only(synth_acl(), WEB_ACL)

        for configuration in (acl, *acl["Rules"]):
            assert configuration["VisibilityConfig"]["SampledRequestsEnabled"] is True
            # The alarms look at these metrics.
            assert configuration["VisibilityConfig"]["CloudWatchMetricsEnabled"] is True

    def test_counts_with_the_given_rules_too(self) -> None:
        template = synth_acl(
            counted_rules={
                "AWSManagedRulesCommonRuleSet": [
                    "NoUserAgent_HEADER",
                    "SizeRestrictions_BODY",
                ],
                "AWSManagedRulesSQLiRuleSet": ["SQLi_BODY"],
            }
        )

        before = counted(synth_acl())
        assert counted(template) == {**before, "Common": [*before["Common"], "NoUserAgent_HEADER"]}
        form = Request("/admin/", "application/x-www-form-urlencoded")
        assert not is_blocked(template, form, "SQLi_BODY")
        assert is_blocked(template, form, "CrossSiteScripting_BODY")

    def test_limits_the_rate_of_one_address(self) -> None:
        rule = rules(synth_acl())["RateLimit"]

        assert rule["Action"] == {"Block": {}}
        assert rule["Statement"]["RateBasedStatement"] == {
            "AggregateKeyType": "IP",
            "EvaluationWindowSec": 300,
            "Limit": 3000,
        }

    def test_limits_to_the_given_rate(self) -> None:
        statement = rules(synth_acl(rate_limit=500))["RateLimit"]["Statement"]

        assert statement["RateBasedStatement"]["Limit"] == 500

    def test_has_no_lists_and_eight_rules_when_none_are_given(self) -> None:
        template = synth_acl()

        assert len(rules(template)) == 8
        assert of_type(template, IP_SET) == {}

    def test_allow_list_and_block_list_come_first(self) -> None:
        template = synth_acl(
            allowed_cidrs=["192.0.2.0/24", "198.51.100.7"],
            denied_cidrs=["203.0.113.0/24", "2001:db8::/32"],
        )

        by_name = rules(template)
        assert by_name["Allowed"]["Action"] == {"Allow": {}}
        assert by_name["Denied"]["Action"] == {"Block": {}}
        assert by_name["Allowed"]["Priority"] < by_name["Denied"]["Priority"]
        assert by_name["Denied"]["Priority"] < by_name["RateLimit"]["Priority"]
        sets = {
            logical_id: (
                resource["Properties"]["IPAddressVersion"],
                resource["Properties"]["Addresses"],
            )
            for logical_id, resource in of_type(template, IP_SET).items()
        }
        assert sorted(sets.values()) == [
            ("IPV4", ["192.0.2.0/24", "198.51.100.7/32"]),
            ("IPV4", ["203.0.113.0/24"]),
            ("IPV6", ["2001:db8::/32"]),
        ]
        either = by_name["Denied"]["Statement"]["OrStatement"]["Statements"]
        arns = [statement["IPSetReferenceStatement"]["Arn"] for statement in either]
        assert arns == [
            {"Fn::GetAtt": [only_id(template, IP_SET, f"WebAclDeniedIpv{version}"), "Arn"]}
            for version in (4, 6)
        ]

    def test_a_list_changes_no_other_rule(self) -> None:
        without, with_list = rules(synth_acl()), rules(synth_acl(denied_cidrs=["192.0.2.0/24"]))

        assert {**without, "Denied": with_list["Denied"]} == with_list

    def test_allows_requests_that_no_rule_blocks(self) -> None:
        assert only(synth_acl(), WEB_ACL)["DefaultAction"] == {"Allow": {}}


class TestCredentials:
    """Which requests are counted is in test_credential_routes.py."""

    def test_limits_each_address(self) -> None:
        rule = rules(synth_acl())["Credentials"]

        rate = rule["Statement"]["RateBasedStatement"]
        assert rule["Action"] == {"Block": {}}
        assert (rate["AggregateKeyType"], rate["Limit"], rate["EvaluationWindowSec"]) == (
            "IP",
            30,
            300,
        )

    def test_limits_resets_of_all_addresses_together(self) -> None:
        rule = rules(synth_acl())["ResetTotal"]

        rate = rule["Statement"]["RateBasedStatement"]
        assert rule["Action"] == {"Block": {}}
        assert (rate["AggregateKeyType"], rate["Limit"], rate["EvaluationWindowSec"]) == (
            "CONSTANT",
            50,
            600,
        )

    def test_takes_the_given_limits(self) -> None:
        by_name = rules(synth_acl(credential_rate_limit=10, reset_rate_limit=20))

        assert by_name["Credentials"]["Statement"]["RateBasedStatement"]["Limit"] == 10
        assert by_name["ResetTotal"]["Statement"]["RateBasedStatement"]["Limit"] == 20

    def test_takes_the_given_paths(self) -> None:
        by_name = rules(synth_acl(credential_paths=["/sign_in/", "PUT /me/"]))

        scope = by_name["Credentials"]["Statement"]["RateBasedStatement"]["ScopeDownStatement"]
        assert "sign_in" in str(scope)
        assert "login" not in str(scope)
        assert "'RegexString': '^(?:PUT)$'" in str(scope)

    def test_takes_no_paths_at_all(self) -> None:
        template = synth_acl(credential_paths=[])

        assert "Credentials" not in rules(template)
        assert "ResetTotal" in rules(template)
        assert [
            alarm["Properties"]["AlarmDescription"].split(":")[0]
            for alarm in of_type(template, ALARM).values()
        ] == ["The WAF blocks requests to reset passwords, of everyone"]

    def test_passwords_are_limited_before_anything_passes_but_what_is_allowed(self) -> None:
        by_name = rules(synth_acl(allowed_cidrs=["192.0.2.0/24"], admin_cidrs=["192.0.2.0/28"]))
        order = sorted(by_name, key=lambda name: int(by_name[name]["Priority"]))

        assert order[:5] == ["Admin", "Allowed", "RateLimit", "Credentials", "ResetTotal"]

    @pytest.mark.parametrize(("rule", "words"), [("Credentials", "tries"), ("ResetTotal", "reset")])
    def test_an_alarm_goes_off_when_requests_are_blocked(self, rule: str, words: str) -> None:
        """The dimensions are as in https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html."""
        template = synth_acl()
        alarm = next(
            resource["Properties"]
            for resource in of_type(template, ALARM).values()
            if words in resource["Properties"]["AlarmDescription"]
        )
        acl = only(template, WEB_ACL)

        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/WAFV2", "BlockedRequests")
        assert dimensions == {
            "Region": {"Ref": "AWS::Region"},
            "Rule": rules(template)[rule]["VisibilityConfig"]["MetricName"],
            "WebACL": acl["VisibilityConfig"]["MetricName"],
        }
        assert (alarm["Statistic"], alarm["Threshold"], alarm["Period"]) == ("Sum", 1, 300)
        assert alarm["TreatMissingData"] == "notBreaching"
        assert "AlarmActions" not in alarm

    def test_alarms_of_cloudfront_have_no_region(self) -> None:
        """ "Required for all … except for Amazon CloudFront distributions" """
        for alarm in of_type(synth_acl(cloudfront=True), ALARM).values():
            names = {one["Name"] for one in alarm["Properties"]["Dimensions"]}
            assert names == {"Rule", "WebACL"}

    def test_notifies_the_given_topic(self) -> None:
        stack = Stack(new_app(), "Stack")
        acl = GalvWebAcl(stack, "WebAcl", alarm_topic=sns.Topic(stack, "Topic"))

        template = synthesize(stack)
        topic = {"Ref": only_id(template, "AWS::SNS::Topic")}
        assert len(acl.credential_alarms) == 2
        for alarm in of_type(template, ALARM).values():
            assert alarm["Properties"]["AlarmActions"] == [topic]


class TestAdmin:
    def test_is_open_when_no_ranges_are_given(self) -> None:
        assert "Admin" not in rules(synth_acl())

    def test_is_closed_to_other_addresses(self) -> None:
        template = synth_acl(admin_cidrs=["192.0.2.0/24", "2001:db8::/32"])

        rule = rules(template)["Admin"]
        at_admin, elsewhere = rule["Statement"]["AndStatement"]["Statements"]
        known, plain = elsewhere["NotStatement"]["Statement"]["AndStatement"]["Statements"]
        either = known["OrStatement"]["Statements"]
        assert plain["ByteMatchStatement"]["SearchString"] == "/admin/"
        assert rule["Action"] == {"Block": {}}
        assert "admin" in at_admin["RegexMatchStatement"]["RegexString"]
        assert [statement["IPSetReferenceStatement"]["Arn"] for statement in either] == [
            {"Fn::GetAtt": [only_id(template, IP_SET, f"WebAclAdminIpv{version}"), "Arn"]}
            for version in (4, 6)
        ]

    def test_is_closed_to_everyone_with_no_range(self) -> None:
        template = synth_acl(admin_cidrs=[])

        assert set(rules(template)["Admin"]["Statement"]) == {"RegexMatchStatement"}
        assert of_type(template, IP_SET) == {}

    def test_is_closed_to_allowed_addresses_too(self) -> None:
        by_name = rules(synth_acl(admin_cidrs=["192.0.2.1"], allowed_cidrs=["192.0.2.0/24"]))

        assert by_name["Admin"]["Priority"] < by_name["Allowed"]["Priority"]


# https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
GROUPS_CAPACITY = {
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesSQLiRuleSet": 200,
}


def capacity(statement: Json) -> int:  # noqa: PLR0911 - one for each kind
    """The web ACL capacity units of a statement, as AWS's pages on each kind have them.

    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statements-match.html
    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based.html
    """
    transformed = 10 * len(next(iter(statement.values())).get("TextTransformations", []))
    match statement:
        case {"AndStatement": {"Statements": parts}} | {"OrStatement": {"Statements": parts}}:
            return sum(map(capacity, parts))
        case {"NotStatement": {"Statement": part}}:
            return capacity(part)
        case {"LabelMatchStatement": _} | {"IPSetReferenceStatement": _}:
            return 1
        case {"RegexMatchStatement": _}:
            return 3 + transformed
        case {"ByteMatchStatement": {"PositionalConstraint": "EXACTLY" | "STARTS_WITH"}}:
            return 2 + transformed
        case {"SizeConstraintStatement": _}:
            return 1 + transformed
        case {"RateBasedStatement": rate}:
            scope = rate.get("ScopeDownStatement")
            return 2 + (0 if scope is None else capacity(scope))
        case {"ManagedRuleGroupStatement": {"Name": name}}:
            return GROUPS_CAPACITY[name]
        case _:
            raise NotImplementedError(statement)


class TestCapacity:
    """ "A web ACL can use up to 1,500 WCUs" for the basic price:

    https://docs.aws.amazon.com/waf/latest/developerguide/aws-waf-capacity-units.html
    """

    def test_is_within_the_basic_price(self) -> None:
        template = synth_acl()

        assert sum(capacity(rule["Statement"]) for rule in rules(template).values()) <= 1300

    def test_is_within_it_with_everything_given(self) -> None:
        both = ["192.0.2.0/24", "2001:db8::/32"]
        template = synth_acl(
            admin_cidrs=both,
            allowed_cidrs=both,
            denied_cidrs=both,
            credential_paths=[*DEFAULT_CREDENTIAL_PATHS, "PUT /a/", "PATCH /b/", "DELETE /c/"],
        )

        assert sum(capacity(rule["Statement"]) for rule in rules(template).values()) <= 1500


class TestMetrics:
    def test_two_stacks_share_no_names(self) -> None:
        app = new_app()
        stacks = [Stack(app, id) for id in ("One", "Two")]
        for stack in stacks:
            GalvWebAcl(stack, "WebAcl")
        names = []
        for stack in stacks:
            acl = only(synthesize(stack), WEB_ACL)
            names += [part["VisibilityConfig"]["MetricName"] for part in (acl, *acl["Rules"])]

        assert len(set(names)) == len(names) == 18

    def test_names_are_valid_for_cloudwatch(self) -> None:
        stack = Stack(new_app(), "Stack" * 20)
        acl = GalvWebAcl(stack, "WebAcl")

        for rule in only(synthesize(stack), WEB_ACL)["Rules"]:
            name = rule["VisibilityConfig"]["MetricName"]
            assert name == f"{acl.metric_name}-{rule['Name']}"
            assert len(name) <= 128
            assert name.replace("-", "").isalnum()


class TestLogging:
    def test_redacts_credentials(self, default: Json) -> None:
        assert only(default, LOGGING)["RedactedFields"] == [
            {"SingleHeader": {"Name": "authorization"}},
            {"SingleHeader": {"Name": "cookie"}},
            {"QueryString": {}},
        ]

    def test_redacts_credentials_in_samples_too(self) -> None:
        """A redacted field "has no impact on request sampling":

        https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingConfiguration.html
        """
        protections = only(synth_acl(), WEB_ACL)["DataProtectionConfig"]["DataProtections"]

        assert {protection["Action"] for protection in protections} == {"SUBSTITUTION"}
        assert [protection["Field"] for protection in protections] == [
            {"FieldType": "QUERY_STRING"},
            {"FieldType": "SINGLE_HEADER", "FieldKeys": ["authorization"]},
            {"FieldType": "SINGLE_COOKIE", "FieldKeys": ["csrftoken", "sessionid"]},
        ]

    def test_logs_nothing_when_no_bucket_is_given(self) -> None:
        assert of_type(synth_acl(), LOGGING) == {}

    def test_refuses_the_construct_in_place_of_its_bucket(
        self, stack: Stack, refusal: Refusal
    ) -> None:
        logs: Any = GalvLogBucket(stack, "Logs")

        assert refusal(lambda: GalvWebAcl(stack, "WebAcl", log_bucket=logs)).endswith(
            "got a GalvLogBucket: pass .bucket"
        )


class TestScope:
    def test_is_regional_for_a_load_balancer(self) -> None:
        template = synth_acl(denied_cidrs=["192.0.2.0/24"])

        assert only(template, WEB_ACL)["Scope"] == only(template, IP_SET)["Scope"] == "REGIONAL"

    def test_is_global_for_cloudfront(self) -> None:
        app = new_app()
        stack = Stack(app, "Edge", env=Environment(account="111122223333", region="us-east-1"))
        GalvWebAcl(stack, "WebAcl", cloudfront=True, denied_cidrs=["192.0.2.0/24"])

        template = synthesize(stack)
        assert only(template, WEB_ACL)["Scope"] == only(template, IP_SET)["Scope"] == "CLOUDFRONT"

    def test_accepts_a_region_that_is_not_known_at_synthesis(self) -> None:
        assert only(synth_acl(cloudfront=True), WEB_ACL)["Scope"] == "CLOUDFRONT"

    def test_refuses_cloudfront_elsewhere(self) -> None:
        stack = Stack(new_app(), "Stack", env=ENVIRONMENT)

        with pytest.raises(ValueError, match="needs a stack in us-east-1, and this one is in eu-w"):
            GalvWebAcl(stack, "WebAcl", cloudfront=True)


class TestOfTheBackend:
    def test_is_attached_to_the_load_balancer_before_anyone_is_answered(
        self, default: Json
    ) -> None:
        association = only(default, ASSOCIATION)
        balancer = only_id(default, "AWS::ElasticLoadBalancingV2::LoadBalancer")

        assert association["ResourceArn"] == {"Ref": balancer}
        acl = {"Fn::GetAtt": [only_id(default, WEB_ACL), "Arn"]}
        assert association["WebACLArn"] == acl
        listeners = of_type(default, "AWS::ElasticLoadBalancingV2::Listener")
        assert len(listeners) == 2
        for listener in listeners:
            assert only_id(default, ASSOCIATION) in needs(default, listener)

    def test_uses_the_given_one(self, tuned: Json) -> None:
        assert of_type(tuned, WEB_ACL) == of_type(tuned, LOGGING) == {}
        assert only(tuned, ASSOCIATION)["WebACLArn"] == WEB_ACL_ARN

    def test_uses_one_with_lists_of_its_own(self) -> None:
        stack = Stack(new_app(), "Stack")
        acl = GalvWebAcl(stack, "Acl", denied_cidrs=["192.0.2.0/24"])
        backend = backend_in(stack, web_acl_arn=acl.web_acl_arn)

        template = synthesize(stack)
        assert only_id(template, WEB_ACL).startswith("Acl")
        arn = stack.resolve(backend.web_acl_arn)
        assert only(template, ASSOCIATION)["WebACLArn"] == arn

    def test_is_none_when_it_is_switched_off(self) -> None:
        stack = Stack(new_app(), "Stack")
        backend = backend_in(stack, web_acl=False)

        template = synthesize(stack)
        assert backend.web_acl_arn is None
        assert of_type(template, WEB_ACL) == of_type(template, ASSOCIATION) == {}

    @pytest.mark.parametrize(
        "arn",
        [
            "ours",
            WEB_ACL_ARN.replace("regional", "global"),
            "arn:aws:waf-regional:eu-west-1:111122223333:webacl/0a1b2c3d",
        ],
    )
    def test_refuses_a_web_acl_that_a_load_balancer_cannot_have(
        self, refused_backend: RefusedBackend, arn: str
    ) -> None:
        message = refused_backend(web_acl_arn=arn)

        assert message.startswith("web_acl_arn must be the ARN of a regional WAFv2 web ACL such as")
        assert message.endswith(f"got {arn!r}")

    def test_refuses_one_that_is_switched_off(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(web_acl_arn=WEB_ACL_ARN, web_acl=False) == (
            "web_acl_arn is given with web_acl=False: drop one of them"
        )

    def test_closes_the_admin_and_notifies_the_topic(self, stack: Stack) -> None:
        topic = sns.Topic(stack, "Topic")
        backend_in(stack, admin_cidrs=["192.0.2.0/24"], alarm_topic=topic)

        template = synthesize(stack)
        assert only(template, IP_SET)["Addresses"] == ["192.0.2.0/24"]
        for alarm in of_type(template, ALARM).values():
            assert alarm["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]

    def test_leaves_the_admin_open_and_notifies_nobody_by_default(self, default: Json) -> None:
        assert "Admin" not in rules(default)
        assert len(of_type(default, ALARM)) == 2
        for alarm in of_type(default, ALARM).values():
            assert "AlarmActions" not in alarm["Properties"]

    def test_refuses_ranges_and_a_topic_for_a_given_one(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        topic = sns.Topic(stack, "Topic")

        assert refused_backend(web_acl_arn=WEB_ACL_ARN, admin_cidrs=[]) == (
            "admin_cidrs is given with web_acl_arn, and is for a new web ACL: pass "
            "GalvWebAcl(…, admin_cidrs=…).web_acl_arn, or drop one of them"
        )
        assert refused_backend(web_acl_arn=WEB_ACL_ARN, alarm_topic=topic).startswith(
            "alarm_topic is given with web_acl_arn, and is for a new web ACL: pass "
        )

    def test_refuses_ranges_without_one(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(web_acl=False, admin_cidrs=["192.0.2.0/24"]) == (
            "admin_cidrs is given with web_acl=False, and is for the web ACL: drop one of them"
        )

    def test_refuses_invalid_ranges(self, refused_backend: RefusedBackend) -> None:
        message = refused_backend(admin_cidrs=["10.0.0.1/8"])
        assert message.startswith("admin_cidrs[0] must be an IP range such as '192.0.2.0/24'")

    def test_refuses_a_flag_that_is_not_a_boolean(self, refused_backend: RefusedBackend) -> None:
        message = "web_acl must be true or false, got 'yes' (str)"
        assert refused_backend(web_acl="yes") == message


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"rate_limit": 9}, "rate_limit must be from 10 to 2000000000, got 9"),
            ({"rate_limit": "many"}, "rate_limit must be a whole number, got 'many' (str)"),
            ({"cloudfront": 1}, "cloudfront must be true or false, got 1 (int)"),
            (
                {"allowed_cidrs": "192.0.2.0/24"},
                "allowed_cidrs must be a list of IP ranges, got '192.0.2.0/24'",
            ),
            (
                {"denied_cidrs": ["192.0.2.0/24", "192.0.2.1/24"]},
                (
                    "denied_cidrs[1] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' "
                    "whose host bits are zero, got '192.0.2.1/24'"
                ),
            ),
            (
                {"denied_cidrs": ["0.0.0.0/0"]},
                (
                    "denied_cidrs[0] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' "
                    "whose host bits are zero, got '0.0.0.0/0'"
                ),
            ),
            (
                {"denied_cidrs": [1]},
                (
                    "denied_cidrs[0] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' "
                    "whose host bits are zero, got 1"
                ),
            ),
            (
                {"admin_cidrs": "192.0.2.0/24"},
                "admin_cidrs must be a list of IP ranges, got '192.0.2.0/24'",
            ),
            (
                {"admin_cidrs": ["192.0.2.1/24"]},
                (
                    "admin_cidrs[0] must be an IP range such as '192.0.2.0/24' or '2001:db8::/32' "
                    "whose host bits are zero, got '192.0.2.1/24'"
                ),
            ),
            (
                {"credential_rate_limit": 9},
                "credential_rate_limit must be from 10 to 2000000000, got 9",
            ),
            ({"reset_rate_limit": 9}, "reset_rate_limit must be from 10 to 2000000000, got 9"),
            (
                {"credential_paths": "/login/"},
                "credential_paths must be a list of paths, got '/login/'",
            ),
            (
                {"credential_paths": ["/login"]},
                (
                    "credential_paths[0] must be the start of a path such as '/login/' or "
                    "'POST /users/', with a slash at both ends and not for all paths, got '/login'"
                ),
            ),
            (
                {"credential_paths": ["/login/", "/"]},
                (
                    "credential_paths[1] must be the start of a path such as '/login/' or "
                    "'POST /users/', with a slash at both ends and not for all paths, got '/'"
                ),
            ),
            (
                {"credential_paths": [f"/{letter * 200}/" for letter in "abc"]},
                (
                    "credential_paths are 3 paths, which are too long together: AWS WAF takes an "
                    "expression of at most 512 characters"
                ),
            ),
            (
                {"alarm_topic": "arn:aws:sns:eu-west-1:111122223333:alarms"},
                (
                    "alarm_topic must be an aws_sns.ITopic, got "
                    "'arn:aws:sns:eu-west-1:111122223333:alarms': "
                    "use sns.Topic.from_topic_arn(scope, id, arn)"
                ),
            ),
            (
                {"upload_paths": "/files/"},
                "upload_paths must be a list of paths, got '/files/'",
            ),
            (
                {"upload_paths": ["/"]},
                (
                    "upload_paths[0] must be the start of a path such as '/files/', with a slash "
                    "at both ends and not for all paths, got '/'"
                ),
            ),
            (
                {"upload_paths": ["/ok/", "files"]},
                (
                    "upload_paths[1] must be the start of a path such as '/files/', with a slash "
                    "at both ends and not for all paths, got 'files'"
                ),
            ),
            (
                {"upload_paths": [f"/{letter * 200}/" for letter in "abc"]},
                (
                    "upload_paths are 3 paths, which are too long together: AWS WAF takes an "
                    "expression of at most 512 characters"
                ),
            ),
            (
                {"counted_rules": ["SQLi_BODY"]},
                "counted_rules must be a mapping of groups to rules, got ['SQLi_BODY']",
            ),
            (
                {"counted_rules": {"Common": ["SQLi_BODY"]}},
                (
                    "counted_rules has the group 'Common': it must be one of "
                    "AWSManagedRulesAmazonIpReputationList, AWSManagedRulesKnownBadInputsRuleSet, "
                    "AWSManagedRulesCommonRuleSet, AWSManagedRulesSQLiRuleSet"
                ),
            ),
            (
                {"counted_rules": {"AWSManagedRulesSQLiRuleSet": "SQLi_BODY"}},
                (
                    "counted_rules['AWSManagedRulesSQLiRuleSet'] must be a list of rules such as "
                    "['CrossSiteScripting_BODY'], got 'SQLi_BODY'"
                ),
            ),
            (
                {"counted_rules": {"AWSManagedRulesSQLiRuleSet": ["SQLi BODY"]}},
                (
                    "counted_rules['AWSManagedRulesSQLiRuleSet'] must be a list of rules such as "
                    "['CrossSiteScripting_BODY'], got ['SQLi BODY']"
                ),
            ),
        ],
    )
    def test_refuses_invalid_arguments(
        self, stack: Stack, refusal: Refusal, arguments: Json, message: str
    ) -> None:
        assert refusal(lambda: GalvWebAcl(stack, "WebAcl", **arguments)) == message
