"""The KMS key that uploads have to themselves."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from galv_constructs._core.placement import check_place
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_construct

# By the names that `cdk bootstrap` gives, whatever the qualifier.
_LOOKUP_ROLES = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/cdk-*-lookup-role-*"
_USE = ("kms:Decrypt", "kms:GenerateDataKey*")


def check_media_key(
    scope: Construct, *, media_key: kms.IKey | bool | None, media_bucket: s3.IBucket | None
) -> None:
    """Check the key for uploads, and that there is a new bucket for it."""
    if not isinstance(media_key, bool):
        check_construct(
            "media_key", media_key, "aws_kms.IKey", "True for a new key, or kms.Key.from_key_arn(…)"
        )
        check_place(scope, "media_key", media_key)
    if media_key and media_bucket is not None:
        raise ValueError(
            "media_key is given with media_bucket, and is for a new bucket: set the key as the "
            "given bucket's encryption_key, or drop one of them"
        )


def uploads_key(
    scope: Construct, *, media_key: kms.IKey | bool | None, policy: DeploymentPolicy
) -> kms.IKey | None:
    """Return the key that `media_key` of `GalvBackend` asks for."""
    if not isinstance(media_key, bool):
        return media_key
    return _created(scope, "MediaKey", policy=policy) if media_key else None


def _created(scope: Construct, id: str, *, policy: DeploymentPolicy) -> kms.Key:
    """Create a key that lives as long as the bucket that it is for.

    Its policy lets administrators administer it, and lets policies of roles allow its use through
    S3 alone. CDK's lookup role may not use it, whatever else it may do.
    """
    administer = (
        *("kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*"),
        *("kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource"),
        *("kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"),
        "kms:RotateKeyOnDemand",
    )
    account = iam.AccountRootPrincipal()
    return kms.Key(
        scope,
        id,
        description=f"Uploads of {scope.node.path}",
        enable_key_rotation=True,
        removal_policy=policy.bucket_removal,
        policy=iam.PolicyDocument(
            statements=[
                # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html:
                # the account as principal leaves it to IAM's policies who may.
                iam.PolicyStatement(
                    sid="Administration",
                    principals=[account],
                    actions=list(administer),
                    resources=["*"],
                ),
                # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
                iam.PolicyStatement(
                    sid="UseThroughS3",
                    principals=[account],
                    actions=list(_USE),
                    resources=["*"],
                    conditions={
                        "StringEquals": {"kms:ViaService": f"s3.{Aws.REGION}.amazonaws.com"}
                    },
                ),
                iam.PolicyStatement(
                    sid="NotCdkLookups",
                    effect=iam.Effect.DENY,
                    principals=[iam.AnyPrincipal()],
                    actions=list(_USE),
                    resources=["*"],
                    conditions={"ArnLike": {"aws:PrincipalArn": _LOOKUP_ROLES}},
                ),
            ]
        ),
    )
