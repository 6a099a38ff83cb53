"""The stack of the backend."""

from functools import partial
from typing import Any

from aws_cdk import Annotations, CfnOutput, Duration, RemovalPolicy, Size, Stack, TimeZone
from aws_cdk import aws_backup as backup
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_app.alarms import alarm_topic
from galv_app.environment import PLACEHOLDER
from galv_app.existing import hosted_zone, network, record_to_create
from galv_app.outputs import preflight_warnings
from galv_constructs import (
    AwakeHours,
    GalvBackend,
    GalvBackupPlan,
    GalvConfig,
    GalvDatabase,
    GalvMail,
    GalvScheduledTask,
    GalvSleep,
    GalvTask,
    GalvWebAcl,
    IGalvMail,
)


class BackendStack(Stack):
    """The API, its database and its tasks."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: GalvConfig,
        log_bucket: s3.IBucket,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        zone = hosted_zone(self, config)
        certificate = None
        if zone is None:
            certificate = acm.Certificate.from_certificate_arn(
                self, "Certificate", str(config.backend_certificate_arn)
            )
        alarms = alarm_topic(self, config.alarm_email)
        web_acl_arn = self._web_acl_arn(config, log_bucket, alarms)
        awake = None
        if config.awake_hours is not None:
            awake = AwakeHours.parse(config.awake_hours, time_zone=TimeZone.of(config.time_zone))
        self.backend = GalvBackend(
            self,
            "Backend",
            domain_name=config.backend_domain_name,
            hosted_zone=zone,
            certificate=certificate,
            root_domain_name=config.domain_name,
            frontend_domain_names=[config.frontend_domain_name],
            mail=self._mail(config, zone),
            version=config.backend_version,
            mirror_image=config.mirror_image,
            latest_as_of=config.latest_as_of if config.backend_version == "latest" else None,
            environment=config.backend_environment,
            min_tasks=config.min_tasks,
            lab_storage_quota=Size.gibibytes(config.lab_storage_quota_gib),
            secrets=self._secrets(config),
            database=self._database(config, awake),
            network=network(self, config, log_bucket),
            internet_facing=config.internet_facing,
            allowed_cidrs=config.allowed_cidrs,
            media_key=config.media_key,
            log_bucket=log_bucket,
            web_acl_arn=web_acl_arn,
            admin_cidrs=config.admin_cidrs if web_acl_arn is None else None,
            alarm_topic=alarms if web_acl_arn is None else None,
            # The web service of production is not interrupted.
            spot=config.fargate_spot and not config.is_production,
            production=config.is_production,
            removal_protection=config.removal_protection,
            deletion_protection=config.deletion_protection,
            container_insights=config.enable_container_insights,
            allow_destructive_migrations=config.allow_destructive_migrations,
            snapshot_before_setup=config.snapshot_before_setup,
            preflight=config.preflight,
        )
        interval = config.monitor_interval_minutes
        validate = ["python", "manage.py", "validate_against_schemas"]
        monitor: GalvScheduledTask | GalvTask
        if interval > 0:
            monitor = GalvScheduledTask(
                self,
                "ValidationMonitor",
                runtime=self.backend.runtime,
                command=validate,
                schedule=scheduler.ScheduleExpression.rate(Duration.minutes(interval)),
                spot=config.fargate_spot,
                alarm_topic=alarms,
            )
        else:
            monitor = GalvTask(
                self, "ValidationMonitor", runtime=self.backend.runtime, command=validate
            )
        if awake is not None:
            GalvSleep(
                self,
                "Sleep",
                sleepers=[self.backend, monitor],
                awake=awake,
                alarm_topic=alarms,
            )
        if config.backup_days is not None:
            self._back_up(config, config.backup_days, alarms)
        CfnOutput(self, "BackendUrl", value=self.backend.url, description="URL of the API")
        CfnOutput(
            self,
            "Cluster",
            value=self.backend.cluster.cluster_name,
            description="ECS cluster that all tasks run in",
        )
        CfnOutput(
            self,
            "CheckStatus",
            value=self.backend.check_status_run_command,
            description="Checks the connections to database, S3 and mail",
        )
        CfnOutput(
            self,
            "SuperuserPasswordSecret",
            value=self.backend.superuser_password.secret_name,
            description="Secret that holds the superuser's first password",
        )
        image = self.backend.mirrored_image
        if image is not None:
            CfnOutput(
                self,
                "BackendImage",
                value=image.reference,
                description="Image that all tasks run, with its digest",
            )
        preflight_warnings(self)
        if zone is None:
            CfnOutput(
                self,
                "BackendCnameTarget",
                value=self.backend.load_balancer_dns_name,
                description=record_to_create(config.backend_domain_name, config.backend_subdomain),
            )
        if self.account == PLACEHOLDER.account:
            Annotations.of(self).add_warning_v2(
                "galv-app:placeholderEnvironment",
                f"no AWS credentials: synthesized for the placeholder account {self.account} in "
                f"{self.region}, to be read and not deployed",
            )

    def _web_acl_arn(
        self, config: GalvConfig, log_bucket: s3.IBucket, alarms: sns.ITopic | None
    ) -> str | None:
        """The WAF that is asked for, or the backend's own."""
        if not config.waf_counted_rules and config.waf_credential_paths is None:
            return None
        return GalvWebAcl(
            self,
            "WebAcl",
            credential_paths=config.waf_credential_paths,
            admin_cidrs=config.admin_cidrs,
            counted_rules=config.waf_counted_rules,
            log_bucket=log_bucket,
            alarm_topic=alarms,
        ).web_acl_arn

    def _database(self, config: GalvConfig, awake: AwakeHours | None) -> partial[GalvDatabase]:
        """How the backend creates its database."""
        version = config.database_engine_version
        return partial(
            GalvDatabase,
            instance_type=ec2.InstanceType(config.database_instance_type),
            engine_version=None
            if version is None
            else rds.PostgresEngineVersion.of(version, version),
            # Whoever names a higher version wants the upgrade.
            allow_major_version_upgrade=version is not None,
            allocated_storage=config.database_storage_gib,
            max_allocated_storage=config.database_max_storage_gib,
            # At night it may be stopped.
            preferred_backup_window=None if awake is None else awake.backup_window,
            preferred_maintenance_window=None if awake is None else awake.maintenance_window,
            snapshot_identifier=config.database_snapshot,
            rotation=config.database_rotation,
            ca_file=config.database_ca_file,
            encryption_key=self._database_key(config),
        )

    def _database_key(self, config: GalvConfig) -> kms.Key | None:
        if not config.database_key:
            return None
        protected = config.removal_protection
        kept = config.is_production if protected is None else protected
        return kms.Key(
            self,
            "DatabaseKey",
            description=f"Database of {config.name}, and its backups",
            enable_key_rotation=True,
            # Without it nobody reads the last snapshot.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if kept
            else RemovalPolicy.DESTROY,
        )

    def _back_up(self, config: GalvConfig, days: int, alarms: sns.ITopic | None) -> None:
        copy_to = None
        if config.backup_copy_to is not None:
            copy_to = backup.BackupVault.from_backup_vault_arn(
                self, "BackupCopies", config.backup_copy_to
            )
        lock = None
        if config.backup_lock_days is not None:
            lock = backup.LockConfiguration(min_retention=Duration.days(config.backup_lock_days))
        plan = GalvBackupPlan(
            self,
            "Backups",
            resources=[self.backend],
            daily_retention=Duration.days(days),
            copy_to=copy_to,
            lock_configuration=lock,
            alarm_topic=alarms,
        )
        CfnOutput(
            self,
            "BackupVault",
            value=plan.vault.backup_vault_name,
            description="Vault that holds the backups",
        )

    def _mail(self, config: GalvConfig, zone: route53.IHostedZone | None) -> IGalvMail:
        if config.smtp_secret_name is not None:
            secret = secretsmanager.Secret.from_secret_name_v2(
                self, "SmtpSecret", config.smtp_secret_name
            )
            return GalvMail.from_secret(secret, sender=config.mail_sender)
        domain = config.mail_from_domain
        in_zone = config.in_hosted_zone(domain)
        identity = None
        if not config.creates_mail_identity:
            identity = ses.EmailIdentity.from_email_identity_name(self, "MailIdentity", domain)
        mail = GalvMail(
            self,
            "Mail",
            sender=config.mail_sender,
            identity=identity,
            hosted_zone=zone if in_zone and identity is None else None,
            secret_name=config.default_smtp_secret_name,
            rotation=config.smtp_rotation,
            production=config.is_production,
            removal_protection=config.removal_protection,
            preflight=config.preflight,
        )
        if not in_zone:
            for number, record in enumerate(mail.dns_records, start=1):
                CfnOutput(
                    self,
                    f"MailDnsRecord{number}",
                    value=f"{record.name} {record.type} {record.value}",
                    description=f"DNS record for mail from {domain}: name, type and value",
                )
        return mail

    def _secrets(self, config: GalvConfig) -> dict[str, ecs.Secret]:
        if not config.backend_secrets_keys:
            return {}
        secret = secretsmanager.Secret.from_secret_name_v2(
            self, "BackendSecrets", config.backend_secrets_name
        )
        return {
            key: ecs.Secret.from_secrets_manager(secret, key) for key in config.backend_secrets_keys
        }
