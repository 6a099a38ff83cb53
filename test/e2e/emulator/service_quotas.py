"""Service Quotas, which MiniStack does not have. What an account asks for it gets at once.

Services that MiniStack does not know make it read all of botocore's descriptions at the first
request, for seconds in which it answers nobody else.
"""

import json
import time
from typing import NamedTuple

from e2e.emulator.private import app, iam_actions, responses, router
from e2e.emulator.types import Json

_SERVICE = "service-quotas"
_TARGET = "ServiceQuotasV20190624."
_GLOBAL = "us-east-1"


class _Quota(NamedTuple):
    service: str
    code: str
    name: str
    value: float
    """AWS's default."""
    metric: Json | None = None
    is_global: bool = False


# Names and defaults: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
_QUOTAS = [
    _Quota("cloudfront", "L-24B04930", "Web distributions per AWS account", 200, is_global=True),
    _Quota("cloudfront", "L-7D134442", "Cache policies per AWS account", 20, is_global=True),
    _Quota(
        "cloudfront", "L-CF0D4FC5", "Response headers policies per AWS account", 20, is_global=True
    ),
    _Quota(
        "codebuild", "L-2DC20C30", "Concurrently running builds for Linux/Medium environment", 1
    ),
    _Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5),
    _Quota(
        "fargate",
        "L-3032A538",
        "Fargate On-Demand vCPU resource count",
        6,
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Service-Quota-Integration.html
        {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": "None",
                "Resource": "vCPU",
                "Service": "Fargate",
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        },
    ),
    _Quota("rds", "L-7B6409FD", "DB instances", 40),
    _Quota("vpc", "L-A4707A72", "Internet gateways per Region", 5),
    _Quota("vpc", "L-F678F1CE", "VPCs per Region", 5),
]
# The account of the tests has asked for more: many applications are there at the same time.
_applied: dict[tuple[str, str], float] = dict.fromkeys(
    (
        ("cloudfront", "L-7D134442"),
        ("cloudfront", "L-CF0D4FC5"),
        ("ec2", "L-0263D0A3"),
        ("vpc", "L-A4707A72"),
        ("vpc", "L-F678F1CE"),
    ),
    200,
)


def _find(request: Json) -> _Quota | None:
    for quota in _QUOTAS:
        if (quota.service, quota.code) == (request["ServiceCode"], request["QuotaCode"]):
            return quota if not quota.is_global or responses.get_region() == _GLOBAL else None
    return None


def _shown(quota: _Quota, value: float) -> Json:
    metric = {"UsageMetric": quota.metric} if quota.metric else {}
    return {
        "ServiceCode": quota.service,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": value,
        "Adjustable": True,
        "GlobalQuota": quota.is_global,
        **metric,
    }


def _answer(operation: str, request: Json) -> Json | None:
    quota = _find(request)
    if quota is None:
        return None
    key = (quota.service, quota.code)
    match operation:
        case "GetAWSDefaultServiceQuota":
            return {"Quota": _shown(quota, quota.value)}
        case "GetServiceQuota":
            # What was never changed only has a default.
            return {"Quota": _shown(quota, _applied[key])} if key in _applied else None
        case "RequestServiceQuotaIncrease":
            _applied[key] = request["DesiredValue"]
            asked = {"Id": "1", "Status": "APPROVED", "Created": int(time.time())}
            return {"RequestedQuota": {**asked, "DesiredValue": request["DesiredValue"]}}
        case _:
            raise ValueError(f"Service Quotas: {operation} is not known here")


async def _handle(
    _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Json
) -> tuple[int, dict[str, str], bytes]:
    operation = headers["x-amz-target"].removeprefix(_TARGET)
    found = _answer(operation, json.loads(body))
    if found is None:
        answer: tuple[int, dict[str, str], bytes] = responses.error_response_json(
            "NoSuchResourceException", "The request failed because there is no such quota.", 400
        )
    else:
        answer = responses.json_response(found)
    return answer


def install() -> None:
    """Add the service, and the name that it has in policies."""
    router.SERVICE_PATTERNS[_SERVICE] = {"target_prefixes": [_TARGET]}
    app.SERVICE_HANDLERS[_SERVICE] = _handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = "servicequotas"
