"""Amazon ECR's API of layers on loopback, which refuses what ECR's documents say that it refuses.

moto knows images, and nothing of layers. The rules are those of
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html, of each operation's
page, and of https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from handlers.ecr_lifecycle import Pushed, expired

MIB = 1024 * 1024
SMALLEST_PART, LARGEST_PART = 5 * MIB, 10 * MIB
# https://docs.docker.com/reference/cli/docker/image/tag/; ECR's own model says 1 to 300 characters.
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")

Json = dict[str, Any]
Fault = Callable[["Ecr", Json], None]


class RefusedError(Exception):
    """An error of ECR: its code, and more members of its answer."""

    def __init__(self, code: str, message: str = "", *, status: int = 400, **more: object) -> None:
        super().__init__(code)
        self.code, self.message, self.status, self.more = code, message, status, more


@dataclass
class Upload:
    size: int = 0
    last_part: int | None = None
    parts: list[bytes] = field(default_factory=list)
    hashed: Any = field(default_factory=hashlib.sha256)


@dataclass
class Ecr:
    """A repository with immutable tags. It keeps digests and sizes, and bytes where asked to."""

    name: str = "galv"
    layers: dict[str, int] = field(default_factory=dict)
    images: dict[str, Json] = field(default_factory=dict)
    """By tag."""

    arrived: list[str] = field(default_factory=list)
    """Digests of images, the one that was pushed first before the others."""

    blobs: dict[str, bytes] | None = None
    """Where bytes of layers are kept, by digest."""

    uploads: dict[str, Upload] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    """What happens once before an operation, by its name."""

    page: int = 100
    """How many images an answer lists."""

    lock: Any = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, operation: str, asked: Json) -> Json:
        self.calls.append(operation)
        if self.faults.get(operation):
            self.faults[operation].pop(0)(self, asked)
        if asked["repositoryName"] != self.name:
            raise RefusedError("RepositoryNotFoundException", f"no {asked['repositoryName']}")
        with self.lock:
            result: Json = getattr(self, operation)(asked)
        return result

    def BatchCheckLayerAvailability(self, asked: Json) -> Json:  # noqa: N802 - as in its API
        digests = asked["layerDigests"]
        if not 1 <= len(digests) <= 100:
            raise RefusedError("InvalidParameterException", "1 to 100 layers")
        return {
            "layers": [
                {
                    "layerDigest": digest,
                    "layerAvailability": "AVAILABLE" if digest in self.layers else "UNAVAILABLE",
                }
                for digest in digests
            ],
            "failures": [],
        }

    def InitiateLayerUpload(self, _asked: Json) -> Json:  # noqa: N802
        id = f"upload-{len(self.uploads)}"
        self.uploads[id] = Upload()
        return {"uploadId": id, "partSize": LARGEST_PART}

    def UploadLayerPart(self, asked: Json) -> Json:  # noqa: N802
        upload = self._upload(asked)
        part = base64.b64decode(asked["layerPartBlob"])
        first, last = asked["partFirstByte"], asked["partLastByte"]
        if first != upload.size or last - first + 1 != len(part) or len(part) > LARGEST_PART:
            raise RefusedError("InvalidLayerPartException", lastValidByteReceived=upload.size - 1)
        # Only the last one may be shorter, and which is the last one shows when another follows.
        if upload.last_part is not None and upload.last_part < SMALLEST_PART:
            raise RefusedError("LayerPartTooSmallException")
        upload.size, upload.last_part = upload.size + len(part), len(part)
        upload.hashed.update(part)
        if self.blobs is not None:
            upload.parts.append(part)
        return {"uploadId": asked["uploadId"], "lastByteReceived": last}

    def CompleteLayerUpload(self, asked: Json) -> Json:  # noqa: N802
        upload = self._upload(asked)
        (digest,) = asked["layerDigests"]
        if upload.last_part is None:
            raise RefusedError("EmptyUploadException")
        if digest != f"sha256:{upload.hashed.hexdigest()}":
            raise RefusedError("InvalidLayerException", "the digest is another one")
        if digest in self.layers:
            raise RefusedError("LayerAlreadyExistsException")
        self.layers[digest] = upload.size
        if self.blobs is not None:
            self.blobs[digest] = b"".join(upload.parts)
            upload.parts.clear()
        return {"layerDigest": digest}

    def PutImage(self, asked: Json) -> Json:  # noqa: N802
        manifest = json.loads(asked["imageManifest"])
        digest = f"sha256:{hashlib.sha256(asked['imageManifest'].encode()).hexdigest()}"
        if asked.get("imageDigest", digest) != digest:
            raise RefusedError("ImageDigestDoesNotMatchException")
        parts = {one["digest"] for one in (manifest["config"], *manifest["layers"])}
        if missing := parts - set(self.layers):
            raise RefusedError("LayersNotFoundException", f"no {sorted(missing)}")
        id = {"imageDigest": digest, "imageTag": asked["imageTag"]}
        if not TAG.fullmatch(asked["imageTag"]):
            raise RefusedError("InvalidParameterException", f"no tag: {asked['imageTag']}")
        if there := self.images.get(asked["imageTag"]):
            same = there["imageId"] == id
            code = "ImageAlreadyExistsException" if same else "ImageTagAlreadyExistsException"
            raise RefusedError(code)
        image = {
            "imageId": id,
            "imageManifest": asked["imageManifest"],
            "imageManifestMediaType": manifest["mediaType"],
        }
        self.images[asked["imageTag"]] = image
        if digest not in self.arrived:
            self.arrived.append(digest)
        return {"image": image}

    def BatchGetImage(self, asked: Json) -> Json:  # noqa: N802
        (one,) = asked["imageIds"]
        found = next((i for i in self.images.values() if one.items() <= i["imageId"].items()), None)
        failure = {"imageId": one, "failureCode": "ImageNotFound", "failureReason": "not there"}
        return {"images": [found] if found else [], "failures": [] if found else [failure]}

    def ListImages(self, asked: Json) -> Json:  # noqa: N802
        ids = [image["imageId"] for image in self.images.values()]
        start, size = int(asked.get("nextToken", 0)), self.page
        more = {"nextToken": str(start + size)} if start + size < len(ids) else {}
        return {"imageIds": ids[start : start + size], **more}

    def BatchDeleteImage(self, asked: Json) -> Json:  # noqa: N802
        if not 1 <= len(asked["imageIds"]) <= 100:
            raise RefusedError("InvalidParameterException", "1 to 100 images")
        deleted, failures = [], []
        for one in asked["imageIds"]:
            tags = [tag for tag, i in self.images.items() if one.items() <= i["imageId"].items()]
            if not tags:
                code = {"failureCode": "ImageNotFound", "failureReason": "not there"}
                failures.append({"imageId": one, **code})
            deleted += [self.images.pop(tag)["imageId"] for tag in tags]
        self._forget()
        return {"imageIds": deleted, "failures": failures}

    def expire(self, policy: Json) -> None:
        """Do what the lifecycle policy says."""
        tags: dict[str, list[str]] = {digest: [] for digest in self.arrived}
        for tag, image in self.images.items():
            tags[image["imageId"]["imageDigest"]].append(tag)
        gone = expired(policy, [Pushed(id, tags[id]) for id in self.arrived])
        self.images = {
            tag: image
            for tag, image in self.images.items()
            if image["imageId"]["imageDigest"] not in gone
        }
        self._forget()

    def _forget(self) -> None:
        """Drop images without a tag: "When you remove the last tag, the image is deleted"."""
        there = {image["imageId"]["imageDigest"] for image in self.images.values()}
        self.arrived = [digest for digest in self.arrived if digest in there]

    def _upload(self, asked: Json) -> Upload:
        if asked["uploadId"] not in self.uploads:
            raise RefusedError("UploadNotFoundException")
        return self.uploads[asked["uploadId"]]


@contextlib.contextmanager
def ecr_server() -> Iterator[Ecr]:
    """ECR's endpoint, for clients that are told of its `url`."""
    ecr = Ecr()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 200
            try:
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                answer = ecr.answer(operation, json.loads(body))
            except RefusedError as error:
                status = error.status
                answer = {"__type": error.code, "message": error.message, **error.more}
            except ConnectionAbortedError:
                self.close_connection = True
                return
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    ecr.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield ecr
    finally:
        server.shutdown()
        server.server_close()
