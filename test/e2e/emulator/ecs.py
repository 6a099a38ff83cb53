"""Services that CloudFormation waits for, as the circuit breaker decides."""

import time
from typing import Any

from e2e.emulator.types import Made
from ministack.services import ecs
from ministack.services.cloudformation import provisioners, stacks

_PATIENCE = 60
_TYPE = "AWS::ECS::Service"


def _stable(arn: str) -> None:
    """Wait for the newest deployment of a service; raise what CloudFormation says if it fails."""
    cluster, name = arn.split("/")[-2:]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        service = ecs._services[f"{cluster}/{name}"]
        states = {d["rolloutState"]: d for d in service["deployments"]}
        if "FAILED" in states:
            reason = states["FAILED"].get("rolloutStateReason", "")
            raise ValueError(
                f"Error occurred during operation 'ECS Deployment Circuit Breaker': {reason}"
            )
        if set(states) == {"COMPLETED"}:
            return
        time.sleep(0.05)
    raise ValueError(f"Service {arn} did not stabilize")


def _waiting(change: Any) -> Any:
    def wait(*arguments: Any) -> Made:
        made: Made = change(*arguments)
        _stable(made[0])
        return made

    return wait


def install() -> None:
    """Wait on a worker thread, so that the emulator goes on answering."""
    handler = provisioners._RESOURCE_HANDLERS[_TYPE]
    handler.update(create=_waiting(handler["create"]), update=_waiting(handler["update"]))
    on_worker = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind == _TYPE or on_worker(kind)
