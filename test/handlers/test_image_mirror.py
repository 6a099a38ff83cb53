"""The mirror copies real images of a real registry to an ECR that refuses what ECR refuses."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from frontend_site.programs import need
from handlers.ecr_server import LARGEST_PART, MIB, Ecr, RefusedError, ecr_server
from ops.preflight.servers import (
    HTPASSWD,
    PASSWORD,
    USER,
    Handler,
    Identity,
    Pusher,
    docker_registry,
    https_server,
)

from galv_constructs.handlers import _aws, _deployed, image_mirror
from galv_constructs.handlers._preflight import registry as registry_module
from galv_constructs.handlers._preflight import world as world_module
from galv_constructs.handlers._preflight.registry import parse
from galv_constructs.handlers._preflight.unreachable import UnreachableError
from galv_constructs.handlers._preflight.world import Reply

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:registry-AbCdEf"
# More than one part of ECR's, and no whole number of them.
LARGE = 2 * LARGEST_PART + 12345


class Context:
    """Lambda's."""

    def __init__(self, seconds: float = 900) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.create(tmp_path_factory.mktemp("identity"))


@dataclass
class Registry:
    host: str
    identity: Identity
    pusher: Pusher
    storage: Path


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, identity: Identity) -> Iterator[Registry]:
    """A registry of Debian's that wants a password."""
    (program,) = need("docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "registry", "path": str(folder / "htpasswd")}}
    with docker_registry(program, folder, identity, auth) as host:
        yield Registry(host, identity, Pusher(host, identity), folder / "storage")


@dataclass
class Pushed:
    """An image that is in the registry."""

    name: str
    digest: str
    layers: list[str]


def layer(size: int, seed: str) -> bytes:
    """Bytes that no two layers share."""
    block = hashlib.sha256(seed.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


OCI = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.index.v1+json",
)
DOCKER = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def push(
    registry: Registry, tag: str, *sizes: int, kinds: tuple[str, ...] = OCI, seed: str = ""
) -> Pushed:
    """Push an image with layers of these sizes."""
    repository = "galv/backend"
    config = json.dumps({"os": "linux", "architecture": "amd64", "seed": seed or tag}).encode()
    layers = [
        {
            "mediaType": kinds[2],
            **registry.pusher.blob(repository, layer(size, f"{seed or tag} {number}")),
        }
        for number, size in enumerate(sizes)
    ]
    content = {
        "schemaVersion": 2,
        "mediaType": kinds[0],
        "config": {"mediaType": kinds[1], **registry.pusher.blob(repository, config)},
        "layers": layers,
    }
    made = registry.pusher.manifest(repository, tag, content)
    name = f"{registry.host}/{repository}:{tag or made['digest']}"
    return Pushed(name, made["digest"], [one["digest"] for one in layers])


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch, identity: Identity) -> Iterator[Ecr]:
    """An empty repository, and a world that trusts the registry."""
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # `mirror` sets it, and this puts it back.
    monkeypatch.setenv(image_mirror.REPOSITORY, "")
    monkeypatch.setattr(image_mirror, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(
        world_module.World,
        "secret",
        lambda _world, _arn: {"SecretString": json.dumps({"username": USER, "password": PASSWORD})},
    )
    with ecr_server() as ecr:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.url)
        _aws.client.cache_clear()
        yield ecr
        _aws.client.cache_clear()


def mirror(
    name: str, kind: str = "Create", seconds: float = 900, only: str = "", **properties: str
) -> str:
    """Do what a request for an image asks, and return the digest that tasks run."""
    host, repository, _ = parse(name)
    os.environ[image_mirror.REPOSITORY] = only or f"{host}/{repository}"
    event: dict[str, Any] = {
        "RequestType": kind,
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Galv/1a2b",
        "LogicalResourceId": "BackendImage",
        "ResourceProperties": {
            "Image": name,
            "RepositoryName": "galv",
            "KeptImages": "5",
            "Architecture": "X86_64",
            "CredentialsArn": ARN,
            **properties,
        },
    }
    if kind != "Create":
        event["PhysicalResourceId"] = "BackendImage-1a2b"
    answer = image_mirror.on_event(event, Context(seconds))
    assert answer["PhysicalResourceId"] == "BackendImage-1a2b"
    return f"sha256:{answer['Data']['DigestHex']}" if "Data" in answer else ""


def refusal(name: str, **more: Any) -> str:
    with pytest.raises(image_mirror.MirrorError) as caught:
        mirror(name, **more)
    return str(caught.value)


