"""The web service."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.parts.part import Part, State
from galv_ops.query.deployment import WEB, Deployment, describe_service
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
    image = deployment.task(WEB).image if WEB in deployment.tasks else ""
    events = service.get("events", [])[:_EVENTS]
    yield Part(
        "web",
        _state(desired, running, rollout),
        f"{running} of {count(desired, 'task')} running, rollout {rollout}, image {image}",
        [f"{moment(event.get('createdAt'))} {event.get('message', '')}" for event in events],
        {
            "desired": desired,
            "running": running,
            "pending": service.get("pendingCount", 0),
            "rollout": rollout,
            "rolloutReason": newest.get("rolloutStateReason", ""),
            "image": image,
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
