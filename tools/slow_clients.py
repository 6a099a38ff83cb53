"""Measure what slow clients do to a web task: its own command, real gunicorn and nginx.

    npm run setup && sudo .venv/bin/python tools/slow_clients.py

A small application answers at once, works for 10 ms, or takes an upload, and takes as much memory
as Galv. The task has the CPU and the memory of the default, by control groups. Needs root, iproute2
and nginx.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "test"))

from containers import Container, Image, Limits, Network

from galv_constructs._container import entry_point
from galv_constructs._web_service import PORT, default_workers, web_command

CPU, MEMORY_MIB = 512, 1024
WORKERS = default_workers(CPU, MEMORY_MIB)
# 2 Mbit/s and 20 seconds make one of 5 MB.
UPLOAD = 5_000_000
NO_NGINX = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
# As the library started it before, for comparison.
SYNC = [
    "gunicorn",
    f"--bind=0.0.0.0:{PORT}",
    f"--workers={WORKERS}",
    "--timeout=120",
    "--graceful-timeout=110",
    "config.wsgi",
]
SETTINGS = """
SECRET_KEY = "measured"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
MEMORY = bytearray(b"x" * 200_000_000)
"""
URLS = """
import time
from django.http import HttpResponse
from django.urls import path

def health(request):
    return HttpResponse("ok")

def query(request):
    end = time.thread_time() + 0.01
    while time.thread_time() < end:
        pass
    time.sleep(0.02)  # as long as a database takes
    return HttpResponse("x" * 20_000)

def upload(request):
    return HttpResponse(str(request.FILES["file"].size))

def echo(request, rest):
    sent = request.META.get("RAW_URI"), request.scheme
    return HttpResponse(" ".join([request.get_host(), *sent]))

def long(request):
    time.sleep(4)
    return HttpResponse("done")

urlpatterns = [
    path("health/", health),
    path("query/", query),
    path("upload/", upload),
    path("echo/<path:rest>", echo),
    path("long/", long),
]
"""
WSGI = """
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""


def commands(threads: int) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return the commands to compare, each with variables."""
    ours = web_command(workers=WORKERS, threads=threads, timeout=120)
    return {
        "sync workers": (SYNC, NO_NGINX),
        "threads": (ours, NO_NGINX),
        "threads behind nginx": (ours, {}),
    }


def application(folder: Path, *, memory: bool = True) -> Path:
    """Write a Django project."""
    settings = SETTINGS if memory else SETTINGS.replace("200_000_000", "1")
    (folder / "config").mkdir()
    for name, text in {"settings": settings, "urls": URLS, "wsgi": WSGI, "__init__": ""}.items():
        (folder / "config" / f"{name}.py").write_text(text)
    return folder


@contextlib.contextmanager
def task(
    command: list[str], folder: Path, variables: dict[str, str], *, limits: Limits | None
) -> Iterator[tuple[Container, int]]:
    """Run a web task; yield it, and a port of this machine that leads to it."""
    definition: dict[str, Any] = {
        "name": "web",
        "entryPoint": entry_point(),
        "command": command,
        "mountPoints": [{"containerPath": "/tmp", "sourceVolume": "tmp"}],  # noqa: S108
        "volumes": [{"name": "tmp"}],
        "readonlyRootFilesystem": True,
    }
    image = Image(python=Path(sys.executable), application=folder)
    with (
        Network() as network,
        Container(
            image, definition, network=network, environment=variables, limits=limits
        ) as container,
    ):
        port = network.publish(container.address, PORT)
        asyncio.run(_started(port, container))
        yield container, port


async def _started(port: int, container: Container) -> None:
    for _ in range(240):
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
    return (await exchange(port, head, body, seconds)).startswith(b"HTTP/1.1 200 ")


async def upload(port: int, seconds: float, size: int = UPLOAD) -> bool:
    """Whether an upload that takes so long is answered."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body = head + bytes(size) + b"\r\n--b--\r\n"
    lines = [
        "POST /upload/ HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {len(body)}",
    ]
    try:
        return await _request(port, "\r\n".join([*lines, "", ""]).encode(), body, seconds)
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
    port: int, count: int, seconds: float, size: int = UPLOAD
) -> tuple[int, list[bool]]:
    """Upload at a time; return how many were answered in time, and the health meanwhile."""
    done = asyncio.Event()
    checks = asyncio.create_task(health_checks(port, done))
    uploads = [asyncio.create_task(upload(port, seconds, size)) for _ in range(count)]
    ended, going_on = await asyncio.wait(uploads, timeout=seconds * 2 + 30)
    done.set()
    for task in going_on:
        task.cancel()
    return sum(task.result() for task in ended), await checks


async def requests_a_second(port: int, seconds: float, clients: int = 8) -> float:
    """Ask for the query as fast as so many clients can."""
    end = time.monotonic() + seconds

    async def client() -> int:
        count = 0
        while time.monotonic() < end:
            count += await get(port, "/query/", timeout=30)
        return count

    return sum(await asyncio.gather(*(client() for _ in range(clients)))) / seconds


def measure(container: Container, port: int, counts: list[int], seconds: float) -> list[str]:
    """Return the cells of one row."""
    rate = statistics.median(asyncio.run(requests_a_second(port, 5)) for _ in range(3))
    cells = [f"{rate:.0f}"]
    for count in counts:
        answered, checks = asyncio.run(slow_uploads(port, count, seconds))
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


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, nargs="+", default=[4, 16, 100])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, nargs="+", default=[4])
    arguments = parser.parse_args()
    uploads = [f"{n} slow uploads" for n in arguments.uploads]
    print("|", " | ".join(["", "requests/s", *uploads, "memory"]), "|", flush=True)
    limits = Limits(cpu=CPU, memory=MEMORY_MIB)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        project = application(Path(folder))
        for threads in arguments.threads:
            for label, (command, variables) in commands(threads).items():
                with task(command, project, variables, limits=limits) as (container, port):
                    cells = measure(container, port, arguments.uploads, arguments.seconds)
                print("|", " | ".join([f"{label}, {threads}", *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
