"""The certificate of a domain: validated in a hosted zone, or given."""

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_route53 as route53

from galv_constructs._core.placement import check_public_zone
from galv_constructs._core.validation import (
    arn_pattern,
    check_construct,
    check_given,
    is_in_domain,
    is_token,
)

_ARN = arn_pattern("acm", "certificate/[A-Za-z0-9-]+")


def check_certificate_source(
    domain_name: str,
    hosted_zone: route53.IHostedZone | None,
    certificate: acm.ICertificate | None,
) -> None:
    """Check that there is one way, and only one, to a certificate."""
    check_construct(
        "hosted_zone",
        hosted_zone,
        "aws_route53.IHostedZone",
        "route53.HostedZone.from_lookup(scope, id, domain_name=…)",
    )
    check_construct(
        "certificate",
        certificate,
        "aws_certificatemanager.ICertificate",
        "acm.Certificate.from_certificate_arn(scope, id, arn)",
    )
    if certificate is not None:
        _check_arn(certificate)
    check_public_zone(hosted_zone)
    if hosted_zone is not None and certificate is not None:
        raise ValueError(
            "hosted_zone and certificate are both given: pass hosted_zone alone for a domain in "
            "Route 53, where the certificate and the record are created for you, or certificate "
            "alone for a domain elsewhere"
        )
    if hosted_zone is None and certificate is None:
        raise ValueError(
            f"neither hosted_zone nor certificate is given, and {domain_name!r} needs a "
            "certificate: pass hosted_zone for a domain in Route 53, where the certificate and "
            "the record are created for you, or certificate for a domain elsewhere"
        )
    if hosted_zone is not None:
        zone_name = hosted_zone.zone_name
        known = not (is_token(zone_name) or is_token(domain_name))
        if known and not is_in_domain(domain_name, zone_name):
            raise ValueError(
                f"domain_name {domain_name!r} is not in hosted_zone {zone_name!r}: pass the zone "
                "that it is in"
            )


def _check_arn(certificate: acm.ICertificate) -> None:
    """Refuse what is no certificate, or one of another service than ACM."""
    how = "acm.Certificate.from_certificate_arn(scope, id, arn)"
    check_given(
        "certificate", certificate, "certificate_arn", "aws_certificatemanager.ICertificate", how
    )
    arn = certificate.certificate_arn
    if not is_token(arn) and not _ARN.fullmatch(arn):
        raise ValueError(
            "certificate must be one of AWS Certificate Manager, such as 'arn:aws:acm:us-east-1:"
            f"123456789012:certificate/<uuid>', got {arn!r}: import a certificate into ACM, and "
            f"pass {how} with its ARN"
        )
