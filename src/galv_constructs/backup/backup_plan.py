"""Backups in a vault of AWS Backup."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration, Fn, Names, RemovalPolicy
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.alarms import check_alarm_topic
from galv_constructs._core.placement import check_key, check_place
from galv_constructs._core.validation import check_days
from galv_constructs.backend.backend import GalvBackend
from galv_constructs.backup._copies import check_copy_to, share_keys, warn_of_two_steps
from galv_constructs.backup._resources import (
    check_resources,
    resources_of,
    warn_of_unknown_databases,
)
from galv_constructs.backup._role import backup_role
from galv_constructs.database.interface import IGalvDatabase

_DAILY = Duration.days(35)
# "The longest maximum retention period you can specify is 36500 days":
# https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultLockConfiguration.html
_LONGEST = 36500
_COOLING_OFF = 3
# A name has 2 to 50 letters, digits, "-" and "_".
_LONGEST_NAME = 50
_ID_OF_STACK = 12


class GalvBackupPlan(Construct):
    """Backs up database and uploads with AWS Backup, in a vault apart from both.

    RDS's own backups go with the database, and versions in a bucket with the bucket. These stay
    where both are deleted, can be locked, and can be copied to another region or another account.

    Defines a vault; a plan with a rule for each day, and one for each month if asked for; what is
    backed up; and a role that reads no more than that. With `alarm_topic` also two rules of Amazon
    EventBridge that tell of failed jobs.

    The vault stays when the stack is deleted. Backups of a database are snapshots, which its point
    in time restore knows nothing of; they are encrypted with the database's key, those of uploads
    with the key of the vault.

    Costs, at list prices of us-east-1, $0.095 a month for each GB of a database that is backed up
    and $0.05 for each GB of uploads, changes alone after the first backup; each copy as much
    again, and $0.02 for a GB that goes to another region. The sums are in the project's
    `docs/costs.md`.

    Example:
        ```python
        from aws_cdk import Duration
        from aws_cdk import aws_backup as backup

        GalvBackupPlan(
            self,
            "Backups",
            resources=[backend],
            monthly_retention=Duration.days(365),
            # Nobody can delete a backup in its first 35 days but who may take off the lock.
            lock_configuration=backup.LockConfiguration(min_retention=Duration.days(35)),
            copy_to=backup.BackupVault.from_backup_vault_arn(
                self, "Copies", "arn:aws:backup:eu-central-1:111122223333:backup-vault:galv"
            ),
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        resources: Sequence[GalvBackend | IGalvDatabase | s3.IBucket],
        daily_retention: Duration | None = None,
        monthly_retention: Duration | None = None,
        schedule: events.Schedule | None = None,
        copy_to: backup.IBackupVault | None = None,
        copy_retention: Duration | None = None,
        lock_configuration: backup.LockConfiguration | None = None,
        encryption_key: kms.IKey | None = None,
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        """Define what is backed up, when, and for how long.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            resources: What is backed up: backends, which are their databases and uploads;
                databases; and buckets, which have to keep versions.
            daily_retention: How long the backup of each day is kept, in whole days.
                Default: 35 days.
            monthly_retention: How long the backup of the first of each month is kept besides, in
                whole days. Default: there is none.
            schedule: When the daily backup begins, in UTC. RDS backs up no database that is
                stopped. Default: every day at 5:00.
            copy_to: Vault that each backup is copied to, in another region or another account. It
                needs a KMS key of your own. One in another account has to let this account copy
                into it, be in the same organization of AWS Organizations, and needs a database with
                a KMS key of your own. That account gets the right to use a key that the
                application creates; the policy of an imported one is yours. Default: none.
            copy_retention: How long copies are kept. Default: as long as the backup.
            lock_configuration: Vault Lock: nobody can delete a backup before the end of its
                retention, nor make that shorter. With `changeable_for`, 3 days or more, the lock is
                for good when that time is over: neither you nor AWS can take it off, or delete the
                vault before the last backup has expired (compliance mode). Without it whoever may
                change the vault can take it off (governance mode). Default: none.
            encryption_key: KMS key for backups of buckets. Changing it later replaces the vault.
                Default: the account's own key for AWS Backup, which costs nothing.
            alarm_topic: SNS topic that is told of backups and copies that failed; EventBridge must
                be allowed to use the key of an encrypted one. Default: nobody is told.

        Raises:
            ValueError: If an argument is malformed; a bucket keeps no versions; `copy_to` is beside
                the backups, or in another account that could not use the key of a database; or the
                lock would let backups fail that are kept shorter or longer than it allows.
        """
        check_resources(scope, resources)
        daily = _DAILY if daily_retention is None else daily_retention
        retentions = {"daily_retention": daily, "monthly_retention": monthly_retention}
        for name, retention in {**retentions, "copy_retention": copy_retention}.items():
            check_days(name, retention, 1, _LONGEST)
        if schedule is not None and not isinstance(schedule, events.Schedule):
            raise ValueError(
                f"schedule must be an aws_events.Schedule, got {schedule!r}: use "
                "events.Schedule.cron(hour='5', minute='0')"
            )
        if copy_retention is not None and copy_to is None:
            raise ValueError(
                "copy_retention is given without copy_to, and there are no copies: pass copy_to "
                "too, or drop it"
            )
        _check_lock(lock_configuration, retentions)
        check_key(scope, encryption_key)
        check_alarm_topic(alarm_topic)
        check_place(scope, "alarm_topic", alarm_topic)
        selected = resources_of(resources)
        check_copy_to(scope, copy_to, selected)
        super().__init__(scope, id)
        warn_of_unknown_databases(self, resources)
        warn_of_two_steps(self, copy_to, selected)
        share_keys(self, copy_to, selected)
        self._vault = backup.BackupVault(
            self,
            "Vault",
            backup_vault_name=self._vault_name(),
            encryption_key=encryption_key,
            lock_configuration=lock_configuration,
            # One that holds backups cannot be deleted.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self._plan = backup.BackupPlan(self, "Plan", backup_vault=self._vault)
        starts = events.Schedule.cron(hour="5", minute="0") if schedule is None else schedule
        self._add_rule("Daily", starts, daily, copy_to, copy_retention)
        if monthly_retention is not None:
            first = events.Schedule.cron(day="1", hour="6", minute="0")
            self._add_rule("Monthly", first, monthly_retention, copy_to, copy_retention)
        self._role = backup_role(
            self, "Role", resources=selected, vault=self._vault, copy_to=copy_to
        )
        self._selection = backup.BackupSelection(
            self,
            "Selection",
            backup_plan=self._plan,
            resources=[backup.BackupResource.from_arn(arn) for arn in selected.arns],
            role=self._role,
            disable_default_backup_policy=True,
        )
        # Until it is there, jobs fail.
        self._selection.node.add_dependency(self._role)
        self._rules = [] if alarm_topic is None else self._tell_of_failures(alarm_topic)

    @property
    def vault(self) -> backup.IBackupVault:
        """Vault that holds the backups."""
        return self._vault

    @property
    def plan(self) -> backup.BackupPlan:
        """Plan, for rules and resources of your own."""
        return self._plan

    @property
    def selection(self) -> backup.BackupSelection:
        """Selection of the resources that the plan backs up."""
        return self._selection

    @property
    def failure_rules(self) -> Sequence[events.IRule]:
        """Rules that tell of backups and copies that failed; none without `alarm_topic`."""
        return list(self._rules)

    @property
    def role(self) -> iam.IRole:
        """Role that AWS Backup reads with. It cannot restore."""
        return self._role

    def _vault_name(self) -> str:
        """A name that a stack of the same name, after this one was deleted, does not have.

        CloudFormation names no vault by itself.
        """
        uuid = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        stack = Fn.select(4, Fn.split("-", uuid))
        name = Names.unique_resource_name(
            self, max_length=_LONGEST_NAME - _ID_OF_STACK - 1, allowed_special_characters="-_"
        )
        return f"{name}-{stack}"

    def _add_rule(
        self,
        name: str,
        schedule: events.Schedule,
        retention: Duration,
        copy_to: backup.IBackupVault | None,
        copy_retention: Duration | None,
    ) -> None:
        copies = []
        if copy_to is not None:
            copies.append(
                backup.BackupPlanCopyActionProps(
                    destination_backup_vault=copy_to,
                    delete_after=retention if copy_retention is None else copy_retention,
                )
            )
        self._plan.add_rule(
            backup.BackupPlanRule(
                rule_name=name,
                schedule_expression=schedule,
                delete_after=retention,
                copy_actions=copies or None,
            )
        )

    def _tell_of_failures(self, topic: sns.ITopic) -> list[events.Rule]:
        """Tell of each job that did not do what it should.

        https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html has the events.
        """
        vault = self._vault
        jobs = {
            "Backup": ({"backupVaultName": [vault.backup_vault_name]}, ["ABORTED", "EXPIRED"]),
            "Copy": ({"sourceBackupVaultArn": [vault.backup_vault_arn]}, []),
        }
        rules = []
        for job, (of_vault, states) in jobs.items():
            resource, message = (
                events.EventField.from_path(f"$.detail.{field}")
                for field in ("resourceArn", "statusMessage")
            )
            rule = events.Rule(
                self,
                f"{job}Failed",
                description=f"{job} jobs of {self.node.path} that failed",
                event_pattern=events.EventPattern(
                    source=["aws.backup"],
                    detail_type=[f"{job} Job State Change"],
                    detail={**of_vault, "state": ["FAILED", "PARTIAL", *states]},
                ),
                targets=[
                    targets.SnsTopic(
                        topic,
                        message=events.RuleTargetInput.from_text(
                            f"{job} of {resource} failed ({self.node.path}): {message}"
                        ),
                    )
                ],
            )
            rules.append(rule)
        return rules


def _check_lock(
    lock: backup.LockConfiguration | None, retentions: dict[str, Duration | None]
) -> None:
    """Refuse a lock that refuses the plan's own backups, or that AWS refuses.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html: a job fails whose
    retention is outside of the lock's. "AWS Backup enforces a 72-hour cooling-off period before
    Vault Lock takes effect and becomes immutable. Therefore, you must set ChangeableForDays to 3 or
    greater": AWS::Backup::BackupVault LockConfigurationType.
    """
    if lock is None:
        return
    if not isinstance(lock, backup.LockConfiguration):
        raise ValueError(
            f"lock_configuration must be a backup.LockConfiguration, got {lock!r}: use "
            "backup.LockConfiguration(min_retention=Duration.days(35))"
        )
    check_days("lock_configuration.changeable_for", lock.changeable_for, _COOLING_OFF, _LONGEST)
    least, most = lock.min_retention, lock.max_retention
    for name, bound in (("min_retention", least), ("max_retention", most)):
        check_days(f"lock_configuration.{name}", bound, 1, _LONGEST)
    for name, retention in retentions.items():
        if retention is None:
            continue
        days = retention.to_days()
        if days < least.to_days() or (most is not None and days > most.to_days()):
            between = f"at least {least.to_days():g}"
            if most is not None:
                between += f" and at most {most.to_days():g}"
            raise ValueError(
                f"{name} is {days:g} days, and lock_configuration lets backups of {between} into "
                "the vault: others fail. Change one of them"
            )
