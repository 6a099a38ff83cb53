"""The web ACL in front of the load balancer or of CloudFront."""

import re
from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Names, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.alarms import TELLS_NOBODY, check_alarm_topic, event_alarm
from galv_constructs._core.ip_ranges import ranges_by_version
from galv_constructs._core.placement import check_place
from galv_constructs._core.regions import EDGE_REGION
from galv_constructs._core.validation import (
    arn_pattern,
    check_boolean,
    check_known,
    check_list,
    check_range,
    check_type,
    is_list,
    is_token,
)
from galv_constructs.log_bucket._delivery import check_log_bucket, ready_for_logs
from galv_constructs.web_acl._credential_rules import (
    admin_from_elsewhere,
    at_most,
    by_address,
    check_credential_paths,
    in_total,
)
from galv_constructs.web_acl._managed_rules import ALWAYS_COUNTED, BODY_RULES, MANAGED_GROUPS

DEFAULT_CREDENTIAL_PATHS: Sequence[str] = (
    "/activate/",
    "/admin/login/",
    "/api-auth/login/",
    "/create_token/",
    "/forgot_password/",
    "/login/",
    "/reset_password/",
    "PATCH /users/",
    "POST /users/",
    "PUT /users/",
)
"""Paths where Galv takes a password or a code, registers people and sends codes."""

DEFAULT_UPLOAD_PATHS: Sequence[str] = (
    "/arbitrary_files/",
    "/experiments/",
    "/files/",
    "/harvesters/",
    "/schedules/",
)
"""Paths of Galv's API whose requests have files in them."""
_UPLOAD_PATH = re.compile(r"/(?:[A-Za-z0-9_~.-]+/)*")
_RULE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_WEB_ACL_ARN = arn_pattern("wafv2", "(?P<scope>regional|global)/webacl/[^/]+/[^/]+")
# Headers with which whoever reads the logs could act as someone else.
_REDACTED_HEADERS = ("authorization", "cookie")
# The same for samples, in which `galv-ops doctor` looks for people who were signed in: that they
# had a session stays, its value does not.
_PROTECTED: Mapping[str, Sequence[str] | None] = {
    "QUERY_STRING": None,
    "SINGLE_HEADER": ["authorization"],
    "SINGLE_COOKIE": ["csrftoken", "sessionid"],
}
# The rules that raise an alarm when they block.
_ALARMS = {
    "Credentials": "The WAF blocks an address that tries passwords or codes. The log of the web "
    "ACL has its requests.",
    "ResetTotal": "The WAF blocks requests to reset passwords, of everyone: there are more than "
    "people make. The log of the web ACL has them.",
}


