"""The connections that web tasks open, and the limit of the new database."""

import re
from collections.abc import Mapping

from aws_cdk import Annotations, Stage
from aws_cdk import aws_rds as rds
from constructs import Construct

from galv_constructs._core.validation import is_token
from galv_constructs.database.interface import IGalvDatabase

_GIBIBYTE = 1024**3
# https://aws.amazon.com/rds/instance-types/: GiB of a `large`, and of what is smaller.
_LARGE = {"t": 8, "m": 8, "r": 16}
_SMALL = {"micro": 1, "small": 2, "medium": 4}
_TYPE = re.compile(r"(t[34]g?|[mr][5-8][a-z]*)\.(?:(micro|small|medium)|(\d*)(x?)large)")
# `superuser_reserved_connections` and RDS's own, release, check, schedules, and people.
_OTHERS = 10
# Old and new tasks run side by side while a deployment replaces them.
_ROLLING = 2
# Type of the metadata at a stage that says how many connections a backend may open to a server.
_OPENED = "galv-constructs:connections"
_CAPACITIES = [1, 2, 4, 8, 16, 32]
_SUGGESTED = [f"t4g.{size}" for size in ("small", "medium", "large", "xlarge", "2xlarge")]


def allowed_connections(instance_type: str) -> int | None:
    """Return about how many connections RDS for PostgreSQL allows on an instance.

    None where the memory of the type is not known here. The default of `max_connections` is
    `LEAST({DBInstanceClassMemory/9531392}, 5000)`:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections

    `DBInstanceClassMemory` is less than the memory of the type, by what the operating system and
    RDS's own processes take: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    AWS does not say how much. Instances with 2, 4 and 8 GiB were seen to allow 198, 413 and 856,
    which 256 MiB and a fortieth come close to.
    """
    found = _TYPE.fullmatch(instance_type)
    if found is None:
        return None
    family, small, count, x = found.groups()
    if small:
        # Of the families only T has these.
        if family[0] != "t":
            return None
        memory = _SMALL[small]
    else:
        memory = _LARGE[family[0]] * (2 * int(count or 1) if x else 1)
    usable = memory * _GIBIBYTE * 39 // 40 - _GIBIBYTE // 4
    return min(usable // 9531392, 5000)


def allowed_at_capacity(least: float, most: float) -> int:
    """Return about how many connections an Aurora Serverless v2 instance allows.

    AWS gives 189, 823, 1669, 3360 and 5000 for a maximum of 1, 4, 8, 16 and 32 ACUs, on a line, and
    "When you specify a minimum capacity of 0 or 0.5 ACUs on PostgreSQL-compatible DB instances, the
    maximum value of max_connections is capped at 2,000":
    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html
    """
    return min(round(211.4 * most - 22.4), 2000 if least < 1 else 5000)


def configured_connections(parameters: Mapping[str, str]) -> int | None:
    """Return the limit that parameters set, if they set a number."""
    given = parameters.get("max_connections", "")
    return int(given) if given.isdigit() else None


def warn_of_connections(
    scope: Construct,
    database: IGalvDatabase,
    *,
    max_tasks: int,
    workers: int,
    threads: int,
) -> None:
    """Warn where web tasks may open more connections than the server allows.

    A thread has a connection while it works on a request: Galv leaves Django's `CONN_MAX_AGE` at 0,
    which closes it at the end. Backends that share a server share what it allows.
    """
    allowed = database.max_connections
    if allowed is None or is_token(max_tasks):
        return
    needed = _ROLLING * max_tasks * workers * threads
    stage = Stage.of(scope)
    assert stage is not None  # noqa: S101 - CDK creates an app where none is given
    server = f"{database.host}:{database.port}"
    others = sum(
        entry.data["count"]
        for entry in stage.node.metadata
        if entry.type == _OPENED and entry.data["server"] == server
    )
    stage.node.add_metadata(_OPENED, {"server": server, "count": needed})
    if needed + others + _OTHERS <= allowed:
        return
    shared = f", and other backends {others}" if others else ""
    Annotations.of(scope).add_warning_v2(
        "galv-constructs:databaseConnections",
        f"web tasks may open {_ROLLING} * max_tasks * workers * threads = {_ROLLING} * {max_tasks} "
        f"* {workers} * {threads} = {needed} connections while a deployment replaces them{shared}, "
        f"and the database allows about {allowed}, of which {_OTHERS} are for other tasks and for "
        f"RDS: requests would fail with 'too many clients'. Pass "
        f"{_larger(database, needed + others + _OTHERS)}, or lower max_tasks, threads or workers, "
        "which follow from cpu and memory_limit_mib.",
    )


def _larger(database: IGalvDatabase, needed: int) -> str:
    """Return the argument that gives a server room for so many connections."""
    if isinstance(database.resource, rds.DatabaseClusterBase):
        capacity = next(
            (most for most in _CAPACITIES if allowed_at_capacity(1, most) >= needed), None
        )
        least = ", min_capacity=1" if needed > allowed_at_capacity(0, 32) else ""
        return f"max_capacity={capacity}{least}" if capacity else "a larger max_capacity"
    larger = next((size for size in _SUGGESTED if (allowed_connections(size) or 0) >= needed), None)
    return (
        f"instance_type=ec2.InstanceType({larger!r})" if larger else "a larger one"
    ) + " to GalvDatabase (databaseInstanceType in cdk.json)"
