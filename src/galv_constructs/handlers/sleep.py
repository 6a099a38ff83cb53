"""Sleep: services to nothing, schedules off, databases stopped; and awake again.

AWS itself says what sleeps: there is no record that could be wrong. Where scaling of a service is
suspended it is asleep; where only scheduled scaling goes on, it is waking. Each step finds what an
earlier attempt has done, so that an event can be delivered twice, and be tried again after a
failure at any point.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from time import monotonic, sleep
from typing import Any, Literal

from ._answers import AWS_ERRORS, DATABASE_BUSY, DATABASE_GONE, error_code, tasks_of_family
from ._aws import client, stack_status

Json = dict[str, Any]
State = Literal["asleep", "waking", "awake"]

# Seconds. Lambda ends a function after 900, and calls it again twice.
PATIENCE = 780
PAUSE = 15
# How long AWS may take to start a database after it has said that it does.
RESTART_PATIENCE = 300
# At the end of the description of a schedule that sleeps. One that was off before has none.
MARK = "[asleep]"
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
_LONGEST_DESCRIPTION = 512
# What GetSchedule tells and UpdateSchedule does not take.
_READ_ONLY = ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata")
_DIMENSION = "ecs:service:DesiredCount"
_SCALING_IN, _SCALING_OUT = "DynamicScalingInSuspended", "DynamicScalingOutSuspended"
_SCHEDULED_SCALING = "ScheduledScalingSuspended"
# A database that is started, stopped, backed up or changed, or that AWS has no room for.
_LATER = {
    *DATABASE_BUSY,
    "InsufficientDBClusterCapacityFault",
    "InsufficientDBInstanceCapacity",
}
_NOT_THERE = "which is not there: restore it, or deploy without GalvSleep (awakeHours in cdk.json)"
# What the list of alarms of one call may have:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DisableAlarmActions.html
_ALARMS_A_CALL = 100

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class NotYetError(Exception):
    """It is not done; the text is what it waits for. Lambda tries again."""


def handle(event: Json, _context: object) -> Json:
    """Do what an event asks for, and say what is missing.

    A `step` does as much as can be done at once. Otherwise the function waits until all is done.

    Raises:
        NotYetError: it could not be done in time.
        ValueError: the event is none of these.
    """
    step = bool(event.get("step"))
    match event:
        case {"do": "look"}:
            return {"state": _state(), "databases": dict(_statuses()), "tasks": _running()}
        case {"do": "wake"}:
            return _answer(_get_up, _wake_on) if step else _finish(_wake_on, first=_get_up)
        case {"do": "sleep"} if step:
            return _answer(_fall_asleep)
        case {"do": "sleep"}:
            _finish(_fall_asleep)
            return _hand_on({"do": "stop"})
        case {"do": "stop" | "restarted"}:
            return _finish(_after_start_of(event.get("database", "")))
        case _:
            raise ValueError(f"unknown event: {json.dumps(event)}")


def _answer(*steps: Callable[[], str]) -> Json:
    """Do steps, and say what the last of them waits for."""
    try:
        return {"waits_for": [step() for step in steps][-1]}
    except NotYetError as error:
        return {"waits_for": str(error)}


def _hand_on(event: Json) -> Json:
    """Have the rest done by an invocation of its own.

    When that fails Lambda tries it alone again, and what somebody woke in between stays awake.
    """
    client("lambda").invoke(
        FunctionName=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        InvocationType="Event",
        Payload=json.dumps(event).encode(),
    )
    return {"waits_for": ""}


def _finish(step: Callable[[], str], *, first: Callable[[], str] | None = None) -> Json:
    """Repeat a step until nothing is missing."""
    if first is not None:
        first()
    deadline = monotonic() + PATIENCE
    while missing := step():
        log.info("%s", missing)
        if monotonic() > deadline:
            raise NotYetError(f"still waits for {missing}")
        sleep(PAUSE)
    return {"waits_for": ""}


def _deployment() -> str:
    """Return that a deployment is waited for, which needs everything awake."""
    status = stack_status(_plan()["stack"])
    if not status:
        return "the status of the stack, which CloudFormation does not tell"
    # What is rolled back later, by hand, wakes nothing.
    if status.endswith(("_IN_PROGRESS", "UPDATE_FAILED", "ROLLBACK_FAILED")):
        return f"the deployment: the stack is {status}"
    return ""


def _fall_asleep() -> str:
    """Let nothing more be started, and return what it waits for before that."""
    if deployment := _deployment():
        return deployment
    for names in _batches(_plan()["alarms"]):
        client("cloudwatch").disable_alarm_actions(AlarmNames=names)
    for schedule in _plan()["schedules"]:
        _switch(schedule, on=False)
    for service in _plan()["services"]:
        _suspend(service, dynamic=True, scheduled=True)
        _set_count(service, 0)
    log.info("asleep: %s", ", ".join(_plan()["services"]))
    return ""


def _sleep_on() -> str:
    """Stop the databases when no task runs any more, and return what it waits for."""
    state = _state()
    if state != "asleep":
        # By hand or by a deployment: what came last is what is meant.
        log.info("no longer asleep: %s", state)
        return ""
    if running := _running():
        return f"the end of {running} task{'s' if running > 1 else ''}"
    # One that has begun meanwhile wakes it in a moment.
    if deployment := _deployment():
        return deployment
    return _listed(_stop(kind, id, status) for kind, id, status in _databases())


def _after_start_of(database: str) -> Callable[[], str]:
    """Return the step that stops databases, of which AWS may say that it starts one.

    That event may come while the database is still stopped.
    """
    deadline = monotonic() + RESTART_PATIENCE

    def step() -> str:
        if _state() == "asleep" and monotonic() < deadline:
            status = dict(_statuses()).get(database, "")
            if status == "stopped":
                return f"the start of the database {database}, which AWS has announced"
        return _sleep_on()

    return step


def _get_up() -> str:
    """Say that it is waking, before anything else: what is about to stop databases then ends."""
    if _state() == "asleep":
        for service in _plan()["services"]:
            _suspend(service, dynamic=True, scheduled=False)
    return ""


def _wake_on() -> str:
    """Start the databases, then services and schedules, and return what it waits for."""
    state = _state()
    if state == "asleep":
        log.info("to sleep again, before it was awake")
        return ""
    missing = _listed(_start(kind, id, status) for kind, id, status in _databases())
    if missing:
        return missing
    if state == "waking":
        # The first stands for all, and so is the last that says it is awake.
        for service in reversed(_plan()["services"]):
            least = _target(service)["MinCapacity"]
            if _count(service) < least:
                _set_count(service, least)
            _suspend(service, dynamic=False, scheduled=False)
    for schedule in _plan()["schedules"]:
        _switch(schedule, on=True)
    for names in _batches(_plan()["alarms"]):
        client("cloudwatch").enable_alarm_actions(AlarmNames=names)
    log.info("awake: %s", ", ".join(_plan()["services"]))
    return ""


def _plan() -> Json:
    """Return what sleeps: short names, as a function has 4 KB for its variables.

    Services are `cluster/service`, tasks `cluster/family`, schedules `group/name`.
    """
    plan: Json = json.loads(os.environ["PLAN"])
    return plan


def _state() -> State:
    """Whether the first service sleeps, as the one that stands for all."""
    suspended = _target(_plan()["services"][0]).get("SuspendedState", {})
    if suspended.get(_SCHEDULED_SCALING):
        return "asleep"
    return "waking" if suspended.get(_SCALING_OUT) else "awake"


def _target(service: str) -> Json:
    answer = client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[f"service/{service}"], ScalableDimension=_DIMENSION
    )
    if not answer["ScalableTargets"]:
        raise NotYetError(f"the scaling of {service}, {_NOT_THERE}")
    target: Json = answer["ScalableTargets"][0]
    return target


def _suspend(service: str, *, dynamic: bool, scheduled: bool) -> None:
    """Suspend scaling, or let it go on; its bounds stay as they are."""
    client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{service}",
        ScalableDimension=_DIMENSION,
        SuspendedState={
            _SCALING_IN: dynamic,
            _SCALING_OUT: dynamic,
            _SCHEDULED_SCALING: scheduled,
        },
    )


def _count(service: str) -> int:
    cluster, _, name = service.partition("/")
    answer = client("ecs").describe_services(cluster=cluster, services=[name])
    return int(answer["services"][0]["desiredCount"])


def _set_count(service: str, count: int) -> None:
    cluster, _, name = service.partition("/")
    client("ecs").update_service(cluster=cluster, service=name, desiredCount=count)


def _running() -> int:
    """How many tasks run, of services, schedules and by hand."""
    ecs = client("ecs")
    return sum(
        task["lastStatus"] != "STOPPED"
        for family in _plan()["tasks"]
        # Those that answer their last requests are to be stopped, and are not yet.
        for status in ("RUNNING", "STOPPED")
        for task in tasks_of_family(ecs, family.partition("/")[0], family, status)
    )


def _switch(schedule: str, *, on: bool) -> None:
    """Turn a schedule off, or on again if it was this that turned it off."""
    group, _, name = schedule.partition("/")
    answer = client("scheduler").get_schedule(GroupName=group, Name=name)
    current = {key: value for key, value in answer.items() if key not in _READ_ONLY}
    text = current.get("Description", "")
    if on:
        if not text.endswith(MARK):
            return
        current |= {"State": "ENABLED", "Description": text.removesuffix(MARK).rstrip()}
    else:
        if current.get("State") == "DISABLED":
            return
        text = text[: _LONGEST_DESCRIPTION - len(MARK) - 1]
        current |= {"State": "DISABLED", "Description": f"{text} {MARK}".strip()}
    # Without a description rather than with an empty one.
    client("scheduler").update_schedule(**{key: value for key, value in current.items() if value})


def _databases() -> Iterator[tuple[str, str, str]]:
    """The kind, id and status of each database, and of the members of each cluster."""
    for id in _plan()["databases"]:
        yield "instance", id, _instance_status(id)
    for id in _plan()["clusters"]:
        (found,) = _described("describe_db_clusters", "DBClusterIdentifier", id)["DBClusters"]
        yield "cluster", id, found["Status"]
        # A cluster is available before those that answer for it are.
        for member in found["DBClusterMembers"]:
            member_id = member["DBInstanceIdentifier"]
            yield "member", member_id, _instance_status(member_id)


def _instance_status(id: str) -> str:
    (found,) = _described("describe_db_instances", "DBInstanceIdentifier", id)["DBInstances"]
    return str(found["DBInstanceStatus"])


def _described(call: str, name: str, id: str) -> Json:
    try:
        answer: Json = getattr(client("rds"), call)(**{name: id})
    except AWS_ERRORS as error:
        if error_code(error) not in DATABASE_GONE:
            raise
        raise NotYetError(f"the database {id}, {_NOT_THERE}") from None
    return answer


def _statuses() -> Iterator[tuple[str, str]]:
    for _, id, status in _databases():
        yield id, status


def _stop(kind: str, id: str, status: str) -> str:
    """Stop a database, and return what it waits for: RDS stops only one that is available."""
    if kind == "member" or status in ("stopped", "stopping"):
        return ""
    rds = client("rds")
    try:
        if kind == "instance":
            rds.stop_db_instance(DBInstanceIdentifier=id)
        else:
            rds.stop_db_cluster(DBClusterIdentifier=id)
    except AWS_ERRORS as error:
        if error_code(error) not in _LATER:
            raise
        return f"the database {id}, which is {status}"
    return ""


def _start(kind: str, id: str, status: str) -> str:
    """Start a database, and return what it waits for.

    In any state but these three it is none that sleep brought it into, and nothing to wait for.
    """
    if status not in ("stopped", "stopping", "starting"):
        return ""
    if status == "stopped" and kind != "member":
        rds = client("rds")
        try:
            if kind == "instance":
                rds.start_db_instance(DBInstanceIdentifier=id)
            else:
                rds.start_db_cluster(DBClusterIdentifier=id)
        except AWS_ERRORS as error:
            if error_code(error) not in _LATER:
                raise
            return f"the database {id}, which cannot be started yet: {error}"
        status = "starting"
    return f"the database {id}, which is {status}"


def _listed(missing: Iterable[str]) -> str:
    return ", and ".join(text for text in list(missing) if text)


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _ALARMS_A_CALL):
        yield names[start : start + _ALARMS_A_CALL]
