"""Whether a given certificate is issued, covers the names, and is where it is used."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from .aws_errors import AWS_ERRORS, error_code, error_message
from .names import is_covered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("acm:DescribeCertificate",)
# ACM renews 60 days before the end, where it can; what is nearer has not been renewed:
# https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html
SOON = timedelta(days=30)


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `CertificateArn`, which covers all `DomainNames` and is in `Region`."""
    arn, names = question.text("CertificateArn"), question.texts("DomainNames")
    _, _, service, region, *_ = [*arn.split(":"), *[""] * 4]
    # Certificates of IAM have no region, and are none of ACM's.
    if service != "acm":
        return
    wanted = question.text("Region", "") or region
    if region != wanted:
        yield question.error(
            f"the certificate {arn} is in another region than what uses it",
            f"it is in {region}, and is used in {wanted}",
            f"request one in {wanted} and pass its ARN",
        )
    try:
        found = world.client("acm", region).describe_certificate(CertificateArn=arn)["Certificate"]
    except AWS_ERRORS as error:
        if error_code(error) not in ("ResourceNotFoundException", "InvalidArnException"):
            raise
        yield question.error(
            f"the certificate {arn} does not exist",
            error_message(error),
            f"pass the ARN of one in this account; `aws acm list-certificates --region {wanted}` "
            "lists them",
        )
        return
    status = found.get("Status", "")
    if status != "ISSUED":
        reason = found.get("FailureReason")
        waits = "wait until it is issued, for which its DNS records must exist"
        yield question.error(
            f"the certificate {arn} is not issued",
            f"its status is {status}{f' ({reason})' if reason else ''}",
            waits if status == "PENDING_VALIDATION" else "request another one and pass its ARN",
        )
    covered = [found.get("DomainName", ""), *found.get("SubjectAlternativeNames", [])]
    bare = [name for name in names if not any(is_covered(name, other) for other in covered)]
    if bare:
        yield question.error(
            f"the certificate {arn} does not cover {', '.join(bare)}",
            f"it covers {', '.join(dict.fromkeys(covered))}",
            "request one for all names and pass its ARN",
        )
    end = found.get("NotAfter")
    left = end - datetime.now(timezone.utc) if status == "ISSUED" and end else SOON
    if left < SOON:
        yield question.warning(
            f"the certificate {arn} expires in {max(left.days, 0)} days",
            f"it ends on {end:%Y-%m-%d}, and was not renewed so far",
            "let ACM find its DNS records; renew one that was imported where it came from",
        )
