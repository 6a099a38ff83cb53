"""Refusals of CloudFront that MiniStack lacks."""

from fnmatch import fnmatchcase

from e2e.emulator.private import acm, cloudfront, responses, s3
from e2e.emulator.types import Json, check_before

_CERTIFICATES_ARE_IN = "us-east-1"
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html
_MANAGED_HEADERS = {
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
    "60669652-455b-4ae9-85a4-c4c02393f86c",
    "67f7725c-6f97-4210-82d7-5512b31e9d03",
    "e61eb60c-9c35-4d20-a928-2b84e02af89c",
    "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
}


def _check_certificate(config: Json) -> None:
    if not config.get("Aliases"):
        return  # CloudFront's own name, and its own certificate
    arn = config.get("ViewerCertificate", {}).get("AcmCertificateArn")
    found = acm.certificates.get_scoped(responses.get_account_id(), _CERTIFICATES_ARE_IN, arn)
    if found is None or found["Status"] != "ISSUED":
        raise ValueError(
            f"InvalidViewerCertificate: The specified SSL certificate {arn!r} doesn't exist, isn't "
            f"in {_CERTIFICATES_ARE_IN} region, or isn't valid"
        )
    names = [found["DomainName"], *found.get("SubjectAlternativeNames", [])]
    for alias in config["Aliases"]:
        if not any(fnmatchcase(alias, name) for name in names):
            raise ValueError(
                f"InvalidViewerCertificate: The certificate does not cover the alias {alias!r}"
            )


def _check_distribution(properties: Json) -> None:
    config = properties["DistributionConfig"]
    _check_certificate(config)
    behavior = config["DefaultCacheBehavior"]
    live = {f["arn"] for f in cloudfront.functions.values() if f["live_etag"]}
    for one in behavior.get("FunctionAssociations", []):
        if one["FunctionARN"] not in live:
            raise ValueError(f"InvalidFunctionAssociation: no live function {one['FunctionARN']!r}")
    headers = behavior.get("ResponseHeadersPolicyId")
    known = {None, *_MANAGED_HEADERS, *cloudfront.response_headers_policies}
    if headers not in known:
        raise ValueError(f"NoSuchResponseHeadersPolicy: {headers!r}")
    for origin in config["Origins"]:
        control = origin.get("OriginAccessControlId")
        if control not in cloudfront.oacs:
            raise ValueError(f"InvalidOriginAccessControl: {control!r}")
    if "Logging" in config:
        bucket = config["Logging"]["Bucket"].partition(".")[0]
        if bucket not in s3.buckets:
            raise ValueError(f"InvalidArgument: no bucket {bucket!r} for the log")
        if "BucketOwnerEnforced" in str(s3.get_bucket_ownership_controls(bucket)[2]):
            raise ValueError(
                f"InvalidArgument: The S3 bucket {bucket} that you specified for CloudFront logs "
                "does not enable ACL access"
            )


def install() -> None:
    """Check before distributions are made and changed."""
    check_before("AWS::CloudFront::Distribution", _check_distribution)
