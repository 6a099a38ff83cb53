"""Measure what slow clients do to a web task, with its own command and real gunicorn and nginx.

    sudo python tools/slow_clients.py --python PYTHON --app DIRECTORY [--uploads N ...]

DIRECTORY has a Django project whose WSGI module is `config.wsgi`, and that answers GET /health/,
GET /query/ and POST /upload/. PYTHON has Django and gunicorn beside it. The task has half a vCPU
and 1 GB, by control groups (version 1), and a /tmp and a network of its own; the clients share the
network only. Needs root, unshare, ip and nginx.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from galv_constructs._container import entry_point
from galv_constructs._web_service import PORT, default_workers, web_command

CPU, MEMORY_MIB = 512, 1024
WORKERS = default_workers(CPU, MEMORY_MIB)
# 2 Mbit/s and 20 seconds make one of 5 MB.
UPLOAD = 5_000_000
NAMESPACE = "GALV_SLOW_CLIENTS"
GROUPS = [Path("/sys/fs/cgroup", name, f"galv-{os.getpid()}") for name in ("cpu", "memory")]

SYNC = [
    "gunicorn",
    f"--bind=0.0.0.0:{PORT}",
    f"--workers={WORKERS}",
    "--timeout=120",
    "--graceful-timeout=110",
    "config.wsgi",
]


def commands(threads: int) -> dict[str, tuple[list[str], bool]]:
    """Return the commands to compare, each with whether the task finds nginx."""
    ours = [*entry_point(), *web_command(workers=WORKERS, threads=threads, timeout=120)]
    return {
        "sync workers": (SYNC, False),
        "threads": (ours, False),
        "threads behind nginx": (ours, True),
    }


@contextlib.contextmanager
def server(command: list[str], app: Path, python: Path, *, nginx: bool) -> Iterator[None]:
    """Run a task that is limited as one at Fargate is."""
    for group, limits in zip(
        GROUPS,
        (
            {"cpu.cfs_period_us": 100_000, "cpu.cfs_quota_us": 100_000 * CPU // 1024},
            {"memory.limit_in_bytes": MEMORY_MIB << 20},
        ),
        strict=True,
    ):
        group.mkdir()
        for name, value in limits.items():
            (group / name).write_text(str(value))
    # On a disk, as a task's is: memory would count as the task's own.
    disk = tempfile.mkdtemp(dir="/var/tmp")
    mount = f'mount --bind {disk} /tmp; chmod 755 /tmp; exec "$@"'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", mount, "sh", *command],
        cwd=app,
        env={
            "HOME": "/tmp/galv/home",  # noqa: S108 - a file system of its own
            "PATH": f"{python.parent}:/usr/bin:/bin" + (":/usr/sbin" if nginx else ""),
        },
        preexec_fn=_enter,  # noqa: PLW1509 - no threads yet
        start_new_session=True,
    )
    try:
        asyncio.run(_started())
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)
        shutil.rmtree(disk)
        for group in GROUPS:
            group.rmdir()


def _enter() -> None:
    for group in GROUPS:
        (group / "cgroup.procs").write_text(str(os.getpid()))


async def _started() -> None:
    for _ in range(120):
        if await get("/health/", timeout=5):
            return
        await asyncio.sleep(0.5)
    sys.exit("the task does not answer")


async def get(path: str, *, timeout: float) -> bool:
    """Whether a request is answered with 200 in time."""
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        return await asyncio.wait_for(_request(head.encode()), timeout)
    except (OSError, asyncio.TimeoutError):
        return False


async def _request(head: bytes, body: bytes = b"", seconds: float = 0) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        writer.write(head)
        pieces = max(1, round(seconds * 2))
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size or 1):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(seconds / pieces)
        answer = await reader.read()
        return answer.startswith(b"HTTP/1.1 200 ")
    finally:
        writer.close()


async def upload(seconds: float) -> bool:
    """Whether an upload that takes so long is answered."""
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body = head + bytes(UPLOAD) + b"\r\n--b--\r\n"
    lines = [
        "POST /upload/ HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {len(body)}",
    ]
    try:
        return await _request("\r\n".join([*lines, "", ""]).encode(), body, seconds)
    except OSError:
        return False


async def health_checks(until: asyncio.Event) -> list[bool]:
    """Ask for the health once a second, as long as it takes a load balancer to give up."""
    asked = []
    while not until.is_set():
        asked.append(asyncio.create_task(get("/health/", timeout=10)))
        await asyncio.sleep(1)
    return list(await asyncio.gather(*asked))


async def slow_uploads(count: int, seconds: float) -> tuple[int, list[bool]]:
    """Upload at a time; return how many were answered in time, and the health meanwhile."""
    done = asyncio.Event()
    checks = asyncio.create_task(health_checks(done))
    uploads = [asyncio.create_task(upload(seconds)) for _ in range(count)]
    ended, going_on = await asyncio.wait(uploads, timeout=seconds * 2 + 30)
    done.set()
    for task in going_on:
        task.cancel()
    return sum(task.result() for task in ended), await checks


async def requests_a_second(seconds: float, clients: int = 8) -> float:
    """Ask for the query as fast as so many clients can."""
    end = time.monotonic() + seconds

    async def client() -> int:
        count = 0
        while time.monotonic() < end:
            count += await get("/query/", timeout=30)
        return count

    return sum(await asyncio.gather(*(client() for _ in range(clients)))) / seconds


def measure(label: str, counts: list[int], seconds: float) -> None:
    """Print one row."""
    rate = statistics.median(asyncio.run(requests_a_second(5)) for _ in range(3))
    cells = []
    for count in counts:
        answered, checks = asyncio.run(slow_uploads(count, seconds))
        cells.append(f"{answered}/{count}, health {sum(checks)}/{len(checks)}")
    peak = int((GROUPS[1] / "memory.max_usage_in_bytes").read_text()) >> 20
    # With what the kernel keeps of files, which it gives up when there is no room.
    used = dict(line.split() for line in (GROUPS[1] / "memory.stat").read_text().splitlines())
    print(
        f"| {label} | {rate:.0f} | {' | '.join(cells)} | {int(used['rss']) >> 20} ({peak}) |",
        flush=True,
    )


def main() -> None:
    """Measure all, in a network of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--uploads", type=int, nargs="+", default=[2, 4, 16, 100])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, nargs="+", default=[4])
    arguments = parser.parse_args()
    if NAMESPACE not in os.environ:
        os.environ[NAMESPACE] = "1"
        inside = 'ip link set lo up; exec "$@"'
        os.execvp(
            "unshare", ["unshare", "--net", "sh", "-c", inside, "sh", sys.executable, *sys.argv]
        )
    print(
        "| | requests/s |",
        " | ".join(f"{n} uploads" for n in arguments.uploads),
        "| MiB |",
        flush=True,
    )
    for threads in arguments.threads:
        for label, (command, nginx) in commands(threads).items():
            with server(command, arguments.app, arguments.python, nginx=nginx):
                measure(f"{label} ({threads})", arguments.uploads, arguments.seconds)


if __name__ == "__main__":
    main()
