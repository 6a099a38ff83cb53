"""All causes that `galv-ops doctor` knows of, looked for one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone

from botocore.exceptions import ClientError

from galv_ops.doctor.blocked import blocked
from galv_ops.doctor.bootstrap import bootstrap
from galv_ops.doctor.certificate import certificate
from galv_ops.doctor.crash import crash
from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.doctor.health_check import health_check
from galv_ops.doctor.image import image
from galv_ops.doctor.others import stuck, unexplained
from galv_ops.doctor.secret import secret
from galv_ops.doctor.setup import setup
from galv_ops.doctor.site import site
from galv_ops.doctor.spot import spot
from galv_ops.errors import explain, is_fatal
from galv_ops.query.deployment import Deployment
from galv_ops.query.events import Failure

_Cause = Callable[[Evidence], Iterator[Diagnosis]]
_CAUSES: tuple[_Cause, ...] = (
    image,
    secret,
    setup,
    health_check,
    spot,
    crash,
    site,
    certificate,
    blocked,
)
_OLDEST = datetime.min.replace(tzinfo=timezone.utc)
_NEWEST = datetime.max.replace(tzinfo=timezone.utc)


def diagnose(
    deployment: Deployment, progress: Callable[[str], None]
) -> tuple[list[Diagnosis], list[str]]:
    """Return what is wrong with a deployment, the newest first, and what could not be seen.

    Args:
        deployment: Deployment to diagnose.
        progress: Called with what is looked at.
    """
    evidence = Evidence(deployment)
    found: list[Diagnosis] = []
    gaps = [*deployment.unseen]

    def look(name: str, cause: _Cause) -> list[Diagnosis]:
        progress(name.replace("_", " "))
        diagnoses, gap = _look(cause, evidence)
        gaps.extend(gap)
        return diagnoses

    for cause in _CAUSES:
        found += look(cause.__name__, cause)
    explained = [source for diagnosis in found for source in diagnosis.sources]
    found += look("what is left", lambda evidence: unexplained(evidence, explained))
    found = [*_newest_first(found), *look("bootstrap", bootstrap), *stuck(evidence)]
    return found, list(dict.fromkeys(gaps))


def _look(cause: _Cause, evidence: Evidence) -> tuple[list[Diagnosis], list[str]]:
    """Return what a cause finds, and what it could not see."""
    found: list[Diagnosis] = []
    try:
        # What comes before an error stays.
        found.extend(cause(evidence))
    except ClientError as error:
        if is_fatal(error):
            raise
        return found, [explain(error)]
    return found, []


def _newest_first(diagnoses: list[Diagnosis]) -> list[Diagnosis]:
    """Sort by the change that they are about, and within one by what failed first."""
    newest: dict[str, datetime] = {}
    for diagnosis in diagnoses:
        newest[_stack(diagnosis)] = max(newest.get(_stack(diagnosis), _OLDEST), *times(diagnosis))
    return sorted(
        diagnoses,
        # sorted() keeps the order of equals: what is so at this moment has no time.
        key=lambda diagnosis: (
            -newest[_stack(diagnosis)].timestamp(),
            _stack(diagnosis),
            min(times(diagnosis)),
        ),
    )


def _stack(diagnosis: Diagnosis) -> str:
    """Return the stack that failed; for a task that stopped that is the backend's."""
    if diagnosis.is_now or not diagnosis.sources:
        return ""
    return next(
        (source.stack for source in diagnosis.sources if isinstance(source, Failure)), "tasks"
    )


def times(diagnosis: Diagnosis) -> list[datetime]:
    """Return the times of what a diagnosis is about; of what is so now the end of time."""
    if diagnosis.is_now or not diagnosis.sources:
        return [_NEWEST]
    return [source.when for source in diagnosis.sources]
