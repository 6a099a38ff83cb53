"""An image, copied from its registry to a repository of Amazon ECR while CloudFormation deploys.

A handler for the Provider framework of `aws_cdk.custom_resources`. It reads layers over the
registry's HTTP API and writes them to ECR's API in parts, several layers at a time, without Docker
and without a disk. What it answers is the digest that tasks run; what it raises is the reason that
CloudFormation shows.

In ECR an image has a tag for what was asked for, which never moves: a rollback, and a deployment of
the same version, find it there and need no registry. An image that is asked for as of a day has the
day in that tag, so that `latest` is one image in all of a deployment, and in its rollback. What
was deployed has more tags, which keep it: see `_deployed`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

from botocore import exceptions as aws

from ._answers import AWS_ERRORS, error_code
from ._aws import REASON_LIMIT, client, clip, kept_id, stack_status
from ._deployed import NotMarkedError, mark
from ._preflight.registry import INDEXES, PLATFORMS, AbsentError, RefusedError, Registry, parse
from ._preflight.unreachable import UnreachableError
from ._preflight.world import Reply, World
from ._redact import redact

Json = dict[str, Any]
Answer = TypeVar("Answer")

AT_ONCE = 4
# Bytes: what is larger is most likely a mistake, and would not be copied in time.
LARGEST_IMAGE = 4 * 1024**3
# Seconds before Lambda ends the function: enough to say why.
RESERVE = 20
PAUSES = (1, 2, 4, 8, 16)
# The function copies this repository and no other: who may invoke it can neither send a password
# to a registry of theirs, nor put an image of theirs where tasks find it.
REPOSITORY = "GALV_REPOSITORY"
# What BatchCheckLayerAvailability takes:
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html
LAYERS_A_CALL = 100
_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LONGEST_TAG = 128
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class MirrorError(Exception):
    """The image was not copied; the text is the reason for CloudFormation."""


class Layer(NamedTuple):
    """A layer of an image, or its configuration."""

    digest: str
    size: int


class Image(NamedTuple):
    """The image for one platform."""

    digest: str
    media_type: str
    manifest: bytes
    layers: list[Layer]


def on_event(event: Json, context: Any) -> Json:
    """Copy the image that the request asks for, unless it is there.

    Raises:
        MirrorError: The image is not in ECR; what was copied of it is not copied again.
    """
    # Kept: what ran before stays until the repository drops it.
    kept = kept_id(event)
    if event["RequestType"] == "Delete":
        return {"PhysicalResourceId": kept}
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVE
    world = World(seconds=seconds)
    try:
        digest = Mirror(event["ResourceProperties"], world).digest()
        _mark(event, digest)
    except MirrorError as failure:
        raise MirrorError(clip(_redacted(failure, world), REASON_LIMIT)) from failure
    # By itself, since CDK takes a reference for a tag unless "sha256:" stands before it.
    return {"PhysicalResourceId": kept, "Data": {"DigestHex": digest.partition(":")[2]}}


def _mark(event: Json, digest: str) -> None:
    """Keep the image from the lifecycle policy, and others no longer.

    A rollback goes on without that: it would leave the stack in UPDATE_ROLLBACK_FAILED.
    """
    properties = event["ResourceProperties"]
    repository = properties["RepositoryName"]
    try:
        mark(repository, digest, int(properties["KeptImages"]))
    except NotMarkedError as failure:
        # A rollback updates and deletes, it does not create.
        status = stack_status(event["StackId"]) if event["RequestType"] == "Update" else "new"
        if status and "ROLLBACK" not in status:
            raise MirrorError(
                f"Image {properties['Image']} is in the repository {repository}, and could not be "
                f"kept there: {failure}"
            ) from failure
        log.warning("%s is not kept: %s", digest, failure)


def _redacted(error: Exception, world: World) -> str:
    return redact(world.redact(str(error)))


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Mirror:
    """One image, at its registry and in ECR."""

    def __init__(self, properties: Json, world: World) -> None:
        """Take the properties of the resource."""
        self.name = properties["Image"]
        self.repository = properties["RepositoryName"]
        self.architecture = properties.get("Architecture", "X86_64")
        self.as_of = properties.get("AsOf", "")
        self.credentials_arn = properties.get("CredentialsArn", "")
        self.world = world
        self.deadline = monotonic() + world.seconds_left
        self.pauses: tuple[float, ...] = PAUSES
        self.stopped = threading.Event()

    def digest(self) -> str:
        """Return the digest of the image in ECR, where it is copied unless it is there."""
        self._check_repository()
        self._check_version()
        if parse(self.name).version == "latest" and not self.as_of:
            raise self._failure(
                "'latest' is of a day, and the template has none: name it when the application is "
                "synthesized, not in a parameter of the stack"
            )
        there = self._digest_in_ecr()
        if there:
            log.info("%s is %s in %s already", self.name, there, self.repository)
            self._tell_if_moved(there)
            return there
        registry = self._registry()
        image = self._image(registry)
        size = sum(layer.size for layer in image.layers)
        if size > LARGEST_IMAGE:
            raise self._failure(
                f"it has {size / 1024**3:.1f} GiB, and images of up to "
                f"{LARGEST_IMAGE // 1024**3} GiB are copied: push it to a repository of your own "
                "in Amazon ECR, and pass that as the image"
            )
        missing = self._missing(image.layers)
        log.info(
            "%s is %s: %d of %d layers are to be copied, %d bytes",
            self.name,
            image.digest,
            len(missing),
            len(image.layers),
            sum(layer.size for layer in missing),
        )
        self._copy_all(registry, missing)
        return self._put(image)

    def _check_repository(self) -> None:
        host, repository, _ = parse(self.name)
        if (host, repository) != parse(os.environ[REPOSITORY])[:2]:
            raise self._failure(f"the function copies {os.environ[REPOSITORY]} and no other image")

    def _check_version(self) -> None:
        """Refuse what would become another version's tag in ECR: tags there never move."""
        name, _, digest = self.name.partition("@")
        version = parse(name).version
        if not _TAG.fullmatch(version) or (digest and not _DIGEST.fullmatch(digest)):
            raise self._failure("its tag or its digest is none")
        if self.as_of and not (version == "latest" and _DAY.fullmatch(self.as_of)):
            raise self._failure(f"{self.as_of!r} is no day, or the tag is not 'latest'")

    @property
    def tag(self) -> str:
        """The tag in ECR: what was asked for, the day where there is one, architecture and source.

        A digest is part of it, since an image that is named by tag and digest is another one when
        the digest is; and so is where it comes from, since a version of a fork is another image.
        """
        host, repository, version = parse(self.name)
        name, _, digest = self.name.partition("@")
        if digest:
            _, _, tag = parse(name)
            version = f"{tag}-{digest.partition(':')[2]}"
        day = f"-{self.as_of}" if self.as_of else ""
        source = hashlib.sha256(f"{host}/{repository}".encode()).hexdigest()[:8]
        end = f"-{PLATFORMS[self.architecture]}-{source}"
        start = f"{version}{day}"
        if len(start) + len(end) > _LONGEST_TAG:
            start = hashlib.sha256(start.encode()).hexdigest()
        return f"{start}{end}"

    def _tell_if_moved(self, there: str) -> None:
        """Say in the log that a version is another image at its registry by now.

        What was deployed once goes on: nothing in ECR is replaced.
        """
        if "@" in self.name or self.as_of:
            return
        self.pauses = ()
        try:
            now = self._image(self._registry()).digest
        except MirrorError as failure:
            why = _redacted(failure, self.world)
            log.warning("whether the version was moved is not known: %s", why)
            return
        if now != there:
            log.warning("%s is %s at its registry by now, and %s runs", self.name, now, there)

    def _digest_in_ecr(self) -> str:
        try:
            found = client("ecr").batch_get_image(
                repositoryName=self.repository, imageIds=[{"imageTag": self.tag}]
            )
        except AWS_ERRORS as error:
            raise self._failure(f"Amazon ECR does not say whether it is there: {error}") from error
        if found["images"]:
            return str(found["images"][0]["imageId"]["imageDigest"])
        (failure,) = found["failures"]
        if failure["failureCode"] != "ImageNotFound":
            raise self._failure(
                f"Amazon ECR does not say whether it is there: {failure['failureReason']}"
            )
        return ""

    def _registry(self) -> Registry:
        host, repository, _ = parse(self.name)
        if not self.credentials_arn:
            return Registry(self.world, host, repository)
        try:
            content = json.loads(self.world.secret(self.credentials_arn)["SecretString"])
            credentials = (str(content["username"]), str(content["password"]))
        except AWS_ERRORS as error:
            raise self._failure(f"its credentials could not be read: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._failure(
                f"its credentials in {self.credentials_arn} are no JSON with username and password"
            ) from error
        return Registry(self.world, host, repository, credentials)

    def _image(self, registry: Registry) -> Image:
        try:
            return self._image_of(registry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._failure(
                f"its registry sent a manifest that is none ({type(error).__name__}: {error})"
            ) from error

    def _image_of(self, registry: Registry) -> Image:
        _, _, version = parse(self.name)
        reply = self._manifest(registry, version)
        content = reply.json()
        if content.get("mediaType", reply.headers.get("content-type")) in INDEXES:
            version = self._of_platform(content)
            reply = self._manifest(registry, version)
            content = reply.json()
        if "layers" not in content:
            raise self._failure(
                f"the registry sent a manifest of schema {content.get('schemaVersion')} without "
                "layers, which Amazon ECR does not take: push the image again with a newer Docker"
            )
        parts = {one["digest"]: one["size"] for one in (content["config"], *content["layers"])}
        return Image(
            digest=_digest_of(reply.body),
            media_type=content.get("mediaType") or reply.headers["content-type"],
            manifest=reply.body,
            layers=[Layer(digest, int(size)) for digest, size in parts.items()],
        )

    def _manifest(self, registry: Registry, version: str) -> Reply:
        """Return a manifest, which has the digest that it was asked for by."""

        def ask() -> Reply:
            sent = registry.manifest_as_sent(version)
            sent.json()  # Raises where it is none.
            return sent

        reply = self._asked(ask)
        digest = _digest_of(reply.body)
        if _DIGEST.fullmatch(version) and digest != version:
            raise self._failure(f"the registry sent {digest} for {version}: it cannot be trusted")
        return reply

    def _of_platform(self, index: Json) -> str:
        wanted = ("linux", PLATFORMS[self.architecture])
        found = []
        for one in index["manifests"]:
            platform = one.get("platform", {})
            platform = (platform.get("os"), platform.get("architecture"))
            if platform == wanted:
                return str(one["digest"])
            found.append("/".join(map(str, platform)))
        raise self._failure(
            f"it is not for {'/'.join(wanted)}, but for {', '.join(found)}: change the "
            "architecture of the task, or the image"
        )

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        """Ask the registry, and again where that may help."""
        pauses = iter(self.pauses)
        while True:
            try:
                return ask()
            except AbsentError as error:
                raise self._failure(
                    f"its registry does not have it ({error}): correct the version, or push it"
                ) from error
            except RefusedError as error:
                how = "with the credentials given" if self.credentials_arn else "to the public"
                raise self._failure(f"its registry does not show it {how} ({error})") from error
            except UnreachableError as error:
                pause = next(pauses, None)
                if pause is None or self._seconds_left() <= pause or self.stopped.is_set():
                    raise self._failure(f"its registry cannot be read: {error}") from error
                log.warning("%s; again in %d s", _redacted(error, self.world), pause)
            sleep(pause)

    def _missing(self, layers: list[Layer]) -> list[Layer]:
        """Return the layers that ECR has not."""
        there: set[str] = set()
        for start in range(0, len(layers), LAYERS_A_CALL):
            digests = [layer.digest for layer in layers[start : start + LAYERS_A_CALL]]
            found = self._written(
                "batch_check_layer_availability",
                "told which layers are there",
                layerDigests=digests,
            )
            there |= {
                one["layerDigest"]
                for one in found["layers"]
                if one["layerAvailability"] == "AVAILABLE"
            }
        return [layer for layer in layers if layer.digest not in there]

    def _copy_all(self, registry: Registry, layers: list[Layer]) -> None:
        # The largest first, so that it does not begin when all others are done.
        ordered = sorted(layers, key=lambda layer: layer.size, reverse=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            copies = [pool.submit(self._copy, registry, layer) for layer in ordered]
            done, others = wait(copies, return_when=FIRST_EXCEPTION)
            if others:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)
        for copy in done:
            copy.result()

    def _copy(self, registry: Registry, layer: Layer) -> None:
        began = self._written("initiate_layer_upload", "written to")
        upload = {"uploadId": began["uploadId"]}
        hashed = hashlib.sha256()
        position = 0
        # As large as ECR asks for, and one after the other: it refuses a part that does not follow
        # on the last one.
        # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
        for part in self._parts(registry, layer, int(began["partSize"])):
            hashed.update(part)
            self._upload(upload, position, part)
            position += len(part)
        digest = f"sha256:{hashed.hexdigest()}"
        if digest != layer.digest:
            raise self._failure(f"the registry sent {digest} for the layer {layer.digest}")
        try:
            self._written(
                "complete_layer_upload", "written to", **upload, layerDigests=[layer.digest]
            )
        except _AlreadyThereError:
            log.info("layer %s came by another way", layer.digest)

    def _parts(self, registry: Registry, layer: Layer, size: int) -> Iterator[bytes]:
        """Read a layer in parts of one size, the last one shorter, over as many connections."""
        part = bytearray()
        position = 0
        stalled = 0
        while position < layer.size:
            before = position
            stream = self._asked(partial(registry.blob, layer.digest, position))
            with closing(stream):
                try:
                    while position < layer.size:
                        self._check_time(layer)
                        chunk = stream.read(min(_CHUNK, size - len(part), layer.size - position))
                        if not chunk:
                            break
                        part += chunk
                        position += len(chunk)
                        if len(part) == size:
                            yield bytes(part)
                            part.clear()
                except UnreachableError as error:
                    why = _redacted(error, self.world)
                    log.warning("layer %s at byte %d: %s", layer.digest, position, why)
            stalled = stalled + 1 if position == before else 0
            if stalled == len(PAUSES):
                raise self._failure(
                    f"its registry sends nothing of the layer {layer.digest} after byte {position}"
                )
            if stalled:
                sleep(PAUSES[stalled])
        if part:
            yield bytes(part)

    def _check_time(self, layer: Layer) -> None:
        if self.stopped.is_set():
            raise self._failure("another layer failed")
        if self._seconds_left() <= 0:
            raise self._failure(
                f"there was no time left while the layer {layer.digest} of "
                f"{layer.size / 1024**2:.0f} MiB was copied. Deploy again: layers that were copied "
                "are not copied again"
            )

    def _upload(self, upload: Json, first: int, part: bytes) -> None:
        last = first + len(part) - 1
        try:
            client("ecr").upload_layer_part(
                repositoryName=self.repository,
                **upload,
                partFirstByte=first,
                partLastByte=last,
                layerPartBlob=part,
            )
        except aws.ClientError as error:
            # boto3 asked again where no answer came, and the first time had been enough.
            if error.response.get("lastValidByteReceived") == last:
                return
            raise self._not_written("written to", error) from error
        except aws.BotoCoreError as error:
            raise self._not_written("written to", error) from error

    def _put(self, image: Image) -> str:
        try:
            self._written(
                "put_image",
                "written to",
                imageManifest=image.manifest.decode(),
                imageManifestMediaType=image.media_type,
                imageTag=self.tag,
                imageDigest=image.digest,
            )
        except _AlreadyThereError:
            # A request that is delivered twice is done twice at the same time.
            there = self._digest_in_ecr()
            if not there:
                raise self._failure("Amazon ECR has an image of that tag, and shows none") from None
            log.info("%s is %s already", self.tag, there)
            return there
        return image.digest

    def _written(self, operation: str, what: str, **arguments: Any) -> Any:
        try:
            return getattr(client("ecr"), operation)(repositoryName=self.repository, **arguments)
        except AWS_ERRORS as error:
            if error_code(error) in _ALREADY_THERE:
                raise _AlreadyThereError from error
            raise self._not_written(what, error) from error

    def _not_written(self, what: str, error: Exception) -> MirrorError:
        return self._failure(f"the repository {self.repository} could not be {what}: {error}")

    def _seconds_left(self) -> float:
        return self.deadline - monotonic()

    def _failure(self, why: str) -> MirrorError:
        return MirrorError(f"Image {self.name} was not copied: {why}")


class _AlreadyThereError(Exception):
    """ECR has it: somebody else was faster."""


_ALREADY_THERE = (
    "LayerAlreadyExistsException",
    "ImageAlreadyExistsException",
    "ImageTagAlreadyExistsException",
)
