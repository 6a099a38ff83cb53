"""The certificates that a deployment created or uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from galv_ops.query.deployment import Deployment

if TYPE_CHECKING:
    from types_boto3_acm.type_defs import CertificateDetailTypeDef


def certificate_arns(deployment: Deployment) -> list[str]:
    """Return the ARNs of the certificates that the stacks created or use."""
    arns = {
        certificate.id
        for _, certificate in deployment.resources("AWS::CertificateManager::Certificate")
    }
    # Until it is issued, CloudFormation may have no ARN of it.
    own = {arn for arn in arns if arn.startswith("arn:")}
    return sorted(own | set(_of_listeners(deployment)) | set(_of_distributions(deployment)))


def describe_certificate(deployment: Deployment, arn: str) -> CertificateDetailTypeDef:
    """Return a certificate as ACM describes it."""
    acm = deployment.aws.in_region(arn.split(":")[3]).acm
    return acm.describe_certificate(CertificateArn=arn)["Certificate"]


def wanted_records(certificate: CertificateDetailTypeDef) -> list[str]:
    """Return the DNS records that prove to AWS whose the names are."""
    records = []
    for option in certificate.get("DomainValidationOptions", []):
        record = option.get("ResourceRecord")
        if record is not None and option.get("ValidationStatus") != "SUCCESS":
            records.append(f"{record['Name']} {record['Type']} {record['Value']}")
    return records


def _of_listeners(deployment: Deployment) -> Iterator[str]:
    arns = [
        listener.id for _, listener in deployment.resources("AWS::ElasticLoadBalancingV2::Listener")
    ]
    if not arns:
        return
    for listener in deployment.aws.elbv2.describe_listeners(ListenerArns=arns)["Listeners"]:
        for certificate in listener.get("Certificates", []):
            yield certificate.get("CertificateArn", "")


def _of_distributions(deployment: Deployment) -> Iterator[str]:
    for _, distribution in deployment.resources("AWS::CloudFront::Distribution"):
        config = deployment.aws.cloudfront.get_distribution_config(Id=distribution.id)[
            "DistributionConfig"
        ]
        arn = config.get("ViewerCertificate", {}).get("ACMCertificateArn")
        if arn:
            yield arn
