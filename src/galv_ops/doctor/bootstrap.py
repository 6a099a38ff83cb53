"""CDK is not bootstrapped where it has to be."""

from __future__ import annotations

from collections.abc import Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence
from galv_ops.query.aws import EDGE_REGION


def bootstrap(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell in which region there is no bootstrap."""
    for region in evidence.regions_without_bootstrap:
        why = (
            ", where the certificate of the site has to be created for CloudFront (a backend alone "
            "does without)"
            if region == EDGE_REGION != evidence.deployment.region
            else ""
        )
        yield Diagnosis(
            f"CDK is not bootstrapped in {region}{why}.",
            [],
            f"cdk bootstrap aws://{evidence.deployment.account}/{region}, once, then deploy again.",
        )
