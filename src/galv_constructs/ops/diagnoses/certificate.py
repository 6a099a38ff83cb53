"""A certificate is not issued."""

from __future__ import annotations

from collections.abc import Iterator

from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence
from galv_constructs.ops.parts.certificates import wanted_records


def certificate(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which DNS record a certificate waits for, or why it was refused."""
    for found in evidence.certificates:
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
            )
        elif status not in {"ISSUED", ""}:
            yield Diagnosis(
                f"The certificate for {name} is {status}.",
                [str(found["FailureReason"])] if "FailureReason" in found else [],
                "AWS issues one if no CAA record of the domain forbids amazon.com, and renews one "
                "as long as its DNS record is there. Mend that, then deploy again; one from "
                "elsewhere is renewed where it came from.",
            )
