"""The world on loopback: a registry as Debian has it, and servers that answer as a test says."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener, urlopen

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

USER, PASSWORD = "puller", "registry-password-1"
# bcrypt of PASSWORD, as `htpasswd -B` writes it.
HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuurll8UgPLh3aedURAqZbpEzxSpQrnxse\n"
ISSUER, SERVICE = "token server", "registry"
START_SECONDS = 20.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass(frozen=True)
class Identity:
    """A certificate for 127.0.0.1 that signs itself, and its key."""

    certificate: Path
    key: Path

    @staticmethod
    def create(folder: Path) -> Identity:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = dt.datetime.now(dt.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            # Python wants these of an authority since 3.13.
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=True,
                    content_commitment=False,
                    key_encipherment=True,
                    data_encipherment=False,
                    key_agreement=False,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        identity = Identity(folder / "certificate.pem", folder / "key.pem")
        identity.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        return identity

    def context(self) -> ssl.SSLContext:
        """For clients that trust it."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        # The default since Python 3.13.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context


class Handler(BaseHTTPRequestHandler):
    """Passes GET requests on, and writes no log."""

    protocol_version = "HTTP/1.1"
    respond: Callable[[Handler], None]

    def do_GET(self) -> None:
        type(self).respond(self)

    def do_HEAD(self) -> None:
        type(self).respond(self)

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def https_server(identity: Identity, respond: Callable[[Handler], None]) -> Iterator[str]:
    """A web server on loopback: its host with its port."""
    handler = type("Own", (Handler,), {"respond": staticmethod(respond)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def running(command: list[str], log: Path, is_ready: Callable[[], bool]) -> Iterator[None]:
    """A program that is there when it is ready, and gone afterwards."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            end = time.monotonic() + START_SECONDS
            while not is_ready():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def token_service(identity: Identity) -> Callable[[Handler], None]:
    """Tokens as the registry's documentation has them, for what is asked, with credentials or not.

    https://distribution.github.io/distribution/spec/auth/jwt/
    """
    private: Any = serialization.load_pem_private_key(identity.key.read_bytes(), password=None)
    (certificate,) = x509.load_pem_x509_certificates(identity.certificate.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def coded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def respond(request: Handler) -> None:
        query = parse_qs(urlsplit(request.path).query)
        kind, name, _ = query["scope"][0].split(":")
        given = request.headers.get("Authorization")
        # As GHCR does for an image that is private, or that is not there.
        if given != right and (given or not name.startswith("public/")):
            body = json.dumps(
                {"errors": [{"code": "DENIED", "message": f"requested access is denied {given}"}]}
            )
            request.answer(403, body.encode())
            return
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": query["service"][0],
            "exp": now + 300,
            "nbf": now - 10,
            "iat": now,
            "jti": "1",
            "access": [{"type": kind, "name": name, "actions": ["pull"]}],
        }
        signed = ".".join(coded(json.dumps(part).encode()) for part in (header, claims))
        signature = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        request.answer(200, json.dumps({"token": f"{signed}.{coded(signature)}"}).encode())

    return respond


@contextlib.contextmanager
def docker_registry(
    program: str, folder: Path, identity: Identity, auth: Mapping[str, Any] | None
) -> Iterator[str]:
    """The registry over `folder/storage`, open without `auth`: its host with its port."""
    port = free_port()
    host = f"127.0.0.1:{port}"
    settings = folder / f"{port}.yml"
    # YAML has all of JSON.
    settings.write_text(
        json.dumps(
            {
                "version": 0.1,
                "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
                "http": {
                    "addr": host,
                    "tls": {
                        "certificate": str(identity.certificate),
                        "key": str(identity.key),
                    },
                },
                **({} if auth is None else {"auth": auth}),
            }
        )
    )

    def is_ready() -> bool:
        try:
            urlopen(f"https://{host}/", context=identity.context(), timeout=1).close()
        except (URLError, OSError):
            return False
        return True

    with running([program, "serve", str(settings)], folder / f"{port}.log", is_ready):
        yield host


class Pusher:
    """Pushes images, with the password of the registry."""

    def __init__(self, host: str, identity: Identity, *, proxy: str = "") -> None:
        self._host = host
        self._opener = build_opener(
            HTTPSHandler(context=identity.context()),
            ProxyHandler({"https": proxy} if proxy else {}),
        )
        self._basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def _send(self, method: str, url: str, body: bytes, kind: str) -> Mapping[str, str]:
        request = Request(url, data=body, method=method)
        request.add_header("Authorization", f"Basic {self._basic}")
        request.add_header("Content-Type", kind)
        try:
            return self._answered(request)
        except HTTPError:
            raise
        except URLError:
            # A proxy in between, on a machine with much to do, may close a connection.
            time.sleep(1)
            return self._answered(request)

    def _answered(self, request: Request) -> Mapping[str, str]:
        with self._opener.open(request, timeout=10) as answer:
            return dict(answer.headers.items())

    def blob(self, repository: str, content: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        started = self._send(
            "POST", f"https://{self._host}/v2/{repository}/blobs/uploads/", b"", "text/plain"
        )
        self._send(
            "PUT", f"{started['Location']}&digest={digest}", content, "application/octet-stream"
        )
        return {"digest": digest, "size": len(content)}

    def manifest(self, repository: str, tag: str, content: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        kind = content["mediaType"]
        url = f"https://{self._host}/v2/{repository}/manifests/{tag or digest}"
        self._send("PUT", url, body, kind)
        return {"mediaType": kind, "digest": digest, "size": len(body)}

    def image(
        self, repository: str, tag: str, architecture: str, *, docker: bool = False
    ) -> dict[str, Any]:
        """Push an image for one platform."""
        config = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers"}}
        kinds = _DOCKER if docker else _OCI
        return self.manifest(
            repository,
            tag,
            {
                "schemaVersion": 2,
                "mediaType": kinds[0],
                "config": {
                    "mediaType": kinds[1],
                    **self.blob(repository, json.dumps(config).encode()),
                },
                "layers": [{"mediaType": kinds[2], **self.blob(repository, b"a layer")}],
            },
        )

    def index(self, repository: str, tag: str, *architectures: str, docker: bool = False) -> str:
        """Push an image for several platforms; return its digest."""
        images = [
            {
                **self.image(repository, "", one, docker=docker),
                "platform": {"os": "linux", "architecture": one},
            }
            for one in architectures
        ]
        if not docker:
            # As BuildKit adds its attestations.
            unknown = {"os": "unknown", "architecture": "unknown"}
            images.append({**self.image(repository, "", "unknown"), "platform": unknown})
        kind = _DOCKER[3] if docker else _OCI[3]
        content = {"schemaVersion": 2, "mediaType": kind, "manifests": images}
        return str(self.manifest(repository, tag, content)["digest"])


_OCI = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.index.v1+json",
)
_DOCKER = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


@contextlib.contextmanager
def name_server(program: str, folder: Path, zones: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """NSD with these zones: its address and port."""
    port = free_port()
    lines = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        f"  port: {port}",
        "  server-count: 1",
        '  username: ""',
        '  chroot: ""',
        '  database: ""',
        f'  zonesdir: "{folder}"',
        f'  pidfile: "{folder}/nsd.pid"',
        f'  xfrdfile: "{folder}/xfrd.state"',
        f'  zonelistfile: "{folder}/zone.list"',
        f'  xfrdir: "{folder}"',
        # It limits how often one client may ask.
        "  rrl-ratelimit: 0",
        "remote-control:",
        "  control-enable: no",
    ]
    for name, records in zones.items():
        lines += ["zone:", f"  name: {name}", f"  zonefile: {name}.zone"]
        soa = "@ 60 IN SOA ns.invalid. hostmaster.invalid. 1 60 60 60 60\n"
        (folder / f"{name}.zone").write_text(f"$ORIGIN {name}.\n$TTL 60\n{soa}{records}\n")
    settings = folder / "nsd.conf"
    settings.write_text("\n".join(lines) + "\n")

    def is_ready() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                return True
        except OSError:
            return False

    with running([program, "-d", "-c", str(settings)], folder / "nsd.log", is_ready):
        yield "127.0.0.1", port


def git_backend(program: str, root: Path, files: Mapping[str, bytes]) -> Callable[[Handler], None]:
    """Repositories below a folder as git's own server has them, and files beside them."""

    def respond(request: Handler) -> None:
        path, _, query = request.path.partition("?")
        if path in files:
            request.answer(200, files[path])
            return
        if not query:
            request.answer(404)
            return
        done = subprocess.run(
            [program, "http-backend"],
            env={
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": "GET",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "PATH": os.environ["PATH"],
            },
            capture_output=True,
            check=False,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        request.answer(status, body, headers)

    return respond
