"""The vault that backups are copied to: in another region, or another account."""

from aws_cdk import Annotations, Stack
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from galv_constructs._core.validation import check_construct, is_token
from galv_constructs.backup._resources import Resources, spelled

_HOW = "backup.BackupVault.from_backup_vault_arn(scope, id, arn)"


def check_copy_to(
    scope: Construct, copy_to: backup.IBackupVault | None, resources: Resources
) -> None:
    """Refuse a vault that would be lost with the backups, or that copies do not get to.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/encryption.html: "Cross-account copy with
    AWS managed keys isn't supported for resources that aren't fully managed by AWS Backup", as
    databases of RDS are not.
    """
    if copy_to is None:
        return
    check_construct("copy_to", copy_to, "aws_backup.IBackupVault", _HOW)
    region, account = place_of(copy_to)
    stack = Stack.of(scope)
    if _are_same(region, stack.region) and _are_same(account, stack.account):
        raise ValueError(
            f"copy_to ({copy_to.backup_vault_arn}) is in the stack's own region and account, "
            f"{stack.region} and {stack.account}, and would be lost with the backups: pass a vault "
            "in another region, or in another account"
        )
    if not _differ(account, stack.account):
        return
    if copy_to.backup_vault_name == "Default":
        raise ValueError(
            f"copy_to ({copy_to.backup_vault_arn}) is the default vault of its account, which has "
            "a key that is not shared, and takes no copies of other accounts: create a vault there "
            "with a KMS key of your own"
        )
    for database in resources.without_own_key:
        raise ValueError(
            f"copy_to ({copy_to.backup_vault_arn}) is in account {account}, and the database "
            f"{database.node.path} is encrypted with the key of RDS, which no other account can "
            "use: pass encryption_key to the database, which replaces it, or a vault in another "
            "region of this account"
        )


def share_keys(scope: Construct, copy_to: backup.IBackupVault | None, resources: Resources) -> None:
    """Let the account of the vault use the keys of databases that the application creates.

    It copies their snapshots with its own role of AWS Backup:
    https://docs.aws.amazon.com/aws-backup/latest/devguide/create-cross-account-backup.html
    """
    if copy_to is None:
        return
    _, account = place_of(copy_to)
    if not _differ(account, Stack.of(scope).account):
        return
    theirs = iam.AccountPrincipal(account)
    for key in scope.node.root.node.find_all():
        if isinstance(key, kms.Key) and spelled(key.key_arn, key) in resources.keys:
            key.grant(
                theirs,
                *("kms:DescribeKey", "kms:Decrypt", "kms:Encrypt", "kms:ReEncrypt*"),
                *("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
            )
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
                    principals=[theirs],
                    resources=["*"],
                    conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
                )
            )


def warn_of_two_steps(
    scope: Construct, copy_to: backup.IBackupVault | None, resources: Resources
) -> None:
    """Warn of a copy of a database that goes to another region and another account at once.

    "For Amazon RDS and Aurora snapshots, AWS Backup only supports automating either cross-account
    or cross-Region copies":
    https://docs.aws.amazon.com/aws-backup/latest/devguide/recov-point-create-a-copy.html
    """
    if copy_to is None or not (resources.instances or resources.clusters):
        return
    region, account = place_of(copy_to)
    stack = Stack.of(scope)
    if _differ(region, stack.region) and _differ(account, stack.account):
        Annotations.of(scope).add_warning_v2(
            "galv-constructs:copyOfDatabase",
            f"copy_to is in another region and in another account, {region} and {account}, and AWS "
            "documents that a plan copies databases of RDS to one or the other. Look at the first "
            "copy job, or pass a vault in another region of this account, or in this region of "
            "another account.",
        )


def place_of(vault: backup.IBackupVault) -> tuple[str, str]:
    """Return the region and the account of a vault, each of which may be a token."""
    arn = vault.backup_vault_arn
    if not is_token(arn) and arn.count(":") > 5:
        parts = arn.split(":")
        return parts[3], parts[4]
    return vault.env.region, vault.env.account


def _differ(one: str, other: str) -> bool:
    return not is_token(one) and not is_token(other) and one != other


def _are_same(one: str, other: str) -> bool:
    # In a stack for any place both are the same token.
    return one == other
