"""A certificate is not issued."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.query.certificates import wanted_records

if TYPE_CHECKING:
    from types_boto3_acm.type_defs import CertificateDetailTypeDef

# AWS needs some minutes where the DNS record is in place.
_PATIENCE = timedelta(minutes=15)


def certificate(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which DNS record a certificate waits for, or why it was refused."""
    for found in evidence.certificates:
        if _is_young(evidence, found):
            continue
        failed = [
            failure for failure in evidence.failures if failure.id == found.get("CertificateArn")
        ]
        name, status = found.get("DomainName", ""), str(found.get("Status", ""))
        if status == "PENDING_VALIDATION":
            records = wanted_records(found)
            yield Diagnosis(
                f"The certificate for {name} is still pending: AWS does not find the DNS record "
                "that proves whose the name is.",
                [f"wanted: {record}" for record in records],
                "Create the record where the domain's DNS is. If it is in the Route 53 zone "
                "already, the domain's registrar does not name that zone's name servers. A new "
                "record is seen within half an hour; the deployment waits.",
                failed,
                is_now=True,
            )
        elif status not in {"ISSUED", ""}:
            yield Diagnosis(
                f"The certificate for {name} is {status}.",
                [str(found["FailureReason"])] if "FailureReason" in found else [],
                "AWS issues one if no CAA record of the domain forbids amazon.com, and renews one "
                "as long as its DNS record is there. Fix that, then deploy again; one from "
                "elsewhere is renewed where it came from.",
                failed,
                is_now=True,
            )


def _is_young(evidence: Evidence, certificate: CertificateDetailTypeDef) -> bool:
    """Tell whether a certificate is still to be waited for, in a deployment that goes on."""
    created = certificate.get("CreatedAt")
    if created is None or certificate.get("Status") != "PENDING_VALIDATION":
        return False
    busy = any(stack.is_busy for stack in evidence.deployment.stacks)
    return busy and datetime.now(timezone.utc) - created < _PATIENCE
