"""Measure what slow clients do to a web task: its own command, real gunicorn and nginx.

    sudo python3 tools/setup.py --e2e python tools/slow_clients.py

The application is the one in `test/galv` that stands in for Galv, with PostgreSQL. The task has the
CPU and the memory of the default, by control groups. A client sends 2 Mbit/s. Needs root, iproute2,
PostgreSQL and nginx.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(_ROOT / "tools"), str(_ROOT / "test")]

from containers import Container, Image, Limits, Network  # noqa: E402 - needs the paths
from galv.stand_in import PYTHON, make_image  # noqa: E402 - needs the paths
from proof import certificates  # noqa: E402 - needs the paths
from proof.client import Client, multipart  # noqa: E402 - needs the paths
from proof.postgres import Postgres  # noqa: E402 - needs the paths

from galv_constructs.backend._container import DIRECTORY, entry_point  # noqa: E402 - needs the paths
from galv_constructs.backend._web_service import PORT, default_workers, web_command  # noqa: E402 - needs the paths

CPU, MEMORY_MIB = 512, 1024
WORKERS = default_workers(CPU, MEMORY_MIB)
# 2 Mbit/s: 20 seconds make 5 MB.
BYTES_A_SECOND = 250_000
PASSWORD = "measured"  # noqa: S105 - of a server that lives for minutes
# Another one than the loopback address, where a server of the machine's may be.
DATABASE = "127.0.83.1"
# As the library started it before, for comparison.
SYNC = [
    "gunicorn",
    f"--bind=0.0.0.0:{PORT}",
    f"--workers={WORKERS}",
    "--timeout=120",
    "--graceful-timeout=110",
    "config.wsgi",
]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The target: the port, paths of the application, and the credentials."""

    port: int
    query: str = "/query/"
    upload: str = "/upload/"
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def without_nginx(image: Image) -> dict[str, str]:
    """Return the variables with which a task does not find the machine's nginx."""
    return {"PATH": f"{image.python.parent}:/usr/bin:/bin"}


def commands(threads: int, image: Image) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return the commands to compare, each with variables."""
    ours = web_command(workers=WORKERS, threads=threads, timeout=120)
    return {
        "sync workers": (SYNC, without_nginx(image)),
        "threads": (ours, without_nginx(image)),
        "nginx": (ours, {}),
    }


@contextlib.contextmanager
def task(
    command: list[str],
    image: Image,
    variables: Mapping[str, str],
    *,
    limits: Limits | None = None,
    database: tuple[str, int] | None = None,
) -> Iterator[tuple[Container, int]]:
    """Run a web task; yield it, and a port of this machine that leads to it."""
    definition: dict[str, Any] = {
        "name": "web",
        "entryPoint": entry_point(),
        "command": command,
        "mountPoints": [
            {"containerPath": "/tmp", "sourceVolume": "tmp"},  # noqa: S108
            {"containerPath": "/var/log/galv", "sourceVolume": "log"},
        ],
        "volumes": [{"name": "tmp"}, {"name": "log"}],
        "readonlyRootFilesystem": True,
    }
    with Network() as network:
        hosts = {} if database is None else {"database": network.serve(5432, database)}
        with Container(
            image, definition, network=network, environment=variables, limits=limits, hosts=hosts
        ) as container:
            port = network.publish(container.address, PORT)
            asyncio.run(_started(port, container))
            yield container, port


async def _started(port: int, container: Container) -> None:
    for _ in range(480):
        if await get(port, "/health/", timeout=5):
            return
        await asyncio.sleep(0.25)
    raise TimeoutError(f"the task does not answer: {container.output()}")


async def get(port: int, path: str, *, timeout: float) -> bool:
    """Whether a request is answered with 200 in time."""
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        return await asyncio.wait_for(_request(port, head.encode()), timeout)
    except (OSError, asyncio.TimeoutError):
        return False


async def exchange(port: int, head: bytes, body: bytes = b"", seconds: float = 0) -> bytes:
    """Send a request, its body in so many seconds, and return the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        pieces = max(1, round(seconds * 2))
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size or 1):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(seconds / pieces)
        return await reader.read()
    finally:
        writer.close()


async def _request(port: int, head: bytes, body: bytes = b"", seconds: float = 0) -> bool:
    answer = await exchange(port, head, body, seconds)
    return answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 201 "))


async def upload(target: Target, seconds: float, size: int) -> bool:
    """Whether an upload that takes so long is answered."""
    kind, body = multipart(target.fields, "slow.bin", bytes(size))
    lines = [
        f"POST {target.upload} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in target.headers.items()),
    ]
    try:
        return await _request(target.port, "\r\n".join([*lines, "", ""]).encode(), body, seconds)
    except OSError:
        return False


async def health_checks(port: int, until: asyncio.Event) -> list[bool]:
    """Ask for the health once a second, as long as it takes a load balancer to give up."""
    asked = []
    while not until.is_set():
        asked.append(asyncio.create_task(get(port, "/health/", timeout=10)))
        await asyncio.sleep(1)
    return list(await asyncio.gather(*asked))


async def slow_uploads(
    target: Target, count: int, seconds: float, size: int
) -> tuple[int, list[bool]]:
    """Upload at a time; return how many were answered in time, and the health meanwhile."""
    done = asyncio.Event()
    checks = asyncio.create_task(health_checks(target.port, done))
    uploads = [asyncio.create_task(upload(target, seconds, size)) for _ in range(count)]
    ended, going_on = await asyncio.wait(uploads, timeout=seconds * 2 + 60)
    done.set()
    for task in going_on:
        task.cancel()
    return sum(task.result() for task in ended), await checks


