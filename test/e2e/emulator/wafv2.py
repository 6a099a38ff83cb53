"""Parts of WAF that MiniStack lacks: associations and logging as resources, and samples."""

import json
from base64 import b64encode
from typing import Any

from e2e.emulator.private import provisioners, s3, waf
from e2e.emulator.types import Json, Made, Records, add_type


def _associate(_logical_id: str, properties: Json, _stack: str) -> Made:
    answer: Any = waf.associate_web_acl(properties)
    if answer[0] >= 400:
        raise ValueError(json.loads(answer[2]))
    return f"{properties['ResourceArn']}|{properties['WebACLArn']}", {}


def _disassociate(_id: str, properties: Json) -> None:
    waf.disassociate_web_acl(properties)


def _logging_id(properties: Json) -> str:
    for destination in properties["LogDestinationConfigs"]:
        name = destination.rpartition(":")[2]
        if not name.startswith("aws-waf-logs-"):
            raise ValueError(f"WAFInvalidParameterException: {name} does not start as it must")
        if ":s3:" in destination and name not in s3.buckets:
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


def _answerable(value: Any) -> Any:
    """Encode what byte matches look for: the API's answers have it in Base64, templates as text.

    https://docs.aws.amazon.com/waf/latest/APIReference/API_ByteMatchStatement.html
    """
    if isinstance(value, dict):
        return {
            key: b64encode(str(item).encode()).decode()
            if key == "SearchString"
            else _answerable(item)
            for key, item in value.items()
        }
    return [_answerable(item) for item in value] if isinstance(value, list) else value


_web_acl = dict(provisioners.RESOURCE_HANDLERS["AWS::WAFv2::WebACL"])


def _create_web_acl(logical_id: str, properties: Json, stack: str) -> Made:
    made: Made = _web_acl["create"](logical_id, _answerable(properties), stack)
    return made


def install() -> None:
    """Add the types and the call."""
    waf.handle_request = _with_samples
    add_type("AWS::WAFv2::WebACLAssociation", create=_associate, delete=_disassociate)
    LOGGING.install()
    provisioners.RESOURCE_HANDLERS["AWS::WAFv2::WebACL"].update(create=_create_web_acl)
