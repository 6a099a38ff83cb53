"""How tasks reach a database and sign in to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_cdk import Stage
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct, IConstruct

from galv_constructs._core.placement import check_place, check_vpc
from galv_constructs._core.validation import check_boolean, check_construct, is_token
from galv_constructs.database._authority import read_authority
from galv_constructs.database._checks import check_name, check_rotation
from galv_constructs.database._reserved import check_added_database, check_role_prefix
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.preflight.check import PreflightCheck

DATABASE_NAME = "galv"
# https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
_LONGEST_ROLE = 63
# Type of the metadata at a stage that says which backend has which database.
_TAKEN = "galv-constructs:database"


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """The database of a server, and who signs in to it."""

    database_name: str = DATABASE_NAME
    owner_role: bool = True
    rotation: int = 1
    ca_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: If a value is malformed, or there is a rotation and nothing to rotate.
        """
        check_name("database_name", self.database_name)
        check_boolean("owner_role", self.owner_role)
        check_rotation("rotation", self.rotation)
        if self.ca_file is not None:
            _ = self.certificates
        if not self.owner_role:
            if self.rotation != 1:
                raise ValueError(
                    f"rotation is {self.rotation}, and tasks sign in with credentials that are not "
                    "created here: drop it, or pass owner_role=True and the credentials of the "
                    "server's master"
                )
            return
        check_role_prefix("database_name", self.database_name)
        longest = _LONGEST_ROLE - len(f"_tasks_{self.rotation}")
        if not is_token(self.database_name) and len(self.database_name) > longest:
            raise ValueError(
                f"database_name must have at most {longest} characters, got "
                f"{len(self.database_name)}: roles are named after it; pass a shorter one, or "
                "owner_role=False"
            )

    @property
    def certificates(self) -> str | None:
        """The certificates of the file."""
        if self.ca_file is None:
            return None
        try:
            return read_authority(self.ca_file)
        except ValueError as error:
            raise ValueError(f"ca_file {error}") from None


@dataclass(frozen=True, kw_only=True)
class Access:
    """A database as a backend sees it: an `IGalvDatabase`."""

    host: str
    port: str
    database_name: str
    secret: secretsmanager.ISecret
    owner_role: bool
    creates_database: bool = False
    rotation: int = 1
    certificates: str | None = None
    connections: ec2.Connections
    vpc: ec2.IVpc | None = None
    resource: rds.IDatabaseInstance | rds.IDatabaseCluster | None = None
    depends_on: Sequence[IConstruct] = ()
    max_connections: int | None = None
    checks: Mapping[str, PreflightCheck] = field(default_factory=dict)

    def add_database(self, database_name: str, *, rotation: int = 1) -> IGalvDatabase:
        """Return another database of the same server."""
        if not self.owner_role:
            raise ValueError(
                "add_database needs the credentials of the server's master, which creates "
                f"{database_name!r} and its owner: pass them, with owner_role=True"
            )
        SignIn(database_name=database_name, rotation=rotation)
        check_added_database("database_name", database_name)
        if database_name == self.database_name:
            raise ValueError(
                f"database_name {database_name!r} is the server's own: use it as it is, or pass "
                "another name"
            )
        return replace(self, database_name=database_name, rotation=rotation, creates_database=True)


def _check_factory(factory: Callable[..., IGalvDatabase]) -> None:
    """Refuse settings that are the backend's alone."""
    settings = _settings(factory)
    if "network" in settings:
        raise ValueError(
            "database creates a GalvDatabase in the backend's network, and has another one: pass "
            "network to the backend alone"
        )
    if "deletion_protection" in settings:
        raise ValueError(
            "database has deletion_protection, which the backend turns on for its database and its "
            "load balancer together: pass deletion_protection to the backend alone"
        )


def provide_database(
    scope: Construct, database: IGalvDatabase | Callable[..., IGalvDatabase], **settings: Any
) -> tuple[IGalvDatabase, list[rds.IDatabaseInstance | rds.IDatabaseCluster]]:
    """Return the database of a backend, and what of it was created below the backend.

    What a `functools.partial` says itself wins over the settings of the backend.
    """
    if not callable(database):
        return database, []
    created = database(scope, "Database", **{**settings, **_settings(database)})
    if not hasattr(created, "database_name"):
        raise ValueError(
            f"database must create an IGalvDatabase, and what was passed returned {created!r}: "
            "pass GalvDatabase, GalvDatabaseCluster, or one of them with settings, such as "
            "partial(GalvDatabase, instance_type=…)"
        )
    return created, [] if created.resource is None else [created.resource]


def has_certificates(database: IGalvDatabase | Callable[..., IGalvDatabase]) -> bool:
    """Return whether tasks check the server's certificate."""
    if callable(database):
        return _settings(database).get("ca_file") is not None
    return getattr(database, "certificates", None) is not None


def _settings(factory: Callable[..., IGalvDatabase]) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = getattr(factory, "keywords", {})
    return settings


def check_database(
    scope: Construct,
    id: str,
    database: IGalvDatabase | Callable[..., IGalvDatabase],
    *,
    vpc: ec2.IVpc | None,
) -> None:
    """Refuse a given database that the tasks of a backend cannot use, or that another one has."""
    if callable(database):
        _check_factory(database)
        return
    how = "GalvDatabase.from_instance(instance, secret=…)"
    check_construct("database", database, "IGalvDatabase", how)
    if not hasattr(database, "database_name"):
        raise ValueError(
            f"database must be an IGalvDatabase, got {type(database).__name__}: use {how}, "
            "GalvDatabase.from_cluster(…) or GalvDatabase.from_attributes(…)"
        )
    check_place(scope, "database", database.resource)
    check_place(scope, "database, its secret", database.secret)
    if database.vpc is not None and vpc is None:
        raise ValueError(
            f"database is in the VPC {database.vpc.node.path}, and a new network would be another "
            "one: pass the network of the database, or network=GalvNetwork.from_vpc(…) with its VPC"
        )
    if vpc is not None:
        check_vpc("database", database.vpc, vpc)
    _claim(scope, id, database)


def _claim(scope: Construct, id: str, database: IGalvDatabase) -> None:
    """Refuse a database that another backend of the same stage has."""
    stage = Stage.of(scope)
    assert stage is not None  # noqa: S101 - CDK creates an app where none is given
    key = f"{database.host}:{database.port}/{database.database_name}"
    path = f"{scope.node.path}/{id}".lstrip("/")
    for entry in stage.node.metadata:
        if entry.type == _TAKEN and entry.data["database"] == key:
            raise ValueError(
                f"database {database.database_name!r} is that of {entry.data['path']} already, and "
                "two backends would migrate it for each other: pass database.add_database(…), "
                "which is another one of the same server"
            )
    stage.node.add_metadata(_TAKEN, {"database": key, "path": path})
