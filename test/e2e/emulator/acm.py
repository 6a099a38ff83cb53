"""Certificates that wait for their DNS records, where somebody asks ACM for them.

Those of a template are issued at once: CloudFormation makes their records.
"""

import json
from collections.abc import Iterator
from typing import Any

from e2e.emulator.private import acm, route53
from e2e.emulator.types import Json

_request, _describe = acm.request_certificate, acm.describe_certificate
_WAITS, _ISSUED = "PENDING_VALIDATION", "ISSUED"


def _requested(request: Json) -> Any:
    answer = _request(request)
    if request.get("ValidationMethod") == "DNS":
        acm.certificates[json.loads(answer[2])["CertificateArn"]]["Status"] = _WAITS
    return answer


def _described(request: Json) -> Any:
    certificate = acm.certificates.get(request["CertificateArn"])
    if certificate and certificate["Status"] == _WAITS:
        wanted = {one["ResourceRecord"]["Name"] for one in certificate["DomainValidationOptions"]}
        if wanted <= set(_names()):
            certificate["Status"] = _ISSUED
    return _describe(request)


def _names() -> Iterator[str]:
    for zone in route53.records.values():
        for record in zone:
            yield record["Name"]


def install() -> None:
    """Wrap MiniStack's certificates."""
    acm.request_certificate = _requested
    acm.describe_certificate = _described
