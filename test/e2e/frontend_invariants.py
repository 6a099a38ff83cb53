"""Invariants of a site after every deployment, read through the service APIs."""

from collections.abc import Iterator

from e2e.bucket_invariants import bucket_problems
from e2e.frontend import Frontend
from e2e.stack import Json

EDGE_REGION = "us-east-1"


def frontend_problems(site: Frontend, api_url: str) -> list[str]:
    """Say what is wrong with a deployed site."""
    host = site.outputs["FrontendUrl"].removeprefix("https://")
    distribution = site.distribution
    return [
        *_distribution_problems(site, host, distribution["DistributionConfig"]),
        *_dns_problems(site, host, distribution["DomainName"]),
        *_origin_problems(site, distribution),
        *_file_problems(site, api_url),
        *bucket_problems(site),
    ]


def _distribution_problems(site: Frontend, host: str, config: Json) -> Iterator[str]:
    if not config["Enabled"] or host not in config["Aliases"]["Items"]:
        yield f"{host} is not served"
    if config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] != "redirect-to-https":
        yield "http is not redirected"
    acm = site.cloud.client("acm", EDGE_REGION)
    arn = config["ViewerCertificate"]["ACMCertificateArn"]
    certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    if certificate["Status"] != "ISSUED" or certificate["DomainName"] != host:
        yield f"the certificate of the distribution is not for {host}: {certificate}"


def _dns_problems(site: Frontend, host: str, target: str) -> Iterator[str]:
    route53 = site.cloud.client("route53")
    found = {
        record["Type"]
        for zone in route53.list_hosted_zones()["HostedZones"]
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])[
            "ResourceRecordSets"
        ]
        if record["Name"] == f"{host}."
        and record.get("AliasTarget", {}).get("DNSName", "").rstrip(".") == target
    }
    for kind in sorted({"A", "AAAA"} - found):
        yield f"no {kind} record leads from {host} to the distribution"


def _origin_problems(site: Frontend, distribution: Json) -> Iterator[str]:
    """CloudFront may read what it serves, and this distribution alone."""
    config = distribution["DistributionConfig"]
    (origin,) = config["Origins"]["Items"]
    if not origin["DomainName"].startswith(f"{site.bucket}.s3."):
        yield f"the distribution serves {origin['DomainName']}"
    readers = [
        one
        for one in site.bucket_policy(site.bucket)
        if one["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        and one["Condition"] == {"StringEquals": {"AWS:SourceArn": distribution["ARN"]}}
    ]
    if not any("s3:GetObject" in one["Action"] for one in readers):
        yield "CloudFront may not read the site"


def _file_problems(site: Frontend, api_url: str) -> Iterator[str]:
    files = site.files()
    if "index.html" not in files:
        yield "the site has no index.html"
    if not any(api_url in content for content in files.values()):
        yield f"the site does not call {api_url}"
