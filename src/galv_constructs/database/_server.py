"""The properties that an instance and a cluster of this library share."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jsii
from aws_cdk import Annotations, ArnFormat, CfnResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.protection import Protection
from galv_constructs._core.validation import is_token
from galv_constructs.database._access import Access
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.network import IGalvNetwork
from galv_constructs.preflight._needs import Needs, deployment_role
from galv_constructs.preflight.check import PreflightCheck


@jsii.implements(ec2.IConnectable)
class Server(Construct):
    """A server that this library creates: an `IGalvDatabase`."""

    _access: Access

    @property
    def host(self) -> str:
        """Host name of the server, which writes go to."""
        return self._access.host

    @property
    def port(self) -> str:
        """Port of the server."""
        return self._access.port

    @property
    def database_name(self) -> str:
        """Name of the database."""
        return self._access.database_name

    @property
    def secret(self) -> secretsmanager.ISecret:
        """Credentials of the master: a secret with the keys `username` and `password`."""
        return self._access.secret

    @property
    def owner_role(self) -> bool:
        """Whether setup creates a role that owns the database, and a login for the tasks."""
        return self._access.owner_role

    @property
    def creates_database(self) -> bool:
        """Whether setup creates the database: no, RDS does."""
        return self._access.creates_database

    @property
    def rotation(self) -> int:
        """Number of the login's password."""
        return self._access.rotation

    @property
    def certificates(self) -> str | None:
        """Certificates, in PEM, that tasks check the server's own by; none if they do not."""
        return self._access.certificates

    @property
    def connections(self) -> ec2.Connections:
        """Network connections of the server, with its port as the default one."""
        return self._access.connections

    @property
    def security_group(self) -> ec2.ISecurityGroup:
        """Security group of the server."""
        (group,) = self._access.connections.security_groups
        return group

    @property
    def vpc(self) -> ec2.IVpc | None:
        """VPC that the server is in."""
        return self._access.vpc

    @property
    def resource(self) -> rds.IDatabaseInstance | rds.IDatabaseCluster | None:
        """The instance or the cluster, as CDK knows it."""
        return self._access.resource

    @property
    def depends_on(self) -> Sequence[IConstruct]:
        """The constructs that have to exist before a task can connect."""
        return self._access.depends_on

    @property
    def max_connections(self) -> int | None:
        """About how many connections the server allows, where that is known."""
        return self._access.max_connections

    @property
    def checks(self) -> Mapping[str, PreflightCheck]:
        """Questions of preflight about a server that is there already: none."""
        return self._access.checks

    def add_database(self, database_name: str, *, rotation: int = 1) -> IGalvDatabase:
        """Return another database of this server, for another backend.

        Setup of that backend creates it, with an owner and a login of its own, which cannot connect
        to the others. The backends share the size of the server, its maintenance and its
        backups, and each setup has the master's password.

        Args:
            database_name: Name of the database.
            rotation: Number of the password of its login. Default: 1.

        Raises:
            ValueError: If the name is malformed or is that of this database, `rotation` is out of
                range, or `owner_role` is false.
        """
        return self._access.add_database(database_name, rotation=rotation)

    def _protect(
        self,
        scope: Construct,
        policy: DeploymentPolicy,
        encryption_key: kms.IKey | None,
        database: rds.IDatabaseInstance | rds.IDatabaseCluster,
    ) -> None:
        """Close the protection at the end, unless the parent closes it with that of its others."""
        if getattr(scope, "_protects_databases", False):
            return
        Protection(
            self,
            "Protection",
            policy=policy,
            databases=[database],
            load_balancers=[],
            encryption_key=encryption_key,
            after=list(self.depends_on),
        )

    def _ask(
        self,
        needs: Needs,
        *,
        instances: int,
        engine: Literal["postgres", "aurora-postgresql"],
        version: str,
        instance_class: str,
        snapshot: str | None,
        encrypts: bool = False,
    ) -> None:
        """Ask for room in the account, RDS's role, version and size, and a snapshot to restore."""
        assert self.resource is not None  # noqa: S101 - it creates one
        created = self.resource.node.default_child
        assert isinstance(created, CfnResource)  # noqa: S101 - the instance or the cluster
        needs.ask("Quotas/db-instance", PreflightCheck.quota("db-instance", instances))
        needs.ask(
            "ServiceLinkedRoles",
            PreflightCheck.service_linked_roles(
                ["rds.amazonaws.com"], created_by=deployment_role(self)
            ),
        )
        needs.ask(
            "Orderable",
            PreflightCheck.orderable_database(engine, version, instance_class, created=created),
        )
        if snapshot is not None:
            needs.ask(
                "Snapshot",
                PreflightCheck.snapshot(snapshot, encrypts=encrypts, restored=created),
            )
        needs.hold(*self.depends_on)


def server_security_group(scope: Construct, network: IGalvNetwork) -> ec2.SecurityGroup:
    """Define a security group that opens no connections itself."""
    return ec2.SecurityGroup(
        scope,
        "SecurityGroup",
        vpc=network.vpc,
        description="Galv database",
        allow_all_outbound=False,
    )


def server_subnet_group(scope: Construct, network: IGalvNetwork) -> rds.SubnetGroup:
    """Define the group of the network's subnets for databases."""
    return rds.SubnetGroup(
        scope,
        "SubnetGroup",
        vpc=network.vpc,
        vpc_subnets=network.database_subnets,
        description="Galv database",
    )


def master_credentials(
    scope: Construct, username: str, policy: DeploymentPolicy, encryption_key: kms.IKey | None
) -> rds.DatabaseSecret:
    """Define the secret of the server's master."""
    credentials = rds.DatabaseSecret(
        scope, "Credentials", username=username, encryption_key=encryption_key
    )
    credentials.apply_removal_policy(policy.data_removal)
    return credentials


def insights(
    mode: rds.DatabaseInsightsMode | None, encryption_key: kms.IKey | None
) -> dict[str, Any]:
    """Return the settings of CloudWatch Database Insights.

    "To enable the Advanced mode of Database Insights, you must enable Performance Insights and set
    the Performance Insights retention period to at least 465 days":
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DatabaseInsights.Considerations.html
    Only the console of Performance Insights has ended; its API is what Database Insights reads.
    """
    if mode is None:
        return {}
    is_advanced = mode is rds.DatabaseInsightsMode.ADVANCED
    return {
        "database_insights_mode": mode,
        "enable_performance_insights": True,
        "performance_insight_retention": rds.PerformanceInsightRetention.MONTHS_15
        if is_advanced
        else rds.PerformanceInsightRetention.DEFAULT,
        "performance_insight_encryption_key": encryption_key,
    }


def snapshot_arn(scope: Construct, kind: str, identifier: str | None) -> str | None:
    """Return the ARN of a snapshot, of this account and region where it is known by its name."""
    if identifier is None or is_token(identifier) or identifier.startswith("arn:"):
        return identifier
    return Stack.of(scope).format_arn(
        service="rds",
        resource=kind,
        resource_name=identifier,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def warn_of_minor_version(scope: Construct, full: str, major: str) -> None:
    """Warn of a version that RDS retires some day, and does not go back to."""
    if "." not in full or is_token(full):
        return
    Annotations.of(scope).add_warning_v2(
        "galv-constructs:databaseMinorVersion",
        f"engine_version is the minor version {full}. RDS installs newer ones in the maintenance "
        "window, and can create no database of a version that it has retired: pass the major one, "
        f"{major}.",
    )
