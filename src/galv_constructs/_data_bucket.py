"""Buckets that the application writes to."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._acknowledge import acknowledge, acknowledge_wildcards, bucket_findings
from galv_constructs._bucket_contents import let_protection_be_turned_on
from galv_constructs._log_delivery import log_requests_to_bucket
from galv_constructs._policy import DeploymentPolicy


def data_bucket(
    scope: Construct,
    id: str,
    *,
    policy: DeploymentPolicy,
    log_bucket: s3.IBucket | None,
    encryption_key: kms.IKey | None = None,
    cors_origins: Sequence[str] = (),
) -> s3.Bucket:
    """Define a private bucket that the application writes to."""
    bucket = s3.Bucket(
        scope,
        id,
        encryption=s3.BucketEncryption.S3_MANAGED
        if encryption_key is None
        else s3.BucketEncryption.KMS,
        encryption_key=encryption_key,
        bucket_key_enabled=None if encryption_key is None else True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        # The application sends `x-amz-acl: private` with each upload, which a bucket without ACLs
        # refuses.
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        versioned=policy.versioned,
        lifecycle_rules=[
            s3.LifecycleRule(
                id="IncompleteUploads", abort_incomplete_multipart_upload_after=Duration.days(7)
            ),
            s3.LifecycleRule(
                id="OldVersions",
                enabled=policy.versioned,
                noncurrent_version_expiration=Duration.days(90),
            ),
        ],
        cors=[
            s3.CorsRule(
                allowed_origins=list(cors_origins),
                allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
                allowed_headers=["*"],
                exposed_headers=["Content-Disposition", "Galv-Storage-Redirect-URL"],
                max_age=3600,
            )
        ]
        if cors_origins
        else None,
        removal_policy=policy.bucket_removal,
        auto_delete_objects=policy.delete_contents,
    )
    let_protection_be_turned_on(bucket)
    acknowledge(
        bucket,
        bucket_findings(
            policy,
            not_kms=None
            if encryption_key is not None
            else "It is encrypted with keys that S3 owns; another one costs $1 a month, and for "
            "uploads encryption_key takes it. Static files are public anyway.",
        ),
    )
    if log_bucket is not None:
        log_requests_to_bucket(bucket, log_bucket)
    return bucket


def grant_data_access(role: iam.IRole, bucket: s3.IBucket) -> None:
    """Let a task read, write and delete objects, and see which are there.

    `s3:ListBucket` because without it a missing key is an access denied, on which uploads fail.
    """
    _grant(role, bucket, "s3:DeleteObject", "s3:GetObject", "s3:PutObject", "s3:PutObjectAcl")
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant(role, "kms:Decrypt", "kms:GenerateDataKey")


def grant_read_access(role: iam.IRole, bucket: s3.IBucket) -> None:
    """Let a task read objects, and see which are there."""
    _grant(role, bucket, "s3:GetObject")
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant(role, "kms:Decrypt")


def _grant(role: iam.IRole, bucket: s3.IBucket, *actions: str) -> None:
    arn = bucket.bucket_arn
    objects = f"{arn}/*"
    iam.Grant.add_to_principal(grantee=role, actions=list(actions), resource_arns=[objects])
    iam.Grant.add_to_principal(grantee=role, actions=["s3:ListBucket"], resource_arns=[arn])
    acknowledge_wildcards(
        role, {objects: "The application chooses the keys of the objects in its own bucket."}
    )
