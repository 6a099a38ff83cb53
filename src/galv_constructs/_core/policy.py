"""The one place where ``production`` and ``removal_protection`` turn into settings."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

from galv_constructs._core.validation import check_boolean


@dataclass(frozen=True, kw_only=True)
class DeploymentPolicy:
    """The defaults that follow from `production` and `removal_protection`.

    `production` decides how careful and how watched a deployment is, `removal_protection` whether
    its data outlives the stack.
    """

    bucket_removal: RemovalPolicy
    """For buckets. One that is kept is kept when the deployment that created it fails, too: S3
    deletes no bucket that holds something, and the rollback would fail."""

    data_removal: RemovalPolicy
    """For secrets and logs. Those that are kept go when the deployment that created them fails, so
    that the next one can create them again."""

    database_removal: RemovalPolicy
    """For the database. A retained one would hold on to the VPC that it is in and make deleting the
    stack fail; a last snapshot keeps the data and lets go of the rest."""

    delete_contents: bool
    """Whether buckets are emptied, and automated backups dropped, when the stack is deleted."""

    deletion_protection: bool
    """Whether the database and the load balancer refuse to be deleted, once a deployment has
    succeeded."""

    versioned: bool
    """Whether buckets keep overwritten and deleted objects for a while."""

    multi_az: bool
    """Whether the database has a standby in a second Availability Zone."""

    snapshot_before_setup: bool
    """Whether a deployment with another image first makes a snapshot of the database."""

    backup_retention_days: int
    """How long automated database backups are kept."""

    log_retention: RetentionDays
    """How long logs are kept."""

    log_expiration_days: int
    """How long logs in S3 are kept."""

    execute_command: bool
    """Whether ECS Exec can open a shell in the web container."""

    container_insights: bool
    """Whether the cluster reports Container Insights metrics."""

    @classmethod
    def of(
        cls,
        *,
        production: bool,
        removal_protection: bool | None = None,
        deletion_protection: bool | None = None,
        snapshot_before_setup: bool | None = None,
        execute_command: bool | None = None,
        container_insights: bool | None = None,
    ) -> "DeploymentPolicy":
        """Read the table; an explicit value wins over what `production` implies."""
        protected = production if removal_protection is None else removal_protection
        return cls(
            # removal_protection
            bucket_removal=RemovalPolicy.RETAIN if protected else RemovalPolicy.DESTROY,
            data_removal=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if protected
            else RemovalPolicy.DESTROY,
            database_removal=RemovalPolicy.SNAPSHOT if protected else RemovalPolicy.DESTROY,
            delete_contents=not protected,
            deletion_protection=protected if deletion_protection is None else deletion_protection,
            versioned=protected,
            # production
            multi_az=production,
            snapshot_before_setup=production
            if snapshot_before_setup is None
            else snapshot_before_setup,
            backup_retention_days=30 if production else 7,
            log_retention=RetentionDays.ONE_YEAR if production else RetentionDays.ONE_MONTH,
            log_expiration_days=365 if production else 30,
            execute_command=(not production) if execute_command is None else execute_command,
            container_insights=production if container_insights is None else container_insights,
        )


def check_switches(production: object, **overrides: object) -> None:
    """Check arguments that are true or false; the keyword is the argument's name."""
    check_boolean("production", production)
    for name, value in overrides.items():
        if value is not None:
            check_boolean(name, value)
