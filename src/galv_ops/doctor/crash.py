"""A web task ends by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence, Source
from galv_ops.query.deployment import WEB
from galv_ops.text import one_line

_KILLED = 137
# What nginx says of each request, also when gunicorn behind it has ended, is no cause of that.
_OF_A_REQUEST = re.compile(r"\d{4}/\d\d/\d\d [\d:]{8} \[(?:warn|error|crit)\] ")


def crash(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell how the log of a web task ends that ended by itself."""
    found = [
        stopped
        for stopped in evidence.stopped
        if stopped.task.name == WEB and stopped.exit_code and "Essential" in stopped.reason
    ]
    if not found:
        return
    newest = found[0]
    log = [line for line in evidence.log_tail(newest, 30) if not _OF_A_REQUEST.match(line)]
    shown = [str(newest), *map(one_line, log[-6:])]
    sources: list[Source] = [*found, *evidence.service_failures]
    if newest.exit_code == _KILLED or "OutOfMemory" in newest.reason:
        yield Diagnosis(
            "A web task used more memory than it has, and was killed.",
            shown,
            "Raise memory_limit_mib of GalvBackend, or lower workers.",
            sources,
        )
    else:
        yield Diagnosis(
            f"The web server ends by itself, with exit code {newest.exit_code}.",
            shown,
            "Its last lines say why; `galv-ops logs web` has all. Fix that, or set backendVersion "
            "to the version before, and deploy again.",
            sources,
        )
