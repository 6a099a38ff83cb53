"""Whether a given database is there, runs what Galv needs, and lets tasks in.

Or whether RDS can create one of a version and a size.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .aws_errors import AWS_ERRORS, error_code, error_message
from .question import ArgumentError
from .stack import ACTION, has
from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = (
    ACTION,
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "rds:DescribeOrderableDBInstanceOptions",
)
"""The second for a cluster, the third for an instance, the others for one that is created."""

ENGINES = ("postgres", "aurora-postgresql")
# Names that RDS gives out, which the whole world can resolve.
_OF_RDS = re.compile(r"\.rds\.amazonaws\.com(\.cn)?$")
# In these a database takes no connections, and stays so by itself:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html
_DOWN = re.compile(r"stopp|delet|fail|inaccessible|incompatible|storage-full|restore-error")


class _Database(NamedTuple):
    name: str
    status: str
    engine: str
    version: str
    groups: list[str]
    endpoints: set[str]


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `InstanceIdentifier`, or for `ClusterIdentifier`.

    It has at least the version `EngineVersion`, all `SecurityGroupIds`, and the `Endpoint` that
    tasks connect to, where these are told. Without a look at the endpoint nobody knows whether the
    identifier is that of the database: CDK wants one for an imported instance, and uses it for
    metrics and events only, so that people invent it.

    Where `InstanceClass` is told, it is one to create of `Engine` and `EngineVersion`, which is the
    resource `Resource` of `Stack`.
    """
    if question.text("InstanceClass", ""):
        yield from _orderable(question, world)
        return
    found = _found(question, world)
    if not isinstance(found, _Database):
        yield found
        return
    endpoint = question.text("Endpoint", "").lower()
    if endpoint and found.endpoints and endpoint not in found.endpoints:
        yield question.warning(
            f"the database {found.name} is not the one that tasks connect to, or by another name",
            f"tasks connect to {endpoint}, and it has {', '.join(sorted(found.endpoints))}",
            "pass the identifier of the database that has this endpoint",
        )
        return
    yield from _wrong(question, found)


def _orderable(question: Question, world: World) -> Iterator[Finding]:
    """Tell whether RDS has a size for a version, whose minor version may be left open.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html
    """
    engine, version = question.text("Engine"), question.text("EngineVersion")
    size = question.text("InstanceClass")
    rds: Any = world.client("rds")
    pages = rds.get_paginator("describe_orderable_db_instance_options").paginate(
        Engine=engine, DBInstanceClass=size
    )
    versions = set()
    for page in pages:
        for option in page["OrderableDBInstanceOptions"]:
            if f"{option['EngineVersion']}.".startswith(f"{version}."):
                return
            versions.add(option["EngineVersion"])
    # One that is there goes on, also with a version that RDS creates no more.
    say = question.warning if has(question, world) else question.error
    yield say(
        f"RDS has no {engine} {version} on {size} in {rds.meta.region_name}",
        f"with {size} it has {', '.join(sorted(versions, key=_numbers))}"
        if versions
        else f"it has no {size} for {engine}",
        "pass another engine_version or instance_type; `aws rds "
        f"describe-orderable-db-instance-options --engine {engine}` lists those that there are",
    )


def _found(question: Question, world: World) -> _Database | Finding:
    instance = question.text("InstanceIdentifier", "")
    cluster = question.text("ClusterIdentifier", "")
    if bool(instance) == bool(cluster):
        raise ArgumentError("give InstanceIdentifier or ClusterIdentifier, one of both")
    rds: Any = world.client("rds", question.text("Region", "") or None)
    try:
        if cluster:
            (one,) = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
        else:
            (one,) = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
    except AWS_ERRORS as error:
        if not re.search("DB(Instance|Cluster)NotFound", error_code(error)):
            raise
        return _absent(question, world, instance or cluster, error_message(error))
    if cluster:
        told = [one.get("Endpoint"), one.get("ReaderEndpoint"), *one.get("CustomEndpoints", [])]
    else:
        told = [one.get("Endpoint", {}).get("Address")]
    return _Database(
        name=instance or cluster,
        status=one["Status"] if cluster else one["DBInstanceStatus"],
        engine=one["Engine"],
        version=one["EngineVersion"],
        groups=[group["VpcSecurityGroupId"] for group in one.get("VpcSecurityGroups", [])],
        endpoints={endpoint.lower() for endpoint in told if endpoint},
    )


def _absent(question: Question, world: World, name: str, said: str) -> Finding:
    """Say what is wrong with a database that RDS of this account and region does not know.

    Tasks may still reach it, in another account or as no database of RDS.
    """
    wrong = f"the database {name} does not exist"
    fix = "correct its identifier, or pass a database of this account and region"
    endpoint = question.text("Endpoint", "")
    if not endpoint:
        return question.error(wrong, said, fix)
    if _OF_RDS.search(endpoint):
        try:
            if not world.dns(endpoint, "A").exists:
                return question.error(
                    wrong,
                    f"{said}, and there is no such name as {endpoint}",
                    "correct its endpoint",
                )
        except UnreachableError as error:
            said = f"{said}, and the DNS does not tell of {endpoint}: {error}"
    return question.warning(
        f"the database {name} cannot be looked at",
        f"{said}; tasks connect to {endpoint}",
        "where RDS of this account and region has the database, pass its identifier",
    )


def _wrong(question: Question, found: _Database) -> Iterator[Finding]:
    if found.engine not in ENGINES:
        yield question.error(
            f"the database {found.name} is not PostgreSQL",
            f"its engine is {found.engine}",
            f"pass one with the engine {' or '.join(ENGINES)}",
        )
    else:
        least = question.text("EngineVersion", "")
        if least and _numbers(found.version) < _numbers(least):
            yield question.error(
                f"the database {found.name} is too old",
                f"it runs version {found.version}, and {least} or newer is needed",
                "upgrade it before the deployment",
            )
    if found.status != "available":
        is_down = _DOWN.search(found.status)
        say = question.error if is_down else question.warning
        yield say(
            f"the database {found.name} is not available",
            f"its status is {found.status}",
            "start it, or bring it back" if is_down else "wait until it is available",
        )
    missing = [group for group in question.texts("SecurityGroupIds") if group not in found.groups]
    if missing:
        yield question.error(
            f"the database {found.name} does not have the security group {', '.join(missing)}",
            f"it has {', '.join(found.groups) or 'none'}, so that rules of the other let nobody in",
            "pass a security group that the database has, or add the other to it",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