class GalvWebAcl(Construct):
    """A WAFv2 web ACL that lets Galv's requests pass and known attacks not.

    Defines a web ACL that allows what no rule blocks, with these rules in this order:

    1. requests to Django's admin from elsewhere than `admin_cidrs` are blocked
    2. requests from `allowed_cidrs` pass, whatever else they are
    3. requests from `denied_cidrs` are blocked
    4. more than `rate_limit` requests in five minutes from one address are blocked
    5. more than `credential_rate_limit` requests in five minutes from one address to
       `credential_paths` are blocked: where Galv takes passwords and codes
    6. more than `reset_rate_limit` requests in ten minutes from all addresses together to
       `/forgot_password/` and `/reset_password/` are blocked
    7. AWS's managed groups: addresses with a bad reputation, known bad inputs, the common rules,
       SQL injection; those of their rules that search bodies only add labels
    8. requests whose body one of these rules has labelled are blocked, unless they are uploads of
       files: forms (`multipart/form-data`) to `upload_paths`, which may hold anything

    The common rule that blocks bodies above 8 KB only counts, because uploads are larger.
    Requests are logged without their query strings, and without their `authorization` and
    `cookie` headers. The names of its metrics begin with the name of the stack. An alarm goes off
    when rule 5 or rule 6 blocks.

    Costs $5 a month and $1 for each rule, $13 with the default eight, $0.20 for the alarms, and
    $0.60 per million requests.

    Example:
        ```python
        web_acl = GalvWebAcl(
            self,
            "WebAcl",
            denied_cidrs=["198.51.100.0/24"],
            counted_rules={"AWSManagedRulesCommonRuleSet": ["NoUserAgent_HEADER"]},
            log_bucket=logs.bucket,
        )
        GalvBackend(
            self,
            "Backend",
            domain_name="api.example.com",
            hosted_zone=zone,
            web_acl_arn=web_acl.web_acl_arn,
            log_bucket=logs.bucket,
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cloudfront: bool = False,
        rate_limit: int = 3000,
        credential_paths: Sequence[str] | None = None,
        credential_rate_limit: int = 30,
        reset_rate_limit: int = 50,
        admin_cidrs: Sequence[str] | None = None,
        allowed_cidrs: Sequence[str] | None = None,
        denied_cidrs: Sequence[str] | None = None,
        counted_rules: Mapping[str, Sequence[str]] | None = None,
        upload_paths: Sequence[str] | None = None,
        log_bucket: s3.IBucket | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Define the web ACL.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            cloudfront: Whether it is for CloudFront distributions, for which it has to be in
                us-east-1, instead of a load balancer in the region of the stack. Default: false.
            rate_limit: Requests in five minutes from one address, from 10 to 2,000,000,000. A
                laboratory behind one address counts as one. Default: 3000, the load at which a web
                task gets a second one beside it.
            credential_paths: Starts of the paths that take passwords and codes, each with a slash
                at both ends, and with a method before it where only that one counts, such as
                `POST /users/`. Without a method all count but `OPTIONS` that has no `Authorization`
                header. None at all is `[]`. Default: `DEFAULT_CREDENTIAL_PATHS`: sign-in to the API
                and to the admin, registration, activation, changed and forgotten passwords, tokens.
            credential_rate_limit: Requests to these paths, all together, in five minutes from one
                address, from 10 to 2,000,000,000. Default: 30.
            reset_rate_limit: Requests to `/forgot_password/` and `/reset_password/`, both
                together, in ten minutes from all addresses, from 10 to 2,000,000,000. While there
                are more, nobody can reset a password. Default: 50.
            admin_cidrs: IPv4 and IPv6 ranges that may use Django's admin, everything below
                `/admin/`; `[]` is nobody. A range in `allowed_cidrs` does not count here.
                Default: all addresses.
            allowed_cidrs: IPv4 and IPv6 ranges that no rule but that of `admin_cidrs` applies to.
                Default: none.
            denied_cidrs: IPv4 and IPv6 ranges that are blocked. Default: none.
            counted_rules: Rules of the managed groups that count requests and do not block them,
                by the name of the group, in addition to `SizeRestrictions_BODY`. Default: none.
            upload_paths: Starts of the paths that files are uploaded to, each with a slash at both
                ends. What is in a file that is sent there is not searched. None at all is `[]`.
                Default: those of Galv's API.
            log_bucket: Bucket for the logs, whose name starts with `aws-waf-logs-`, such as
                `GalvLogBucket.bucket`. Default: nothing is logged.
            alarm_topic: SNS topic that is told when requests with passwords or codes are blocked;
                CloudWatch must be allowed to use the key of an encrypted one. Default: nobody is
                told.

        Raises:
            ValueError: If an argument is malformed or out of range, or `cloudfront` is true in
                another region than us-east-1.
        """
        check_boolean("cloudfront", cloudfront)
        check_range("rate_limit", rate_limit, 10, 2_000_000_000)
        check_known("rate_limit", rate_limit)
        check_credential_paths(credential_paths)
        for name, limit in (
            ("credential_rate_limit", credential_rate_limit),
            ("reset_rate_limit", reset_rate_limit),
        ):
            check_range(name, limit, 10, 2_000_000_000)
            check_known(name, limit)
        admin = None if admin_cidrs is None else ranges_by_version("admin_cidrs", admin_cidrs)
        allowed = ranges_by_version("allowed_cidrs", allowed_cidrs)
        denied = ranges_by_version("denied_cidrs", denied_cidrs)
        check_counted_rules(counted_rules)
        _check_upload_paths(upload_paths)
        check_log_bucket(log_bucket, for_web_acl=True)
        check_alarm_topic(alarm_topic)
        check_place(scope, "alarm_topic", alarm_topic)
        region = Stack.of(scope).region
        if cloudfront and not is_token(region) and region != EDGE_REGION:
            raise ValueError(
                f"cloudfront=True needs a stack in us-east-1, and this one is in {region}: define "
                "the web ACL in a stack of its own there"
            )
        super().__init__(scope, id)
        paths = DEFAULT_CREDENTIAL_PATHS if credential_paths is None else credential_paths
        self._scope = "CLOUDFRONT" if cloudfront else "REGIONAL"
        self._metric_name = Names.unique_resource_name(self, max_length=100, separator="-")
        self._resource = wafv2.CfnWebACL(
            self,
            "Resource",
            scope=self._scope,
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=self._visibility(self._metric_name),
            # Samples, which the redaction of the log does not reach.
            data_protection_config=wafv2.CfnWebACL.DataProtectionConfigProperty(
                data_protections=[
                    wafv2.CfnWebACL.DataProtectProperty(
                        action="SUBSTITUTION",
                        field=wafv2.CfnWebACL.FieldToProtectProperty(
                            field_type=field_type, field_keys=keys
                        ),
                    )
                    for field_type, keys in _PROTECTED.items()
                ]
            ),
            rules=[
                *self._addresses_rules(admin, allowed, denied),
                *self._rates(rate_limit, paths, credential_rate_limit, reset_rate_limit),
                *self._managed(counted_rules or {}),
                self._bodies(
                    counted_rules or {},
                    DEFAULT_UPLOAD_PATHS if upload_paths is None else upload_paths,
                ),
            ],
        )
        if log_bucket is not None:
            logging = wafv2.CfnLoggingConfiguration(
                self,
                "Logging",
                resource_arn=self._resource.attr_arn,
                log_destination_configs=[log_bucket.bucket_arn],
                redacted_fields=[
                    *(
                        wafv2.CfnLoggingConfiguration.FieldToMatchProperty(
                            single_header={"Name": header}
                        )
                        for header in _REDACTED_HEADERS
                    ),
                    # Codes that activate accounts are in the query string of `/activate/`.
                    wafv2.CfnLoggingConfiguration.FieldToMatchProperty(query_string={}),
                ],
            )
            logging.node.add_dependency(*ready_for_logs(log_bucket))
        self._credential_alarms = [
            self._alarm(rule, description, alarm_topic)
            for rule, description in _ALARMS.items()
            if paths or rule != "Credentials"
        ]
        if alarm_topic is None:
            for alarm in self._credential_alarms:
                acknowledge(alarm, TELLS_NOBODY)

    @property
    def web_acl_arn(self) -> str:
        """ARN of the web ACL."""
        return self._resource.attr_arn

    @property
    def resource(self) -> wafv2.CfnWebACL:
        """The web ACL, for which CDK has no L2 construct."""
        return self._resource

    @property
    def metric_name(self) -> str:
        """Name of the web ACL in CloudWatch metrics; its rules are named after it."""
        return self._metric_name

    @property
    def credential_alarms(self) -> Sequence[cloudwatch.Alarm]:
        """Alarms that go off when requests with passwords or codes are blocked."""
        return list(self._credential_alarms)

    def _addresses_rules(
        self,
        admin: Mapping[int, Sequence[str]] | None,
        allowed: Mapping[int, Sequence[str]],
        denied: Mapping[int, Sequence[str]],
    ) -> list[wafv2.CfnWebACL.RuleProperty]:
        # Priorities are fixed, so that a list that comes or goes moves no other rule.
        rules = []
        if admin is not None:
            known = self._addresses("Admin", admin) if admin else None
            rules.append(self._rule("Admin", 0, admin_from_elsewhere(known), self._block))
        if allowed:
            allow = wafv2.CfnWebACL.RuleActionProperty(allow={})
            rules.append(self._rule("Allowed", 1, self._addresses("Allowed", allowed), allow))
        if denied:
            rules.append(self._rule("Denied", 2, self._addresses("Denied", denied), self._block))
        return rules

    def _rates(
        self, of_all: int, paths: Sequence[str], of_credentials: int, of_resets: int
    ) -> list[wafv2.CfnWebACL.RuleProperty]:
        rate = at_most(of_all, seconds=300, of_each_address=True)
        rules = [self._rule("RateLimit", 3, rate, self._block)]
        if paths:
            rules.append(
                self._rule("Credentials", 4, by_address(paths, of_credentials), self._block)
            )
        rules.append(self._rule("ResetTotal", 5, in_total(of_resets), self._block))
        return rules

    def _managed(
        self, counted_rules: Mapping[str, Sequence[str]]
    ) -> list[wafv2.CfnWebACL.RuleProperty]:
        rules = []
        for priority, (id, group) in enumerate(MANAGED_GROUPS.items(), start=10):
            counted = dict.fromkeys(
                (
                    *ALWAYS_COUNTED.get(group, ()),
                    *BODY_RULES.get(group, {}),
                    *counted_rules.get(group, ()),
                )
            )
            managed = wafv2.CfnWebACL.StatementProperty(
                managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                    vendor_name="AWS",
                    name=group,
                    rule_action_overrides=[
                        wafv2.CfnWebACL.RuleActionOverrideProperty(
                            name=name,
                            action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={}),
                        )
                        for name in counted
                    ]
                    or None,
                )
            )
            rules.append(self._rule(id, priority, managed, None))
        return rules

    def _bodies(
        self, counted_rules: Mapping[str, Sequence[str]], upload_paths: Sequence[str]
    ) -> wafv2.CfnWebACL.RuleProperty:
        """Block bodies that a managed rule has labelled, except files that are uploaded."""
        statement = wafv2.CfnWebACL.StatementProperty
        labelled = statement(
            or_statement=wafv2.CfnWebACL.OrStatementProperty(
                statements=[
                    statement(
                        label_match_statement=wafv2.CfnWebACL.LabelMatchStatementProperty(
                            scope="LABEL", key=f"awswaf:managed:aws:{label}"
                        )
                    )
                    for group, rules in BODY_RULES.items()
                    for rule, label in rules.items()
                    if rule not in counted_rules.get(group, ())
                ]
            )
        )
        if not upload_paths:
            return self._rule("Body", 20, labelled, self._block)
        paths = "|".join(re.escape(path) for path in sorted(upload_paths))
        path = statement(
            regex_match_statement=wafv2.CfnWebACL.RegexMatchStatementProperty(
                # As the client wrote it: what is encoded otherwise is no upload.
                field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
                regex_string=f"^(?:{paths})",
                text_transformations=[
                    wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")
                ],
            )
        )
        form = statement(
            byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
                field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(
                    single_header={"Name": "content-type"}
                ),
                positional_constraint="STARTS_WITH",
                search_string="multipart/form-data",
                text_transformations=[
                    wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="LOWERCASE")
                ],
            )
        )
        upload = statement(
            and_statement=wafv2.CfnWebACL.AndStatementProperty(statements=[path, form])
        )
        no_upload = statement(not_statement=wafv2.CfnWebACL.NotStatementProperty(statement=upload))
        both = statement(
            and_statement=wafv2.CfnWebACL.AndStatementProperty(statements=[labelled, no_upload])
        )
        return self._rule("Body", 20, both, self._block)

    @property
    def _block(self) -> wafv2.CfnWebACL.RuleActionProperty:
        return wafv2.CfnWebACL.RuleActionProperty(block={})

    def _rule(
        self,
        name: str,
        priority: int,
        statement: wafv2.CfnWebACL.StatementProperty,
        action: wafv2.CfnWebACL.RuleActionProperty | None,
    ) -> wafv2.CfnWebACL.RuleProperty:
        """A rule; without an action of its own it is a group, whose rules have theirs."""
        return wafv2.CfnWebACL.RuleProperty(
            name=name,
            priority=priority,
            statement=statement,
            action=action,
            override_action=None
            if action is not None
            else wafv2.CfnWebACL.OverrideActionProperty(none={}),
            visibility_config=self._visibility(f"{self._metric_name}-{name}"),
        )

    def _addresses(
        self, id: str, ranges: Mapping[int, Sequence[str]]
    ) -> wafv2.CfnWebACL.StatementProperty:
        """A statement that is true for requests from the ranges; a set has one IP version."""
        statements = [
            wafv2.CfnWebACL.StatementProperty(
                ip_set_reference_statement={
                    "arn": wafv2.CfnIPSet(
                        self,
                        f"{id}Ipv{version}",
                        scope=self._scope,
                        ip_address_version=f"IPV{version}",
                        addresses=list(addresses),
                    ).attr_arn
                }
            )
            for version, addresses in ranges.items()
        ]
        if len(statements) == 1:
            return statements[0]
        return wafv2.CfnWebACL.StatementProperty(
            or_statement=wafv2.CfnWebACL.OrStatementProperty(statements=statements)
        )

    def _alarm(self, rule: str, description: str, topic: sns.ITopic | None) -> cloudwatch.Alarm:
        """Raise an alarm when a rule blocks.

        https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html: `WebACL` and `Rule`
        are names of metrics, and `Region` is that of the web ACL, but for CloudFront.
        """
        region = {} if self._scope == "CLOUDFRONT" else {"Region": Stack.of(self).region}
        return event_alarm(
            self,
            f"{rule}Alarm",
            metric=cloudwatch.Metric(
                namespace="AWS/WAFV2",
                metric_name="BlockedRequests",
                dimensions_map={
                    "WebACL": self._metric_name,
                    "Rule": f"{self._metric_name}-{rule}",
                    **region,
                },
                statistic=cloudwatch.Stats.SUM,
                period=Duration.minutes(5),
            ),
            description=description,
            topic=topic,
        )

    def _visibility(self, metric_name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
        return wafv2.CfnWebACL.VisibilityConfigProperty(
            cloud_watch_metrics_enabled=True,
            metric_name=metric_name,
            sampled_requests_enabled=True,
        )


def check_web_acl_arn(name: str, value: str) -> None:
    """Refuse what is not the ARN of a web ACL that a load balancer can have."""
    check_type(name, value, str, "the ARN of a web ACL")
    if is_token(value):
        return
    match = _WEB_ACL_ARN.fullmatch(value)
    if match is None or match["scope"] != "regional":
        raise ValueError(
            f"{name} must be the ARN of a regional WAFv2 web ACL such as "
            f"'arn:aws:wafv2:eu-west-2:123456789012:regional/webacl/name/id', got {value!r}"
        )


def check_web_acl(
    scope: Construct,
    web_acl_arn: str | None,
    *,
    web_acl: object,
    admin_cidrs: Sequence[str] | None,
    alarm_topic: sns.ITopic | None,
    topic_has_other_use: bool,
) -> None:
    """Check the web ACL, and that there is a new one for what is asked of it."""
    check_boolean("web_acl", web_acl)
    if web_acl_arn is not None:
        check_web_acl_arn("web_acl_arn", web_acl_arn)
        if web_acl is False:
            raise ValueError("web_acl_arn is given with web_acl=False: drop one of them")
    check_alarm_topic(alarm_topic)
    if admin_cidrs is not None:
        ranges_by_version("admin_cidrs", admin_cidrs)
    needed_by_it: dict[str, object] = {"admin_cidrs": admin_cidrs}
    if not topic_has_other_use:
        needed_by_it["alarm_topic"] = alarm_topic
    for name, value in needed_by_it.items():
        if value is not None and web_acl_arn is not None:
            raise ValueError(
                f"{name} is given with web_acl_arn, and is for a new web ACL: pass "
                f"GalvWebAcl(…, {name}=…).web_acl_arn, or drop one of them"
            )
        if value is not None and web_acl is False:
            raise ValueError(
                f"{name} is given with web_acl=False, and is for the web ACL: drop one of them"
            )
    check_place(scope, "web_acl_arn", web_acl_arn)
    check_place(scope, "alarm_topic", alarm_topic)


def _check_upload_paths(upload_paths: Sequence[str] | None) -> None:
    if upload_paths is None:
        return
    check_list("upload_paths", upload_paths, "a list of paths")
    for index, path in enumerate(upload_paths):
        if not isinstance(path, str) or not _UPLOAD_PATH.fullmatch(path) or path == "/":
            raise ValueError(
                f"upload_paths[{index}] must be the start of a path such as '/files/', with a "
                f"slash at both ends and not for all paths, got {path!r}"
            )
    # https://docs.aws.amazon.com/waf/latest/developerguide/limits.html
    if len("|".join(re.escape(path) for path in upload_paths)) > 500:
        raise ValueError(
            f"upload_paths are {len(upload_paths)} paths, which are too long together: AWS WAF "
            "takes an expression of at most 512 characters"
        )


def check_counted_rules(counted_rules: object) -> None:
    """Refuse what is not a mapping of AWS's groups to names of rules."""
    if counted_rules is None:
        return
    if not isinstance(counted_rules, Mapping):
        raise ValueError(
            f"counted_rules must be a mapping of groups to rules, got {counted_rules!r}"
        )
    for group, rules in counted_rules.items():
        if group not in MANAGED_GROUPS.values():
            allowed = ", ".join(MANAGED_GROUPS.values())
            raise ValueError(f"counted_rules has the group {group!r}: it must be one of {allowed}")
        if not is_list(rules) or not all(
            isinstance(rule, str) and _RULE_NAME.fullmatch(rule) for rule in rules
        ):
            raise ValueError(
                f"counted_rules[{group!r}] must be a list of rules such as "
                f"['CrossSiteScripting_BODY'], got {rules!r}"
            )
