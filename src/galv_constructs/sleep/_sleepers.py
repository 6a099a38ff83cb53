"""The parts of what sleeps: services, tasks, schedules, databases and alarms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsii
from aws_cdk import Annotations, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from constructs import Construct, IConstruct, IValidation

from galv_constructs._core.validation import check_list, is_token
from galv_constructs.backend.backend import GalvBackend
from galv_constructs.sleep.awake_hours import AwakeHours
from galv_constructs.tasks._scheduled_runs import ScheduledRuns
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.runtime import TaskRuntime
from galv_constructs.tasks.scheduled_task import GalvScheduledTask
from galv_constructs.tasks.service import GalvService
from galv_constructs.tasks.task import GalvTask

_SLEEPERS = "backends, services, tasks and databases"


@dataclass(frozen=True, kw_only=True)
class SleepingService:
    """A service: where it runs, and its own resource."""

    cluster: ecs.ICluster
    service: ecs.FargateService


@dataclass(kw_only=True)
class Parts:
    """The parts of what sleeps, sorted by how they do."""

    services: list[SleepingService] = field(default_factory=list)
    families: list[tuple[ecs.ICluster, str]] = field(default_factory=list)
    """Task definitions whose runs end before a database is stopped."""

    runs: list[ScheduledRuns] = field(default_factory=list)
    instances: list[rds.IDatabaseInstance] = field(default_factory=list)
    clusters: list[rds.IDatabaseCluster] = field(default_factory=list)
    alarms: list[cloudwatch.IAlarm] = field(default_factory=list)
    security_groups: set[str] = field(default_factory=set)
    """Of the databases."""

    held: list[IConstruct] = field(default_factory=list)
    """Resources that a deployment changes only when all is awake."""

    runtimes: list[TaskRuntime] = field(default_factory=list)


def check_sleepers(scope: Construct, sleepers: Any) -> None:
    """Refuse what cannot sleep, or not here."""
    check_list("sleepers", sleepers, f"a list of {_SLEEPERS}, such as [backend]")
    given: Sequence[Any] = sleepers
    for index, sleeper in enumerate(given):
        name = f"sleepers[{index}]"
        if not isinstance(sleeper, GalvBackend | TaskConstruct) and not _is_database(sleeper):
            raise ValueError(
                f"{name} must be a GalvBackend, a GalvService, a GalvScheduledTask, a GalvTask or "
                f"a database such as a GalvDatabase, got {sleeper!r}"
            )
        if isinstance(sleeper, GalvBackend) and sleeper._production:  # noqa: SLF001 - the library's
            raise ValueError(
                f"{name} ({sleeper.node.path}) is in production, and people rely on it at any "
                "time: pass production=False to the backend, or leave it out of sleepers"
            )
        if sleeper in given[:index]:
            raise ValueError(f"{name} is in sleepers twice: leave one of them out")
        _check_stack(scope, name, sleeper)
    if not any(isinstance(sleeper, GalvBackend | GalvService) for sleeper in given):
        raise ValueError(
            "sleepers must have a GalvBackend or a GalvService, as the count of its tasks says "
            f"that it sleeps, got {[type(sleeper).__name__ for sleeper in given]}"
        )


def parts_of(sleepers: Sequence[Any], alarms: Sequence[cloudwatch.IAlarm]) -> Parts:
    """Sort what sleeps."""
    parts = Parts(alarms=list(alarms))
    for sleeper in sleepers:
        match sleeper:
            case GalvBackend():
                _add_backend(parts, sleeper)
            case TaskConstruct():
                _add_task(parts, sleeper)
            case _:
                _add_database(parts, sleeper)
    return parts


def _is_database(sleeper: Any) -> bool:
    return hasattr(sleeper, "database_name") and getattr(sleeper, "resource", None) is not None


def _check_stack(scope: Construct, name: str, sleeper: Any) -> None:
    """Refuse another stack: a deployment of that one would not wake anything first."""
    construct: IConstruct = sleeper.resource if _is_database(sleeper) else sleeper
    own, other = Stack.of(scope), Stack.of(construct)
    if own is not other:
        raise ValueError(
            f"{name} ({construct.node.path}) is in the stack {other.node.path}, and this in "
            f"{own.node.path}, so that a deployment of that stack would wake nothing: define a "
            "GalvSleep in each stack, with what is in it"
        )


def _add_backend(parts: Parts, backend: GalvBackend) -> None:
    parts.services.append(SleepingService(cluster=backend.cluster, service=backend.service))
    definitions = (
        backend.task_definition,
        backend.setup.task_definition,
        backend.check_status_task_definition,
    )
    parts.families += [(backend.cluster, definition.family) for definition in definitions]
    parts.held += [backend.setup.resource, backend.service.node.find_child("Service")]
    parts.runtimes.append(backend.runtime)
    # One that it was given may be that of others too.
    if backend._creates_database:  # noqa: SLF001 - private to the library
        _add_database(parts, backend.database)


def _add_task(parts: Parts, sleeper: TaskConstruct) -> None:
    runtime = sleeper._task.runtime  # noqa: SLF001 - private to the library
    parts.families.append((runtime.cluster, sleeper.task_definition.family))
    parts.runtimes.append(runtime)
    if isinstance(sleeper, GalvScheduledTask):
        parts.runs.append(sleeper._runs)  # noqa: SLF001 - private to the library
    if isinstance(sleeper, GalvService):
        parts.services.append(SleepingService(cluster=runtime.cluster, service=sleeper.service))
        parts.held.append(sleeper.service.node.find_child("Service"))
        # Nothing runs and nothing is read, which is what they watch for.
        watching = (sleeper.no_task_alarm, sleeper.message_age_alarm)
        parts.alarms += [alarm for alarm in watching if alarm is not None]


def _add_database(parts: Parts, database: Any) -> None:
    resource = database.resource
    if isinstance(resource, rds.DatabaseClusterBase):
        parts.clusters.append(resource)
    else:
        parts.instances.append(resource)
    parts.security_groups |= _security_groups(database.connections)
    parts.held += [
        child
        for construct in database.depends_on
        for child in construct.node.find_all()
        if isinstance(child, rds.CfnDBCluster | rds.CfnDBInstance)
    ]


def _security_groups(peer: ec2.IConnectable) -> set[str]:
    return {group.security_group_id for group in peer.connections.security_groups}


def warn_of_windows(scope: Construct, parts: Parts, hours: AwakeHours) -> None:
    """Warn of a database that RDS would back up or maintain while it is stopped: never.

    "RDS creates automated backups of your DB instance during the backup window", and "Your DB
    instance must be in the available state for automated backups to occur":
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.html
    """
    for database in (*parts.instances, *parts.clusters):
        resource = database.node.default_child
        if not isinstance(resource, rds.CfnDBInstance | rds.CfnDBCluster):
            continue
        for what, window, fitting in (
            ("backup", resource.preferred_backup_window, hours.backup_window),
            ("maintenance", resource.preferred_maintenance_window, hours.maintenance_window),
        ):
            if window is not None and (is_token(window) or hours.has_window(window)):
                continue
            where = "at a time of its own, at night" if window is None else f"at {window} UTC"
            Annotations.of(scope).add_warning_v2(
                f"galv-constructs:{what}Asleep",
                f"RDS has the {what} window of {database.node.path} {where}, and does nothing to a "
                f"database that is stopped: pass preferred_{what}_window={fitting!r} to the "
                f"database, which is {what}_window of its AwakeHours",
            )


@jsii.implements(IValidation)
class Forgotten:
    """Constructs that would run without their database, or keep it from being stopped.

    They may be defined after what sleeps, so they are looked for when the tree is synthesized.
    """

    def __init__(self, scope: Construct, sleepers: Sequence[Any], parts: Parts) -> None:
        self._scope = scope
        self._sleepers = sleepers
        self._parts = parts

    def validate(self) -> list[str]:
        return list(self._mistakes()) if self._parts.security_groups else []

    def _mistakes(self) -> Iterator[str]:
        own = self._scope.node.path
        for child in self._scope.node.root.node.find_all():
            path = child.node.path
            if isinstance(child, GalvBackend | GalvService | GalvScheduledTask | GalvTask):
                if child not in self._sleepers and self._needs(child):
                    yield (
                        f"{path} connects to a database that {own} stops: pass it in sleepers too, "
                        "or a database of its own to it"
                    )
            # "You can't stop a DB instance that has a read replica, or that is a read replica":
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
            elif isinstance(child, rds.DatabaseInstanceReadReplica):
                yield from self._replicas(child)

    def _needs(self, child: Any) -> bool:
        runtime = child.runtime if isinstance(child, GalvBackend) else child._task.runtime  # noqa: SLF001 - private to the library
        groups = (_security_groups(peer) for peer in runtime.connects_to)
        return any(self._parts.security_groups & group for group in groups)

    def _replicas(self, replica: rds.DatabaseInstanceReadReplica) -> Iterator[str]:
        stack = Stack.of(replica)
        resource = replica.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)  # noqa: S101 - what an L2 replica is made of
        source = stack.resolve(resource.source_db_instance_identifier)
        for instance in self._parts.instances:
            if source in (
                stack.resolve(instance.instance_identifier),
                stack.resolve(instance.instance_arn),
            ):
                yield (
                    f"{replica.node.path} is a read replica of a database that "
                    f"{self._scope.node.path} stops, and RDS stops none that has one: leave the "
                    "replica out, or the database out of sleepers"
                )
