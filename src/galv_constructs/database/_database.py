"""The Postgres database that a backend creates when it is given none."""

import re
from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from galv_constructs._core.acknowledge import (
    AWS_LAMBDA_BASIC_EXECUTION,
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
    secret_findings,
    standards,
)
from galv_constructs._core.placement import check_place, check_vpc
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.protection import CLOSED_AT_THE_END
from galv_constructs._core.validation import check_construct, check_type, is_token
from galv_constructs.network import IGalvNetwork

DATABASE_NAME = "galv"
# The id that CDK gives to its one function a stack for the retention of log groups.
_LOG_RETENTION_FUNCTION = "LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8a"
_LOG_EXPORTS = {"Postgresql": "postgresql", "Upgrade": "upgrade"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _check_instance_type(instance_type: ec2.InstanceType | None) -> None:
    written = "" if instance_type is None else instance_type.to_string()
    if written.startswith("db."):
        raise ValueError(
            "database_instance_type must be written without 'db.', which RDS adds itself: pass "
            f"ec2.InstanceType({written.removeprefix('db.')!r}), got {written!r}"
        )


def check_database(
    scope: Construct,
    database: rds.IDatabaseInstance | None,
    *,
    secret: secretsmanager.ISecret | None,
    name: str | None,
    instance_type: ec2.InstanceType | None,
    vpc: ec2.IVpc | None,
) -> None:
    """Check that a given database comes with its credentials, and is in the VPC of the tasks."""
    check_construct(
        "database",
        database,
        "aws_rds.IDatabaseInstance",
        "rds.DatabaseInstance.from_database_instance_attributes(…)",
    )
    check_construct(
        "database_secret",
        secret,
        "aws_secretsmanager.ISecret",
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    )
    check_construct(
        "database_instance_type",
        instance_type,
        "aws_ec2.InstanceType",
        "ec2.InstanceType('t4g.small')",
    )
    _check_instance_type(instance_type)
    _check_name(name)
    if database is None:
        for argument, value in (("database_secret", secret), ("database_name", name)):
            if value is not None:
                raise ValueError(f"{argument} is only for a given database: pass database too")
        return
    if instance_type is not None:
        raise ValueError(
            "database and database_instance_type are both given: a given database has its size"
        )
    _check_given(scope, database, vpc)
    if secret is None and getattr(database, "secret", None) is None:
        raise ValueError(
            "database is given without its credentials: pass database_secret, a secret with the "
            "keys username and password"
        )
    check_place(scope, "database_secret", secret)


def _check_name(name: str | None) -> None:
    if name is None:
        return
    check_type("database_name", name, str, "text")
    if not is_token(name) and not _NAME.fullmatch(name):
        raise ValueError(
            "database_name must be letters, digits and '_', at most 63, not starting with a "
            f"digit, got {name!r}"
        )


def _check_given(scope: Construct, database: rds.IDatabaseInstance, vpc: ec2.IVpc | None) -> None:
    """Check that Galv can use a given database, and that tasks can reach it."""
    engine = database.engine
    kind = None if engine is None else engine.engine_type
    if kind is not None and not kind.startswith("postgres"):
        raise ValueError(
            f"database must be PostgreSQL, which is all that Galv knows, got {kind!r}: use "
            "rds.DatabaseInstanceEngine.postgres(…)"
        )
    check_place(scope, "database", database)
    database_vpc = getattr(database, "vpc", None)
    if database_vpc is not None and vpc is None:
        raise ValueError(
            f"database ({database.node.path}) is in the VPC {database_vpc.node.path}, and a new "
            "network would be another one: pass network=GalvNetwork.from_vpc(…) with that VPC"
        )
    if vpc is not None:
        check_vpc("database", database_vpc, vpc)


class Database(Construct):
    """RDS for PostgreSQL in the isolated subnets, with credentials in Secrets Manager."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: IGalvNetwork,
        policy: DeploymentPolicy,
        instance_type: ec2.InstanceType,
        encryption_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, id)
        self._policy = policy
        # Only a major version: AWS retires minor ones, and a template that names a retired one can
        # no longer create its database.
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
        security_group = ec2.SecurityGroup(
            self,
            "SecurityGroup",
            vpc=network.vpc,
            description="Galv database",
            allow_all_outbound=False,
        )
        credentials = rds.DatabaseSecret(
            self, "Credentials", username="galv", encryption_key=encryption_key
        )
        credentials.apply_removal_policy(policy.data_removal)
        self.instance = rds.DatabaseInstance(
            self,
            "Resource",
            engine=engine,
            instance_type=instance_type,
            vpc=network.vpc,
            subnet_group=rds.SubnetGroup(
                self,
                "SubnetGroup",
                vpc=network.vpc,
                vpc_subnets=network.database_subnets,
                description="Galv database",
            ),
            security_groups=[security_group],
            # Made from the start: one that is added later replaces nothing, but needs a reboot.
            parameter_group=rds.ParameterGroup(
                self,
                "ParameterGroup",
                engine=engine,
                description="Galv database",
                parameters={"rds.force_ssl": "1"},
            ),
            credentials=rds.Credentials.from_secret(credentials),
            database_name=DATABASE_NAME,
            storage_type=rds.StorageType.GP3,
            allocated_storage=20,
            max_allocated_storage=200,
            storage_encrypted=True,
            storage_encryption_key=encryption_key,
            multi_az=policy.multi_az,
            publicly_accessible=False,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            backup_retention=Duration.days(policy.backup_retention_days),
            delete_automated_backups=policy.delete_contents,
            copy_tags_to_snapshot=True,
            # Nothing about deletion protection, which `Protection` turns on.
            removal_policy=policy.database_removal,
            cloudwatch_logs_exports=list(_LOG_EXPORTS.values()),
        )
        secret = self.instance.secret
        assert secret is not None  # noqa: S101 - credentials that were passed are attached
        self.secret = secret
        # cfn-lint knows minor versions only and takes a major one for a retired one.
        resource = self.instance.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)  # noqa: S101 - what an L2 instance is made of
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})
        self._keep_logs()
        acknowledge(self, _findings(policy, encryption_key))

    def _keep_logs(self) -> None:
        # RDS creates these log groups itself and never expires them.
        stack = Stack.of(self)
        names = [
            f"/aws/rds/instance/{self.instance.instance_identifier}/{export}"
            for export in _LOG_EXPORTS.values()
        ]
        for id, name in zip(_LOG_EXPORTS, names, strict=True):
            logs.LogRetention(
                self,
                f"{id}LogRetention",
                log_group_name=name,
                retention=self._policy.log_retention,
                removal_policy=self._policy.data_removal,
            )
        # CDK creates one function a stack for this, outside of this construct.
        function = stack.node.try_find_child(_LOG_RETENTION_FUNCTION)
        if function is not None:
            _acknowledge_log_retention(function, names)


_FINDINGS = {
    "AwsSolutions-RDS6": "The application signs in with a password and cannot use IAM "
    "tokens; a sign-in method that nothing uses is better disabled.",
    "AwsSolutions-RDS11": "Only the tasks' security groups may open connections, whatever "
    "the port; another one would only surprise whoever has to connect.",
} | standards(
    {
        "RDSEnhancedMonitoringEnabled": "RDS's own metrics say "
        "what an application of this size needs to know; those of the operating system are "
        "billed as logs.",
        "RDSInBackupPlan": "RDS creates backups itself, every day and of every change, and keeps "
        "them as long as the policy says.",
    }
)
_NOT_ROTATED = (
    "Running tasks read the password once, when they start: a rotation that "
    "does not also replace them cuts the application off from its database."
)
_NO_STANDBY = "A deployment that is not in production does without a standby, at half the cost."
_UNPROTECTED = "Deletion protection is off for this deployment: it is meant to be deleted whole."
_RETENTION_FINDINGS = DEPLOYMENT_FUNCTIONS | {
    AWS_LAMBDA_BASIC_EXECUTION: "CDK's own function for retention; the managed policy "
    "only lets it write its log."
}
_ANY_LOG_GROUP = (
    "RDS names its log groups after the instance, whose name is not known before it "
    "is created; the function may only set and delete retention."
)
_ONE_LOG_GROUP = "The ARN of one log group: CloudWatch Logs writes the wildcard at its end."


def _findings(policy: DeploymentPolicy, encryption_key: kms.IKey | None) -> dict[str, str]:
    """Findings of the database under a policy, and of its credentials."""
    protection = CLOSED_AT_THE_END if policy.deletion_protection else _UNPROTECTED
    findings = (
        _FINDINGS
        | {"AwsSolutions-RDS10": protection}
        | standards({"RDSInstanceDeletionProtectionEnabled": protection})
        | secret_findings(encryption_key, not_rotated=_NOT_ROTATED)
    )
    if not policy.multi_az:
        findings |= {"AwsSolutions-RDS3": _NO_STANDBY}
        findings |= standards({"RDSMultiAZSupport": _NO_STANDBY})
    return findings


def _acknowledge_log_retention(function: IConstruct, names: Sequence[str]) -> None:
    """Acknowledge what CDK's function for the retention of these log groups is made of."""
    stack = Stack.of(function)
    # With logs that do not outlive the stack it may also delete the log groups.
    groups = [
        stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name=f"{name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for name in names
    ]
    acknowledge_wildcards(function, {"*": _ANY_LOG_GROUP, **dict.fromkeys(groups, _ONE_LOG_GROUP)})
    acknowledge(function, _RETENTION_FINDINGS)
