"""The web service."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.parts.part import Part, State
from galv_ops.query.deployment import WEB, Deployment, describe_service
from galv_ops.query.moved import moved_images
from galv_ops.query.sleep import sleeps
from galv_ops.query.version import Version
from galv_ops.text import count, moment

_EVENTS = 3
_NOT_YET = "not there yet: the first deployment goes on"


def web(deployment: Deployment) -> Iterator[Part]:
    """Tell how many tasks run, how the rollout goes, and what ECS said last."""
    service = describe_service(deployment)
    if service is None:
        is_new = deployment.is_being_created
        yield Part(
            "web", "busy" if is_new else "bad", _NOT_YET if is_new else "there is no web service"
        )
        return
    desired, running = service.get("desiredCount", 0), service.get("runningCount", 0)
    newest = (service.get("deployments") or [{}])[0]
    rollout = str(newest.get("rolloutState", "unknown"))
    task = deployment.tasks.get(WEB)
    image = task.image if task else ""
    version = task.version if task else Version("", "")
    events = service.get("events", [])[:_EVENTS]
    asleep = desired == 0 and bool(sleeps(deployment))
    yield Part(
        "web",
        "off" if asleep else _state(desired, running, rollout),
        f"{'asleep: ' if asleep else ''}{running} of {count(desired, 'task')} running, "
        f"rollout {rollout}, version {version}",
        [
            f"image {image}",
            *moved_images(deployment),
            *(f"{moment(event.get('createdAt'))} {event.get('message', '')}" for event in events),
        ],
        {
            "desired": desired,
            "running": running,
            "pending": service.get("pendingCount", 0),
            "rollout": rollout,
            "rolloutReason": newest.get("rolloutStateReason", ""),
            "image": image,
            "version": version.name,
            "digest": version.digest,
            "events": [
                {"at": event.get("createdAt"), "message": event.get("message", "")}
                for event in events
            ],
        },
    )


def _state(desired: int, running: int, rollout: str) -> State:
    if rollout == "FAILED" or (running < desired and rollout != "IN_PROGRESS"):
        return "bad"
    return "busy" if rollout == "IN_PROGRESS" else "ok"
