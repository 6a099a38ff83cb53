"""Options and fixtures of the end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.app import Application
from e2e.cloud import Cloud


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smoke", action="store_true", help="only what takes less than a minute")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--smoke"):
        skip = pytest.mark.skip(reason="not with --smoke")
        for item in items:
            if not item.get_closest_marker("smoke"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulated AWS with what has to be there before the first deployment."""
    with Cloud(Path(tmp_path_factory.mktemp("cloud"))) as cloud:
        Application(cloud, "account").prepare_account()
        yield cloud


@pytest.fixture(scope="session")
def deployed(cloud: Cloud) -> Application:
    """The whole example, deployed once for all tests that leave it as it is."""
    application = Application(cloud, "deployed", with_frontend=True)
    application.publish("v2.11.4")
    application.publish_frontend("v2.3.0")
    done = application.deploy(backendVersion="v2.11.4", frontendVersion="v2.3.0")
    assert done.ok, done.output
    return application
