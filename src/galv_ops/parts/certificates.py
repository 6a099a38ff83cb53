"""The certificates of the load balancer and of the site."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from galv_ops.parts.part import Part, told
from galv_ops.query.certificates import certificate_arns, describe_certificate, wanted_records
from galv_ops.query.deployment import Deployment
from galv_ops.text import moment


def certificates(deployment: Deployment) -> Iterator[Part]:
    """Tell whether each certificate is issued, and until when."""
    for arn in certificate_arns(deployment):
        yield told("certificate", partial(_certificate, deployment, arn))


def _certificate(deployment: Deployment, arn: str) -> Part:
    found = describe_certificate(deployment, arn)
    name, status = found.get("DomainName", ""), str(found.get("Status", "unknown"))
    until = found.get("NotAfter")
    pending = status == "PENDING_VALIDATION"
    return Part(
        "certificate",
        "ok" if status == "ISSUED" else "busy" if pending else "bad",
        f"{name} {status}{f' until {moment(until)}' if until else ''}",
        [f"it waits for the record {record}" for record in wanted_records(found)]
        if pending
        else [],
        {"arn": arn, "domain": name, "status": status, "until": until},
    )
