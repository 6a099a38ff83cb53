"""`IGalvDatabase`: what a backend has to know of a database, wherever it comes from."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import IConstruct

from galv_constructs.preflight.check import PreflightCheck


class IGalvDatabase(Protocol):
    """A PostgreSQL database and how one signs in to it.

    A `GalvDatabase`, a `GalvDatabaseCluster`, or what `GalvDatabase.from_instance`, `from_cluster`,
    `from_attributes` and `add_database` return.
    """

    @property
    def host(self) -> str:
        """Host name of the server."""

    @property
    def port(self) -> str:
        """Port of the server."""

    @property
    def database_name(self) -> str:
        """Name of the database in the server."""

    @property
    def secret(self) -> secretsmanager.ISecret:
        """Secret with the keys `username` and `password`.

        Those of the server's master if `owner_role` is true, otherwise those of the tasks.
        """

    @property
    def owner_role(self) -> bool:
        """Whether setup creates a role that owns the database, and a login for the tasks."""

    @property
    def creates_database(self) -> bool:
        """Whether setup creates the database where the server has none of its name."""

    @property
    def rotation(self) -> int:
        """Number of the login's password."""

    @property
    def certificates(self) -> str | None:
        """Certificates, in PEM, that tasks check the server's own by; none if they do not."""

    @property
    def connections(self) -> ec2.Connections:
        """Network connections of the server, with its port as the default one."""

    @property
    def vpc(self) -> ec2.IVpc | None:
        """VPC that the server is in, where that is known."""

    @property
    def resource(self) -> rds.IDatabaseInstance | rds.IDatabaseCluster | None:
        """The instance or the cluster; none for a server that CDK does not know as either."""

    @property
    def depends_on(self) -> Sequence[IConstruct]:
        """The constructs that have to exist before a task can connect."""

    @property
    def max_connections(self) -> int | None:
        """About how many connections the server allows, where that is known."""

    @property
    def checks(self) -> Mapping[str, PreflightCheck]:
        """Questions of preflight about a server that is there already, each with an id."""

    def add_database(self, database_name: str, *, rotation: int = 1) -> "IGalvDatabase":
        """Return another database of the same server, with an owner and a login of its own.

        Args:
            database_name: Name of the database.
            rotation: Number of the password of its login. Default: 1.

        Raises:
            ValueError: If the name is malformed or is that of this database, `rotation` is out of
                range, or `owner_role` is false.
        """
