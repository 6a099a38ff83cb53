"""Sending logs to a bucket without touching its policy.

CDK's own methods for it write to the policy of a bucket that they are given: too much, or too
little, and in another stack a circle. `GalvLogBucket` has a policy that is complete.
"""

from collections.abc import Sequence

from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct

from galv_constructs._core.placement import check_place
from galv_constructs._core.validation import check_boolean, check_construct, is_token
from galv_constructs.log_bucket.log_bucket import S3_LOGS, GalvLogBucket

WAF_PREFIX = "aws-waf-logs-"


def check_log_bucket(
    log_bucket: s3.IBucket | None, *, for_web_acl: bool = False, for_buckets: bool = False
) -> None:
    """Refuse what no log can be sent to."""
    if isinstance(log_bucket, GalvLogBucket):
        raise ValueError("log_bucket must be an aws_s3.IBucket, got a GalvLogBucket: pass .bucket")
    check_construct(
        "log_bucket", log_bucket, "aws_s3.IBucket", "s3.Bucket.from_bucket_name(scope, id, name)"
    )
    if log_bucket is None:
        return
    if for_buckets and _is_locked(_server_access_bucket(log_bucket)):
        raise ValueError(
            f"log_bucket must be a bucket without Object Lock, got {log_bucket.node.path}: S3 "
            "delivers no server access logs to one that has it; use a GalvLogBucket with "
            "object_lock_retention, which has a second bucket for these"
        )
    if not for_web_acl:
        return
    name = log_bucket.bucket_name
    # https://docs.aws.amazon.com/waf/latest/developerguide/logging-s3.html
    if not is_token(name) and not name.startswith(WAF_PREFIX):
        raise ValueError(
            f"log_bucket must have a name that starts with {WAF_PREFIX!r}, got {name!r}: AWS WAF "
            "writes to no other; use a GalvLogBucket, or pass a web ACL that logs elsewhere"
        )


def check_access_logs(
    scope: Construct, log_bucket: s3.IBucket | None, access_logs: object, *, for_web_acl: bool
) -> None:
    """Check that what is given is not switched off, and that all logs find a place."""
    check_boolean("access_logs", access_logs)
    check_log_bucket(log_bucket, for_web_acl=for_web_acl, for_buckets=True)
    if log_bucket is not None and access_logs is False:
        raise ValueError("log_bucket is given with access_logs=False: drop one of them")
    check_place(scope, "log_bucket", log_bucket)


def ready_for_logs(log_bucket: s3.IBucket) -> Sequence[IConstruct]:
    """The resources that a service with logs waits for, besides the bucket that it refers to.

    They are the bucket's policy, because services try at once whether they may write, and the
    custom resource that empties the bucket, so that nothing writes to it any more when it does.
    """
    emptied = log_bucket.node.try_find_child("AutoDeleteObjectsCustomResource")
    waits_for = (emptied, log_bucket.policy)
    return [construct for construct in waits_for if construct is not None]


def log_requests_to_load_balancer(
    load_balancer: elbv2.ApplicationLoadBalancer, log_bucket: s3.IBucket
) -> None:
    """Log requests, and connections with the reasons why TLS failed."""
    for kind in ("access_logs", "connection_logs"):
        load_balancer.set_attribute(f"{kind}.s3.enabled", "true")
        load_balancer.set_attribute(f"{kind}.s3.bucket", log_bucket.bucket_name)
    load_balancer.node.add_dependency(*ready_for_logs(log_bucket))


def log_requests_to_bucket(bucket: s3.Bucket, log_bucket: s3.IBucket) -> None:
    """Log requests, under the name of the bucket and the day."""
    log_bucket = _server_access_bucket(log_bucket)
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what an L2 bucket is made of
    resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
        destination_bucket_name=log_bucket.bucket_name,
        log_file_prefix=S3_LOGS,
        target_object_key_format=s3.CfnBucket.TargetObjectKeyFormatProperty(
            partitioned_prefix=s3.CfnBucket.PartitionedPrefixProperty(
                partition_date_source="EventTime"
            )
        ),
    )
    resource.node.add_dependency(*ready_for_logs(log_bucket))


def _server_access_bucket(log_bucket: s3.IBucket) -> s3.IBucket:
    """The bucket for S3's server access logs, where those of other services go to a locked one."""
    owner = log_bucket.node.scope
    return owner.server_access_bucket if isinstance(owner, GalvLogBucket) else log_bucket


def _is_locked(bucket: s3.IBucket) -> bool:
    resource = bucket.node.default_child
    return isinstance(resource, s3.CfnBucket) and resource.object_lock_enabled is True
