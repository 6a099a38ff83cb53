"""The world that a preflight asks: AWS, web servers and name servers, each with little patience."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

import boto3
from botocore.config import Config

from .dns import Answer, resolve, system_resolvers
from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

# Seconds. A healthy server answers in a fraction of that.
PATIENCE = 5.0
LARGEST_REPLY = 16 * 1024 * 1024
_CHUNK = 64 * 1024
# What is shorter would be found in ordinary words, and what is short within other words.
SHORTEST_SECRET = 4
SHORT_SECRET = 12
# Keys of which no value is secret, in lower case without signs, most of them as AWS names them:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
PUBLIC_KEYS = frozenset(
    (
        "database",
        "dbclusteridentifier",
        "dbinstanceidentifier",
        "dbname",
        "engine",
        "host",
        "hostname",
        "masterarn",
        "port",
        "region",
        "user",
        "username",
    )
)
HIDDEN = "[redacted]"
# A text that is no part of a longer word or name, such as `a-text` or `text.example`.
_WHOLE = r"(?<![\w-])(?<!\w\.){}(?![\w-])(?!\.\w)"


@dataclass(frozen=True)
class Reply:
    """The answer of a web server."""

    status: int

    headers: Mapping[str, str]
    """Headers, by their names in lower case."""

    body: bytes

    url: str
    """Where it came from, after redirects."""

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            UnreachableError: If it is none; a server that answers so is not the one that was meant.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnreachableError(self.url, "its answer is no JSON") from error


class Stream:
    """The answer of a web server whose body is still to be read."""

    def __init__(self, url: str, answer: Any, timeout: Callable[[], float]) -> None:
        self._url = url
        self._answer = answer
        self._timeout = timeout
        self.status = int(answer.status or 0)
        self.headers = {name.lower(): value for name, value in answer.headers.items()}

    def close(self) -> None:
        """Read no more."""
        self._answer.close()

    def read(self, size: int) -> bytes:
        """Read at most so many bytes; none at the end, or where the connection was dropped.

        Raises:
            UnreachableError: If nothing comes.
        """
        try:
            part: bytes = self._answer.read1(size)
        except (OSError, HTTPException) as error:
            raise _unreachable(self._url, error) from error
        return part

    def skip(self, size: int) -> None:
        """Read so many bytes for nothing."""
        while size > 0 and (part := self.read(min(size, _CHUNK))):
            size -= len(part)

    def reply(self) -> Reply:
        """Read a body that is no file, whose server may send a byte at a time and never end."""
        parts: list[bytes] = []
        size = 0
        seconds = self._timeout()
        until = time.monotonic() + seconds
        while part := self.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > LARGEST_REPLY:
                raise UnreachableError(self._url, f"its answer has more than {LARGEST_REPLY} bytes")
            if time.monotonic() > until:
                raise UnreachableError(self._url, f"its answer took {seconds:.2g} s and more")
        return Reply(self.status, self.headers, b"".join(parts), self._answer.geturl())


class _HttpsOnly(HTTPRedirectHandler):
    """Follows redirects as they are meant, but not to where all can read what is asked."""

    def redirect_request(self, *told: Any) -> Request | None:
        address = told[-1]
        if not address.startswith("https://"):
            raise URLError(f"it redirects to {address}, which is not HTTPS")
        request: Request = told[0]
        redirected = super().redirect_request(*told)
        # Python before 3.13 would get the file that only its head was asked of.
        if redirected is not None and request.get_method() == "HEAD":
            redirected.method = "HEAD"
        return redirected


class World:
    """AWS, web servers and name servers, until a deadline.

    Args:
        region: Region of AWS where a question names none. Default: that of the session.
        session: The credentials. Default: boto3's own.
        resolver: Address and port of the name server. Default: those of `/etc/resolv.conf`.
        seconds: How long the world is asked. Default: a minute.
        credentials: Registries, each with the ARN of a secret whose credentials it may be sent.
            Default: a question decides, so that it must come from somebody who may read the secret.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        session: Any = None,
        resolver: tuple[str, int] | None = None,
        seconds: float = 60,
        credentials: Collection[tuple[str, str]] | None = None,
    ) -> None:
        self._session = session
        self._region = region
        self._resolver = resolver
        self._credentials = credentials
        self._clients: dict[tuple[str, str | None, float, int], Any] = {}
        self._hidden: set[str] = set()
        # boto3 creates clients in one thread at a time.
        self._lock = threading.Lock()
        self._opener = build_opener(
            _HttpsOnly(), HTTPSHandler(context=ssl.create_default_context())
        )
        self.start(seconds)

    def start(self, seconds: float) -> None:
        """Set the deadline."""
        self._deadline = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """The time that is left, never negative."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def region(self) -> str:
        """The region of a client for which none is named."""
        with self._lock:
            return self._region or str(self._own_session().region_name)

    def client(
        self,
        service: str,
        region: str | None = None,
        *,
        patience: float = PATIENCE,
        attempts: int = 2,
    ) -> Any:
        """Return the client of an AWS service, created at its first use.

        Args:
            service: The service.
            region: The region. Default: that of the session.
            patience: Seconds to wait for an answer.
            attempts: How often it is asked where it fails.
        """
        key = (service, region or self._region, patience, attempts)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._own_session().client(
                    service,
                    region_name=key[1],
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": attempts},
                        connect_timeout=PATIENCE,
                        read_timeout=patience,
                        max_pool_connections=32,
                    ),
                )
            return self._clients[key]

    def _own_session(self) -> Any:
        if self._session is None:
            self._session = boto3.Session()
        return self._session

    def may_send(self, host: str, arn: str) -> bool:
        """Tell whether a registry may be sent the credentials in a secret."""
        return self._credentials is None or (host, arn) in self._credentials

    def secret(self, arn: str) -> Any:
        """Return the answer of GetSecretValue, from the secret's own region.

        No finding shows any of its values, but those that say whom and where to ask.
        """
        region = arn.split(":")[3] if arn.count(":") >= 6 else None
        answer = self.client("secretsmanager", region).get_secret_value(SecretId=arn)
        if "SecretString" in answer:
            self.hide(answer["SecretString"])
        return answer

    def hide(self, text: str) -> None:
        """Let no finding show a text, or a value of the JSON that it is.

        Values of `PUBLIC_KEYS` are no secrets, and other texts contain them: the user `galv` would
        be cut out of the name of each image.
        """
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        with self._lock:
            self._hidden.update(_leaves(value), [text])

    def redact(self, text: str) -> str:
        """Return a text without all that is hidden."""
        with self._lock:
            hidden = sorted(self._hidden, key=len, reverse=True)
        for secret in hidden:
            if len(secret) >= SHORT_SECRET:
                text = text.replace(secret, HIDDEN)
            elif len(secret) >= SHORTEST_SECRET:
                text = re.sub(_WHOLE.format(re.escape(secret)), HIDDEN, text)
        return text

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        private: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Reply:
        """Ask a web server, over HTTPS, and read all that it answers.

        Args:
            url: The address.
            headers: What to send.
            private: What to send to this server only, and not to one that it redirects to.
            method: GET or HEAD. Default: GET.

        Raises:
            UnreachableError: If it does not answer, or not in time. Any status is an answer.
        """
        with closing(self.stream(url, headers, private=private, method=method)) as stream:
            return stream.reply()

    def stream(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        private: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Stream:
        """Ask as `get` does, and leave the body to be read: it may be as long as it likes."""
        if not url.startswith("https://"):
            raise UnreachableError(url, "it is not HTTPS")
        request = Request(url, headers=dict(headers or {}), method=method)  # noqa: S310 - HTTPS
        for name, value in (private or {}).items():
            request.add_unredirected_header(name, value)
        try:
            try:
                answer = self._opener.open(request, timeout=self._timeout(url))
            except HTTPError as error:
                answer = error
        except (URLError, OSError, HTTPException) as error:
            raise _unreachable(url, error) from error
        return Stream(url, answer, lambda: self._timeout(url))

    def dns(self, name: str, kind: str, *, servers: Sequence[tuple[str, int]] = ()) -> Answer:
        """Ask name servers, one after the other, for the records of a name.

        Args:
            name: The name, with or without its last dot.
            kind: `NS`, `CAA`, `CNAME` or `A`.
            servers: Addresses and ports. Default: the resolver.

        Raises:
            UnreachableError: If it does not answer, or refuses to.
        """
        if not servers:
            servers = [self._resolver] if self._resolver else system_resolvers()
        return resolve(name, kind, servers, self._timeout(f"name server {servers[0][0]}"))

    def _timeout(self, whom: str) -> float:
        left = self.seconds_left
        if left <= 0:
            raise UnreachableError(whom, "no time was left to ask it")
        return min(PATIENCE, left)


def _unreachable(url: str, error: Exception) -> UnreachableError:
    return UnreachableError(url, str(getattr(error, "reason", "") or error))


def _leaves(value: Any) -> list[str]:
    """Return the values of a JSON as texts, without those of public keys."""
    if isinstance(value, dict):
        return [
            leaf
            for key, part in value.items()
            if re.sub(r"[\W_]", "", key).lower() not in PUBLIC_KEYS
            for leaf in _leaves(part)
        ]
    if isinstance(value, list):
        return [leaf for part in value for leaf in _leaves(part)]
    # A number may be a PIN; "true" and "null" are words.
    return [] if value is None or isinstance(value, bool) else [str(value)]
