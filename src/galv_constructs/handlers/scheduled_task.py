"""Scheduled runs: start an ECS task when it is due, and stop it when it takes too long.

One handler for three events: a schedule is due, the deadline of a run has come, a run has failed.
What it raises is tried again by Lambda, a minute and two minutes later, and ends in the dead-letter
queue.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from time import time
from typing import Any

from botocore.exceptions import ClientError

from ._answers import (
    NotStartedError,
    container_of,
    error_code,
    start_task,
    tasks_of_family,
    why_stopped,
)
from ._aws import client
from ._console import log_link

Json = dict[str, Any]

# What marks runs of a schedule; others are started by hand.
MARK = "scheduled-"
# Seconds after its deadline at which a run has evidently outlived it.
GRACE = 120

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class RunError(Exception):
    """ECS answered RunTask without a task; the text is ECS's reason."""


def handle(event: Json, context: Any) -> None:
    """Do what an event asks for.

    Raises:
        RunError: ECS did not start the run.
        ValueError: the event is none of the three.
    """
    match event:
        case {"due": str(due)}:
            _start(due, context.invoked_function_arn)
        case {"deadline_of": str(mark)}:
            _stop(task for task in _running() if task.get("startedBy") == mark)
        case {"detail-type": "ECS Task State Change", "detail": dict(task)}:
            log.error("%s", _explain(task))
        case _:
            raise ValueError(f"unknown event: {json.dumps(event)}")


def _start(due: str, function_arn: str) -> None:
    """Start the run that is due, unless the last one is going on, and set its deadline.

    An event can be delivered twice, and is tried again after a failure at any point: each step
    finds what an earlier attempt has done.
    """
    mark = _mark(due, function_arn)
    running = _running()
    # Its deadline stops a run; should that get lost, a run that hangs must not block all others.
    _stop(task for task in running if _outlived(task))
    if all(task.get("startedBy") != mark for task in running):
        if running and os.environ["OVERLAP"] == "skip":
            log.info(
                "skipped the run due at %s: %s",
                due,
                ", ".join(_id(task["taskArn"]) for task in running),
            )
            return
        _run(mark, due)
    _set_deadline(mark, function_arn)


def _mark(due: str, function_arn: str) -> str:
    """Return the mark of the run due at a time: 34 characters, as older ECS limits it to 36."""
    digest = hashlib.sha256(f"{function_arn} {due}".encode()).hexdigest()
    return f"{MARK}{digest[:24]}"


def _id(task_arn: str) -> str:
    return task_arn.rpartition("/")[2]


def _running() -> list[Json]:
    """The tasks of the family that are going on, started by hand or by a schedule."""
    return tasks_of_family(
        client("ecs"), os.environ["CLUSTER"], os.environ["TASK_DEFINITION"], "RUNNING"
    )


def _timeout() -> int:
    return int(os.environ["TIMEOUT_SECONDS"])


def _outlived(task: Json) -> bool:
    scheduled = task.get("startedBy", "").startswith(MARK)
    if not scheduled or "createdAt" not in task:
        return False
    return bool(time() - task["createdAt"].timestamp() > _timeout() + GRACE)


def _stop(tasks: Iterable[Json]) -> None:
    for task in tasks:
        log.info("stopping %s after %d s", _id(task["taskArn"]), _timeout())
        client("ecs").stop_task(
            cluster=os.environ["CLUSTER"],
            task=task["taskArn"],
            reason=f"Not done after {_timeout()} s",
        )


def _run(mark: str, due: str) -> None:
    try:
        task_arn = start_task(
            client("ecs"),
            cluster=os.environ["CLUSTER"],
            task_definition=os.environ["TASK_DEFINITION"],
            network={
                "subnets": os.environ["SUBNETS"].split(","),
                "securityGroups": os.environ["SECURITY_GROUPS"].split(","),
                "assignPublicIp": os.environ["ASSIGN_PUBLIC_IP"],
            },
            started_by=mark,
            spot=os.environ.get("SPOT") == "true",
            # For a known token ECS returns the task of that time: a run that is over already is not
            # started again by an event that comes twice.
            clientToken=mark,
        )
    except ClientError as error:
        # The token is known with another task definition: a deployment came between two attempts.
        if error_code(error) != "ConflictException":
            raise
        log.info("the run due at %s was started before", due)
        return
    except NotStartedError as error:
        raise RunError(f"the run due at {due} could not be started: {error}") from error
    log.info("the run due at %s is %s", due, _id(task_arn))


def _set_deadline(mark: str, function_arn: str) -> None:
    """Have this function called when the run has taken too long, whatever becomes of it."""
    deadline = datetime.fromtimestamp(time(), tz=timezone.utc) + timedelta(seconds=_timeout())
    try:
        client("scheduler").create_schedule(
            GroupName=os.environ["SCHEDULE_GROUP"],
            Name=mark,
            ScheduleExpression=f"at({deadline:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": function_arn,
                "RoleArn": os.environ["SCHEDULE_ROLE"],
                "Input": json.dumps({"deadline_of": mark}),
                "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600},
                "DeadLetterConfig": {"Arn": os.environ["DEAD_LETTER_QUEUE"]},
            },
        )
    except ClientError as error:
        # An earlier attempt has set it.
        if error_code(error) != "ConflictException":
            raise


def _explain(task: Json) -> str:
    """Return the outcome of a run, in one line with a link to its log."""
    name = os.environ["CONTAINER_NAME"]
    code = container_of(task, name).get("exitCode")
    if code is not None and task.get("stopCode") == "EssentialContainerExited":
        what = f"exited with code {code}"
    elif task.get("stopCode") == "SpotInterruption":
        what = "was interrupted by Fargate Spot"
    elif code is not None:
        what = f"was stopped, with exit code {code}"
    elif "startedAt" in task:
        what = "ended without an exit code"
    else:
        what = "never started"
    id = _id(task["taskArn"])
    failed = f"FAILED: {id} {what} ({why_stopped(task, name)})."
    if what == "never started":
        return failed
    link = log_link(task["taskArn"], os.environ["LOG_GROUP"], f"{name}/{name}/{id}")
    return f"{failed} Log: {link}"
