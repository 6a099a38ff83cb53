"""The role with which AWS Backup reads what it backs up."""

from collections.abc import Iterator

from aws_cdk import Aws, Stack
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs._core.acknowledge import OWN_POLICIES, acknowledge, acknowledge_wildcards
from galv_constructs.backup._resources import Resources

# AWS Backup names them all so.
_SNAPSHOT = "awsbackup:*"


def backup_role(
    scope: Construct,
    id: str,
    *,
    resources: Resources,
    vault: backup.IBackupVault,
    copy_to: backup.IBackupVault | None,
) -> iam.Role:
    """Create the role: what AWS's own policies for it allow, of these resources alone.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForBackup.html
    and AWSBackupServiceRolePolicyForS3Backup.html are for all resources of an account.
    """
    role = iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal("backup.amazonaws.com"),
        description=f"AWS Backup of {scope.node.path}",
    )
    wildcards = {"*": _NO_RESOURCE}
    for statement in [
        *_of_vaults(vault, copy_to),
        *_of_databases(Stack.of(scope), resources, wildcards),
        *_of_buckets(Stack.of(scope), resources, wildcards),
    ]:
        role.add_to_policy(statement)
    acknowledge(role, OWN_POLICIES)
    acknowledge_wildcards(role, wildcards)
    return role


def _allow(
    actions: list[str], resources: list[str], conditions: dict[str, object] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions)


def _of_vaults(
    vault: backup.IBackupVault, copy_to: backup.IBackupVault | None
) -> Iterator[iam.PolicyStatement]:
    vaults = [vault.backup_vault_arn, *([] if copy_to is None else [copy_to.backup_vault_arn])]
    yield _allow(["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"], vaults)
    if copy_to is not None:
        # Of a recovery point, whose ARN is that of a snapshot or AWS Backup's own.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html
        yield _allow(
            ["backup:CopyFromBackupVault"],
            ["*"],
            {"ForAllValues:ArnEquals": {"backup:CopyTargets": [copy_to.backup_vault_arn]}},
        )


def _of_databases(
    stack: Stack, resources: Resources, wildcards: dict[str, str]
) -> Iterator[iam.PolicyStatement]:
    kinds = (
        ("DB", "snapshot", [each.instance_arn for each in resources.instances]),
        ("DBCluster", "cluster-snapshot", [each.cluster_arn for each in resources.clusters]),
    )
    for kind, snapshot, databases in kinds:
        if not databases:
            continue
        # Copies are in other regions.
        snapshots = f"arn:{Aws.PARTITION}:rds:*:{stack.account}:{snapshot}:{_SNAPSHOT}"
        wildcards[snapshots] = _ANY_SNAPSHOT
        described = "DescribeDBInstances" if kind == "DB" else "DescribeDBClusters"
        yield _allow([f"rds:{described}", f"rds:Describe{kind}Snapshots"], ["*"])
        yield _allow(
            [f"rds:Create{kind}Snapshot", "rds:AddTagsToResource", "rds:ListTagsForResource"],
            [*databases, snapshots],
        )
        yield _allow(
            [
                f"rds:Copy{kind}Snapshot",
                f"rds:Delete{kind}Snapshot",
                f"rds:Modify{kind}SnapshotAttribute",
            ],
            [snapshots],
        )
    if resources.instances or resources.clusters:
        yield _allow(["kms:DescribeKey"], ["*"])
        # RDS encrypts a snapshot with the database's key, and a copy with that of its vault.
        yield _allow(["kms:CreateGrant"], ["*"], {"Bool": {"kms:GrantIsForAWSResource": "true"}})
        yield _allow(["tag:GetResources"], ["*"])


def _of_buckets(
    stack: Stack, resources: Resources, wildcards: dict[str, str]
) -> Iterator[iam.PolicyStatement]:
    buckets = [bucket.bucket_arn for bucket in resources.buckets]
    if not buckets:
        return
    objects = [f"{bucket}/*" for bucket in buckets]
    rules = f"arn:{Aws.PARTITION}:events:{stack.region}:{stack.account}:rule/AwsBackupManagedRule*"
    points = f"arn:{Aws.PARTITION}:backup:{stack.region}:{stack.account}:recovery-point:*"
    wildcards |= {**dict.fromkeys(objects, _ANY_OBJECT), rules: _ITS_RULES, points: _ANY_POINT}
    yield _allow(
        [
            *("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification"),
            *("s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetInventoryConfiguration"),
            *("s3:ListBucket", "s3:ListBucketVersions", "s3:ListTagsForResource"),
            # Reports of what is in the bucket, and events of what changes there.
            *("s3:PutBucketNotification", "s3:PutInventoryConfiguration"),
        ],
        buckets,
    )
    yield _allow(
        [
            *("s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion"),
            *("s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"),
        ],
        objects,
    )
    # "Otherwise the job is successful but the objects are not backed up": their keys may be others
    # than the bucket's. https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html
    yield _allow(
        ["kms:Decrypt", "kms:DescribeKey"],
        ["*"],
        {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}},
    )
    yield _allow(
        [
            *("events:DeleteRule", "events:DescribeRule", "events:DisableRule"),
            *("events:EnableRule", "events:ListTargetsByRule", "events:PutRule"),
            *("events:PutTargets", "events:RemoveTargets"),
        ],
        [rules],
    )
    yield _allow(["cloudwatch:GetMetricData", "events:ListRules", "s3:ListAllMyBuckets"], ["*"])
    yield _allow(["backup:TagResource"], [points])


_NO_RESOURCE = (
    "Lists, metrics and descriptions know no resource, or AWS Backup asks for all; keys are used "
    "through S3, for the objects that the role may read, or by RDS, for snapshots."
)
_ANY_SNAPSHOT = "AWS Backup names snapshots and their copies awsbackup: and a number."
_ANY_OBJECT = "All objects of the bucket are backed up."
_ITS_RULES = "Rules of AWS Backup's own, which it names."
_ANY_POINT = "AWS Backup names recovery points by a number; the role may tag them."
