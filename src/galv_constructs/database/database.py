"""The database: an RDS instance of PostgreSQL, or one that exists."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.validation import check_boolean
from galv_constructs.database._access import DATABASE_NAME, Access, SignIn
from galv_constructs.database._checks import (
    check_instance_type,
    check_major_version,
    check_server,
    check_snapshot,
    check_storage,
    with_tls,
)
from galv_constructs.database._connections import allowed_connections, configured_connections
from galv_constructs.database._findings import keep_logs, server_findings
from galv_constructs.database._given import cluster_access, instance_access, server_access
from galv_constructs.database._replica import add_read_replica
from galv_constructs.database._server import (
    Server,
    insights,
    master_credentials,
    server_security_group,
    server_subnet_group,
    snapshot_arn,
    warn_of_minor_version,
)
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.network import IGalvNetwork, check_is_network
from galv_constructs.preflight._needs import Needs

_MASTER = "galv"
_LOG_EXPORTS = {"Postgresql": "postgresql", "Upgrade": "upgrade"}
_ALLOCATED = 20
_MOST = 200


class GalvDatabase(Server):
    """RDS for PostgreSQL in the isolated subnets, with credentials in Secrets Manager.

    Defines the instance with its subnet group, parameter group and security group, the secret of
    its master, and the retention of its logs. Where defaults differ from CDK's: storage is gp3 and
    encrypted and grows by itself; only TLS is spoken; the instance is small, and in production (the
    default) has a standby; it refuses to be deleted once a deployment has succeeded, and leaves a
    last snapshot.

    `GalvBackend` creates one at its own path unless it is given one. To change only its settings,
    pass how to create it: `database=partial(GalvDatabase, instance_type=…)`. Network, key and
    policy are then those of the backend, and the database stays the same one in CloudFormation.

    `from_instance`, `from_cluster` and `from_attributes` use a database that exists.

    Costs, per month at list prices of us-east-1: db.t4g.micro $11.68 and $0.115 for a GiB; twice
    that with a standby. The sums are in the project's `docs/costs.md`.

    As an `ec2.IConnectable` it is its security group.

    Example:
        ```python
        network = GalvNetwork(self, "Network")
        database = GalvDatabase(
            self, "Database", network=network, instance_type=ec2.InstanceType("t4g.small")
        )
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
        engine_version: rds.PostgresEngineVersion | None = None,
        allow_major_version_upgrade: bool = False,
        instance_type: ec2.InstanceType | None = None,
        allocated_storage: int | None = None,
        max_allocated_storage: int | None = None,
        iops: int | None = None,
        storage_throughput: int | None = None,
        parameters: Mapping[str, str] | None = None,
        preferred_maintenance_window: str | None = None,
        preferred_backup_window: str | None = None,
        backup_retention: Duration | None = None,
        multi_az: bool | None = None,
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
        """Define the database.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            network: VPC, and the subnets of the database in it, in at least two Availability Zones.
            engine_version: Version of PostgreSQL, 14 to 18. A major one alone, as RDS retires minor
                ones, which gets minor updates in the maintenance window. A higher one later needs
                `allow_major_version_upgrade`, an outage of minutes, and cannot be taken back.
                Default: `rds.PostgresEngineVersion.VER_17`.
            allow_major_version_upgrade: Whether a deployment may move the database to another major
                version. Default: false.
            instance_type: Size. Another one later is an outage of some minutes, with a standby of
                one. Default: db.t4g.micro.
            allocated_storage: Storage at the start, from 20 to 65536 GiB. RDS makes it larger but
                never smaller. Default: 20, or that of the snapshot.
            max_allocated_storage: How far storage grows by itself, in GiB, at least a tenth above
                `allocated_storage`. Default: 200, or twice `allocated_storage` if that is more.
            iops: I/O operations a second, from 12000, for `allocated_storage` from 400.
                Default: what gp3 has for its price: 3000, and 12000 from 400 GiB.
            storage_throughput: MiB a second, from 500, for `allocated_storage` from 400, with four
                `iops` for each. Default: 125, and 500 from 400 GiB.
            parameters: Parameters of PostgreSQL, such as
                `{"log_min_duration_statement": "1000"}`; static ones need a reboot.
                Default: those of RDS, and TLS alone.
            preferred_maintenance_window: When RDS may update and restart the database, in UTC, such
                as `sun:03:00-sun:03:30`. Default: RDS chooses half an hour in the night of the
                region.
            preferred_backup_window: When RDS creates the daily backup, in UTC, such as
                `01:00-01:30`. Default: RDS chooses half an hour in the night of the region.
            backup_retention: How long automated backups are kept, from 1 to 35 days.
                Default: 30 days in production, otherwise 7.
            multi_az: Whether it has a standby in another Availability Zone, at twice the cost.
                Default: only in production.
            ca_certificate: Authority that the certificate of the server comes from.
                Default: that of the account, which is `RDS_CA_RSA2048_G1` unless it was changed.
            database_insights_mode: Mode of CloudWatch Database Insights, which took the place of
                Performance Insights on 31 July 2026. `STANDARD` keeps the load and its statements
                for seven days, for nothing; `ADVANCED` for 15 months, with plans and locks, for
                about $9 a vCPU a month. Default: off.
            snapshot_identifier: Name or ARN of a snapshot to restore instead of an empty database,
                whose encryption it keeps. **Give it in the first deployment, and never change or
                remove it: CloudFormation replaces the database when it changes.**
                Default: an empty database.
            master_username: Name of the master; that of a snapshot cannot be changed. RDS reserves
                `admin` and others, which are refused. Default: `galv`.
            database_name: Name of the database. In a snapshot it is there already. Names that RDS
                reserves are refused. Default: `galv`.
            owner_role: Whether setup creates a role that owns the database and has no other
                rights, and a login for the tasks that acts as it, with a password of its own.
                Setup uses the master for that alone, and hands over what the master owns in the
                schema `public`. The master keeps access to all of it. Default: true.
            rotation: Number of the login's password. Raise it by one to get a new one: tasks are
                replaced, and the old password is refused when they have ended, runs of schedules
                among them. Default: 1.
            ca_file: File with the certificates of the authorities that the server's certificate may
                come from, in PEM: the bundle of the region. Tasks then refuse a server that has
                none for the database's host name. It is read at synthesis. Default: connections are
                encrypted, whoever the server is.
            encryption_key: KMS key for storage, the secret and the log of the protection's handler.
                Setting or changing it later replaces the database. Default: keys that AWS owns or
                manages, which cost nothing.
            production: Whether people rely on it: a standby, longer backups and logs.
                Default: true.
            removal_protection: Whether its data outlives the stack: it leaves a last snapshot, and
                the secret and logs stay. Default: the same as `production`.
            deletion_protection: Whether it refuses to be deleted, and with it the stack, once a
                deployment has succeeded. Default: the same as `removal_protection`.
            preflight: Whether a deployment first asks whether the account has room, and the
                snapshot is there: see `GalvPreflight`. A list leaves out checks, by
                their kinds or ids. Default: true.

        Raises:
            ValueError: If an argument is malformed, out of range, or contradicts another one.
        """
        check_is_network(network)
        version = rds.PostgresEngineVersion.VER_17 if engine_version is None else engine_version
        if not isinstance(version, rds.PostgresEngineVersion):
            raise ValueError(
                f"engine_version must be an rds.PostgresEngineVersion, got {version!r}: use "
                "rds.PostgresEngineVersion.VER_17"
            )
        full = version.postgres_full_version
        check_major_version(
            full, version.postgres_major_version, "rds.PostgresEngineVersion.VER_17 or VER_18"
        )
        check_boolean("allow_major_version_upgrade", allow_major_version_upgrade)
        check_instance_type("instance_type", instance_type)
        least = _ALLOCATED if allocated_storage is None else allocated_storage
        check_storage(least, max_allocated_storage, iops=iops, throughput=storage_throughput)
        group_parameters = with_tls(parameters)
        if multi_az is not None:
            check_boolean("multi_az", multi_az)
        check_snapshot("snapshot_identifier", snapshot_identifier, of_instance=True)
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
        self._network = network
        size = ec2.InstanceType("t4g.micro") if instance_type is None else instance_type
        self._size = size
        standby = policy.multi_az if multi_az is None else multi_az
        warn_of_minor_version(self, full, f"VER_{version.postgres_major_version}")
        engine = rds.DatabaseInstanceEngine.postgres(version=version)
        security_group = server_security_group(self, network)
        credentials = master_credentials(self, master_username, policy, encryption_key)
        subnet_group = server_subnet_group(self, network)
        # Made from the start: one that is added later replaces nothing, but needs a reboot.
        self._parameter_group = rds.ParameterGroup(
            self,
            "ParameterGroup",
            engine=engine,
            description="Galv database",
            parameters=group_parameters,
        )
        settings: dict[str, Any] = {
            "engine": engine,
            "instance_type": size,
            "vpc": network.vpc,
            "subnet_group": subnet_group,
            "security_groups": [security_group],
            "parameter_group": self._parameter_group,
            "storage_type": rds.StorageType.GP3,
            "max_allocated_storage": max(_MOST, 2 * least)
            if max_allocated_storage is None
            else max_allocated_storage,
            "iops": iops,
            "storage_throughput": storage_throughput,
            "multi_az": standby,
            "publicly_accessible": False,
            "auto_minor_version_upgrade": True,
            "allow_major_version_upgrade": allow_major_version_upgrade,
            "preferred_maintenance_window": preferred_maintenance_window,
            "preferred_backup_window": preferred_backup_window,
            "backup_retention": Duration.days(policy.backup_retention_days)
            if backup_retention is None
            else backup_retention,
            "delete_automated_backups": policy.delete_contents,
            "copy_tags_to_snapshot": True,
            "ca_certificate": ca_certificate,
            **insights(database_insights_mode, encryption_key),
            # Nothing about deletion protection, which `Protection` turns on.
            "removal_policy": policy.database_removal,
            "cloudwatch_logs_exports": list(_LOG_EXPORTS.values()),
        }
        self._instance: rds.DatabaseInstance | rds.DatabaseInstanceFromSnapshot
        if snapshot_identifier is None:
            self._instance = rds.DatabaseInstance(
                self,
                "Resource",
                **settings,
                credentials=rds.Credentials.from_secret(credentials),
                database_name=database_name,
                allocated_storage=least,
                storage_encrypted=True,
                storage_encryption_key=encryption_key,
            )
        else:
            self._instance = rds.DatabaseInstanceFromSnapshot(
                self,
                "Resource",
                **settings,
                snapshot_identifier=snapshot_identifier,
                credentials=rds.SnapshotCredentials.from_secret(credentials),
                allocated_storage=allocated_storage,
            )
        resource = self._instance.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)  # noqa: S101 - what an L2 instance is made of
        if snapshot_identifier is not None and allocated_storage is None:
            # CDK's default may be less than the snapshot has, which RDS refuses.
            resource.allocated_storage = None
        # cfn-lint knows minor versions only and takes a major one for a retired one.
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})
        secret = self._instance.secret
        assert secret is not None  # noqa: S101 - credentials that were passed are attached
        self._access = Access(
            host=self._instance.db_instance_endpoint_address,
            port=self._instance.db_instance_endpoint_port,
            database_name=sign_in.database_name,
            secret=secret,
            owner_role=sign_in.owner_role,
            rotation=sign_in.rotation,
            certificates=sign_in.certificates,
            connections=self._instance.connections,
            vpc=network.vpc,
            resource=self._instance,
            # Not the security group: see `Task`.
            depends_on=[resource],
            max_connections=configured_connections(group_parameters)
            or allowed_connections(size.to_string()),
        )
        keep_logs(
            self,
            {
                id: f"/aws/rds/instance/{self._instance.instance_identifier}/{export}"
                for id, export in _LOG_EXPORTS.items()
            },
            policy,
        )
        acknowledge(
            self,
            server_findings(
                policy,
                encryption_key,
                has_standby=standby,
                is_restored=snapshot_identifier is not None,
            ),
        )
        needs = Needs(
            self,
            preflight=preflight,
            production=production,
            removal_protection=removal_protection,
        )
        self._ask(
            needs,
            instances=1,
            engine="postgres",
            version=full,
            instance_class=f"db.{size.to_string()}",
            snapshot=snapshot_arn(self, "snapshot", snapshot_identifier),
        )
        self._protect(scope, policy, encryption_key, self._instance)

    @property
    def instance(self) -> rds.DatabaseInstance | rds.DatabaseInstanceFromSnapshot:
        """The instance: its metrics, and its identifier."""
        return self._instance

    def add_read_replica(
        self, id: str, *, instance_type: ec2.InstanceType | None = None
    ) -> rds.DatabaseInstanceReadReplica:
        """Define a copy that can be read from, for reports that would slow the database down.

        It lags behind by seconds, has a security group of its own, and its address is
        `db_instance_endpoint_address`. The roles and passwords are those of the database; Galv does
        not use it. It goes with the stack and leaves nothing.

        Args:
            id: Id of the replica in this construct.
            instance_type: Size. Default: that of the database.

        Raises:
            ValueError: If `instance_type` has the wrong type or the prefix `db.`.
        """
        return add_read_replica(
            self,
            id,
            source=self._instance,
            network=self._network,
            size=self._size,
            parameter_group=self._parameter_group,
            instance_type=instance_type,
        )

    @staticmethod
    def from_instance(
        instance: rds.IDatabaseInstance,
        *,
        secret: secretsmanager.ISecret | None = None,
        database_name: str = DATABASE_NAME,
        owner_role: bool | None = None,
        rotation: int = 1,
        ca_file: str | None = None,
    ) -> IGalvDatabase:
        """Use an instance that exists, or that you define yourself.

        Args:
            instance: The instance, of PostgreSQL; it has to allow a default port, which instances
                defined or imported with CDK do.
            secret: Secret with the keys `username` and `password`: those that tasks sign in with,
                or with `owner_role=True` those of the instance's master. Default: the secret that
                CDK created with the instance, which is its master's.
            database_name: Name of the database, which has to be there. Default: `galv`.
            owner_role: As of `GalvDatabase`. Default: true, unless `secret` is given.
            rotation: As of `GalvDatabase`. Default: 1.
            ca_file: As of `GalvDatabase`. Default: connections are encrypted, whoever the server
                is.

        Raises:
            ValueError: If an argument is malformed, the engine is not PostgreSQL, or there are no
                credentials.
        """
        return instance_access(
            instance,
            secret,
            database_name=database_name,
            owner_role=owner_role,
            rotation=rotation,
            ca_file=ca_file,
        )

    @staticmethod
    def from_cluster(
        cluster: rds.IDatabaseCluster,
        *,
        secret: secretsmanager.ISecret | None = None,
        database_name: str = DATABASE_NAME,
        owner_role: bool | None = None,
        rotation: int = 1,
        ca_file: str | None = None,
    ) -> IGalvDatabase:
        """Use a cluster of Aurora, or a Multi-AZ one, that exists or that you define yourself.

        Args:
            cluster: The cluster, of PostgreSQL. An imported one needs its endpoint, port and
                security groups.
            secret: Secret with the keys `username` and `password`: those that tasks sign in with,
                or with `owner_role=True` those of the cluster's master. Default: the secret that
                CDK created with the cluster, which is its master's.
            database_name: Name of the database, which has to be there. Default: `galv`.
            owner_role: As of `GalvDatabase`. Default: true, unless `secret` is given.
            rotation: As of `GalvDatabase`. Default: 1.
            ca_file: As of `GalvDatabase`. Default: connections are encrypted, whoever the server
                is.

        Raises:
            ValueError: If an argument is malformed, the engine is not PostgreSQL, or there are no
                credentials.
        """
        return cluster_access(
            cluster,
            secret,
            database_name=database_name,
            owner_role=owner_role,
            rotation=rotation,
            ca_file=ca_file,
        )

    @staticmethod
    def from_attributes(
        *,
        host: str,
        port: int = 5432,
        secret: secretsmanager.ISecret,
        security_groups: Sequence[ec2.ISecurityGroup],
        vpc: ec2.IVpc | None = None,
        database_name: str = DATABASE_NAME,
        owner_role: bool = False,
        rotation: int = 1,
        ca_file: str | None = None,
    ) -> IGalvDatabase:
        """Use a PostgreSQL server by its address, whoever runs it.

        Args:
            host: Host name. Tasks need a route to it.
            port: Port. Default: 5432.
            secret: Secret with the keys `username` and `password`: those that tasks sign in with,
                or with `owner_role=True` those of the server's master.
            security_groups: Security groups of the server, which get a rule for each task. For a
                server outside of AWS, one whose rules you do not need.
            vpc: VPC of the server, to check the network against. Default: nothing is checked.
            database_name: Name of the database, which has to be there. Default: `galv`.
            owner_role: As of `GalvDatabase`. Default: false.
            rotation: As of `GalvDatabase`. Default: 1.
            ca_file: As of `GalvDatabase`. Default: connections are encrypted, whoever the server
                is.

        Raises:
            ValueError: If an argument is malformed.
        """
        return server_access(
            host=host,
            port=port,
            secret=secret,
            security_groups=security_groups,
            vpc=vpc,
            database_name=database_name,
            owner_role=owner_role,
            rotation=rotation,
            ca_file=ca_file,
        )
