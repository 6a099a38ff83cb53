"""The image could not be pulled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from galv_ops.doctor.evidence import Diagnosis, Evidence, Reason, Stopped

_PULL = re.compile(
    r"CannotPull|pull access denied|manifest unknown|failed to resolve ref", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"time-?out|timed out|deadline exceeded|connection|no such host", re.IGNORECASE
)
_DENIED = re.compile(r"denied|unauthorized|forbidden|no basic auth|\b40[13]\b", re.IGNORECASE)
_URL = re.compile(r"https?://\S+")
_NAME = re.compile(r"[\w.-]+\.[\w.-]+(?::\d+)?/[\w./-]+(?:@sha256:[0-9a-f]+|:[\w.-]+)?")


def image(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell whether the image is not there, not for us, or not to be reached."""
    found: dict[str, list[Reason]] = {}
    for reason in evidence.reasons():
        if _PULL.search(reason.text):
            found.setdefault(_image(reason), []).append(reason)
    for name, reasons in found.items():
        yield _diagnosis(name, reasons)


def _image(reason: Reason) -> str:
    """Return the image that a reason is about."""
    named = _NAME.search(_URL.sub("", reason.text))
    if named:
        return named[0].rstrip(".:")
    return next((source.task.image for source in reason.sources if isinstance(source, Stopped)), "")


def _diagnosis(name: str, reasons: Sequence[Reason]) -> Diagnosis:
    shown = [reason.text for reason in reasons]
    sources = [source for reason in reasons for source in reason.sources]
    text = " ".join(shown)
    if _UNREACHABLE.search(text) and "not found" not in text:
        what = "could not be pulled: its registry could not be reached"
        remedy = (
            "If it goes on, look at the way out of the tasks' subnets: NAT gateway or instance, "
            "routes, security groups. In a network without internet the image has to be in ECR."
        )
    elif _DENIED.search(text) and "not found" not in text:
        what = "could not be pulled: its registry refused to give it"
        remedy = (
            "Make the package public, or pass registry_credentials to GalvBackend. GHCR also "
            "refuses names that do not exist: check that the tag in backendVersion is published."
        )
    else:
        what = "was not found"
        remedy = (
            "Set backendVersion in cdk.json (version or image of GalvBackend) to a tag that is "
            "published, such as v2.11.4, and deploy again."
        )
    return Diagnosis(f"The image {name} {what}.", shown, remedy, sources)
