"""Databases that exist, or that somebody defines with CDK's own constructs."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Tokenization
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import IConstruct

from galv_constructs._core.validation import (
    check_boolean,
    check_construct,
    check_list,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.database._access import Access, SignIn
from galv_constructs.preflight.check import PreflightCheck

# "Django supports PostgreSQL 12 and higher", of Django 5.0, with which Galv runs:
# https://docs.djangoproject.com/en/5.0/ref/databases/#postgresql-notes
_LEAST_POSTGRESQL = "12"


def instance_access(
    instance: rds.IDatabaseInstance,
    secret: secretsmanager.ISecret | None,
    **sign_in: Any,
) -> Access:
    """Return how to use an instance."""
    check_construct(
        "instance",
        instance,
        "aws_rds.IDatabaseInstance",
        "rds.DatabaseInstance.from_database_instance_attributes(…)",
    )
    if not hasattr(instance, "db_instance_endpoint_address"):
        raise ValueError(
            f"instance must be an aws_rds.IDatabaseInstance, got {type(instance).__name__}: use "
            "GalvDatabase.from_cluster(…) for a cluster"
        )
    _check_engine("instance", instance.engine)
    return _access(
        instance,
        secret,
        sign_in,
        host=instance.db_instance_endpoint_address,
        port=instance.db_instance_endpoint_port,
        check=PreflightCheck.database(
            instance.instance_identifier,
            endpoint=instance.db_instance_endpoint_address,
            engine_version=_LEAST_POSTGRESQL,
            security_group_ids=_groups(instance),
        ),
        # Not the security group of one that CDK created: see `Task`.
        depends_on=[instance.node.default_child or instance],
    )


def cluster_access(
    cluster: rds.IDatabaseCluster, secret: secretsmanager.ISecret | None, **sign_in: Any
) -> Access:
    """Return how to use a cluster."""
    check_construct(
        "cluster",
        cluster,
        "aws_rds.IDatabaseCluster",
        "rds.DatabaseCluster.from_database_cluster_attributes(…)",
    )
    if not hasattr(cluster, "cluster_endpoint"):
        raise ValueError(
            f"cluster must be an aws_rds.IDatabaseCluster, got {type(cluster).__name__}: use "
            "GalvDatabase.from_instance(…) for an instance"
        )
    _check_engine("cluster", cluster.engine)
    endpoint = cluster.cluster_endpoint
    return _access(
        cluster,
        secret,
        sign_in,
        host=endpoint.hostname,
        port=Tokenization.stringify_number(endpoint.port),
        check=PreflightCheck.database(
            cluster_identifier=cluster.cluster_identifier,
            endpoint=endpoint.hostname,
            engine_version=_LEAST_POSTGRESQL,
            security_group_ids=_groups(cluster),
        ),
        depends_on=cluster_resources(cluster),
    )


def server_access(
    *,
    host: str,
    port: int,
    secret: secretsmanager.ISecret,
    security_groups: Sequence[ec2.ISecurityGroup],
    vpc: ec2.IVpc | None,
    **sign_in: Any,
) -> Access:
    """Return how to use a server that is known by its address alone."""
    check_type("host", host, str, "a host name")
    if not host or "/" in host or (":" in host and not is_token(host)):
        raise ValueError(f"host must be a host name without a scheme and a port, got {host!r}")
    check_range("port", port, 1, 65535)
    _check_secret(secret)
    if secret is None:
        raise ValueError(_WITHOUT.format("host"))
    check_list("security_groups", security_groups, "a list of security groups")
    how = "ec2.SecurityGroup.from_security_group_id(scope, id, 'sg-…')"
    for index, group in enumerate(security_groups):
        check_construct(f"security_groups[{index}]", group, "aws_ec2.ISecurityGroup", how)
    if not security_groups:
        raise ValueError(f"security_groups must have one at least, that tasks are let in by: {how}")
    check_construct("vpc", vpc, "aws_ec2.IVpc", "ec2.Vpc.from_lookup(scope, id, vpc_id=…)")
    return Access(
        host=host,
        port=Tokenization.stringify_number(port),
        secret=secret,
        connections=ec2.Connections(
            security_groups=list(security_groups), default_port=ec2.Port.tcp(port)
        ),
        vpc=vpc,
        checks={"DatabaseSecret": _secret_check(secret)},
        **_signed_in(sign_in, has_own_secret=True),
    )


def cluster_resources(cluster: rds.IDatabaseCluster) -> list[IConstruct]:
    """Return what of a cluster has to exist before it takes connections: its instances too."""
    made = [
        child
        for child in cluster.node.find_all()
        if isinstance(child, rds.CfnDBCluster | rds.CfnDBInstance)
    ]
    return list[IConstruct](made) or [cluster]


def _access(
    resource: rds.IDatabaseInstance | rds.IDatabaseCluster,
    secret: secretsmanager.ISecret | None,
    sign_in: Mapping[str, Any],
    *,
    host: str,
    port: str,
    check: PreflightCheck,
    depends_on: Sequence[IConstruct],
) -> Access:
    _check_secret(secret)
    used = getattr(resource, "secret", None) if secret is None else secret
    if used is None:
        raise ValueError(_WITHOUT.format(resource.node.path))
    return Access(
        host=host,
        port=port,
        secret=used,
        connections=resource.connections,
        vpc=getattr(resource, "vpc", None),
        resource=resource,
        depends_on=depends_on,
        checks={
            "Database": check,
            **({} if secret is None else {"DatabaseSecret": _secret_check(secret)}),
        },
        **_signed_in(sign_in, has_own_secret=secret is not None),
    )


def _signed_in(sign_in: Mapping[str, Any], *, has_own_secret: bool) -> dict[str, Any]:
    """Return who signs in; a given secret is that of the tasks unless one says otherwise."""
    given = dict(sign_in)
    if given["owner_role"] is None:
        given["owner_role"] = not has_own_secret
    else:
        check_boolean("owner_role", given["owner_role"])
    checked = SignIn(**given)
    return {
        "database_name": checked.database_name,
        "owner_role": checked.owner_role,
        "rotation": checked.rotation,
        "certificates": checked.certificates,
    }


def _check_engine(argument: str, engine: Any) -> None:
    kind = None if engine is None else engine.engine_type
    if kind is not None and "postgres" not in kind:
        raise ValueError(
            f"{argument} must be PostgreSQL, which is all that Galv knows, got {kind!r}: use "
            "rds.DatabaseInstanceEngine.postgres(…) or rds.DatabaseClusterEngine.aurora_postgres(…)"
        )


def _check_secret(secret: secretsmanager.ISecret | None) -> None:
    check_construct(
        "secret",
        secret,
        "aws_secretsmanager.ISecret",
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    )


def _groups(resource: ec2.IConnectable) -> list[str]:
    return [group.security_group_id for group in resource.connections.security_groups]


def _secret_check(secret: secretsmanager.ISecret) -> PreflightCheck:
    return PreflightCheck.secret(secret, keys=["username", "password"])


_WITHOUT = "{} comes without credentials: pass secret, a secret with the keys username and password"
