"""The emulator as a process of its own, and clients for it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config
from e2e.name_servers import NameServers
from ops.preflight.servers import Identity, Pusher

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-e2e"
GHCR = "ghcr.io"
ACCOUNT = "111122223333"
REGION = "eu-west-2"
_HOSTS = ("*.cloudfront.net", "github.com", GHCR, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com")


class Cloud:
    """An emulated AWS on a free port of loopback, with all its state below one folder.

    What it starts (functions, containers, builds) it ends itself when its input does: on leaving,
    and also when this process is killed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images"
        self.published = folder / "published"
        self.repositories = folder / "repositories"
        self.log = folder / "emulator.log"
        self.certificate = folder / "certificate.pem"
        self.port = _free_port()
        self.proxy = f"http://127.0.0.1:{_free_port()}"
        self._away = folder / "away"
        # By this name: with an address the CLI takes template URLs for something else.
        self.url = f"http://localhost:{self.port}"
        self._clients: dict[str, Any] = {}
        self.name_servers = NameServers(self.client("route53"), folder / "names")

    def __enter__(self) -> "Cloud":  # noqa: PYI034 - typing.Self came with Python 3.11
        for name in ("away", "images", "published", "repositories", "home", "tmp", "state"):
            (self.folder / name).mkdir()
        _certify(self.certificate, *_HOSTS)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [ENVIRONMENT / "bin" / "python", "-m", "e2e.emulator"],
                cwd=self.folder,
                env=self._server_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the emulator and everything that it started."""
        self.name_servers.stop()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=60)

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program speaks to this cloud and no other."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            # Programs in Node compile what they load once: the CLI, and each function.
            "NODE_COMPILE_CACHE": str(self.folder / "node"),
            # The CLI remembers accounts of access keys there, whatever HOME is.
            "CDK_HOME": str(self.folder / "home"),
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a client of a service."""
        key = f"{service} {region}"
        if key not in self._clients:
            make: Any = boto3.client
            self._clients[key] = make(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
            )
        return self._clients[key]

    def pusher(self) -> Pusher:
        """Return a client that pushes images to GHCR."""
        identity = Identity(self.certificate, Path(f"{self.certificate}.key"))
        return Pusher(GHCR, identity, proxy=self.proxy)

    @contextmanager
    def without(self, host: str) -> Iterator[None]:
        """Let nobody reach a host of the internet."""
        (self._away / host).touch()
        try:
            yield
        finally:
            (self._away / host).unlink()

    def _server_environment(self) -> dict[str, str]:
        variables = self.environment()
        # Functions get an address then, with which SDKs put a bucket into the path of a URL.
        del variables["AWS_ENDPOINT_URL"]
        return {
            **variables,
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.defpath}",
            # In the second is a sitecustomize.py, for functions.
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / folder) for folder in ("test", "test/e2e/functions", "tools")
            ),
            "NODE_PATH": str(ENVIRONMENT / "node_modules"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "STATE_DIR": str(self.folder / "state"),
            "LAMBDA_EXECUTOR": "local",
            # Policies are evaluated: functions have the rights of their roles and no others.
            "AUTH": "true",
            # Step functions wait a tenth of the time: a poll each 10 s becomes one each second.
            # Each is a new process of Node.
            "SFN_WAIT_SCALE": "0.1",
            # The internet that functions and builds see: emulator/edge.py.
            "https_proxy": self.proxy,
            "SSL_CERT_FILE": str(self.certificate),
            # The name servers that functions ask: functions/sitecustomize.py.
            "E2E_NAME_SERVERS": str(self.name_servers.address),
            "E2E_AWAY": str(self._away),
            "E2E_PUBLISHED": str(self.published),
            "E2E_REPOSITORIES": str(self.repositories),
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        raise RuntimeError(f"the emulator did not start:\n{self.log.read_text()[-4000:]}")

    def _answers(self) -> bool:
        try:
            urlopen(f"{self.url}/_ministack/health", timeout=1).close()
        except OSError:
            return False
        return True


def _certify(file: Path, *hosts: str) -> None:
    """Write a certificate for hosts that programs here think they speak to."""
    names = ",".join(f"DNS:{host}" for host in hosts)
    key = ["-newkey", "rsa:2048", "-noenc", "-keyout", f"{file}.key"]
    subject = ["-subj", "/CN=e2e", "-addext", f"subjectAltName={names}"]
    command = ["openssl", "req", "-x509", *key, *subject, "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
