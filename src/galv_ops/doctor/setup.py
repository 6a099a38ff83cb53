"""Setup failed: the migrations, or another of its steps."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence, Source, Stopped
from galv_ops.errors import page
from galv_ops.query.deployment import RELEASE, SETUP
from galv_ops.query.events import Failure

_STEP = re.compile(r"\[release\] ([\w-]+): failed with exit code (\d+)")
_HUNG = re.compile(r"Release task hung")
_EXITED = re.compile(r"Release task exited with code (\d+)")
_LAST_LINES = 6
# How the release gate marks what it starts.
_RELEASE = "release-"

_REMEDIES = {
    "migrate": "The old version goes on serving, on a database that the migrations before this one "
    "may have changed. Fix the migration, publish the image and deploy it.",
    "create_superuser": "Look at DJANGO_SUPERUSER_USERNAME in backendEnvironment, then deploy "
    "again.",
    "loaddata": "The fixtures do not fit this database. For a database that has data already see "
    f"{page('operations.md', 'how-a-deployment-goes')}",
    "collectstatic": "It writes to the bucket for static files: look for AccessDenied in the log.",
}
_REMEDY = "Fix what the log says, then deploy again."


def setup(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which step of setup failed, and how its log ends."""
    found: list[tuple[str, Source]] = [*_in_deployments(evidence), *_by_hand(evidence)]
    for text, source in found:
        step, hung, exited = _STEP.search(text), _HUNG.search(text), _EXITED.search(text)
        lines = [line for line in text.splitlines() if line.strip()][-_LAST_LINES:]
        if step:
            what = (
                "The database migrations" if step[1] == "migrate" else f"The setup step {step[1]}"
            )
            yield Diagnosis(
                f"{what} failed with exit code {step[2]}.",
                lines,
                _REMEDIES.get(step[1], _REMEDY),
                [source],
            )
        elif hung:
            yield Diagnosis(
                "Setup was not done in time, and was stopped.",
                lines,
                "A migration may wait for a lock that the running version holds, or take longer "
                "than setup_timeout of GalvBackend: raise it, up to 55 minutes.",
                [source],
            )
        elif exited:
            yield Diagnosis(
                f"A release task failed with exit code {exited[1]}.", lines, _REMEDY, [source]
            )


def _in_deployments(evidence: Evidence) -> Iterator[tuple[str, Failure]]:
    for failure in evidence.failures:
        if failure.type == RELEASE:
            yield failure.reason, failure


def _by_hand(evidence: Evidence) -> Iterator[tuple[str, Stopped]]:
    """Yield the log of the newest run of setup, if that failed and no deployment tells of it."""
    newest = next((stopped for stopped in evidence.stopped if stopped.task.name == SETUP), None)
    if newest is not None and newest.exit_code and not newest.started_by.startswith(_RELEASE):
        yield "\n".join(evidence.log_tail(newest)), newest
