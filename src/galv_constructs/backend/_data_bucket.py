"""Buckets that the application writes to."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge_wildcards
from galv_constructs._core.buckets import INCOMPLETE_UPLOADS, private_bucket
from galv_constructs._core.placement import check_place
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_construct
from galv_constructs.log_bucket._delivery import log_requests_to_bucket
from galv_constructs.network import IGalvNetwork


def check_media_bucket(scope: Construct, media_bucket: s3.IBucket | None) -> None:
    """Refuse what is no bucket, or one that the stack cannot use."""
    check_construct(
        "media_bucket",
        media_bucket,
        "aws_s3.IBucket",
        "s3.Bucket.from_bucket_name(scope, id, name)",
    )
    check_place(scope, "media_bucket", media_bucket)


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
    bucket = private_bucket(
        scope,
        id,
        policy=policy,
        encryption_key=encryption_key,
        not_kms=_NOT_KMS,
        # The application sends `x-amz-acl: private` with each upload, which a bucket without ACLs
        # refuses.
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
        minimum_tls_version=1.2,
        lifecycle_rules=[INCOMPLETE_UPLOADS],
        old_versions=Duration.days(90),
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
    )
    if log_bucket is not None:
        log_requests_to_bucket(bucket, log_bucket)
    return bucket


def grant_data_access(role: iam.IRole, bucket: s3.IBucket, *, within: IGalvNetwork) -> None:
    """Let a task read, write and delete objects, and see which are there.

    `s3:ListBucket` because without it a missing key is an access denied, on which uploads fail.
    """
    grant_read_access(role, bucket, within=within)
    writing = ("s3:DeleteObject", "s3:PutObject", "s3:PutObjectAcl")
    _allow(role, writing, f"{bucket.bucket_arn}/*", within)
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant(role, "kms:GenerateDataKey")


def grant_read_access(role: iam.IRole, bucket: s3.IBucket, *, within: IGalvNetwork) -> None:
    """Let a task read objects, and see which are there."""
    objects = f"{bucket.bucket_arn}/*"
    # From anywhere: browsers read by URLs that a task has signed.
    _allow(role, ["s3:GetObject"], objects, None)
    _allow(role, ["s3:ListBucket"], bucket.bucket_arn, within)
    if bucket.encryption_key is not None:
        bucket.encryption_key.grant(role, "kms:Decrypt")
    acknowledge_wildcards(role, {objects: _ANY_OBJECT})


def _allow(
    role: iam.IRole, actions: Sequence[str], resource: str, within: IGalvNetwork | None
) -> None:
    """Allow a role something, where it can be from within the network alone.

    The key `aws:SourceVpc` is in a request only if it comes through an endpoint of the VPC:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcevpc
    So credentials that leave the network write, delete and list nothing.
    """
    role.add_to_principal_policy(
        iam.PolicyStatement(
            actions=list(actions),
            resources=[resource],
            conditions={"StringEquals": {"aws:SourceVpc": within.vpc.vpc_id}}
            if within is not None and within.has_s3_endpoint
            else None,
        )
    )


_NOT_KMS = (
    "It is encrypted with keys that S3 owns; another one costs $1 a month, and for "
    "uploads media_key takes it. Static files are public anyway."
)
_ANY_OBJECT = "The application chooses the keys of the objects in its own bucket."
