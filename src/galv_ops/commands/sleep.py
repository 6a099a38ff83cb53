"""`galv-ops sleep` and `galv-ops wake`: rest now, or wake before the morning."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from time import monotonic, sleep
from typing import Any

from galv_ops.command import Ops, command, timeout_option
from galv_ops.errors import TIMED_OUT, OpsError
from galv_ops.query.deployment import Deployment
from galv_ops.query.sleep import Sleep, moment_of, sleeps
from galv_ops.text import count

_POLL_SECONDS = 5
_GOES_ON = "interrupted: it goes on by itself, and `galv-ops status` tells how far it is"


@command("wake")
@timeout_option(default=30)
def wake(ops: Ops, *, timeout: int) -> int:
    """Wake a deployment that rests: database, services and schedules.

    It stays awake until the next evening. Starting the database takes five to ten minutes; when
    you interrupt this, it goes on.
    """
    deployment = ops.deployment
    found = _found(deployment)
    for one in found:
        _call(deployment, one, {"do": "wake", "step": True})
        _start(deployment, one, "wake")
    _wait(ops, timeout, lambda: _first(_awaken(deployment, one) for one in found))
    until = [moment_of(deployment, one.sleep) for one in found]
    ops.out.result({"awake": True, "until": until}, [f"Awake until {text}." for text in until])
    return 0


@command("sleep")
@timeout_option(default=30)
def sleep_(ops: Ops, *, timeout: int) -> int:
    """Let a deployment rest before the evening: a weekend that begins early, or holidays.

    It wakes in the next morning of its awakeHours, or by `galv-ops wake`. When you interrupt this,
    it goes on.
    """
    deployment = ops.deployment
    found = _found(deployment)
    if deployment.backend.is_busy:
        raise OpsError(
            f"{deployment.backend.name} is being deployed ({deployment.backend.status}), which "
            "needs it awake: wait until it is done"
        )
    awake = []
    for one in found:
        if _falls_asleep(deployment, one):
            awake.append(one)
        _start(deployment, one, "sleep")

    def missing() -> str:
        while awake:
            if waits_for := _falls_asleep(deployment, awake[0]):
                return waits_for
            awake.pop(0)
        return _first(_at_rest(deployment, one) for one in found)

    _wait(ops, timeout, missing)
    until = [moment_of(deployment, one.wake) for one in found]
    ops.out.result(
        {"awake": False, "until": until},
        [f"Asleep. It wakes at {text}, or by `galv-ops wake`." for text in until],
    )
    return 0


def _found(deployment: Deployment) -> list[Sleep]:
    found = sleeps(deployment)
    if not found:
        raise OpsError(
            f"{deployment.backend.name} never sleeps: awakeHours in cdk.json, or a GalvSleep, lets "
            "it rest at night"
        )
    return found


def _call(deployment: Deployment, found: Sleep, event: dict[str, Any]) -> dict[str, Any]:
    """Call the function and return its answer.

    Raises:
        OpsError: If it fails.
    """
    answer = deployment.aws.client("lambda").invoke(
        FunctionName=found.function, Payload=json.dumps(event).encode()
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise OpsError(f"{found.function} failed: {said.get('errorMessage', said)}")
    return said


def _start(deployment: Deployment, found: Sleep, do: str) -> None:
    """Have it done, whatever becomes of this process."""
    deployment.aws.client("lambda").invoke(
        FunctionName=found.function,
        InvocationType="Event",
        Payload=json.dumps({"do": do}).encode(),
    )


def _awaken(deployment: Deployment, found: Sleep) -> str:
    return str(_call(deployment, found, {"do": "wake", "step": True})["waits_for"])


def _falls_asleep(deployment: Deployment, found: Sleep) -> str:
    """Return what it waits for before anything is stopped, such as a deployment."""
    return str(_call(deployment, found, {"do": "sleep", "step": True})["waits_for"])


def _at_rest(deployment: Deployment, found: Sleep) -> str:
    """Return what is still to end."""
    seen = _call(deployment, found, {"do": "look"})
    if seen["state"] != "asleep":
        raise OpsError("it was woken meanwhile, by a deployment or by somebody else")
    if seen["tasks"]:
        return f"the end of {count(seen['tasks'], 'task')}"
    busy = (
        f"the database {id}, which is {status}"
        for id, status in seen["databases"].items()
        if status != "stopped"
    )
    return next(busy, "")


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")


def _wait(ops: Ops, timeout_minutes: int, missing: Callable[[], str]) -> None:
    """Tell what is waited for until nothing is.

    Raises:
        OpsError: If it takes too long.
    """
    began, before = monotonic(), ""
    try:
        while waits_for := missing():
            passed = f"{monotonic() - began:.0f} s"
            ops.out.progress(f"waits for {waits_for}, after {passed}", passing=waits_for == before)
            before = waits_for
            if monotonic() - began > timeout_minutes * 60:
                raise OpsError(
                    f"not done after {count(timeout_minutes, 'minute')}, and it goes on by itself: "
                    f"it still waits for {waits_for}",
                    TIMED_OUT,
                )
            sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        ops.out.progress(_GOES_ON)
        raise
