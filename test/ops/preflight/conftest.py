"""The world that questions are asked of: AWS as moto has it, and servers on loopback."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import boto3
import pytest
from frontend_site.programs import need
from ops.preflight.servers import (
    HTPASSWD,
    ISSUER,
    SERVICE,
    Identity,
    Pusher,
    docker_registry,
    https_server,
    token_service,
)

from galv_ops.preflight import ask as asking
from galv_ops.preflight.world import World

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that fails is asked again at once."""
    monkeypatch.setattr(asking, "PAUSES", (0.01, 0.01))


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The certificate of all servers on loopback."""
    return Identity.create(tmp_path_factory.mktemp("identity"))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS as moto has it, which is empty."""
    # It takes seconds to load.
    from moto import mock_aws  # noqa: PLC0415

    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Half of the time of these tests, otherwise.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield


@functools.cache
def session() -> boto3.Session:
    """One for all tests, because each reads the descriptions of services anew."""
    return boto3.Session()


@pytest.fixture
def world(aws: None, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, which trusts the servers on loopback."""
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    return World(region=REGION, session=session())


@pytest.fixture(scope="session")
def registries(
    tmp_path_factory: pytest.TempPathFactory, identity: Identity
) -> Iterator[dict[str, str]]:
    """One storage behind two registries: `basic` wants a password, and `token` a token.

    It holds `galv/backend` and `public/backend`: `v1` for two platforms, in the media types of
    OCI, `docker` for two in those of Docker, `arm` and `amd` for one each.
    `public/single` is an index for one.
    """
    (program,) = need("docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(HTPASSWD)
    basic = {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}}
    with contextlib.ExitStack() as stack:
        tokens = stack.enter_context(https_server(identity, token_service(identity)))
        token = {
            "token": {
                "realm": f"https://{tokens}/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(identity.certificate),
            }
        }
        found = {
            name: stack.enter_context(docker_registry(program, folder, identity, auth))
            for name, auth in (("basic", basic), ("token", token))
        }
        pusher = Pusher(found["basic"], identity)
        for repository in ("galv/backend", "public/backend"):
            pusher.index(repository, "v1", "amd64", "arm64")
            pusher.index(repository, "docker", "amd64", "arm64", docker=True)
            pusher.image(repository, "arm", "arm64")
            pusher.image(repository, "amd", "amd64", docker=True)
        # With what BuildKit adds for no platform.
        pusher.index("public/single", "v1", "amd64")
        yield found
