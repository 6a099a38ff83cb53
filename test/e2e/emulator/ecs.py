"""The work of ECS around a task, and the states that CloudFormation waits for."""

import json
import re
import time
from functools import partial
from typing import Any

from e2e.emulator.private import ecs, provisioners, secretsmanager, stacks
from e2e.emulator.types import Json, Made

_PATIENCE = 180
_TYPE = "AWS::ECS::Service"
_networks: dict[str, Json] = {}
_run_task = ecs.run_task
_make_deployment = ecs.make_deployment
_resolve_secrets = ecs.resolve_container_secrets


def network_of(task_arn: str) -> Json:
    """Return the network configuration that a task was started with, which MiniStack forgets."""
    deadline = time.monotonic() + 5
    # A task's thread may be faster than the answer to the request for it.
    while task_arn not in _networks and time.monotonic() < deadline:
        time.sleep(0.01)
    return _networks[task_arn]


def _run_and_remember(request: Json) -> Any:
    if request.get("propagateTags") == "TASK_DEFINITION":
        key = ecs.resolve_td_key(request["taskDefinition"])
        inherited = ecs.tags.get(ecs.task_defs[key]["taskDefinitionArn"], [])
        request = {**request, "tags": [*inherited, *request.get("tags", [])]}
    answer = _run_task(request)
    network = request.get("networkConfiguration", {}).get("awsvpcConfiguration", {})
    for task in json.loads(answer[2]).get("tasks", []):
        _networks[task["taskArn"]] = network
    return answer


def _unproven_deployment(*arguments: Any, **options: Any) -> Json:
    """Make no deployment complete before its tasks run, not even the first of a service."""
    deployment: Json = _make_deployment(*arguments, **options)
    return {**deployment, "rolloutState": "IN_PROGRESS", "rolloutStateReason": ""}


def _stable(arn: str) -> None:
    """Wait for the newest deployment of a service; raise what CloudFormation says if it fails."""
    cluster, name = arn.split("/")[-2:]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        service = ecs.services[f"{cluster}/{name}"]
        states = {d["rolloutState"]: d for d in service["deployments"]}
        if "FAILED" in states:
            reason = states["FAILED"].get("rolloutStateReason", "")
            raise ValueError(
                f"Error occurred during operation 'ECS Deployment Circuit Breaker': {reason}"
            )
        running = service["runningCount"] == service["desiredCount"]
        if running and set(states) == {"COMPLETED"}:
            return
        time.sleep(0.05)
    raise ValueError(f"Service {arn} did not stabilize within {_PATIENCE} s")


def _refuse_deleted(arn: str) -> None:
    """Refuse a secret that waits to be deleted, in the words of ECS and Secrets Manager.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
    """
    if any(s["ARN"] == arn and s.get("DeletedDate") for s in secretsmanager.secrets.values()):
        raise ecs.SecretResolutionError(
            "unable to retrieve secret from asm: service call has been retried 1 time(s): failed "
            f"to fetch secret {arn} from secrets manager: InvalidRequestException: You can't "
            "perform this operation on the secret because it was marked for deletion."
        )


def _secrets_of(definition: Json) -> Json:
    """Read secrets, and say in the words of ECS which one was deleted, or which key is missing."""
    for secret in definition.get("secrets", []):
        _refuse_deleted(":".join(secret["valueFrom"].split(":")[:7]))
    try:
        secrets: Json = _resolve_secrets(definition)
    except ecs.SecretResolutionError as error:
        if key := re.search(r"json key '(.+?)'", str(error)):
            raise ecs.SecretResolutionError(
                "unable to retrieve secret from asm: service call has been retried 1 time(s): "
                f"retrieved secret from Secrets Manager did not contain json key {key[1]}"
            ) from error
        raise
    return secrets


def _container_definitions(definitions: list[Json]) -> list[Json]:
    """Spell all keys as the service does, of secrets and health checks too."""
    return [provisioners.pascal_to_camel(definition) for definition in definitions]


def _create_and_wait(create: Any, delete: Any, *arguments: Any) -> Made:
    made: Made = create(*arguments)
    try:
        _stable(made[0])
    except ValueError:
        # A rollback deletes what failed to be created too.
        delete(made[0], arguments[1])
        raise
    return made


def _update_and_wait(update: Any, *arguments: Any) -> Made:
    made: Made = update(*arguments)
    _stable(made[0])
    return made


def install() -> None:
    """Replace what is different."""
    provisioners.normalize_container_defs = _container_definitions
    ecs.make_deployment = _unproven_deployment
    ecs.resolve_container_secrets = _secrets_of
    ecs.run_task = ecs.ACTION_MAP["RunTask"] = _run_and_remember
    handler = provisioners.RESOURCE_HANDLERS[_TYPE]
    handler.update(
        create=partial(_create_and_wait, handler["create"], handler["delete"]),
        update=partial(_update_and_wait, handler["update"]),
    )
    # Waited for on another thread, so that the emulator goes on answering.
    on_worker = stacks.runs_on_worker_thread
    stacks.runs_on_worker_thread = lambda kind: kind == _TYPE or on_worker(kind)
