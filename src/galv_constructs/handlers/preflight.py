"""Preflight: ask what a deployment needs before anything that takes minutes is created.

A handler for the Provider framework of `aws_cdk.custom_resources`. All questions are asked at once,
and what they find is told at once: errors fail the deployment, warnings are an attribute and lines
of the log. What it raises is the reason that CloudFormation shows.
"""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import replace
from typing import Any

from ._aws import REASON_LIMIT, clip, kept_id, stack_status
from ._console import log_link
from ._preflight.ask import ask, leave_out
from ._preflight.finding import Finding
from ._preflight.registry import parse
from ._preflight.room import without_room
from ._preflight.world import World
from ._redact import redact

Json = dict[str, Any]

# Seconds for all questions together. The function's own timeout is longer.
PATIENCE = 60
# Bytes. What a custom resource answers may have 4 KB, and half of it is not ours.
LONGEST_WARNINGS = 2000
# Bytes of an error of many: less would say nothing.
SHORTEST_LINE = 60
# Bytes for all errors, without which the way out is not said.
LEAST_ROOM = 240
# The environment variable with pairs of an image and the secret with its registry's credentials.
CREDENTIALS = "CREDENTIALS"
# While a stack is created, all that is in use belongs to others.
FIRST = "CREATE_IN_PROGRESS"
AGAIN = "galv-ops preflight"
NO_WARNINGS = "none"
# What an ARN has before the name, such as `arn:aws:secretsmanager:eu-west-2:123456789012:secret:`.
_ARN = re.compile(r"arn:[\w-]*:[\w-]*:[\w-]*:\d*:(?:[\w-]+[:/])?(?=\w)")
NOT_ASKED = "not asked: CloudFormation does not say whether the stack is rolling back"

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class PreflightError(Exception):
    """The deployment would fail; the text is the reason for CloudFormation."""


def on_event(event: Json, _context: object) -> Json:
    """Ask what is new in this request.

    Raises:
        PreflightError: something that the deployment needs is not there.
    """
    return {"PhysicalResourceId": kept_id(event), "Data": {"Warnings": _warnings(event)}}


def _warnings(event: Json) -> str:
    """Return what is not in the way of the deployment, and raise what is."""
    questions = _new_questions(event)
    if not questions:
        log.info("%s: nothing to ask", event["RequestType"])
        return NO_WARNINGS
    status = stack_status(event["StackId"])
    # A rollback updates and deletes, it does not create.
    if event["RequestType"] == "Update":
        if "ROLLBACK" in status:
            log.info("%s: nothing is asked", status)
            return NO_WARNINGS
        if not status:
            # To fail in a rollback would leave the stack in UPDATE_ROLLBACK_FAILED.
            log.warning(NOT_ASKED)
            return NOT_ASKED
    elif status != FIRST:
        # The stack was there before this resource.
        questions = without_room(questions)
    spared = _spared(event)
    found = [
        replace(_redacted(one), severity="warning")
        if one.severity == "error" and one.check in spared
        else _redacted(one)
        for one in ask(questions, World(credentials=_credentials()), PATIENCE)
    ]
    errors = [one for one in found if one.severity == "error"]
    warnings = [one for one in found if one.severity != "error"]
    log.info("asked %s: %d errors, %d warnings", sorted(questions), len(errors), len(warnings))
    for one in errors:
        log.error("%s", _whole(one))
    for one in warnings:
        log.warning("%s", _whole(one))
    if errors:
        raise PreflightError(_reason(event, errors))
    return clip("\n".join(map(_whole, warnings)), LONGEST_WARNINGS) or NO_WARNINGS


def _new_questions(event: Json) -> Json:
    """Return the questions that no deployment before this one has asked in the same words."""
    if event["RequestType"] == "Delete":
        return {}
    before = event.get("OldResourceProperties", {}).get("Questions", {})
    now = event["ResourceProperties"].get("Questions", {})
    if event["RequestType"] == "Update":
        before, now = without_room(before), without_room(now)
    return {
        # CloudFormation may replace the resource, which is created again from what is asked about.
        check: {**question, "Changed": "true"}
        if check in before and "Resource" in question
        else question
        for check, question in now.items()
        if before.get(check) != question
    }


def _spared(event: Json) -> set[str]:
    """Return the questions that another version of the library asks of what may work for years.

    They are new, or in other words about the same. They must not stop the upgrade.
    """
    before, now = event.get("OldResourceProperties", {}), event["ResourceProperties"]
    if event["RequestType"] != "Update" or before.get("Version") == now.get("Version"):
        return set()
    asked = before.get("Questions", {})
    return {
        check
        for check, question in now.get("Questions", {}).items()
        if check not in asked
        or all(asked[check][name] == question[name] for name in asked[check].keys() & question)
    }


def _credentials() -> set[tuple[str, str]]:
    """Return which registry may be sent which secret, so that a request can name no other one."""
    pairs = json.loads(os.environ.get(CREDENTIALS, "[]"))
    return {(parse(image).host, arn) for image, arn in pairs}


def _redacted(one: Finding) -> Finding:
    wrong, found, fix = map(redact, (one.wrong, one.found, one.fix))
    return Finding(check=one.check, severity=one.severity, wrong=wrong, found=found, fix=fix)


def _whole(one: Finding) -> str:
    found = f" Found: {one.found}." if one.found else ""
    return f"{one.check}: {one.wrong.rstrip('.')}.{found} To do: {one.fix.rstrip('.')}."


def _short(one: Finding) -> str:
    """Without the evidence, and of each ARN what the reader calls the thing."""
    return _ARN.sub("", f"{one.check}: {one.wrong.rstrip('.')}. To do: {one.fix.rstrip('.')}.")


def _reason(event: Json, errors: list[Finding]) -> str:
    """Return every error in what fits, with a link to all of them."""
    count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
    done = "created" if event["RequestType"] == "Create" else "changed"
    head = f"Preflight found {count} before anything costly was {done}."
    end = f"\nAll of it: {_where_all_is(event)}"
    room = REASON_LIMIT - _size(head) - _size(end)
    # An error may be false, and then nothing else gets the deployment on.
    way_out = leave_out(event["ResourceProperties"]["Questions"], errors)
    if way_out and room - _size(way_out) > LEAST_ROOM:
        end = f"\n{way_out}{end}"
        room = REASON_LIMIT - _size(head) - _size(end)
    for say in (_whole, _short):
        lines = [f"\n- {say(one)}" for one in errors]
        if sum(map(_size, lines)) <= room:
            return f"{head}{''.join(lines)}{end}"
    return clip(f"{head}{''.join(_fitted(lines, room))}{end}", REASON_LIMIT)


def _where_all_is(event: Json) -> str:
    """A link to the log, or what asks again: a log that this deployment created goes with it."""
    if event["RequestType"] == "Create":
        return AGAIN
    return log_link(event["StackId"], event["ResourceProperties"]["LogGroup"])


def _fitted(lines: list[str], room: int) -> list[str]:
    """Cut the longest lines, so that each has as much room as the others need."""
    most = room // SHORTEST_LINE
    if len(lines) > most:
        lines = [*lines[: most - 1], f"\n- and {len(lines) - most + 1} more"]
    fitted = [""] * len(lines)
    # The shortest first: what it leaves is for longer ones.
    order = sorted(range(len(lines)), key=lambda index: _size(lines[index]))
    for left, index in zip(range(len(lines), 0, -1), order, strict=True):
        fitted[index] = clip(lines[index], room // left)
        room -= _size(fitted[index])
    return fitted


def _size(text: str) -> int:
    # As `clip` counts.
    return len(text.encode(errors="replace"))
