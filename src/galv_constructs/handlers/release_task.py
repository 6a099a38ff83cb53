"""The release gate: run an ECS task to completion while CloudFormation deploys.

Two handlers for the Provider framework of `aws_cdk.custom_resources`: `on_event` starts the task,
`is_complete` is polled until it has ended. What they raise is the reason that CloudFormation shows.
"""

from __future__ import annotations

import hashlib
import logging
import re
from time import sleep, time
from typing import Any

from . import restore_point
from ._answers import (
    AWS_ERRORS,
    NotStartedError,
    container_of,
    error_code,
    start_task,
    tasks_of_family,
    why_stopped,
)
from ._aws import (
    client,
    clip,
    first_id,
    fit_reason,
    is_unanswered,
    kept_id,
    log_tail,
    stack_status,
)
from ._console import log_link
from ._redact import redact

Json = dict[str, Any]

RESTORE_POINT = "Custom::GalvRestorePoint"

MAX_ATTEMPTS = 3
PAUSES = (2, 4, 8)
# Seconds: an attempt that starts closer to the deadline could not do its work.
SHORTEST_ATTEMPT = 60

# ECS gives reasons as prose. LASTS wins over PASSES; what is in neither is not tried again.
LASTS = re.compile(
    r"not ?found|(manifest|name) unknown|does not exist|denied|not authorized|unauthorized"
    r"|forbidden|no basic auth|invalid|exec format",
    re.IGNORECASE,
)
PASSES = re.compile(
    r"time-?out|timed out|deadline exceeded|context canceled|connection (reset|refused)|handshake"
    r"|(?-i:\bEOF\b|\bRESOURCE:|\bAGENT\b)|temporary failure|server misbehaving|throttl|slow ?down"
    r"|too ?many ?requests|rate (limit|exceeded)|request ?limit|\b429\b|\b50[0234]\b|bad gateway"
    r"|service ?unavailable|internal ?(server ?)?error|try again|capacity|insufficientfreeaddresses"
    # A role created seconds ago is not known everywhere yet.
    r"|unable to assume the role|spotinterruption|terminationnotice|infrastructurehealth",
    re.IGNORECASE,
)

# ECS reads all secrets of a task before it starts it. Secrets Manager says this of one that was
# deleted, before and after the days in which it can be restored:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
DELETED = re.compile(r"marked for deletion|can't find the specified secret", re.IGNORECASE)
SECRET = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:[\w/+=.@-]+")

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class ReleaseError(Exception):
    """The release did not succeed; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Start the release task if this request needs one.

    Raises:
        ReleaseError: the task could not be started.
    """
    if event["ResourceType"] == RESTORE_POINT:
        return restore_point.on_event(event)
    try:
        task_arn = _start(event, attempt=1) if _needs_task(event) else ""
    except ReleaseError as failure:
        _tolerate(event, failure)
        task_arn = ""
    log.info("%s: task %s", event["RequestType"], task_arn or "not needed")
    return {
        "PhysicalResourceId": _physical_id(event),
        "Data": {"TaskArn": task_arn},
        # For is_complete, by our own clock: the deadline must hold while ECS does not answer.
        "StartedAt": time(),
    }


def _physical_id(event: Json) -> str:
    if event["RequestType"] != "Delete" and _runs_when_replaced(event):
        # For another id CloudFormation sends Delete for the old one, after the whole stack has been
        # updated; or for the new one, after a rollback.
        return f"{first_id(event)}-{event['ResourceProperties']['RunWhenReplaced']}"
    return kept_id(event)


def is_complete(event: Json, _context: object) -> Json:
    """Tell whether the release task has succeeded.

    Raises:
        ReleaseError: the task failed, never started, or hung and was stopped.
    """
    if event["ResourceType"] == RESTORE_POINT:
        return restore_point.is_complete(event)
    if not event["Data"]["TaskArn"]:
        return {"IsComplete": True}
    try:
        return {"IsComplete": _is_over(event)}
    except ReleaseError as failure:
        _tolerate(event, failure)
        return {"IsComplete": True}


def _tolerate(event: Json, failure: ReleaseError) -> None:
    """Only log the failure of a task that is not to fail the deployment."""
    if event["ResourceProperties"].get("OnFailure") != "warn":
        raise failure
    log.warning("%s", failure)


def _is_over(event: Json) -> bool:
    """Whether the task has succeeded, with patience for an AWS that does not answer."""
    try:
        return _succeeded(event)
    except AWS_ERRORS as error:
        if not _passes(error):
            raise _failure(event, f"could not be watched: {error}") from error
        if _seconds_left(event) <= 0:
            raise _hung(event, event["Data"]["TaskArn"]) from error
        return False


