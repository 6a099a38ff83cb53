"""`galv-ops exec`: a shell in the web container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import click

from galv_ops.command import Ops, command
from galv_ops.errors import OpsError
from galv_ops.query.deployment import WEB, Deployment, describe_service
from galv_ops.query.sleep import refuse_asleep
from galv_ops.query.task import short
from galv_ops.query.tasks import running

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import TaskTypeDef

_PLUGIN = "session-manager-plugin"
# The name of the variable stands in the place of the session, as the AWS CLI does it:
# https://github.com/aws/aws-cli/blob/v2/awscli/customizations/ecs/executecommand.py
_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
_LAST_WITHOUT = [1, 2, 497, 0]
_INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


@command("exec")
@click.argument("command_line", nargs=-1, metavar="[-- COMMAND...]")
def exec_(ops: Ops, *, command_line: tuple[str, ...]) -> int:
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
        "command": shlex.join(command_line) or "/bin/sh",
    }
    if ops.out.as_json:
        ops.out.result(call, [])
        return 0
    plugin = shutil.which(_PLUGIN)
    if plugin is None:
        raise OpsError(f"{_PLUGIN} is not on PATH, and shells go through it: {_INSTALL}")
    hides_token = _takes_variable(plugin)
    if not hides_token:
        ops.out.error(
            f"galv-ops: this {_PLUGIN} takes the token of the session as an argument, which every "
            "user of this computer can read while the shell is open: install a newer one, "
            f"{_INSTALL}"
        )
    answer = ops.aws.ecs.execute_command(**call, interactive=True)
    session, variables = json.dumps(answer["session"]), dict(os.environ)
    if hides_token:
        variables[_VARIABLE], session = session, _VARIABLE
    # What the AWS CLI would pass; the endpoint is asked only to resume a session.
    target = f"ecs:{call['cluster']}_{call['task']}_{_runtime_id(task)}"
    endpoint = f"https://ssm.{deployment.region}.amazonaws.com"
    arguments = [
        plugin,
        session,
        deployment.region,
        "StartSession",
        ops.aws.profile,
        json.dumps({"Target": target}),
        endpoint,
    ]
    # In place of this process, so that the terminal and its signals are the plugin's.
    return os.execve(plugin, arguments, variables)  # noqa: S606 - found on PATH, and no shell


def _takes_variable(plugin: str) -> bool:
    """Tell whether the plugin takes the session from a variable, which other users cannot read."""
    try:
        said = subprocess.check_output(  # noqa: S603 - found on PATH
            [plugin, "--version"], stderr=subprocess.DEVNULL, text=True, timeout=10
        ).strip()
    except (OSError, subprocess.SubprocessError):
        return False
    if not re.fullmatch(r"\d+(\.\d+){0,3}", said):
        return False
    numbers = [int(number) for number in said.split(".")]
    return [*numbers, 0, 0, 0][:4] > _LAST_WITHOUT


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
        run
        for run in running(deployment, deployment.task(WEB))
        if run.get("lastStatus") == "RUNNING" and run.get("enableExecuteCommand")
    ]
    if not found:
        refuse_asleep(deployment)
        raise OpsError(
            "no web task runs that was started with ECS Exec: see `galv-ops status`; a new "
            "deployment replaces tasks from before it was turned on"
        )
    return found[0]


def _runtime_id(task: TaskTypeDef) -> str:
    return next(
        (c.get("runtimeId", "") for c in task.get("containers", []) if c.get("name") == WEB), ""
    )
