"""The web task's own command, with real gunicorn and nginx, among clients that are slow."""

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import slow_clients
from containers import Container, Image, why_no_network, why_not

from galv_constructs.backend._web_service import web_command

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=str(why_not())),
    pytest.mark.skipif(bool(why_no_network()), reason=str(why_no_network())),
]
COMMAND = web_command(workers=2, threads=4, timeout=30)
SETTINGS = """
SECRET_KEY = "measured"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
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
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
Task = tuple[Container, int]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image with a small application."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "config").mkdir()
    for name, text in {"settings": SETTINGS, "urls": URLS, "wsgi": WSGI, "__init__": ""}.items():
        (folder / "config" / f"{name}.py").write_text(text)
    return Image(python=Path(sys.executable), application=folder)


@pytest.fixture(scope="module")
def behind_nginx(image: Image) -> Iterator[Task]:
    with slow_clients.task(COMMAND, image, {}) as made:
        yield made


@pytest.fixture(scope="module")
def without_nginx(image: Image) -> Iterator[Task]:
    with slow_clients.task(COMMAND, image, slow_clients.without_nginx(image)) as made:
        yield made


def slowly(port: int, count: int) -> tuple[int, list[bool]]:
    return asyncio.run(
        slow_clients.slow_uploads(slow_clients.Target(port=port), count, seconds=4, size=200_000)
    )


@pytest.mark.slow
@needs_nginx
def test_a_hundred_slow_uploads_hold_nobody_up(behind_nginx: Task) -> None:
    answered, healthy = slowly(behind_nginx[1], 100)

    assert answered == 100
    assert len(healthy) >= 4
    assert all(healthy)


@pytest.mark.slow
def test_four_slow_uploads_hold_nobody_up_without_nginx(without_nginx: Task) -> None:
    answered, healthy = slowly(without_nginx[1], 4)

    assert answered == 4
    assert all(healthy)


@pytest.mark.slow
def test_many_clients_at_a_time_stop_nothing_without_nginx(without_nginx: Task) -> None:
    asyncio.run(
        slow_clients.requests_a_second(slow_clients.Target(port=without_nginx[1]), 2, clients=16)
    )

    assert asyncio.run(slow_clients.get(without_nginx[1], "/health/", timeout=10))


@pytest.mark.slow
@needs_nginx
def test_the_host_and_the_path_arrive_as_they_were_sent(behind_nginx: Task) -> None:
    raw = (
        b"GET /echo/a%2Fb//c?x=%20 HTTP/1.1\r\nHost: 10.0.64.9:8000\r\nX-Forwarded-Proto: https\r\n"
    )

    answer = asyncio.run(slow_clients.exchange(behind_nginx[1], raw + b"\r\n"))

    assert b"10.0.64.9:8000 /echo/a%2Fb//c?x=%20 https" in answer


@pytest.mark.slow
@needs_nginx
def test_the_task_ends_with_its_nginx(image: Image) -> None:
    with slow_clients.task(COMMAND, image, {}) as (container, _):
        pids = container.execute("sh", "-c", "cat /tmp/galv/nginx/pid").stdout.split()
        container.execute("kill", "-KILL", *pids)

        assert container.wait(timeout=30) == 0


@pytest.mark.slow
@needs_nginx
def test_a_task_that_is_stopped_finishes_what_it_answers(image: Image) -> None:
    async def stopped() -> bytes:
        answer = asyncio.create_task(
            slow_clients.exchange(port, b"GET /long/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        )
        await asyncio.sleep(1)
        container.signal(15)
        return await answer

    with slow_clients.task(COMMAND, image, {}) as (container, port):
        assert b"done" in asyncio.run(stopped())
        assert container.wait(timeout=30) == 0


@pytest.mark.slow
def test_files_that_requests_left_are_removed(image: Image) -> None:
    # As if it had been there for an hour; and it looks every second.
    command = [word.replace("sleep 60", "sleep 1") for word in COMMAND]
    with slow_clients.task(command, image, {}) as (container, port):
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
