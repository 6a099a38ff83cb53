"""Private buckets, which are emptied if they go with their stack."""

from collections.abc import Sequence

from aws_cdk import CfnResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.acknowledge import OWN_POLICIES, acknowledge, standards
from galv_constructs._core.policy import DeploymentPolicy

# The ids that CDK gives to its one provider a stack for `auto_delete_objects`, and in a bucket.
_PROVIDER = "Custom::S3AutoDeleteObjectsCustomResourceProvider"
_EMPTIED = "AutoDeleteObjectsCustomResource"


INCOMPLETE_UPLOADS = s3.LifecycleRule(
    id="IncompleteUploads", abort_incomplete_multipart_upload_after=Duration.days(7)
)


def private_bucket(
    scope: Construct,
    id: str,
    *,
    policy: DeploymentPolicy,
    object_ownership: s3.ObjectOwnership,
    lifecycle_rules: Sequence[s3.LifecycleRule],
    not_kms: str,
    old_versions: Duration | None = None,
    encryption_key: kms.IKey | None = None,
    minimum_tls_version: float | None = None,
    cors: Sequence[s3.CorsRule] | None = None,
    bucket_name: str | None = None,
    bucket_name_prefix: str | None = None,
    bucket_namespace: s3.BucketNamespace | None = None,
    object_lock_default_retention: s3.ObjectLockRetention | None = None,
) -> s3.Bucket:
    """Define a bucket that is encrypted, refuses requests without TLS, and is never public.

    `old_versions` turns versioning on where the bucket outlives its stack, and is how long S3 keeps
    what was overwritten or deleted. `not_kms` is the reason for having no `encryption_key`.
    """
    rules = list(lifecycle_rules)
    if old_versions is not None:
        rules.append(
            s3.LifecycleRule(
                id="OldVersions",
                enabled=policy.versioned,
                noncurrent_version_expiration=old_versions,
            )
        )
    bucket = s3.Bucket(
        scope,
        id,
        bucket_name=bucket_name,
        bucket_name_prefix=bucket_name_prefix,
        bucket_namespace=bucket_namespace,
        encryption=s3.BucketEncryption.S3_MANAGED
        if encryption_key is None
        else s3.BucketEncryption.KMS,
        encryption_key=encryption_key,
        bucket_key_enabled=None if encryption_key is None else True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=object_ownership,
        enforce_ssl=True,
        minimum_tls_version=minimum_tls_version,
        versioned=None if old_versions is None else policy.versioned,
        object_lock_default_retention=object_lock_default_retention,
        lifecycle_rules=rules,
        cors=cors,
        removal_policy=policy.bucket_removal,
        auto_delete_objects=policy.delete_contents,
    )
    _let_protection_be_turned_on(bucket)
    findings = {"S3BucketReplicationEnabled": _NOT_REPLICATED}
    if encryption_key is None:
        findings["S3DefaultEncryptionKMS"] = not_kms
    if old_versions is not None and not policy.versioned:
        findings["S3BucketVersioningEnabled"] = _NOT_VERSIONED
    acknowledge(bucket, standards(findings))
    return bucket


_NOT_REPLICATED = (
    "S3 keeps each object in three Availability Zones; a copy in another region doubles the price, "
    "and is for the owner of the data to decide."
)
_NOT_VERSIONED = (
    "Removal protection is off for this deployment: what is in it is not meant to last."
)


def _let_protection_be_turned_on(bucket: s3.Bucket) -> None:
    """Let CDK's function see that a bucket is no longer to be emptied.

    When removal protection is turned on, the function is asked to delete for the last time. It
    leaves a bucket without the tag alone, but may read tags only by the bucket's policy, which the
    same update has changed before: https://github.com/aws/aws-cdk/issues/37257. CloudFormation then
    tries three times and leaves the custom resource behind, whose function is gone.
    """
    emptied = bucket.node.try_find_child(_EMPTIED)
    if emptied is None:
        return
    role = Stack.of(bucket).node.find_child(_PROVIDER).node.find_child("Role")
    assert isinstance(role, CfnResource)  # noqa: S101 - what the provider is made of
    permission = iam.CfnPolicy(
        bucket,
        "ReadTags",
        # All are of one role, where a policy replaces another one of its name.
        policy_name=f"ReadTags-{bucket.node.addr[-8:]}",
        roles=[role.ref],
        policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(actions=["s3:GetBucketTagging"], resources=[bucket.bucket_arn])
            ]
        ),
    )
    acknowledge(permission, OWN_POLICIES)
    # Deleted first, while the permission is still there.
    emptied.node.add_dependency(permission)
