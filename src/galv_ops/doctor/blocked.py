"""The WAF blocks people who are signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.errors import page
from galv_ops.query.aws import EDGE_REGION, Aws
from galv_ops.query.deployment import Deployment
from galv_ops.text import count, moment

Json = dict[str, Any]

_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_DISTRIBUTION = "AWS::CloudFront::Distribution"
# WAF keeps samples for three hours.
_KEPT = timedelta(hours=3)
_SAMPLES = 100
_SHOWN = 5
# Rules of `GalvWebAcl`, each in our words, with what to do when it blocks whom it should not.
_OURS = {
    "Admin": (
        "the rule for the addresses of the admin",
        "If these are yours, add their range: adminCidrs in cdk.json, admin_cidrs of GalvWebAcl",
    ),
    "Credentials": (
        "the limit for passwords and codes of an address",
        (
            "If these are people behind one address, raise credential_rate_limit of GalvWebAcl, or "
            "name their range in its allowed_cidrs; otherwise it is what the rule is for"
        ),
    ),
    "RateLimit": (
        "the rate limit",
        (
            "People behind one address count as one: raise rate_limit of GalvWebAcl, or name their "
            "range in its allowed_cidrs"
        ),
    ),
    "ResetTotal": (
        "the limit for resets of all addresses together, and nobody can reset a password now",
        "Block who sends them with denied_cidrs of GalvWebAcl, or raise its reset_rate_limit",
    ),
}
# What these block is of people who are not signed in yet.
_BEFORE_SIGN_IN = ("Credentials", "ResetTotal")
_SIGNED_IN = "of people who are signed in"
# How requests of Galv's users and clients look, and those of scanners do not.
# Or what a web ACL with data protection puts in its place.
_TOKEN = re.compile(r"(?:Bearer|Token) \S|REDACTED")
_SESSION = re.compile(r"\bsessionid=")


@dataclass(frozen=True)
class _Rule:
    """A rule that blocked, and the requests."""

    rule: str
    within: str
    requests: list[str]


def blocked(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which rules of the WAF blocked people who are signed in, or who sign in."""
    for rule in _rules(evidence.deployment):
        what, remedy = _OURS.get(
            rule.rule,
            (
                f"its rule {rule.within or rule.rule}",
                (
                    "If these requests are right, let the rule only count: wafCountedRules in "
                    "cdk.json, counted_rules of GalvWebAcl"
                ),
            ),
        )
        whose = "with passwords or codes" if rule.rule in _BEFORE_SIGN_IN else _SIGNED_IN
        yield Diagnosis(
            f"The WAF blocked {count(len(rule.requests), 'request')} {whose}, by {what}.",
            rule.requests[:_SHOWN],
            f"{remedy}. How to find out more: "
            f"{page('operations.md', 'a-request-that-the-waf-blocked')}",
            is_now=True,
        )


def _rules(deployment: Deployment) -> Iterator[_Rule]:
    found: dict[tuple[str, str], list[str]] = {}
    now = datetime.now(timezone.utc)
    for aws, scope, acl in _web_acls(deployment):
        for rule in acl.get("Rules", []):
            answer = aws.wafv2.get_sampled_requests(
                WebAclArn=acl["ARN"],
                RuleMetricName=rule["VisibilityConfig"]["MetricName"],
                Scope=scope,
                TimeWindow={"StartTime": now - _KEPT, "EndTime": now},
                MaxItems=_SAMPLES,
            )
            for sample in answer.get("SampledRequests", []):
                request = sample["Request"]
                told = rule["Name"] in _BEFORE_SIGN_IN or _is_of_a_user(request)
                if sample.get("Action") == "BLOCK" and told:
                    when = moment(sample.get("Timestamp"))
                    text = f"{when} {request.get('Method', '')} {request.get('URI', '')}"
                    key = (rule["Name"], sample.get("RuleNameWithinRuleGroup", ""))
                    found.setdefault(key, []).append(f"{text} from {request.get('ClientIP', '')}")
    for (name, within), requests in found.items():
        yield _Rule(name, within, sorted(requests, reverse=True))


def _web_acls(deployment: Deployment) -> Iterator[tuple[Aws, str, Json]]:
    """Yield the web ACLs of load balancers and distributions, also those that were given."""
    seen: set[str] = set()
    for stack, load_balancer in deployment.resources(_LOAD_BALANCER):
        found = stack.aws.wafv2.get_web_acl_for_resource(ResourceArn=load_balancer.id).get("WebACL")
        if found is not None and found["ARN"] not in seen:
            seen.add(found["ARN"])
            yield stack.aws, "REGIONAL", found
    edge = deployment.aws.in_region(EDGE_REGION)
    for _, distribution in deployment.resources(_DISTRIBUTION):
        config = deployment.aws.cloudfront.get_distribution_config(Id=distribution.id)[
            "DistributionConfig"
        ]
        arn = config.get("WebACLId", "")
        if arn and arn not in seen:
            seen.add(arn)
            name, id = arn.split("/")[-2:]
            yield (
                edge,
                "CLOUDFRONT",
                edge.wafv2.get_web_acl(Name=name, Scope="CLOUDFRONT", Id=id)["WebACL"],
            )


def _is_of_a_user(request: Json) -> bool:
    headers = {
        header.get("Name", "").lower(): header.get("Value", "") for header in request["Headers"]
    }
    return bool(
        _TOKEN.match(headers.get("authorization", "")) or _SESSION.search(headers.get("cookie", ""))
    )
