"""Invariants of the buckets of a stack, and of the services that write logs to one."""

import json
from collections.abc import Iterator

from e2e.cloud import REGION
from e2e.stack import Stack

# The account of AWS that load balancers of this region write as; newer regions have a service.
_ELB_ACCOUNT = {"eu-west-2": "652711504416"}


def bucket_problems(stack: Stack) -> Iterator[str]:
    """No bucket can become public, none takes requests in the clear, each logs where it can."""
    s3 = stack.cloud.client("s3")
    for bucket in stack.ids("AWS::S3::Bucket"):
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        if not all(block.values()):
            yield f"the bucket {bucket} may become public: {block}"
        policy = stack.bucket_policy(bucket)
        if any(one["Effect"] == "Allow" and "*" in str(one["Principal"]) for one in policy):
            yield f"anyone may use the bucket {bucket}"
        if not any(
            one["Effect"] == "Deny" and one.get("Condition", {}).get("Bool") for one in policy
        ):
            yield f"the bucket {bucket} takes requests without TLS"
        logging = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
        if logging:
            target, key = logging["TargetBucket"], f"{logging.get('TargetPrefix', '')}x"
            if not may_write(stack, target, key, "logging.s3"):
                yield f"access to {bucket} may not be logged to {target}"


def may_write(stack: Stack, bucket: str, key: str, writer: str) -> bool:
    """Tell whether the policy of a bucket lets a service of AWS write logs to it."""
    object_arn = f"arn:aws:s3:::{bucket}/{key}"
    for statement in stack.bucket_policy(bucket):
        principal = json.dumps(statement["Principal"])
        named = writer in principal or _ELB_ACCOUNT[REGION] in principal
        actions, resources = (
            one if isinstance(one, list) else [one]
            for one in (statement["Action"], statement["Resource"])
        )
        covers = any(_matches(object_arn, resource) for resource in resources)
        if statement["Effect"] == "Allow" and named and "s3:PutObject" in actions and covers:
            return True
    return False


def _matches(arn: str, pattern: str) -> bool:
    start, star, _ = pattern.partition("*")
    return arn.startswith(start) if star else arn == pattern
