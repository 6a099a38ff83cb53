"""The database as a cluster: Aurora Serverless v2."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_range
from galv_constructs.database._access import DATABASE_NAME, Access, SignIn
from galv_constructs.database._capacity import check_capacity, warn_of_no_pause
from galv_constructs.database._checks import (
    check_major_version,
    check_server,
    check_snapshot,
    with_tls,
)
from galv_constructs.database._connections import allowed_at_capacity, configured_connections
from galv_constructs.database._findings import keep_logs, server_findings
from galv_constructs.database._given import cluster_resources
from galv_constructs.database._server import (
    Server,
    insights,
    master_credentials,
    server_security_group,
    server_subnet_group,
    snapshot_arn,
    warn_of_minor_version,
)
from galv_constructs.network import IGalvNetwork, check_is_network
from galv_constructs.preflight._needs import Needs

_MASTER = "galv"
_VERSION = rds.AuroraPostgresEngineVersion
# The major one alone, which CDK has no constant for: Aurora takes its default minor version, and
# CloudFormation sees no drift in a newer one, as `EngineVersion` of its schema is a prefix.
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.VersionPolicy.Versioning.html
# https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds
_HOW = "rds.AuroraPostgresEngineVersion.of({0!r}, {0!r})"
_MAJOR = "17"
_PORT = 5432
_RESTORED = {
    "CloudFormation-Validate::F3021": "A cluster that is restored from a snapshot has the name of "
    "the snapshot's master, and CloudFormation sets its password afterwards.",
}


class GalvDatabaseCluster(Server):
    """Aurora Serverless v2 for PostgreSQL, with credentials in Secrets Manager.

    Its capacity follows the load, between bounds, and its storage grows by itself. In production
    (the default) a reader in another Availability Zone takes over in less than a minute when the
    writer fails. Otherwise as `GalvDatabase`, in whose place `GalvBackend` takes it:
    `database=GalvDatabaseCluster`, or with settings `partial(GalvDatabaseCluster, max_capacity=4)`.

    Costs, per month at list prices of us-east-1: $87.60 for an ACU (2 GiB of memory) that is in use
    all the time, $43.80 at the default minimum, twice that with a reader; $0.10 for a GiB and $0.20
    for a million I/O requests. Below about one ACU on average an instance costs less.

    Example:
        ```python
        network = GalvNetwork(self, "Network")
        database = GalvDatabaseCluster(self, "Database", network=network, max_capacity=4)
        GalvBackend(
            self,
            "Backend",
            domain_name="api.example.com",
            hosted_zone=zone,
            network=network,
            database=database,
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: IGalvNetwork,
        engine_version: rds.AuroraPostgresEngineVersion | None = None,
        min_capacity: float = 0.5,
        max_capacity: float = 2,
        auto_pause: Duration | None = None,
        readers: int | None = None,
        parameters: Mapping[str, str] | None = None,
        preferred_maintenance_window: str | None = None,
        preferred_backup_window: str | None = None,
        backup_retention: Duration | None = None,
        ca_certificate: rds.CaCertificate | None = None,
        database_insights_mode: rds.DatabaseInsightsMode | None = None,
        snapshot_identifier: str | None = None,
        master_username: str = _MASTER,
        database_name: str = DATABASE_NAME,
        owner_role: bool = True,
        rotation: int = 1,
        ca_file: str | None = None,
        encryption_key: kms.IKey | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        deletion_protection: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the cluster.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            network: VPC, and the subnets of the database in it, in at least two Availability Zones.
            engine_version: Version of Aurora, for PostgreSQL 14 to 18. A major one alone, as Aurora
                retires minor ones, which gets minor updates in the maintenance window. A higher
                one later is an outage of minutes and cannot be taken back; CloudFormation allows
                it without being told. Default: `rds.AuroraPostgresEngineVersion.of("17", "17")`.
            min_capacity: Least capacity of an instance in ACUs, in steps of 0.5 up to 256. 0 lets
                it pause when nobody is connected, which costs nothing but storage; the next request
                waits for about 15 seconds, and any schedule that runs more often than `auto_pause`
                keeps it awake. Default: 0.5.
            max_capacity: Most capacity, from 1 to 256 ACUs. Connections follow from it: about 400
                at 2. Default: 2.
            auto_pause: How long nobody must be connected before it pauses, from 5 minutes to a day,
                for a `min_capacity` of 0. Default: 5 minutes.
            readers: Instances that can be read from, and that take over, up to 15, each as large as
                the writer. Galv reads from the writer alone. Default: 1 in production, otherwise 0.
            parameters: Parameters of PostgreSQL for the cluster. Default: those of Aurora, and TLS
                alone.
            preferred_maintenance_window: As of `GalvDatabase`. Default: RDS chooses.
            preferred_backup_window: As of `GalvDatabase`. Default: RDS chooses.
            backup_retention: How long automated backups are kept, from 1 to 35 days.
                Default: 30 days in production, otherwise 7.
            ca_certificate: Authority that the certificate of the server comes from.
                Default: that of the account.
            database_insights_mode: As of `GalvDatabase`; `ADVANCED` is about $2.30 an ACU a month.
                Default: off.
            snapshot_identifier: Name or ARN of a cluster's snapshot to restore, or the ARN of an
                instance's. One that is not encrypted needs `encryption_key`, and then the cluster
                is. **Give it in the first deployment, and never change or remove it:
                CloudFormation replaces the database when it changes.** Default: an empty database.
            master_username: Name of the master; that of a snapshot cannot be changed.
                Default: `galv`.
            database_name: Name of the database. In a snapshot it is there already.
                Default: `galv`.
            owner_role: As of `GalvDatabase`. Default: true.
            rotation: As of `GalvDatabase`. Default: 1.
            ca_file: As of `GalvDatabase`. Default: connections are encrypted, whoever the server
                is.
            encryption_key: KMS key for storage, the secret and the log of the protection's handler.
                Setting or changing it later replaces the database. Default: keys that AWS owns or
                manages, which cost nothing.
            production: Whether people rely on it: a reader that takes over, longer backups and
                logs. Default: true.
            removal_protection: Whether its data outlives the stack: it leaves a last snapshot, and
                the secret and logs stay. Default: the same as `production`.
            deletion_protection: Whether it refuses to be deleted, and with it the stack, once a
                deployment has succeeded. Default: the same as `removal_protection`.
            preflight: Whether a deployment first asks whether the account has room, and the
                snapshot is there: see `GalvPreflight`. A list leaves out checks, by their kinds or
                ids. Default: true.

        Raises:
            ValueError: If an argument is malformed, out of range, or contradicts another one.
        """
        check_is_network(network)
        version = _VERSION.of(_MAJOR, _MAJOR) if engine_version is None else engine_version
        how = _HOW.format(_MAJOR)
        if not isinstance(version, _VERSION):
            raise ValueError(
                f"engine_version must be an rds.AuroraPostgresEngineVersion, got {version!r}: use "
                f"{how}"
            )
        full = version.aurora_postgres_full_version
        major = version.aurora_postgres_major_version
        check_major_version(full, major, how)
        check_capacity(min_capacity, max_capacity, auto_pause)
        if readers is not None:
            check_range("readers", readers, 0, 15)
        group_parameters = with_tls(parameters)
        check_snapshot("snapshot_identifier", snapshot_identifier, of_instance=False)
        sign_in = SignIn(
            database_name=database_name, owner_role=owner_role, rotation=rotation, ca_file=ca_file
        )
        check_server(
            scope,
            network=network,
            preferred_maintenance_window=preferred_maintenance_window,
            preferred_backup_window=preferred_backup_window,
            backup_retention=backup_retention,
            ca_certificate=ca_certificate,
            database_insights_mode=database_insights_mode,
            master_username=master_username,
            database_name=database_name if snapshot_identifier is None else None,
            encryption_key=encryption_key,
            production=production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
            preflight=preflight,
        )
        super().__init__(scope, id)
        policy = DeploymentPolicy.of(
            production=production,
            removal_protection=removal_protection,
            deletion_protection=deletion_protection,
        )
        count = int(policy.multi_az) if readers is None else readers
        warn_of_minor_version(self, full, _HOW.format(major))
        engine = rds.DatabaseClusterEngine.aurora_postgres(version=version)
        security_group = server_security_group(self, network)
        credentials = master_credentials(self, master_username, policy, encryption_key)
        of_instances: dict[str, Any] = {
            "ca_certificate": ca_certificate,
            "publicly_accessible": False,
            "auto_minor_version_upgrade": True,
        }
        settings: dict[str, Any] = {
            "engine": engine,
            "writer": rds.ClusterInstance.serverless_v2("Writer", **of_instances),
            "readers": [
                rds.ClusterInstance.serverless_v2(
                    f"Reader{number}", scale_with_writer=True, **of_instances
                )
                for number in range(1, count + 1)
            ],
            "serverless_v2_min_capacity": min_capacity,
            "serverless_v2_max_capacity": max_capacity,
            "serverless_v2_auto_pause_duration": auto_pause,
            "vpc": network.vpc,
            "subnet_group": server_subnet_group(self, network),
            "security_groups": [security_group],
            "parameter_group": rds.ParameterGroup(
                self,
                "ParameterGroup",
                engine=engine,
                description="Galv database",
                parameters=group_parameters,
            ),
            "port": _PORT,
            "storage_encrypted": True,
            "storage_encryption_key": encryption_key,
            "preferred_maintenance_window": preferred_maintenance_window,
            "backup": rds.BackupProps(
                retention=Duration.days(policy.backup_retention_days)
                if backup_retention is None
                else backup_retention,
                preferred_window=preferred_backup_window,
            ),
            "delete_automated_backups": policy.delete_contents,
            "copy_tags_to_snapshot": True,
            **insights(database_insights_mode, encryption_key),
            # Nothing about deletion protection, which `Protection` turns on.
            "removal_policy": policy.database_removal,
            "cloudwatch_logs_exports": ["postgresql"],
        }
        self._cluster: rds.DatabaseCluster | rds.DatabaseClusterFromSnapshot
        if snapshot_identifier is None:
            self._cluster = rds.DatabaseCluster(
                self,
                "Resource",
                **settings,
                credentials=rds.Credentials.from_secret(credentials),
                default_database_name=database_name,
            )
        else:
            self._cluster = rds.DatabaseClusterFromSnapshot(
                self,
                "Resource",
                **settings,
                snapshot_identifier=snapshot_identifier,
                snapshot_credentials=rds.SnapshotCredentials.from_secret(credentials),
            )
            resource = self._cluster.node.default_child
            assert isinstance(resource, rds.CfnDBCluster)  # noqa: S101 - what an L2 cluster is
            resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3021"]}})
            acknowledge(resource, _RESTORED)
        secret = self._cluster.secret
        assert secret is not None  # noqa: S101 - credentials that were passed are attached
        self._access = Access(
            host=self._cluster.cluster_endpoint.hostname,
            port=Tokenization.stringify_number(self._cluster.cluster_endpoint.port),
            database_name=sign_in.database_name,
            secret=secret,
            owner_role=sign_in.owner_role,
            rotation=sign_in.rotation,
            certificates=sign_in.certificates,
            connections=self._cluster.connections,
            vpc=network.vpc,
            resource=self._cluster,
            depends_on=cluster_resources(self._cluster),
            max_connections=configured_connections(group_parameters)
            or allowed_at_capacity(min_capacity, max_capacity),
        )
        keep_logs(
            self,
            {"Postgresql": f"/aws/rds/cluster/{self._cluster.cluster_identifier}/postgresql"},
            policy,
        )
        acknowledge(
            self,
            server_findings(policy, encryption_key, has_standby=count > 0, is_restored=False),
        )
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
        )
        self._ask(
            needs,
            instances=1 + count,
            engine="aurora-postgresql",
            version=full,
            instance_class="db.serverless",
            snapshot=snapshot_arn(self, "cluster-snapshot", snapshot_identifier),
            encrypts=encryption_key is not None,
        )
        self._protect(scope, policy, encryption_key, self._cluster)
        if min_capacity == 0:
            warn_of_no_pause(self, self.connections, auto_pause)

    @property
    def cluster(self) -> rds.DatabaseCluster | rds.DatabaseClusterFromSnapshot:
        """The cluster: its metrics, its identifier, and the endpoint of its readers."""
        return self._cluster
