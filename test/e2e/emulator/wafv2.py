"""What is missing of WAF: associations and logging as resources of their own, and samples."""

import json
from typing import Any

from e2e.emulator.types import Json, Made, Records, add_type
from ministack.services import s3, waf


def _associate(_logical_id: str, properties: Json, _stack: str) -> Made:
    answer: Any = waf._associate_web_acl(properties)
    if answer[0] >= 400:
        raise ValueError(json.loads(answer[2]))
    return f"{properties['ResourceArn']}|{properties['WebACLArn']}", {}


def _disassociate(_id: str, properties: Json) -> None:
    waf._disassociate_web_acl(properties)


def _logging_id(properties: Json) -> str:
    for destination in properties["LogDestinationConfigs"]:
        name = destination.rpartition(":")[2]
        if not name.startswith("aws-waf-logs-"):
            raise ValueError(f"WAFInvalidParameterException: {name} does not start as it must")
        if ":s3:" in destination and name not in s3._buckets:
            raise ValueError(f"WAFLogDestinationPermissionIssueException: no bucket {name}")
    return str(properties["ResourceArn"])


LOGGING = Records(
    "AWS::WAFv2::LoggingConfiguration",
    required={"LogDestinationConfigs", "ResourceArn"},
    known={"LoggingFilter", "RedactedFields"},
    id=_logging_id,
)


_handle = waf.handle_request


async def _with_samples(method: str, path: str, headers: Json, body: Any, query: Any) -> Any:
    """Answer that no requests were sampled: there are none."""
    if headers.get("x-amz-target", "").endswith(".GetSampledRequests"):
        answer = json.dumps({"SampledRequests": [], "PopulationSize": 0}).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, answer
    return await _handle(method, path, headers, body, query)


def install() -> None:
    """Add the types and the call."""
    waf.handle_request = _with_samples
    add_type("AWS::WAFv2::WebACLAssociation", create=_associate, delete=_disassociate)
    LOGGING.install()
