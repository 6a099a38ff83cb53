"""A client of HTTPS that asks as a browser does, through the load balancer."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
_PATIENCE = 60


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body, and as much of it as a message has room for."""
        return self.body[:300].decode(errors="replace")

    def expect(self, *statuses: int) -> "Answer":
        """Return it if it has one of these statuses; raise what it says otherwise."""
        if self.status not in statuses:
            raise AssertionError(f"answered {self.status}, not {statuses}: {self.text}")
        return self


class Client:
    """Asks one host."""

    def __init__(self, url: str, authority: Path | None = None) -> None:
        """Take the scheme, host and port of an URL."""
        parts = urlsplit(url)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port = str(parts.hostname), parts.port
        self._tls = ssl.create_default_context(cafile=authority) if authority else None
        self.headers: dict[str, str] = {}

    def connect(self, timeout: float = _PATIENCE) -> http.client.HTTPConnection:
        """Return a connection, not open yet."""
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout, context=self._tls
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = _PATIENCE,
    ) -> Answer:
        """Send a request, and return the answer; redirections are answers too."""
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return Answer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a path."""
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, data: Any, **headers: str) -> Answer:
        """Send JSON."""
        body = json.dumps(data).encode()
        return self.ask("POST", path, body, headers={"Content-Type": "application/json", **headers})


def multipart(fields: Mapping[str, str], name: str, content: bytes) -> tuple[str, bytes]:
    """Return the type and the body of a form with a file."""
    boundary = "----boundary0a1b2c3d"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join([*parts, head]).encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
