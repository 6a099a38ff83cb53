"""The headers that make a browser careful with the site."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Fn, ReferenceStrength, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.content_policy import NONE, written
from galv_constructs._core.regions import global_name, s3_endpoint
from galv_constructs._core.validation import check_construct, check_list, is_token
from galv_constructs.frontend._urls import check_analytics_url, check_storage_url, origin


def check_other_hosts(
    *,
    storage_buckets: Sequence[s3.IBucket] | None,
    storage_urls: Sequence[str] | None,
    analytics_url: str | None,
) -> None:
    """Check what else than the API pages talk to."""
    if storage_buckets is not None:
        check_list("storage_buckets", storage_buckets, "a list of buckets")
        for index, value in enumerate(storage_buckets):
            check_construct(
                f"storage_buckets[{index}]",
                value,
                "aws_s3.IBucket",
                "s3.Bucket.from_bucket_name(scope, id, name)",
            )
    if analytics_url is not None:
        check_analytics_url("analytics_url", analytics_url)
    if storage_urls is None:
        return
    check_list("storage_urls", storage_urls, "a list of URLs")
    for index, url in enumerate(storage_urls):
        check_storage_url(f"storage_urls[{index}]", url)


def site_policy(
    *,
    api_url: str,
    storage_buckets: Sequence[s3.IBucket],
    storage_urls: Sequence[str],
    analytics_url: str | None,
    additions: Mapping[str, Sequence[str]],
) -> str:
    """The content security policy that Galv's frontend needs, and what is added to it."""
    storage = [source for bucket in storage_buckets for source in _storage(bucket)]
    ours = [origin(api_url), *storage, *storage_urls]
    # It gives the page a script, which sends what it counts or asks for an image.
    analytics = [] if analytics_url is None else [origin(analytics_url)]
    policy = {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "connect-src": ["'self'", *ours, *analytics],
        "font-src": ["'self'", "data:"],
        "form-action": ["'self'"],
        "frame-ancestors": [NONE],
        "img-src": ["'self'", "data:", "blob:", *ours, *analytics],
        "object-src": [NONE],
        # Parquet files are read by WebAssembly.
        "script-src": ["'self'", "'wasm-unsafe-eval'", *analytics],
        # The component library writes its styles into the page.
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
    }
    return written(policy, additions)


def _storage(bucket: s3.IBucket) -> Sequence[str]:
    """Return the origins that pages fetch the files of a bucket from, by presigned URL."""
    region = bucket.env.region
    endpoint = s3_endpoint(None if is_token(region) else region)
    if endpoint is not None:
        # With the path of the bucket: the host is that of all customers of S3.
        return [f"{endpoint}/{_exchangeable_name(bucket)}/"]
    # Presigned URLs have the global host name, and S3 may redirect from it to the regional one:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    names = (bucket.bucket_domain_name, bucket.bucket_regional_domain_name)
    return [f"https://{_exchangeable(name)}" for name in names]


def _exchangeable(value: str) -> str:
    """Refer to another stack without an export, which could not be taken away while in use.

    The stack of the bucket is deployed before that of the site: with an export it could never be
    given another bucket.
    """
    return Stack.consume_reference(value, ReferenceStrength.WEAK) if is_token(value) else value


def _exchangeable_name(bucket: s3.IBucket) -> str:
    """The name of a bucket, taken out of a host name: only attributes do without an export."""
    if not is_token(bucket.bucket_name):
        return bucket.bucket_name
    return Fn.select(0, Fn.split(".s3.", _exchangeable(bucket.bucket_regional_domain_name)))


def security_headers(scope: Construct, id: str, *, policy: str) -> cloudfront.ResponseHeadersPolicy:
    """Define the headers of every answer."""
    return cloudfront.ResponseHeadersPolicy(
        scope,
        id,
        response_headers_policy_name=global_name(scope, id, 128),
        comment=f"Headers of {scope.node.path}"[:128],
        security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
            content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                content_security_policy=policy, override=True
            ),
            content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
            referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                referrer_policy=cloudfront.HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN,
                override=True,
            ),
            strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                access_control_max_age=Duration.days(365),
                # Other hosts of the domain are not this construct's business.
                include_subdomains=False,
                override=True,
            ),
        ),
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                cloudfront.ResponseCustomHeader(
                    header="Permissions-Policy",
                    value="camera=(), geolocation=(), microphone=()",
                    override=True,
                )
            ]
        ),
    )
