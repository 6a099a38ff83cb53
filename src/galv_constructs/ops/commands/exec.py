"""`galv-ops exec`: a shell in the web container."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from typing import TYPE_CHECKING

import click

from galv_constructs.ops.command import Ops, command
from galv_constructs.ops.deployment import WEB, Deployment
from galv_constructs.ops.errors import OpsError
from galv_constructs.ops.parts.web import describe_service
from galv_constructs.ops.task import short
from galv_constructs.ops.tasks import running

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import TaskTypeDef

_PLUGIN = "session-manager-plugin"
_INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


@command("exec")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
def exec_(ops: Ops, *, words: tuple[str, ...]) -> int:
    """Open a shell in the web container, or run COMMAND there.

    Needs ECS Exec, which is on outside production, and AWS's session-manager-plugin. With --json
    it opens nothing, and prints the call that it would make.
    """
    deployment = ops.deployment
    task = _task(deployment)
    call = {
        "cluster": str(deployment.cluster),
        "task": short(task.get("taskArn", "")),
        "container": WEB,
        "command": shlex.join(words) or "/bin/sh",
    }
    if ops.out.as_json:
        ops.out.result(call, [])
        return 0
    plugin = shutil.which(_PLUGIN)
    if plugin is None:
        raise OpsError(f"{_PLUGIN} is not on PATH, and shells go through it: {_INSTALL}")
    answer = ops.aws.ecs.execute_command(**call, interactive=True)
    # What the AWS CLI would pass; the endpoint is asked only to resume a session.
    target = f"ecs:{call['cluster']}_{call['task']}_{_runtime_id(task)}"
    endpoint = f"https://ssm.{deployment.region}.amazonaws.com"
    arguments = [
        plugin,
        json.dumps(answer["session"]),
        deployment.region,
        "StartSession",
        ops.aws.profile,
        json.dumps({"Target": target}),
        endpoint,
    ]
    # In place of this process, so that the terminal and its signals are the plugin's.
    return os.execv(plugin, arguments)  # noqa: S606 - found on PATH, and no shell


def _task(deployment: Deployment) -> TaskTypeDef:
    """Return the newest web task that a shell can be opened in."""
    service = describe_service(deployment)
    if service is None:
        raise OpsError("there is no web service yet: `galv-ops doctor` says why")
    if not service.get("enableExecuteCommand"):
        raise OpsError(
            "ECS Exec is off, as it is in production: GalvBackend(execute_command=True) turns it "
            "on with the next deployment, and makes the file system writable. A command does "
            "without: `galv-ops run -- manage.py …`"
        )
    found = [
        one
        for one in running(deployment, deployment.task(WEB))
        if one.get("lastStatus") == "RUNNING" and one.get("enableExecuteCommand")
    ]
    if not found:
        raise OpsError(
            "no web task runs that was started with ECS Exec: see `galv-ops status`; a new "
            "deployment replaces tasks from before it was turned on"
        )
    return found[0]


def _runtime_id(task: TaskTypeDef) -> str:
    return next(
        (c.get("runtimeId", "") for c in task.get("containers", []) if c.get("name") == WEB), ""
    )
