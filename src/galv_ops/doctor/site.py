"""The site could not be built or published."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.query.deployment import SITE_RELEASE


def site(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell what its build, or its publication, said."""
    for failure in evidence.failures:
        if failure.type == SITE_RELEASE:
            yield Diagnosis(
                "The site could not be built or published, or its page does not load. A rollback "
                "publishes again what was there before.",
                [failure.reason],
                "All of its build is in the log that ends in release-build, such as "
                "`galv-ops logs frontend-release-build`. Fix that, or set frontendVersion to a "
                "release that works, and deploy again.",
                [failure],
            )
