"""The image could not be pulled."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence

_PULL = re.compile(
    r"CannotPull|pull access denied|manifest unknown|failed to resolve ref", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"time-?out|timed out|deadline exceeded|connection|no such host", re.IGNORECASE
)
_DENIED = re.compile(r"denied|unauthorized|forbidden|no basic auth|\b40[13]\b", re.IGNORECASE)
_NAME = re.compile(r"[\w.-]+\.[\w.-]+(?::\d+)?/[\w./-]+(?::[\w.-]+)?")


def image(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell whether the image is not there, not for us, or not to be reached."""
    shown = [one for one in evidence.reasons() if _PULL.search(one)]
    if not shown:
        return
    text = " ".join(shown)
    named = _NAME.search(text)
    name = (
        named[0].rstrip(".:") if named else next((one.task.image for one in evidence.stopped), "")
    )
    if _UNREACHABLE.search(text) and "not found" not in text:
        yield Diagnosis(
            f"The image {name} could not be pulled: its registry could not be reached.",
            shown,
            "If it goes on, look at the way out of the tasks' subnets: NAT gateway or instance, "
            "routes, security groups. In a network without internet the image has to be in ECR.",
        )
    elif _DENIED.search(text) and "not found" not in text:
        yield Diagnosis(
            f"The image {name} could not be pulled: its registry refused to give it.",
            shown,
            "Make the package public, or pass registry_credentials to GalvBackend. GHCR also "
            "refuses names that do not exist: check that the tag in backendVersion is published.",
        )
    else:
        yield Diagnosis(
            f"The image {name} was not found.",
            shown,
            "Set backendVersion in cdk.json (version or image of GalvBackend) to a tag that is "
            "published, such as v2.11.4, and deploy again.",
        )
