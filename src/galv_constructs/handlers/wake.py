"""Wake what sleeps before a deployment changes it, and when nothing is to sleep any more.

Two handlers for the Provider framework of `aws_cdk.custom_resources`, of two resources. The first
comes before the database, whose settings RDS refuses to change while it is stopped, and so cannot
refer to anything that sleeps: it has the logical id of the function that knows, and calls that
function as the last deployment left it. The other comes last, and is deleted first.
"""

from __future__ import annotations

import json
import logging
from time import time
from typing import Any

from ._answers import AWS_ERRORS, error_code
from ._aws import client, fit_reason, kept_id, passes, stack_status

Json = dict[str, Any]

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class WakeError(Exception):
    """It could not be woken; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Find whom to call.

    Raises:
        WakeError: CloudFormation did not say.
    """
    function = _function(event) if _is_needed(event) else ""
    log.info("%s: %s", event["RequestType"], function or "nothing to wake")
    return {
        "PhysicalResourceId": kept_id(event),
        "Data": {"Function": function},
        "StartedAt": time(),
    }


def is_complete(event: Json, _context: object) -> Json:
    """Tell whether all is awake.

    Raises:
        WakeError: it cannot be woken, or was not in time. A deletion goes on.
    """
    function = event["Data"]["Function"]
    if not function:
        return {"IsComplete": True}
    try:
        waits_for = _step(function)
    except AWS_ERRORS as error:
        if not passes(error) or _is_late(event):
            return _fail(event, str(error))
        waits_for = str(error)
    if waits_for and _is_late(event):
        return _fail(event, f"it still waits for {waits_for}")
    log.info("%s", waits_for or "awake")
    return {"IsComplete": not waits_for}


def _is_needed(event: Json) -> bool:
    """Whether something may sleep that the deployment is about to change, or to leave alone.

    A rollback goes back over what has just been woken.
    """
    before = "LogicalId" in event["ResourceProperties"]
    if event["RequestType"] != ("Update" if before else "Delete"):
        return False
    return "ROLLBACK" not in stack_status(event["StackId"])


def _function(event: Json) -> str:
    """The name of the function that wakes; empty if the last deployment had none."""
    properties = event["ResourceProperties"]
    if "Function" in properties:
        return str(properties["Function"])
    try:
        found = client("cloudformation").describe_stack_resource(
            StackName=event["StackId"], LogicalResourceId=properties["LogicalId"]
        )
    except AWS_ERRORS as error:
        # There is no such resource.
        if error_code(error) == "ValidationError":
            return ""
        raise WakeError(fit_reason(f"Cannot find what wakes the stack: {error}")) from error
    return str(found["StackResourceDetail"].get("PhysicalResourceId", ""))


def _step(function: str) -> str:
    """Do as much as can be done at once, and return what it waits for.

    A function that fails may not the next time: what it says is told when time is over.
    """
    answer = client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({"do": "wake", "step": True}).encode()
    )
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return f"{function}, which fails: {said.get('errorMessage', said)}"
    return str(said["waits_for"])


def _is_late(event: Json) -> bool:
    timeout = int(event["ResourceProperties"]["TimeoutSeconds"])
    return time() > float(event["StartedAt"]) + timeout


def _fail(event: Json, why: str) -> Json:
    reason = fit_reason(
        f"What sleeps could not be woken before the deployment, which has changed nothing yet: "
        f"{why}",
        "\nWake it with galv-ops wake, and deploy again.",
    )
    if event["RequestType"] == "Delete":
        log.warning("%s", reason)
        return {"IsComplete": True}
    raise WakeError(reason)
