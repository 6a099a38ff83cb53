"""The load balancer does not find the web tasks healthy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence, Source
from galv_ops.query.deployment import WEB
from galv_ops.text import one_line

_HOST = re.compile(r"Invalid HTTP_HOST header|DisallowedHost")
_FAILED = re.compile(r"failed (ELB|container) health checks", re.IGNORECASE)
_CIDRS = "DJANGO_ALLOWED_CIDR_NETS"


def health_check(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell whether Django refuses the health check's Host, or what else is wrong with it."""
    targets = [
        f"{target.get('Target', {}).get('Id', '')}: {health.get('Reason', '')} "
        f"{health.get('Description', '')}"
        for target in evidence.unhealthy_targets
        for health in [target.get("TargetHealth", {})]
    ]
    failed = [stopped for stopped in evidence.stopped if _FAILED.search(stopped.reason)]
    if not targets and not failed:
        return
    log = [line for lines in _logs_of_web(evidence) for line in lines]
    refused = [one_line(line) for line in log if _HOST.search(line)]
    shown = [*targets, *map(str, failed)]
    sources: list[Source] = [*failed, *evidence.service_failures]
    if refused or any("[400]" in target for target in targets):
        web = evidence.deployment.tasks[WEB]
        nets = web.environment.get(_CIDRS, "not set")
        yield Diagnosis(
            "Django refuses the load balancer's health check, because the Host that it sends, the "
            "address of the task, is not among ALLOWED_HOSTS.",
            [*shown, *refused[-2:]],
            f"The subnets of the tasks must be within {_CIDRS}, which is {nets}: GalvBackend sets "
            "it from its network, so deploy with the network that the tasks run in. If they are, "
            "the image does not read it: deploy a newer version.",
            sources,
            is_now=bool(targets),
        )
    else:
        yield Diagnosis(
            "The load balancer does not find the web tasks healthy: GET /health/ must answer 200.",
            [*shown, *map(one_line, log[-5:])],
            "The log of the web task says what it answers: `galv-ops logs web`. An image from "
            "before /health/ was added needs a newer version.",
            sources,
            is_now=bool(targets),
        )


def _logs_of_web(evidence: Evidence) -> Iterator[list[str]]:
    """Yield the ends of the logs of web tasks, also of those that run."""
    deployment = evidence.deployment
    stopped = [task for task in evidence.stopped if task.task.name == WEB]
    for task in stopped[:1]:
        yield evidence.log_tail(task, 100)
    if not stopped and WEB in deployment.tasks:
        yield evidence.running_log(deployment.tasks[WEB])
