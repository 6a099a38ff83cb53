"""The connections that web tasks open, and the limit of the new database."""

import re

from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from galv_constructs._core.validation import is_token

_GIBIBYTE = 1024**3
# https://aws.amazon.com/rds/instance-types/: GiB of a `large`, and of what is smaller.
_LARGE = {"t": 8, "m": 8, "r": 16}
_SMALL = {"micro": 1, "small": 2, "medium": 4}
_TYPE = re.compile(r"(t[34]g?|[mr][5-8][a-z]*)\.(?:(micro|small|medium)|(\d*)(x?)large)")
# `superuser_reserved_connections` and RDS's own, release, check, schedules, and people.
_OTHERS = 10
# Old and new tasks run side by side while a deployment replaces them.
_ROLLING = 2
_SUGGESTED = [f"t4g.{size}" for size in ("small", "medium", "large", "xlarge", "2xlarge")]


def allowed_connections(instance_type: str) -> int | None:
    """Return about how many connections RDS for PostgreSQL allows on an instance.

    None where the memory of the type is not known here. The default of `max_connections` is
    `LEAST({DBInstanceClassMemory/9531392}, 5000)`:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections

    `DBInstanceClassMemory` is less than the memory of the type, by what the operating system and
    RDS's own processes take: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
    AWS does not say how much. Instances with 2, 4 and 8 GiB were seen to allow 198, 413 and 856,
    which 256 MiB and a fortieth come close to. Aurora's default differs, and nobody is warned about
    a database that is given.
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


def warn_of_connections(
    scope: Construct,
    *,
    instance_type: ec2.InstanceType,
    max_tasks: int,
    workers: int,
    threads: int,
) -> None:
    """Warn where web tasks may open more connections than the new database allows.

    A thread has a connection while it works on a request: Galv leaves Django's `CONN_MAX_AGE` at 0,
    which closes it at the end.
    """
    written = instance_type.to_string()
    if is_token(written) or is_token(max_tasks):
        return
    allowed = allowed_connections(written)
    needed = _ROLLING * max_tasks * workers * threads
    if allowed is None or needed + _OTHERS <= allowed:
        return
    larger = next((size for size in _SUGGESTED if _fits(size, needed)), None)
    way_out = f"ec2.InstanceType({larger!r})" if larger else "a larger one"
    Annotations.of(scope).add_warning_v2(
        "galv-constructs:databaseConnections",
        f"web tasks may open {_ROLLING} * max_tasks * workers * threads = {_ROLLING} * {max_tasks} "
        f"* {workers} * {threads} = {needed} connections while a deployment replaces them, and a "
        f"db.{written} allows about {allowed}, of which {_OTHERS} are for other tasks and for RDS: "
        f"requests would fail with 'too many clients'. Pass database_instance_type={way_out}, or "
        "lower max_tasks, threads or workers, which follow from cpu and memory_limit_mib.",
    )


def _fits(instance_type: str, needed: int) -> bool:
    allowed = allowed_connections(instance_type)
    return allowed is not None and needed + _OTHERS <= allowed
