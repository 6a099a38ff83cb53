"""The web task's own command, with real gunicorn and nginx, among clients that are slow."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import slow_clients
from containers import Container, why_no_network, why_not

from galv_constructs._web_service import web_command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=str(why_not())),
    pytest.mark.skipif(bool(why_no_network()), reason=str(why_no_network())),
]
COMMAND = web_command(workers=2, threads=4, timeout=30)
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
Task = tuple[Container, int]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return slow_clients.application(tmp_path_factory.mktemp("project"), memory=False)


@pytest.fixture(scope="module")
def behind_nginx(project: Path) -> Iterator[Task]:
    with slow_clients.task(COMMAND, project, {}, limits=None) as made:
        yield made


@pytest.fixture(scope="module")
def without_nginx(project: Path) -> Iterator[Task]:
    with slow_clients.task(COMMAND, project, slow_clients.NO_NGINX, limits=None) as made:
        yield made


def slowly(port: int, count: int) -> tuple[int, list[bool]]:
    return asyncio.run(slow_clients.slow_uploads(port, count, seconds=4, size=200_000))


@needs_nginx
def test_a_hundred_slow_uploads_hold_nobody_up(behind_nginx: Task) -> None:
    answered, healthy = slowly(behind_nginx[1], 100)

    assert answered == 100
    assert len(healthy) >= 4
    assert all(healthy)


def test_four_slow_uploads_hold_nobody_up_without_nginx(without_nginx: Task) -> None:
    answered, healthy = slowly(without_nginx[1], 4)

    assert answered == 4
    assert all(healthy)


def test_many_clients_at_a_time_stop_nothing_without_nginx(without_nginx: Task) -> None:
    asyncio.run(slow_clients.requests_a_second(without_nginx[1], 2, clients=16))

    assert asyncio.run(slow_clients.get(without_nginx[1], "/health/", timeout=10))


@needs_nginx
def test_the_host_and_the_path_arrive_as_they_were_sent(behind_nginx: Task) -> None:
    raw = (
        b"GET /echo/a%2Fb//c?x=%20 HTTP/1.1\r\nHost: 10.0.64.9:8000\r\nX-Forwarded-Proto: https\r\n"
    )

    answer = asyncio.run(slow_clients.exchange(behind_nginx[1], raw + b"\r\n"))

    assert b"10.0.64.9:8000 /echo/a%2Fb//c?x=%20 https" in answer


@needs_nginx
def test_the_task_ends_with_its_nginx(project: Path) -> None:
    with slow_clients.task(COMMAND, project, {}, limits=None) as (container, _):
        pids = container.execute("sh", "-c", "cat /tmp/galv/nginx/pid").stdout.split()
        container.execute("kill", "-KILL", *pids)

        assert container.wait(timeout=30) == 0


@needs_nginx
def test_a_task_that_is_stopped_finishes_what_it_answers(project: Path) -> None:
    async def stopped() -> bytes:
        answer = asyncio.create_task(
            slow_clients.exchange(port, b"GET /long/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        )
        await asyncio.sleep(1)
        container.signal(15)
        return await answer

    with slow_clients.task(COMMAND, project, {}, limits=None) as (container, port):
        assert b"done" in asyncio.run(stopped())
        assert container.wait(timeout=30) == 0


def test_files_that_requests_left_are_removed(project: Path) -> None:
    # As if it had been there for an hour; and it looks every second.
    command = [word.replace("sleep 60", "sleep 1") for word in COMMAND]
    with slow_clients.task(command, project, {}, limits=None) as (container, port):
        made = container.execute(
            "sh",
            "-c",
            "cd /tmp/galv/temporary; mkdir old.parquet; touch old.parquet/part.0 old.png new.png; "
            "touch -d '1 hour ago' old.parquet/part.0 old.parquet old.png ../home; "
            "sleep 3; ls . ..",
        )

        assert made.stdout.split() == [
            ".:",
            "new.png",
            "..:",
            "galv_task",
            "gunicorn.pid",
            "home",
            "nginx",
            "temporary",
        ]
        assert asyncio.run(slow_clients.get(port, "/health/", timeout=10))