def _needs_task(event: Json) -> bool:
    """Whether there is something new to run for: after Create a task definition, or a deployment.

    Only a run that asks for it is told what the deployment is made of.
    """
    if _runs_when_replaced(event):
        # At the end of an update. A stack that is deleted takes what there would be to do with it.
        deleted = event["RequestType"] == "Delete"
        return deleted and stack_status(event["StackId"]).startswith("UPDATE_")
    if event["RequestType"] == "Delete":
        return False
    old, new = event.get("OldResourceProperties", {}), event["ResourceProperties"]
    changed = any(old.get(key) != new.get(key) for key in ("TaskDefinition", "Deployment"))
    return changed and not _rolling_back(event)


def _runs_when_replaced(event: Json) -> bool:
    """Whether the run is for what another value replaces, not for what is new."""
    return "RunWhenReplaced" in event["ResourceProperties"]


def _rolling_back(event: Json) -> bool:
    """Whether the stack is on its way back.

    A rollback is an Update to the old task definition. Its task would meet the new schema, and its
    failure would leave the stack in UPDATE_ROLLBACK_FAILED.
    """
    status = stack_status(event["StackId"])
    return "ROLLBACK" in status if status else _goes_back(event)


def _goes_back(event: Json) -> bool:
    """Whether the request by itself is one of a rollback, for when the stack cannot be asked."""
    # A rollback updates and deletes, it does not create.
    if event["RequestType"] == "Create":
        return False
    # Revisions only grow: a rollback goes to a lower one, a deployment never does.
    old = event["OldResourceProperties"]["TaskDefinition"].rpartition(":")
    new = event["ResourceProperties"]["TaskDefinition"].rpartition(":")
    if old[0] == new[0]:
        # The same one: nothing but the rest of the deployment has changed, and what runs for that
        # reason can be left out.
        return int(new[2]) <= int(old[2])
    # No guess is safe between two families: to run may put an old task on a new schema, to skip may
    # release code without its schema. To fail loses no data and can be repeated.
    raise _failure(event, "was not run: cannot tell whether the stack is rolling back")


def _start(event: Json, attempt: int) -> str:
    """Start the task and return its ARN, with patience for what passes."""
    pauses = iter(PAUSES)
    while True:
        try:
            return _run_task(event, attempt)
        except (*AWS_ERRORS, NotStartedError) as error:
            pause = next(pauses, None)
            if pause is None or not (_passes(error) or _is_denied(error)):
                raise _failure(event, f"could not be started: {error}") from error
        sleep(pause)


def _is_denied(error: Exception) -> bool:
    """Whether IAM refused, which it also does while a permission granted just now spreads."""
    return error_code(error) == "AccessDeniedException"


def _run_task(event: Json, attempt: int) -> str:
    properties = event["ResourceProperties"]
    override: Json = {
        "name": properties["ContainerName"],
        "environment": [{"name": "GALV_RELEASE_EVENT", "value": event["RequestType"]}],
    }
    if command := properties.get("CommandOverride"):
        override["command"] = command
    return start_task(
        client("ecs"),
        cluster=properties["Cluster"],
        task_definition=properties["TaskDefinition"],
        network={
            "subnets": properties["Subnets"],
            "securityGroups": properties["SecurityGroups"],
            "assignPublicIp": properties["AssignPublicIp"],
        },
        started_by=_started_by(event),
        # For a known token ECS returns the task of that time, so that an event delivered twice, or
        # a listing that lags, starts no second one. After `failures` there is none: same token.
        clientToken=f"{_started_by(event)}-{attempt}",
        overrides={"containerOverrides": [override]},
    )


def _started_by(event: Json) -> str:
    """The mark on all tasks of this request; 32 characters, as older ECS limits it to 36."""
    return f"release-{hashlib.sha256(event['RequestId'].encode()).hexdigest()[:24]}"


def _succeeded(event: Json) -> bool:
    """Whether the task ended well; False while it goes on."""
    attempts = _attempts(event)
    log.info("%s: %s", event["RequestType"], [(t["taskArn"], t["lastStatus"]) for t in attempts])
    # An attempt follows only on one that may be repeated, so at most one is left.
    current = next((task for task in attempts if not _may_repeat(event, task)), None)
    if current and current["lastStatus"] == "STOPPED":
        return _exited_well(event, current)
    if attempts and not current:
        return _start_again(event, attempts)
    task_arn = current["taskArn"] if current else event["Data"]["TaskArn"]
    if _seconds_left(event) <= 0:
        raise _hung(event, task_arn)
    # The stack rolls back because of another resource. A first release is stopped: it would block
    # the deletion of its security group and cluster. A later one may finish: stopping could leave
    # half a migration, and the running service has to bear the new schema in any deployment.
    if event["RequestType"] == "Create" and _rolling_back(event):
        stopped = _stop(event, task_arn, "The stack is rolling back")
        raise _failure(event, f"was cancelled by a rollback{stopped}", task_arn)
    return False


