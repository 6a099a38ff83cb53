"""Sleep: whether the deployment rests, and when it wakes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from galv_ops.parts.part import Part, told
from galv_ops.query.deployment import Deployment
from galv_ops.query.sleep import Sleep, is_asleep, moment_of, sleeps


def sleep(deployment: Deployment) -> Iterator[Part]:
    """Tell whether the deployment rests, and when that changes."""
    for found in sleeps(deployment):
        yield told("sleep", partial(_sleep, deployment, found))


def _sleep(deployment: Deployment, found: Sleep) -> Part:
    asleep = is_asleep(deployment)
    wakes, rests = (moment_of(deployment, schedule) for schedule in (found.wake, found.sleep))
    text = (
        f"asleep, wakes at {wakes}, or by `galv-ops wake`"
        if asleep
        else f"awake, goes to sleep at {rests}"
    )
    data = {"asleep": asleep, "wakes": wakes, "sleeps": rests}
    return Part("sleep", "off" if asleep else "ok", text, data=data)
