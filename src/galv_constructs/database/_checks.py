"""Checks of arguments that databases share."""

import re
from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from galv_constructs._core.placement import check_key, check_place
from galv_constructs._core.policy import check_switches
from galv_constructs._core.validation import (
    arn_pattern,
    check_construct,
    check_known,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.database._reserved import check_master_username, check_new_database
from galv_constructs.database._windows import check_windows
from galv_constructs.network import IGalvNetwork, check_database_layout
from galv_constructs.preflight._needs import check_preflight

OLDEST, NEWEST = 14, 18
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# The names of those that RDS and AWS Backup create start with their own, and a colon.
_SNAPSHOT = re.compile(r"(?:(?:rds|awsbackup):)?[A-Za-z](?:-?[A-Za-z0-9])*")
_SNAPSHOT_ARN = arn_pattern("rds", "(?P<of>snapshot|cluster-snapshot):(?P<name>.+)")
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Types.html: the
# families for PostgreSQL, without the generations, of which AWS adds new ones. Only T has small
# sizes.
_INSTANCE_TYPE = re.compile(
    r"t\d[a-z]*\.(?:micro|small|medium|large|xlarge|2xlarge)|[mrxz]\d[a-z]*\.(?:large|\d*xlarge)"
)
_FORCE_TLS = "rds.force_ssl"
LEAST_STORAGE, MOST_STORAGE = 20, 65536
"""The limits of gp3 for PostgreSQL, in GiB:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage"""
_STRIPED = 400
_STRIPED_IOPS, _STRIPED_THROUGHPUT = 12000, 500
_IOPS_PER_THROUGHPUT = 4


def check_server(
    scope: Construct,
    *,
    network: IGalvNetwork,
    preferred_maintenance_window: str | None,
    preferred_backup_window: str | None,
    backup_retention: Duration | None,
    ca_certificate: rds.CaCertificate | None,
    database_insights_mode: rds.DatabaseInsightsMode | None,
    master_username: str,
    database_name: str | None,
    encryption_key: kms.IKey | None,
    production: bool,
    removal_protection: bool | None,
    deletion_protection: bool | None,
    preflight: bool | Sequence[str],
) -> None:
    """Check the arguments that an instance and a cluster share.

    `database_name` is that of a database that RDS creates, and none with a snapshot.
    """
    check_windows(preferred_backup_window, preferred_maintenance_window)
    check_retention(backup_retention)
    check_certificate_authority(ca_certificate)
    check_insights(database_insights_mode)
    check_name("master_username", master_username)
    check_master_username("master_username", master_username)
    if database_name is not None:
        check_new_database("database_name", database_name)
    check_key(scope, encryption_key)
    check_switches(
        production, removal_protection=removal_protection, deletion_protection=deletion_protection
    )
    check_preflight(preflight)
    check_place(scope, "network", network.vpc)
    check_database_layout("network", network)


def check_name(argument: str, name: object) -> None:
    """Refuse what is no name of a database."""
    check_type(argument, name, str, "text")
    if not is_token(name) and not _NAME.fullmatch(str(name)):
        raise ValueError(
            f"{argument} must be letters, digits and '_', at most 63, not starting with a digit, "
            f"got {name!r}"
        )


def check_instance_type(argument: str, instance_type: ec2.InstanceType | None) -> None:
    """Refuse what is no size, or has the prefix that RDS adds."""
    check_construct(
        argument, instance_type, "aws_ec2.InstanceType", "ec2.InstanceType('t4g.small')"
    )
    written = "" if instance_type is None else instance_type.to_string()
    if written.startswith("db."):
        raise ValueError(
            f"{argument} must be written without 'db.', which RDS adds itself: pass "
            f"ec2.InstanceType({written.removeprefix('db.')!r}), got {written!r}"
        )
    if written:
        check_instance_class(argument, written)


def check_instance_class(argument: str, written: str) -> None:
    """Refuse a size that RDS for PostgreSQL has no instances of, written without `db.`."""
    if not is_token(written) and not _INSTANCE_TYPE.fullmatch(written):
        raise ValueError(
            f"{argument} must be a size that RDS has for PostgreSQL, such as 't4g.micro', "
            f"'t4g.small', 't4g.medium', 't4g.large', 'm7g.large' or 'r7g.large', got {written!r}"
        )


def check_major_version(full: str, major: str, how: str) -> None:
    """Refuse a major version that Galv was never run on, or that RDS ends support for."""
    if is_token(full) or is_token(major):
        return
    number = re.match(r"\d+", major)
    if number is None or not OLDEST <= int(number[0]) <= NEWEST:
        raise ValueError(
            f"engine_version must be PostgreSQL {OLDEST} to {NEWEST}, got {full!r}: pass {how}"
        )


def check_storage(
    allocated: int, most: int | None, *, iops: int | None, throughput: int | None
) -> None:
    """Refuse sizes and speeds that gp3 storage does not have."""
    check_range("allocated_storage", allocated, LEAST_STORAGE, MOST_STORAGE, " GiB")
    if most is not None:
        check_range("max_allocated_storage", most, LEAST_STORAGE, MOST_STORAGE, " GiB")
        known = not (is_token(allocated) or is_token(most))
        if known and most < least_maximum(allocated):
            raise ValueError(
                f"max_allocated_storage is {most} GiB, and RDS wants at least a tenth more than "
                f"allocated_storage, which is {allocated} GiB: pass {least_maximum(allocated)} or "
                "more"
            )
    for argument, value, least in (
        ("iops", iops, _STRIPED_IOPS),
        ("storage_throughput", throughput, _STRIPED_THROUGHPUT),
    ):
        if value is None:
            continue
        check_range(argument, value, least, 1_000_000)
        if not is_token(allocated) and allocated < _STRIPED:
            raise ValueError(
                f"{argument} is {value}, and gp3 storage below {_STRIPED} GiB has 3000 IOPS and "
                f"125 MiB/s, whatever one asks for: drop {argument}, or pass allocated_storage="
                f"{_STRIPED} or more"
            )
    if throughput is not None and not is_token(throughput):
        given = _STRIPED_IOPS if iops is None else iops
        if not is_token(given) and given < throughput * _IOPS_PER_THROUGHPUT:
            raise ValueError(
                f"storage_throughput is {throughput} MiB/s, and gp3 wants {_IOPS_PER_THROUGHPUT} "
                f"IOPS for each: pass iops={throughput * _IOPS_PER_THROUGHPUT} or more, got {given}"
            )


def least_maximum(allocated: int) -> int:
    """Return how far storage must be let grow by itself, in GiB.

    "If you don't set the maximum storage threshold to at least 10% more":
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
    """
    return -(-allocated * 11 // 10)


def check_retention(backup_retention: Duration | None) -> None:
    """Refuse a time that RDS keeps no backups for, and 0, which makes none."""
    if backup_retention is None:
        return
    if not isinstance(backup_retention, Duration):
        raise ValueError(
            f"backup_retention must be a Duration, got {backup_retention!r}: use Duration.days(…)"
        )
    if backup_retention.is_unresolved():
        return
    days = backup_retention.to_days(integral=False)
    if days != int(days) or not 1 <= days <= 35:
        raise ValueError(
            f"backup_retention must be from 1 to 35 whole days, got {days:g}: without automated "
            "backups nothing can be restored"
        )


def check_certificate_authority(ca_certificate: rds.CaCertificate | None) -> None:
    """Refuse what is no authority, and the one that has expired."""
    check_construct(
        "ca_certificate",
        ca_certificate,
        "aws_rds.CaCertificate",
        "rds.CaCertificate.RDS_CA_RSA2048_G1",
    )
    if ca_certificate is not None and ca_certificate.to_string() == "rds-ca-2019":
        raise ValueError(
            "ca_certificate is rds-ca-2019, which expired in August 2024: pass "
            "rds.CaCertificate.RDS_CA_RSA2048_G1"
        )


def with_tls(parameters: Mapping[str, str] | None) -> dict[str, str]:
    """Return the parameters of a group in which the server speaks only TLS.

    Raises:
        ValueError: If they are no texts, or one of them turns TLS off.
    """
    if parameters is None:
        return {_FORCE_TLS: "1"}
    if not isinstance(parameters, Mapping):
        raise ValueError(
            f"parameters must be names with values, such as {{'log_min_duration_statement': "
            f"'1000'}}, got {parameters!r}"
        )
    for name, value in parameters.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ValueError(
                f"parameters must be texts, got {name!r}: {value!r}: write {str(name)!r}: "
                f"{str(value)!r}"
            )
    if parameters.get(_FORCE_TLS, "1") != "1":
        raise ValueError(
            f"parameters sets {_FORCE_TLS} to {parameters[_FORCE_TLS]!r}, and the database speaks "
            "only TLS, which every task does: remove it"
        )
    return {**parameters, _FORCE_TLS: "1"}


def check_insights(mode: rds.DatabaseInsightsMode | None) -> None:
    """Refuse what is no mode of Database Insights."""
    if mode is not None and not isinstance(mode, rds.DatabaseInsightsMode):
        raise ValueError(
            f"database_insights_mode must be rds.DatabaseInsightsMode.STANDARD or ADVANCED, got "
            f"{mode!r}"
        )


def check_snapshot(argument: str, identifier: object, *, of_instance: bool) -> None:
    """Refuse what is no name or ARN of a snapshot, and for an instance that of a cluster.

    Aurora restores an instance's too, by its ARN:
    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBClusterFromSnapshot.html
    """
    if identifier is None:
        return
    check_type(argument, identifier, str, "the name or the ARN of a snapshot")
    text = str(identifier)
    if is_token(text):
        return
    arn = _SNAPSHOT_ARN.fullmatch(text)
    if not _SNAPSHOT.fullmatch(text if arn is None else arn["name"]):
        raise ValueError(
            f"{argument} must be the name or the ARN of a snapshot, got {text!r}: "
            "`aws rds describe-db-snapshots` lists those that there are"
        )
    if of_instance and is_of_cluster(text):
        raise ValueError(
            f"{argument} is a snapshot of a cluster, got {text}: use GalvDatabaseCluster, which "
            "restores it"
        )


def is_of_cluster(identifier: str) -> bool:
    """Whether an ARN is that of the snapshot of a cluster."""
    arn = _SNAPSHOT_ARN.fullmatch(identifier)
    return arn is not None and arn["of"] == "cluster-snapshot"


def snapshot_region(identifier: str) -> str | None:
    """Return the region of a snapshot that is given by its ARN."""
    arn = _SNAPSHOT_ARN.fullmatch(identifier)
    return None if arn is None else arn["region"]


def check_rotation(argument: str, rotation: int) -> None:
    """Refuse what is no number of a password."""
    check_range(argument, rotation, 1, 1_000_000)
    check_known(argument, rotation)
