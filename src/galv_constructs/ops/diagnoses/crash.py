"""A web task ends by itself."""

from __future__ import annotations

from collections.abc import Iterator

from galv_constructs.ops.deployment import WEB
from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence, Source
from galv_constructs.ops.errors import one_line

_KILLED = 137


def crash(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell how the log of a web task ends that ended by itself."""
    found = [
        one
        for one in evidence.stopped
        if one.task.name == WEB and one.exit_code and "Essential" in one.reason
    ]
    if not found:
        return
    newest = found[0]
    shown = [str(newest), *map(one_line, evidence.log_tail(newest, 6))]
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
