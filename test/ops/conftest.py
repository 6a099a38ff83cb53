"""Fixtures of the tests of galv-ops."""

import boto3
import pytest
from ops.recorded import REGION, Recorded


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A healthy deployment, as AWS describes it."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "GALV_STACK", "GALV_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    made = Recorded()
    monkeypatch.setattr(boto3, "Session", made.session)
    return made
