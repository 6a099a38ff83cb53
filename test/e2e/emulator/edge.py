"""The internet that functions, builds and pulls see: CloudFront, GitHub's repositories, registries.

They reach it through a proxy with TLS, as programs behind a firewall do, by the variables
`https_proxy` and `SSL_CERT_FILE`. Requests to a distribution go to MiniStack, which serves it, and
whose functions run in njs here; and so do those to ECR's registry. GHCR is `registry`. GitHub has
what is in the folder that E2E_REPOSITORIES names: repositories, whose names git's own server tells,
and files of releases. A host that the folder E2E_AWAY has a file of cannot be reached.
"""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler
from typing import Any
from urllib.parse import urlsplit

from e2e.emulator import registry
from e2e.emulator.private import cloudfront_js
from e2e.emulator.types import Json

_GATEWAY = int(os.environ["GATEWAY_PORT"])
_REPOSITORIES = Path(os.environ["E2E_REPOSITORIES"])
_AWAY = Path(os.environ["E2E_AWAY"])
_CLOUDFRONT, _ECR = ".cloudfront.net", ".dkr.ecr."
_GITHUB = "github.com"
_NAMES = "/info/refs"
_RELEASES = "/releases/download/"


class _Proxy(BaseHTTPRequestHandler):
    """Says that it is the host that it is asked to connect to."""

    tls: ssl.SSLContext
    protocol_version = "HTTP/1.1"
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        if (_AWAY / self.host).exists():
            self.send_error(502)
            return
        self.send_response(200)
        self.end_headers()
        if self.host == registry.HOST:
            registry.lead_to(self.connection)
            self.close_connection = True
            return
        self.request = self.tls.wrap_socket(self.connection, server_side=True)
        # The same handler goes on, with what is inside.
        StreamRequestHandler.setup(self)
        self.close_connection = False

    def do_GET(self) -> None:
        if self.host.endswith(_CLOUDFRONT) or _ECR in self.host:
            status, headers, body = self._from_aws()
        elif self.host == _GITHUB and urlsplit(self.path).path.endswith(_NAMES):
            status, headers, body = _from_git(self.path)
        else:
            status, headers, body = 404, {}, b"Not Found"
            file = _attached(self.path) if self.host == _GITHUB else None
            if file is not None and file.is_file():
                status, body = 200, file.read_bytes()
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _from_aws(self) -> tuple[int, dict[str, str], bytes]:
        gateway = http.client.HTTPConnection("127.0.0.1", _GATEWAY, timeout=30)
        headers = {"Host": self.host, "X-Forwarded-Proto": "https"}
        headers |= {name: self.headers[name] for name in ("Accept",) if name in self.headers}
        gateway.request("GET", self.path, headers=headers)
        answer = gateway.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        gateway.close()
        return found

    def log_message(self, *_: object) -> None:
        pass


def _attached(path: str) -> Path | None:
    """The file that is attached to a release: beside the repository, in a folder of its tag."""
    repository, found, file = urlsplit(path).path.partition(_RELEASES)
    return _REPOSITORIES / f"{repository.lstrip('/')}.releases" / file if found else None


def _from_git(path: str) -> tuple[int, dict[str, str], bytes]:
    """Tell the tags of a repository: https://git-scm.com/docs/git-http-backend."""
    asked = urlsplit(path)
    git = shutil.which("git")
    assert git is not None
    request = {
        "GIT_PROJECT_ROOT": str(_REPOSITORIES),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": "GET",
        "PATH_INFO": asked.path,
        "QUERY_STRING": asked.query,
    }
    command = [git, "http-backend"]
    done = subprocess.run(command, env=request, capture_output=True, check=False, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return int(headers.pop("Status", "200").split()[0]), headers, body


def _evaluate(code: bytes, event: Json) -> Any:
    program = shutil.which("njs")
    if program is None:
        raise cloudfront_js.CloudFrontFunctionError("njs is not installed")
    done = subprocess.run(
        [program, "-"],
        input=f"{code.decode()}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise cloudfront_js.CloudFrontFunctionError(done.stdout + done.stderr) from None


def install() -> None:
    """Start the proxy, and run functions in the engine that CloudFront's is made from."""
    cloudfront_js.evaluate = _evaluate
    _Proxy.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = os.environ["SSL_CERT_FILE"]
    _Proxy.tls.load_cert_chain(certificate, f"{certificate}.key")
    port = urlsplit(os.environ["https_proxy"]).port
    assert port is not None
    server = ThreadingHTTPServer(("127.0.0.1", port), _Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