def _attempts(event: Json) -> list[Json]:
    """The tasks of this request; none for a moment, as ECS is eventually consistent."""
    first_arn = event["Data"]["TaskArn"]
    properties = event["ResourceProperties"]
    cluster = properties["Cluster"]
    ecs = client("ecs")
    attempts = list(ecs.describe_tasks(cluster=cluster, tasks=[first_arn])["tasks"])
    if any(_may_repeat(event, task) for task in attempts):
        # ListTasks takes `startedBy` only as the single filter, without a status.
        attempts += [
            task
            for status in ("RUNNING", "STOPPED")
            for task in tasks_of_family(ecs, cluster, properties["TaskDefinition"], status)
            if task.get("startedBy") == _started_by(event) and task["taskArn"] != first_arn
        ]
    return attempts


def _container(event: Json, task: Json) -> Json:
    """The container that counts; what runs beside it may end as it likes."""
    return dict(container_of(task, event["ResourceProperties"]["ContainerName"]))


def _why_stopped(event: Json, task: Json) -> str:
    why = why_stopped(task, event["ResourceProperties"]["ContainerName"])
    if not DELETED.search(why):
        return why
    secret = SECRET.search(why)
    return (
        "a secret was deleted that it needs in each deployment. Restore it: aws secretsmanager "
        f"restore-secret --secret-id {secret[0] if secret else 'ARN'}\n{why}"
    )


def _may_repeat(event: Json, task: Json) -> bool:
    """Whether the command never began, for a reason that passes."""
    # A task that was running can lose its exit code with its host: its command must not run twice.
    began = "startedAt" in task or _container(event, task).get("exitCode") is not None
    return task["lastStatus"] == "STOPPED" and not began and _passes(_why_stopped(event, task))


def _exited_well(event: Json, task: Json) -> bool:
    code = _container(event, task).get("exitCode")
    if code == 0:
        return True
    if code is not None:
        what = f"exited with code {code}"
    elif "startedAt" in task:
        what = f"ended without an exit code: {_why_stopped(event, task)}"
    else:
        # It has no log to show or to link to.
        raise _failure(event, f"never started: {_why_stopped(event, task)}")
    raise _failure(event, what, task["taskArn"])


def _start_again(event: Json, attempts: list[Json]) -> bool:
    late = _seconds_left(event) < SHORTEST_ATTEMPT
    if len(attempts) >= MAX_ATTEMPTS or late or _rolling_back(event):
        what = f"never started (attempts: {len(attempts)}): {_why_stopped(event, attempts[-1])}"
        raise _failure(event, what)
    task_arn = _start(event, attempt=len(attempts) + 1)
    log.info("%s: task %s, attempt %d", event["RequestType"], task_arn, len(attempts) + 1)
    return False


def _seconds_left(event: Json) -> float:
    return float(event["StartedAt"] + int(event["ResourceProperties"]["TimeoutSeconds"]) - time())


def _hung(event: Json, task_arn: str) -> ReleaseError:
    seconds = event["ResourceProperties"]["TimeoutSeconds"]
    stopped = _stop(event, task_arn, "The release deadline has passed")
    return _failure(event, f"hung: not done after {seconds} s{stopped}", task_arn)


def _stop(event: Json, task_arn: str, reason: str) -> str:
    """Stop the task, and say in the end of a sentence how that went."""
    cluster = event["ResourceProperties"]["Cluster"]
    try:
        client("ecs").stop_task(cluster=cluster, task=task_arn, reason=reason)
    except AWS_ERRORS as error:
        return f", and could not be stopped: {error}"
    return ", and was stopped"


def _passes(why: str | Exception) -> bool:
    """Whether the same may work later."""
    if is_unanswered(why):
        return True
    return bool(PASSES.search(str(why))) and not LASTS.search(str(why))


def _failure(event: Json, what: str, task_arn: str = "") -> ReleaseError:
    """The failure in all that fits: what happened, the command, a link, the last log lines."""
    names = event["ResourceProperties"].get("SecretNames", [])
    what, command = (redact(text, names) for text in (what, event["ResourceProperties"]["Command"]))
    rest = f"\nCommand: {clip(command, 120)}"
    lines = ""
    if task_arn:
        link = log_link(event["ResourceProperties"]["Cluster"], *_log_stream(event, task_arn))
        rest += f"\nLog: {link}"
        lines = log_tail(*_log_stream(event, task_arn), names=names)
    return ReleaseError(fit_reason(f"Release task {what}", rest, lines))


def _log_stream(event: Json, task_arn: str) -> tuple[str, str]:
    """The log group and the stream that the awslogs driver created for the container."""
    properties = event["ResourceProperties"]
    stream = f"{properties['LogStreamPrefix']}/{properties['ContainerName']}"
    return properties["LogGroup"], f"{stream}/{task_arn.rpartition('/')[2]}"
