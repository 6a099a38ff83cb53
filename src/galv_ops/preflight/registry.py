"""The least of a client of container registries: manifests, and the platforms that they are for.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import base64
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import urlencode

from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .world import Reply, Stream, World

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# Architectures of tasks, as ECS and as registries call them.
PLATFORMS = {"X86_64": "amd64", "ARM64": "arm64"}
DOCKER_HUB = "registry-1.docker.io"
OK, PARTIAL, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 206, 401, 403, 404


class Reference(NamedTuple):
    """The parts of an image's name."""

    host: str
    repository: str
    version: str
    """A tag, or a digest with its algorithm."""


def parse(image: str) -> Reference:
    """Take an image's name apart as Docker does.

    A first part without a dot, a port or `localhost` is no registry, and the registry is Docker's:
    https://pkg.go.dev/github.com/distribution/reference
    """
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not (re.search(r"[.:]", first) or first == "localhost"):
        first, rest = DOCKER_HUB, name if slash else f"library/{name}"
    if first in ("docker.io", "index.docker.io"):
        first, rest = DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    repository, colon, tag = rest.rpartition(":")
    if not colon:
        repository, tag = rest, ""
    return Reference(first, repository, digest or tag or "latest")


class RefusedError(Exception):
    """The registry does not show the image to who asks; the text is what it said."""


class AbsentError(Exception):
    """The registry does not have what was asked for; the text is what it said."""


class Registry:
    """One repository of a registry, with credentials where there are any."""

    def __init__(
        self, world: World, host: str, repository: str, credentials: tuple[str, str] | None = None
    ) -> None:
        """Take the host with its port, where it has one."""
        self._world = world
        self._host = host
        self._repository = repository
        self._base = f"https://{host}/v2/{repository}"
        self._basic = ""
        if credentials is not None:
            pair = ":".join(credentials)
            self._basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
            world.hide(self._basic.partition(" ")[2])
        self._authorization = ""

    def manifest(self, version: str) -> dict[str, Any]:
        """Return the manifest, or the index, of a tag or a digest.

        Raises:
            AbsentError: If there is none.
            RefusedError: If who asks may not see it.
            UnreachableError: If the registry does not answer.
        """
        return self._object(self.manifest_as_sent(version))

    def manifest_as_sent(self, version: str) -> Reply:
        """Return the manifest, or the index, with the bytes that its digest is of.

        Raises: as `manifest`.
        """
        return self._found(f"manifests/{version}", ", ".join((*INDEXES, *MANIFESTS)))

    def blob(self, digest: str, start: int = 0) -> Stream:
        """Return the bytes of a layer or a configuration, from a position on.

        Raises: as `manifest`.
        """
        stream = self._open(f"blobs/{digest}", {"Range": f"bytes={start}-"} if start else {})
        if stream.status not in (OK, PARTIAL):
            with closing(stream):
                self._refuse(stream.reply())
        # A server may send all, whatever it was asked for.
        if stream.status == OK:
            stream.skip(start)
        return stream

    def config(self, digest: str) -> dict[str, Any]:
        """Return the configuration of an image."""
        return self._json(f"blobs/{digest}", "*/*")

    def tags(self) -> list[str]:
        """Return tags that there are; none where the registry does not tell."""
        try:
            tags = self._json("tags/list?n=1000", "application/json").get("tags") or []
        except (AbsentError, RefusedError, UnreachableError):
            return []
        return [str(tag) for tag in tags]

    def _json(self, path: str, accept: str) -> dict[str, Any]:
        return self._object(self._found(path, accept))

    def _object(self, reply: Reply) -> dict[str, Any]:
        content = reply.json()
        if not isinstance(content, dict):
            raise UnreachableError(self._host, "its answer is no object of JSON")
        return content

    def _found(self, path: str, accept: str) -> Reply:
        with closing(self._open(path, {"Accept": accept})) as stream:
            reply = stream.reply()
        if reply.status != OK:
            self._refuse(reply)
        return reply

    def _open(self, path: str, headers: Mapping[str, str]) -> Stream:
        """Ask, and once more where the registry wants a token, or another one: tokens end."""
        stream = self._ask(path, headers)
        if stream.status != UNAUTHORIZED:
            return stream
        with closing(stream):
            challenge = stream.headers.get("www-authenticate", "")
        self._authorization = self._authorize(challenge)
        return self._ask(path, headers)

    def _ask(self, path: str, headers: Mapping[str, str]) -> Stream:
        private = {"Authorization": self._authorization} if self._authorization else {}
        return self._world.stream(f"{self._base}/{path}", headers, private=private)

    def _refuse(self, reply: Reply) -> NoReturn:
        said = _said(reply)
        if reply.status == NOT_FOUND:
            raise AbsentError(said)
        if reply.status in (UNAUTHORIZED, FORBIDDEN):
            raise RefusedError(said)
        raise UnreachableError(self._host, f"it answers {said}", reply.status)

    def _authorize(self, challenge: str) -> str:
        """Return what the registry asks for.

        https://distribution.github.io/distribution/spec/auth/token/
        """
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            if not self._basic:
                raise RefusedError("it asks for a user name and a password")
            return self._basic
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if scheme.lower() != "bearer" or "realm" not in fields:
            raise UnreachableError(self._host, f"it asks for credentials of a kind {scheme!r}")
        query = {
            "scope": f"repository:{self._repository}:pull",
            **{name: fields[name] for name in ("service", "scope") if name in fields},
        }
        private = {"Authorization": self._basic} if self._basic else {}
        joint = "&" if "?" in fields["realm"] else "?"
        reply = self._world.get(f"{fields['realm']}{joint}{urlencode(query)}", private=private)
        if reply.status in (UNAUTHORIZED, FORBIDDEN):
            raise RefusedError(_said(reply))
        if reply.status != OK:
            raise UnreachableError(
                self._host, f"its token service answers {_said(reply)}", reply.status
            )
        answer = reply.json()
        token = (
            answer.get("token") or answer.get("access_token") if isinstance(answer, dict) else ""
        )
        if not token:
            raise UnreachableError(self._host, "its token service gives no token")
        self._world.hide(str(token))
        return f"Bearer {token}"


def _said(reply: Reply) -> str:
    """Return the status of an answer, and the first error in it."""
    try:
        first = reply.json()["errors"][0]
        return f"{reply.status} {first['code']}: {first.get('message', '')}".rstrip(": ")
    except (UnreachableError, KeyError, IndexError, TypeError):
        return str(reply.status)
