"""`galv-ops status`: the whole deployment on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from galv_ops.command import Ops, command
from galv_ops.errors import COULD_NOT, FAILED
from galv_ops.output import Line, colored
from galv_ops.parts.certificates import certificates
from galv_ops.parts.database import database
from galv_ops.parts.mail import mail
from galv_ops.parts.part import Part, untold
from galv_ops.parts.schedules import schedules
from galv_ops.parts.setup import setup
from galv_ops.parts.site import site
from galv_ops.parts.sleep import sleep
from galv_ops.parts.stacks import stacks
from galv_ops.parts.web import web
from galv_ops.query.deployment import Deployment

_Read = Callable[[Deployment], Iterator[Part]]
_BACKEND: tuple[_Read, ...] = (
    sleep,
    web,
    database,
    setup,
    schedules,
    certificates,
    mail,
    site,
)
_WITHOUT_BACKEND: tuple[_Read, ...] = (certificates, site)


@command("status")
def status(ops: Ops) -> int:
    """Show how the deployment is.

    Exits with 1 if a part fails, and with 125 if a part could not be read.
    """
    deployment = ops.deployment
    found = list(stacks(deployment))
    for read in _BACKEND if deployment.has_backend else _WITHOUT_BACKEND:
        ops.out.progress(f"reading: {read.__name__}", passing=True)
        found += _read(read, deployment)
    found += [Part("edge", "unknown", text) for text in deployment.unseen]
    if not deployment.has_backend and deployment.is_being_created:
        found.append(Part("backend", "busy", "not there yet: the first deployment goes on"))
    elif not deployment.has_backend:
        found.append(Part("backend", "bad", "there is no backend yet: see `galv-ops doctor`"))
    states = {part.state for part in found}
    ok = False if "bad" in states else None if "unknown" in states else True
    ops.out.result(_data(deployment, found, ok=ok), _screen(deployment, found))
    return {True: 0, False: FAILED, None: COULD_NOT}[ok]


def _read(read: _Read, deployment: Deployment) -> list[Part]:
    found: list[Part] = []
    try:
        # What comes before an error stays.
        found.extend(read(deployment))
    except ClientError as error:
        found.append(untold(read.__name__, error))
    return found


def _data(deployment: Deployment, parts: list[Part], *, ok: bool | None) -> dict[str, Any]:
    return {
        "deployment": deployment.name,
        "region": deployment.region,
        "ok": ok,
        "parts": [
            {"name": part.name, "state": part.state, "text": part.text, **part.data}
            for part in parts
        ],
    }


def _screen(deployment: Deployment, parts: list[Part]) -> list[Line]:
    states = max(len(part.state) for part in parts)
    names = max(len(part.name) for part in parts)
    lines: list[Line] = [f"{deployment.name} in {deployment.region}", ""]
    for part in parts:
        lines.append([colored(part.state, states), f"  {part.name.ljust(names)}  {part.text}"])
        lines += [f"{' ' * (states + names + 4)}{line}" for line in part.more]
    return lines