@pytest.mark.parametrize("kinds", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_copies_an_image_with_its_layers(
    registry: Registry, ecr: Ecr, kinds: tuple[str, ...]
) -> None:
    image = push(registry, f"v1-{kinds is OCI}".lower(), 3, LARGE, kinds=kinds)

    digest = mirror(image.name)

    assert digest == image.digest
    copied, _mark = ecr.images.values()
    assert copied["imageManifestMediaType"] == kinds[0]
    # The digests of both, and of the configuration, were checked by ECR.
    assert set(image.layers) < set(ecr.layers)
    assert ecr.layers[image.layers[1]] == LARGE


def test_layers_that_are_there_are_not_copied_again(registry: Registry, ecr: Ecr) -> None:
    first = push(registry, "v2", 100, 200, seed="shared")
    mirror(first.name)
    second = push(registry, "v3", 100, 200, 300, seed="shared")
    ecr.calls.clear()

    mirror(second.name)

    assert ecr.calls.count("InitiateLayerUpload") == 1


def test_a_version_that_is_there_is_not_copied_again(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v4", 100)
    there = mirror(image.name)
    ecr.calls.clear()

    assert mirror(image.name, "Update") == there
    assert ecr.calls == ["BatchGetImage", "ListImages"]


def deployed(ecr: Ecr) -> list[str]:
    """The digests that are tagged as deployed, oldest first."""
    return [
        ecr.images[tag]["imageId"]["imageDigest"]
        for tag in sorted(ecr.images)
        if tag.startswith(_deployed.PREFIX)
    ]


def test_what_one_goes_back_to_is_tagged_as_deployed_again(registry: Registry, ecr: Ecr) -> None:
    old = push(registry, "v30", 100)
    new = push(registry, "v31", 100)

    for image in (old, new, old):
        mirror(image.name, "Update")

    assert deployed(ecr) == [old.digest, new.digest, old.digest]


def test_another_version_of_the_same_image_is_no_other_deployment(
    registry: Registry, ecr: Ecr
) -> None:
    image = push(registry, "v32", 100)
    push(registry, "latest", 100, seed="v32")

    mirror(image.name)
    mirror(image.name.replace(":v32", ":latest"), "Update", AsOf="2026-11-27")

    assert deployed(ecr) == [image.digest]


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Set the status that CloudFormation tells of the stack; none if it does not answer."""
    return lambda status: monkeypatch.setattr(image_mirror, "stack_status", lambda _id: status)


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", ""])
def test_a_rollback_goes_on_without_a_tag(
    registry: Registry,
    ecr: Ecr,
    stack: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    status: str,
) -> None:
    stack(status)
    image = push(registry, f"v33-{status.lower()}", 100)
    mirror(image.name)
    other = push(registry, f"v34-{status.lower()}", 100)
    mirror(other.name, "Update")
    ecr.faults["PutImage"] = [raising("AccessDeniedException")]

    assert mirror(image.name, "Update") == image.digest
    assert deployed(ecr) == [image.digest, other.digest]
    assert f"{image.digest} is not kept: " in caplog.text


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_deployment_whose_image_could_not_be_kept_fails(
    registry: Registry, ecr: Ecr, stack: Callable[[str], None], kind: str
) -> None:
    stack("UPDATE_IN_PROGRESS")
    image = push(registry, f"v35-{kind.lower()}", 100)
    ecr.faults["ListImages"] = [raising("AccessDeniedException")]

    reason = refusal(image.name, kind=kind)

    assert "is in the repository galv, and could not be kept there: " in reason
    assert "AccessDeniedException happened" in reason


def unreachable(*_arguments: object, **_options: object) -> None:
    raise UnreachableError("the registry", "it is away")


def test_a_registry_that_is_away_stops_no_rollback(
    registry: Registry,
    ecr: Ecr,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = push(registry, "v5", 100)
    mirror(image.name)
    # It is no registry any more.
    monkeypatch.setattr(world_module.World, "stream", unreachable)

    assert mirror(image.name, "Update") == image.digest
    assert "whether the version was moved is not known" in caplog.text


def test_a_version_that_was_moved_is_told_and_stays(
    registry: Registry, ecr: Ecr, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    before = push(registry, "v6", 100, seed="before")
    mirror(before.name)
    after = push(registry, "v6", 100, seed="after")

    assert mirror(after.name, "Update") == before.digest
    assert f"is {after.digest} at its registry by now, and {before.digest} runs" in caplog.text


def test_what_is_asked_for_as_of_a_day_is_the_newest_of_that_day(
    registry: Registry, ecr: Ecr
) -> None:
    monday = push(registry, "latest", 100, seed="monday")
    assert mirror(monday.name, AsOf="2026-11-23") == monday.digest
    friday = push(registry, "latest", 100, seed="friday")

    assert mirror(friday.name, "Update", AsOf="2026-11-27") == friday.digest
    # As a rollback asks, and a second delivery.
    assert mirror(friday.name, "Update", AsOf="2026-11-23") == monday.digest


def test_the_latest_of_no_day_is_refused(ecr: Ecr) -> None:
    reason = refusal("ghcr.io/galv-team/galv-backend:latest")

    assert "'latest' is of a day, and the template has none" in reason
    assert ecr.calls == []


def test_an_index_gives_the_image_of_the_architecture(registry: Registry, ecr: Ecr) -> None:
    images = [push(registry, "", 100, seed=name) for name in ("amd64", "arm64", "unknown")]
    sizes = [len(fetched(registry, image.digest)) for image in images]
    platforms = [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64"},
        {"os": "unknown", "architecture": "unknown"},
    ]
    registry.pusher.manifest(
        "galv/backend",
        "v7",
        {
            "schemaVersion": 2,
            "mediaType": OCI[3],
            "manifests": [
                {"mediaType": OCI[0], "digest": image.digest, "size": size, "platform": platform}
                for image, size, platform in zip(images, sizes, platforms, strict=True)
            ],
        },
    )
    name = f"{registry.host}/galv/backend:v7"

    assert mirror(name) == images[0].digest
    assert mirror(name, Architecture="ARM64") == images[1].digest


def fetched(registry: Registry, digest: str) -> bytes:
    """The manifest of a digest, byte for byte."""
    request = Request(f"https://{registry.host}/v2/galv/backend/manifests/{digest}")
    request.add_header("Accept", OCI[0])
    request.add_header("Authorization", f"Basic {registry.pusher._basic}")
    with urlopen(request, context=registry.identity.context(), timeout=10) as answer:
        body: bytes = answer.read()
    return body


def test_an_image_for_another_architecture_is_refused(registry: Registry, ecr: Ecr) -> None:
    digest = registry.pusher.index("galv/backend", "v8", "amd64")

    reason = refusal(f"{registry.host}/galv/backend@{digest}", Architecture="ARM64")

    assert "it is not for linux/arm64, but for linux/amd64, unknown/unknown" in reason
    assert ecr.images == {}


def test_a_version_that_is_pinned_by_its_digest(registry: Registry, ecr: Ecr) -> None:
    old = push(registry, "v9", 100, seed="old")
    new = push(registry, "v9", 100, seed="new")
    name = f"{registry.host}/galv/backend:v9"

    assert mirror(f"{name}@{old.digest}") == old.digest
    assert mirror(f"{name}@{new.digest}", "Update") == new.digest


def test_delete_keeps_what_was_copied(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v10", 100)
    mirror(image.name)
    ecr.calls.clear()

    assert mirror(image.name, "Delete") == ""
    assert ecr.calls == []


def test_a_request_that_is_delivered_twice_at_the_same_time(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v11", LARGE, 100)
    found: list[str] = []
    both = [threading.Thread(target=lambda: found.append(mirror(image.name))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert found == [image.digest, image.digest]
    assert ecr.arrived == [image.digest]


Fault = Callable[[Handler, Callable[[], bytes]], None]


@dataclass
class Between:
    """A server before the registry, with faults when layers are asked for."""

    registry: Registry
    faults: list[Fault]
    asked: list[str]
    host: str = ""
    only: str = ""
    """The layer that has the faults. Default: whatever is asked for."""

    def respond(self, request: Handler) -> None:
        asked_range = request.headers.get("Range", "")
        self.asked.append(f"{request.path.rpartition('/')[2]} {asked_range}".strip())

        def real() -> bytes:
            onward = Request(f"https://{self.registry.host}{request.path}")
            for name in ("Accept", "Authorization", "Range"):
                if request.headers.get(name):
                    onward.add_header(name, request.headers[name])
            with urlopen(onward, context=self.registry.identity.context(), timeout=20) as answer:
                body: bytes = answer.read()
            return body

        if request.headers.get("Authorization") is None:
            request.answer(401, b"", {"WWW-Authenticate": 'Basic realm="registry"'})
        elif "/blobs/" in request.path and self.only in request.path and self.faults:
            self.faults.pop(0)(request, real)
        else:
            kind = {"Content-Type": OCI[0]}
            request.answer(206 if asked_range else 200, real(), kind)


@pytest.fixture
def between(registry: Registry, identity: Identity) -> Iterator[Between]:
    server = Between(registry, [], [])
    with https_server(identity, server.respond) as host:
        server.host = host
        yield server


def dropped(request: Handler, real: Callable[[], bytes]) -> None:
    """Send a third, and hang up."""
    body = real()
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[: len(body) // 3])
    request.wfile.flush()
    request.close_connection = True


@pytest.mark.parametrize(
    "manifest", [[], {}, {"manifests": None}, {"layers": []}, {"config": {}, "layers": 5}]
)
def test_a_manifest_that_is_none_is_the_reason(
    registry: Registry, ecr: Ecr, identity: Identity, manifest: object
) -> None:
    sent = json.dumps(manifest).encode()

    def confused(request: Handler) -> None:
        request.answer(200, sent, {"Content-Type": OCI[0]})

    with https_server(identity, confused) as host:
        reason = refusal(f"{host}/galv/backend:v1")

    assert reason.startswith(f"Image {host}/galv/backend:v1 was not copied: ")
    assert "manifest" in reason


def test_a_registry_that_sends_nonsense_stops_no_rollback(
    registry: Registry, ecr: Ecr, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push(registry, "v27", 100)
    mirror(image.name)
    nonsense = Reply(200, {"content-type": OCI[0]}, b"[]", "")
    monkeypatch.setattr(registry_module.Registry, "manifest_as_sent", lambda *_: nonsense)

    assert mirror(image.name, "Update") == image.digest


def test_a_version_of_a_fork_is_another_image(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v28", 100, seed="original")
    mirror(image.name)
    fork = push(registry, "v28", 100, seed="fork")

    # The server between has another name, and by now another image of that version.
    assert mirror(through(between, fork), "Update") == fork.digest


def test_no_other_repository_is_copied(ecr: Ecr) -> None:
    only = "ghcr.io/galv-team/galv-backend"

    reason = refusal("registry.example.com/galv-team/galv-backend:v2.11.4", only=only)

    assert "the function copies ghcr.io/galv-team/galv-backend and no other image" in reason
    assert ecr.calls == []


def test_an_image_of_which_ecr_tells_nothing_is_not_copied_over(
    registry: Registry, ecr: Ecr, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = push(registry, "v29", 100)
    failure = {"failureCode": "KmsError", "failureReason": "the key is disabled"}
    monkeypatch.setattr(Ecr, "BatchGetImage", lambda *_: {"images": [], "failures": [failure]})

    assert "does not say whether it is there: the key is disabled" in refusal(image.name)
    assert "InitiateLayerUpload" not in ecr.calls


def through(between: Between, image: Pushed) -> str:
    return image.name.replace(between.registry.host, between.host)


def test_a_connection_that_drops_in_a_layer_is_taken_up_where_it_was(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v12", LARGE)
    between.only = image.layers[0]
    between.faults = [dropped, dropped]

    assert mirror(through(between, image)) == image.digest
    assert ecr.layers[image.layers[0]] == LARGE
    assert any(f"bytes={LARGE // 3}-" in asked for asked in between.asked)


def test_a_registry_that_sends_all_of_a_layer_again_is_read_from_where_it_was(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v13", LARGE)
    between.only = image.layers[0]
    between.faults = [dropped, lambda request, _real: request.answer(200, layer(LARGE, "v13 0"))]

    assert mirror(through(between, image)) == image.digest


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_throttles_or_fails_is_asked_again(
    registry: Registry, ecr: Ecr, between: Between, status: int
) -> None:
    image = push(registry, f"v14-{status}", 100)
    between.faults = [lambda request, _real: request.answer(status)] * 2

    assert mirror(through(between, image)) == image.digest


def test_a_registry_that_throttles_for_ever_is_the_reason(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v15", 100)
    between.faults = [lambda request, _real: request.answer(429)] * 20

    reason = refusal(through(between, image))

    assert "its registry cannot be read" in reason
    assert "429" in reason


def test_a_token_that_ended_is_asked_for_again(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v16", 100)
    ended = {"WWW-Authenticate": 'Basic realm="registry"'}
    between.faults = [lambda request, _real: request.answer(401, b"", ended)]

    assert mirror(through(between, image)) == image.digest


def test_a_layer_with_another_content_is_not_kept(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v17", 100_000)
    between.only = image.layers[0]
    between.faults = [lambda request, real: request.answer(200, b"x" + real()[1:])]

    reason = refusal(through(between, image))

    assert f"for the layer {image.layers[0]}" in reason
    assert image.layers[0] not in ecr.layers
    assert ecr.images == {}


def test_a_layer_that_never_comes_is_the_reason(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v18", 100)

    def nothing(request: Handler, _real: Callable[[], bytes]) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.close_connection = True

    between.only = image.layers[0]
    between.faults = [nothing] * 40

    assert "its registry sends nothing of the layer" in refusal(through(between, image))


def test_a_manifest_with_another_digest_is_not_trusted(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v19", 100)
    other = image.digest.replace(image.digest[-4:], "0000")
    name = through(between, image).replace(":v19", f"@{other}")
    sent = fetched(registry, image.digest)

    def lying(request: Handler) -> None:
        request.answer(200, sent, {"Content-Type": OCI[0]})

    with https_server(registry.identity, lying) as host:
        reason = refusal(name.replace(between.host, host))

    assert f"the registry sent {image.digest} for {other}: it cannot be trusted" in reason


def test_an_image_that_is_not_there(registry: Registry, ecr: Ecr) -> None:
    reason = refusal(f"{registry.host}/galv/backend:v404")

    assert f"Image {registry.host}/galv/backend:v404 was not copied" in reason
    assert "its registry does not have it (404 MANIFEST_UNKNOWN" in reason


def test_credentials_that_are_wrong(
    registry: Registry, ecr: Ecr, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = json.dumps({"username": USER, "password": "another-password"})
    monkeypatch.setattr(world_module.World, "secret", lambda _world, _arn: {"SecretString": secret})
    image = push(registry, "v20", 100)

    reason = refusal(image.name)

    assert "does not show it with the credentials given" in reason
    assert "another-password" not in reason


@pytest.mark.parametrize("secret", ["no JSON", "{}", "[]"])
def test_credentials_of_another_form(
    registry: Registry, ecr: Ecr, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setattr(world_module.World, "secret", lambda _world, _arn: {"SecretString": secret})

    reason = refusal(f"{registry.host}/galv/backend:v1")

    assert f"its credentials in {ARN} are no JSON with username and password" in reason


def test_an_image_that_is_too_large(
    registry: Registry, ecr: Ecr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_mirror, "LARGEST_IMAGE", 1000)
    image = push(registry, "v21", 2000)

    assert "images of up to" in refusal(image.name)
    assert "InitiateLayerUpload" not in ecr.calls


def test_no_time_left_says_that_the_next_deployment_goes_on(
    registry: Registry, ecr: Ecr, between: Between
) -> None:
    image = push(registry, "v22", LARGE, 100)

    def slow(request: Handler, real: Callable[[], bytes]) -> None:
        body = real()
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        for start in range(0, len(body), MIB):
            try:
                request.wfile.write(body[start : start + MIB])
            except OSError:
                return
            time.sleep(0.2)

    between.only = image.layers[0]
    between.faults = [slow]
    reason = refusal(through(between, image), seconds=image_mirror.RESERVE + 1.5)

    assert "there was no time left" in reason
    assert "Deploy again" in reason
    # The small one was copied meanwhile, and is not copied again.
    ecr.calls.clear()
    assert mirror(image.name) == image.digest
    assert ecr.calls.count("InitiateLayerUpload") == 1


def raising(code: str, **more: Any) -> Callable[[Ecr, dict[str, Any]], None]:
    def fault(_ecr: Ecr, _asked: dict[str, Any]) -> None:
        raise RefusedError(code, f"{code} happened", **more)

    return fault


@pytest.mark.parametrize(
    "operation",
    [
        "BatchGetImage",
        "BatchCheckLayerAvailability",
        "InitiateLayerUpload",
        "UploadLayerPart",
        "CompleteLayerUpload",
        "PutImage",
    ],
)
def test_a_right_that_is_missing_is_the_reason(
    registry: Registry, ecr: Ecr, operation: str
) -> None:
    image = push(registry, f"v23-{operation.lower()}", 100)
    ecr.faults[operation] = [raising("AccessDeniedException")] * 4

    reason = refusal(image.name)

    assert "AccessDeniedException happened" in reason
    assert ecr.images == {}


def test_throttled_by_ecr_goes_on(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v24", LARGE)
    ecr.faults["UploadLayerPart"] = [raising("ThrottlingException")] * 2

    assert mirror(image.name) == image.digest


def test_a_part_whose_answer_was_lost_is_not_sent_for_ever(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v25", LARGE)

    def received_and_lost(ecr: Ecr, asked: dict[str, Any]) -> None:
        with ecr.lock:
            ecr.UploadLayerPart(asked)
        raise ConnectionAbortedError

    ecr.faults["UploadLayerPart"] = [received_and_lost]

    assert mirror(image.name) == image.digest
    assert ecr.layers[image.layers[0]] == LARGE


def test_a_layer_that_came_by_another_way_is_enough(registry: Registry, ecr: Ecr) -> None:
    image = push(registry, "v26", 100)

    def there(ecr: Ecr, asked: dict[str, Any]) -> None:
        ecr.layers[asked["layerDigests"][0]] = 100

    ecr.faults["CompleteLayerUpload"] = [there]

    assert mirror(image.name) == image.digest


# MiB of four layers at a time. With 400, 300, 200 and 124, a gigabyte, it took 381 MiB of memory.
SIZES = (100, 75, 50, 31)
PROGRAM = """
import json, sys
from galv_constructs.handlers import image_mirror
class Context:
    def get_remaining_time_in_millis(self):
        return 900_000
print(image_mirror.on_event(json.load(sys.stdin), Context())["Data"]["DigestHex"])
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


@pytest.mark.slow
def test_a_large_image_takes_bounded_memory(
    registry: Registry,
    ecr: Ecr,
    identity: Identity,
    tmp_path: Path,
    record_property: Any,
) -> None:
    made = [
        {"mediaType": OCI[2], **registry.pusher.blob("public/large", os.urandom(size * MIB))}
        for size in SIZES
    ]
    config = {"mediaType": OCI[1], **registry.pusher.blob("public/large", b"{}")}
    manifest = registry.pusher.manifest(
        "public/large",
        "v1",
        {"schemaVersion": 2, "mediaType": OCI[0], "config": config, "layers": made},
    )
    event: dict[str, Any] = {
        "RequestType": "Create",
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Galv/1a2b",
        "LogicalResourceId": "BackendImage",
        "ResourceProperties": {
            "RepositoryName": "galv",
            "KeptImages": "5",
        },
    }
    (tmp_path / "storage").symlink_to(registry.storage)
    # Without a password: the function runs in a process of its own, where no secret is replaced.
    with docker_registry(need("docker-registry")[0], tmp_path, identity, None) as host:
        event["ResourceProperties"]["Image"] = f"{host}/public/large:v1"
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(event),
            env=os.environ
            | {
                "PYTHONPATH": str(Path(image_mirror.__file__).parents[2]),
                image_mirror.REPOSITORY: f"{host}/public/large",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert f"sha256:{done.stdout.strip()}" == manifest["digest"]
    used = int(done.stderr.split()[-1]) / 1024
    record_property("seconds", time.monotonic() - began)
    record_property("mebibytes", used)
    # The function has 1024.
    assert used < 512, f"{used} MiB"


@pytest.mark.parametrize(
    ("version", "as_of"),
    [
        # Cut to what ECR takes, each would be the tag of v2.12.0, or of the pinned one.
        ("v2.0.0", "-" * 130 + "v2.12.0"),
        ("v2.0.0", "-" * 130 + f"v2.12.0-{'0' * 64}"),
        ("v2.12.0@v2.0.0?x:" + "0" * 64, ""),
        ("v2.0.0", "2026-11-27"),
        ("latest", "tomorrow"),
        ("-v2.12.0", ""),
    ],
)
def test_nobody_takes_the_tag_of_another_version(
    registry: Registry, ecr: Ecr, version: str, as_of: str
) -> None:
    image = push(registry, "v2.0.0", 100)

    reason = refusal(
        image.name.replace(":v2.0.0", f":{version}"), **({"AsOf": as_of} if as_of else {})
    )

    assert "its tag or its digest is none" in reason or "is no day, or the tag is not" in reason
    assert ecr.calls == []


def test_a_version_that_is_too_long_for_a_tag_has_one_all_the_same(
    registry: Registry, ecr: Ecr
) -> None:
    long, other = (push(registry, f"{'v' * 120}{end}", 100) for end in "ab")

    assert mirror(long.name) == long.digest
    assert mirror(other.name) == other.digest