async def requests_a_second(target: Target, seconds: float, clients: int = 8) -> float:
    """Ask for the query as fast as so many clients can."""
    end = time.monotonic() + seconds

    async def client() -> int:
        count = 0
        while time.monotonic() < end:
            count += await get(target.port, target.query, timeout=30)
        return count

    return sum(await asyncio.gather(*(client() for _ in range(clients)))) / seconds


def measure(
    container: Container, target: Target, counts: Sequence[int], seconds: float
) -> list[str]:
    """Return the cells of one row."""
    rate = statistics.median(asyncio.run(requests_a_second(target, 5)) for _ in range(3))
    cells = [f"{rate:.0f}"]
    for count in counts:
        size = round(BYTES_A_SECOND * seconds)
        answered, checks = asyncio.run(slow_uploads(target, count, seconds, size))
        cells.append(f"{answered} of {count}; {sum(checks)} of {len(checks)}")
    return [*cells, f"{_memory(container)} MiB"]


def _memory(container: Container) -> int:
    """Return the memory of all processes, with what they share counted once."""
    pids = container.execute("ls", "/proc").stdout.split()
    kib = 0
    for pid in filter(str.isdigit, pids):
        rollup = container.execute("cat", f"/proc/{pid}/smaps_rollup").stdout
        kib += sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    return kib >> 10


@contextlib.contextmanager
def galv(folder: Path) -> Iterator[tuple[Image, dict[str, str]]]:
    """Prepare the application and its database; yield its image and variables."""
    # The database runs as another user.
    folder.chmod(0o755)
    # No S3 here: files stay in the task.
    settings = "from config.settings import *\n\nMEDIA_ROOT = '/tmp/media'\n"
    image = make_image(folder / "backend_django", files={"config/measured.py": settings})
    variables = {
        "DJANGO_SECRET_KEY": PASSWORD,
        "DJANGO_SETTINGS_MODULE": "config.measured",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_LAB_STORAGE_QUOTA_BYTES": str(1 << 40),
        "FRONTEND_VIRTUAL_HOST": "https://app.example.com",
        "HOME": f"{DIRECTORY}/home",
        "MPLCONFIGDIR": f"{DIRECTORY}/matplotlib",
        "NUMBA_CACHE_DIR": f"{DIRECTORY}/numba",
        "POSTGRES_HOST": "database",
        "POSTGRES_PORT": "5432",
        "POSTGRES_USER": "galv",
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_DB": "galv",
        "TMPDIR": f"{DIRECTORY}/temporary",
        "VIRTUAL_HOST": "localhost",
    }
    created = certificates.create(folder / "tls", ["database"])
    server = Postgres(folder / "postgres", DATABASE, created)
    server.start(user="galv", password=PASSWORD, database="galv")
    try:
        steps = ("migrate", "create_superuser")
        script = " && ".join(f"python manage.py {step} --no-input" for step in steps)
        _run(["sh", "-c", script], image, variables)
        yield image, variables
    finally:
        server.stop()


def _run(command: list[str], image: Image, variables: Mapping[str, str]) -> None:
    """Run a command of the application to its end."""
    definition = {"name": "setup", "entryPoint": entry_point(), "command": command}
    with (
        Network() as network,
        Container(
            image,
            definition,
            network=network,
            environment=variables,
            hosts={"database": network.serve(5432, (DATABASE, 5432))},
        ) as container,
    ):
        if container.wait(timeout=300):
            raise RuntimeError(container.output())


def sign_in(port: int) -> Target:
    """Sign in, and create a laboratory with a team that may upload."""
    api = Client(f"http://127.0.0.1:{port}")
    api.headers["Host"] = "localhost"
    pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    token = api.post("/login/", {}, Authorization=f"Basic {pair}").expect(200).json()["token"]
    api.headers["Authorization"] = f"Bearer {token}"
    lab = api.post("/labs/", {"name": f"Lab {port} {time.time()}"}).expect(201).json()["url"]
    team = api.post("/teams/", {"name": "Team", "lab": lab}).expect(201).json()["url"]
    return Target(
        port=port,
        query="/users/",
        upload="/arbitrary_files/",
        fields={"name": "slow", "team": team, "description": "-"},
        headers={"Authorization": f"Bearer {token}"},
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, nargs="+", default=[4, 100])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=4)
    names = ["sync workers", "threads", "nginx"]
    parser.add_argument("--servers", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    if not PYTHON.exists():
        sys.exit(f"{PYTHON} is missing: run this with python3 tools/setup.py --e2e")
    uploads = [f"{n} slow uploads" for n in arguments.uploads]
    print("|", " | ".join(["", "requests/s", *uploads, "memory"]), "|", flush=True)
    limits = Limits(cpu=CPU, memory=MEMORY_MIB)
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder,
        galv(Path(folder)) as (image, own),
    ):
        compared = commands(arguments.threads, image)
        for name in arguments.servers:
            command, variables = compared[name]
            with task(
                command, image, own | variables, limits=limits, database=(DATABASE, 5432)
            ) as (container, port):
                target = sign_in(port)
                cells = measure(container, target, arguments.uploads, arguments.seconds)
            print("|", " | ".join([name, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
