"""The API's own static files: a bucket that `collectstatic` fills, served by CloudFront."""

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.regions import (
    CLOUDFRONT_LOGS_REFUSED,
    cloudfront_log_bucket,
    global_name,
)
from galv_constructs.backend._data_bucket import data_bucket
from galv_constructs.log_bucket._delivery import ready_for_logs
from galv_constructs.log_bucket.log_bucket import CLOUDFRONT_LOGS


class StaticAssets(Construct):
    """A private bucket and the distribution that alone may read it."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        policy: DeploymentPolicy,
        log_bucket: s3.IBucket | None,
    ) -> None:
        super().__init__(scope, id)
        comment = f"Static files of {scope.node.path}"[:128]
        self.bucket = data_bucket(self, "Bucket", policy=policy, log_bucket=log_bucket)
        access_logs = cloudfront_log_bucket(self, log_bucket)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=comment,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(
                    self.bucket,
                    origin_access_control=cloudfront.S3OriginAccessControl(
                        self,
                        "OriginAccessControl",
                        origin_access_control_name=global_name(self, "OriginAccessControl", 64),
                    ),
                ),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                cache_policy=cloudfront.CachePolicy(
                    self,
                    "CachePolicy",
                    cache_policy_name=global_name(self, "CachePolicy", 128),
                    comment=comment,
                    # `collectstatic` overwrites files under their names.
                    default_ttl=Duration.minutes(5),
                    enable_accept_encoding_gzip=True,
                    enable_accept_encoding_brotli=True,
                ),
                # Fonts are fetched from the API's pages, which have another origin.
                response_headers_policy=(
                    cloudfront.ResponseHeadersPolicy.CORS_ALLOW_ALL_ORIGINS_AND_SECURITY_HEADERS
                ),
                compress=True,
            ),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            log_bucket=access_logs,
            log_file_prefix=None if access_logs is None else CLOUDFRONT_LOGS,
        )
        if access_logs is not None:
            self.distribution.node.add_dependency(*ready_for_logs(access_logs))
        unlogged = {} if access_logs is log_bucket else CLOUDFRONT_LOGS_REFUSED
        acknowledge(self.distribution, _FINDINGS | unlogged)


_FINDINGS = {
    "AwsSolutions-CFR1": "Style sheets and scripts that every user of the API needs, "
    "wherever they are.",
    "AwsSolutions-CFR2": "Files that are the same for everyone: a request reaches S3, "
    "read-only, and no program that a firewall could protect.",
    "AwsSolutions-CFR4": "Public files under CloudFront's own domain name, whose "
    "certificate fixes the oldest TLS version; nothing personal is sent or served.",
}
