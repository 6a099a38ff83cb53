"""Fixtures of the tests of handlers."""

from collections.abc import Iterator

import pytest

from galv_constructs.handlers import _aws


@pytest.fixture
def emulated_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto has it, which is empty; tasks stay as they are until a test ends them."""
    # It takes seconds to load.
    from moto import mock_aws  # noqa: PLC0415
    from moto.moto_api import state_manager  # noqa: PLC0415

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Half of the time of these tests, otherwise.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    _aws.client.cache_clear()
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1000})
    with mock_aws():
        yield
    state_manager.unset_transition("ecs::task")
    _aws.client.cache_clear()
