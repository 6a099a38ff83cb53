"""How a web task starts and ends: its own command in real shells, with real gunicorn and nginx."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from containers import Container, Image, why_not

from galv_constructs.backend._container import DIRECTORY
from galv_constructs.backend._web_service import PORT, web_command
from galv_constructs.web_acl.web_acl import DEFAULT_UPLOAD_PATHS

# By their paths, as tests decide what is on PATH.
SHELLS = {name: path for name in ("dash", "bash", "busybox") if (path := shutil.which(name))}
NGINX = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
# Every wait in here has an end, on a machine that is five times slower.
PATIENCE = 60
APPLICATION = """
import time

def application(environ, start_response):
    size = len(environ["wsgi.input"].read())
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Host", environ["HTTP_HOST"])])
    return [str(size).encode()]
"""
GUNICORN, FRONT = "\nserver=$!\n", "\n  front=$!\n"
Change = Callable[[str], str]


class Task:
    """A web task as a plain process, as where ECS Exec puts an init process before it."""

    def __init__(self, shell: str, *, nginx: bool = True, change: Change = str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="galv-"))
        # nginx's workers are nobody's.
        self.folder.chmod(0o755)
        (self.folder / "config").mkdir()
        (self.folder / "config" / "wsgi.py").write_text(APPLICATION)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        program, *rest = [
            self._here(word) for word in web_command(workers=2, threads=4, timeout=30)
        ]
        assert program == "sh"
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [SHELLS[shell], *(["sh"] if shell == "busybox" else []), *map(change, rest)],
            cwd=self.folder,
            env={
                "PATH": ":".join(
                    [str(Path(sys.executable).parent), "/usr/bin", "/bin"]
                    + (["/usr/sbin", "/sbin"] if nginx else [])
                ),
                "PYTHONPATH": str(self.folder),
                "TASK": self.mark,
            },
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "output").open("wb"),
            stderr=subprocess.STDOUT,
        )

    def _here(self, word: str) -> str:
        here = word.replace(DIRECTORY, str(self.folder / "galv"))
        return here.replace(f"0.0.0.0:{PORT}", f"127.0.0.1:{self.port}")

    def ask(self, path: str = "/") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def upload(self, seconds: int) -> tuple[int, bytes]:
        """Send a body in so many seconds."""
        piece = bytes(1000)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest("POST", "/")
            connection.putheader("Content-Length", str(len(piece) * seconds * 4))
            connection.endheaders()
            for _ in range(seconds * 4):
                connection.send(piece)
                time.sleep(0.25)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def asked_for_body(self, path: str, *headers: str) -> int:
        """Return 100 if it takes the body that is announced, and else its answer."""
        lines = [f"POST {path} HTTP/1.1", "Host: x", "Expect: 100-continue", *headers, "", ""]
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            client.sendall("\r\n".join(lines).encode())
            with client.makefile("rb") as answer:
                return int(answer.readline().split()[1])

    def started(self) -> "Task":
        """Wait until it answers."""

        def answers() -> bool:
            assert self.process.poll() is None, self.output()
            try:
                return self.ask() == 200
            except OSError:
                return False

        until(answers, self.output)
        return self

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def pid_of(self, name: str) -> int:
        """Return the process id that gunicorn, or nginx, has written."""
        file = {"gunicorn": "gunicorn.pid", "nginx": "nginx/pid"}[name]
        return int((self.folder / "galv" / file).read_text())

    def processes(self) -> dict[int, str]:
        """Return all that it started and that still runs."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark in (process / "environ").read_text(errors="replace"):
                    found[int(process.name)] = (process / "cmdline").read_text(errors="replace")
        # What has ended has no command any more.
        return {pid: line for pid, line in found.items() if line}

    def leaves_nothing(self) -> bool:
        """Wait until all that it started has ended."""
        until(lambda: not self.processes(), self.processes)
        return True

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def close(self) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.folder)


def until(true: Callable[[], bool], why: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


@pytest.fixture(params=SHELLS)
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Task]]:
    """Start a task; what it leaves is ended after the test."""
    made: list[Task] = []

    def start(**options: object) -> Task:
        made.append(Task(request.param, **options))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for task in made:
        task.close()


def busy(task: Task) -> list[Future[int] | Future[tuple[int, bytes]]]:
    """Let ten requests of four seconds and a slow upload be under way."""
    pool = ThreadPoolExecutor(11)
    begun: list[Future[int] | Future[tuple[int, bytes]]] = [
        *(pool.submit(task.ask, "/?4") for _ in range(10)),
        pool.submit(task.upload, 6),
    ]
    pool.shutdown(wait=False)
    time.sleep(1)
    return begun


@pytest.mark.slow
class TestStop:
    @NGINX
    def test_requests_in_progress_are_answered(self, make: Callable[..., Task]) -> None:
        """Eight threads take ten requests, so that two of them wait in nginx."""
        task = make().started()
        begun = busy(task)

        code = task.stop()

        answers = [one.result(PATIENCE) for one in begun]
        assert answers == [200] * 10 + [(200, b"24000")]
        assert code == 0
        assert task.leaves_nothing()

    def test_requests_are_answered_without_nginx(self, make: Callable[..., Task]) -> None:
        task = make(nginx=False).started()
        with ThreadPoolExecutor() as pool:
            begun = [pool.submit(task.ask, "/?3") for _ in range(4)]
            time.sleep(1)
            code = task.stop()

            assert [one.result(PATIENCE) for one in begun] == [200] * 4
        assert code == 0
        assert task.leaves_nothing()

    @NGINX
    def test_new_connections_are_refused_meanwhile(self, make: Callable[..., Task]) -> None:
        task = make().started()
        with ThreadPoolExecutor() as pool:
            begun = pool.submit(task.ask, "/?4")
            time.sleep(1)
            task.process.send_signal(signal.SIGTERM)
            time.sleep(1)
            with pytest.raises(ConnectionRefusedError):
                task.ask()
            # Nor does a second signal change anything.
            task.process.send_signal(signal.SIGTERM)
            assert begun.result(PATIENCE) == 200
        assert task.process.wait(PATIENCE) == 0

    @NGINX
    def test_a_client_that_never_ends_stops_nothing(self, make: Callable[..., Task]) -> None:
        def in_two_seconds(word: str) -> str:
            return re.sub(r"worker_shutdown_timeout \d+s", "worker_shutdown_timeout 2s", word)

        task = make(change=in_two_seconds).started()
        with socket.create_connection(("127.0.0.1", task.port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            time.sleep(0.5)

            assert task.stop() == 0
        assert task.leaves_nothing()


@pytest.fixture(scope="module")
def task() -> Iterator[Task]:
    """A task that answers, for tests that leave it as it is."""
    task = Task(next(iter(SHELLS)))
    try:
        yield task.started()
    finally:
        task.close()


@pytest.mark.slow
@NGINX
class TestSize:
    """The server refuses a request before a byte of its body is sent and stored."""

    @pytest.mark.parametrize(
        "path",
        ["/", "/missing/", "/login/", "/users/", "/admin/", "/files", "/x/files/", "/?/files/"],
    )
    def test_is_small_where_no_files_are_taken(self, task: Task, path: str) -> None:
        # Django takes no more of what is no file: Galv's DATA_UPLOAD_MAX_MEMORY_SIZE.
        assert task.asked_for_body(path, "Content-Length: 100000000") == 100
        assert task.asked_for_body(path, f"Content-Length: {101 * 1024**2}") == 413

    @pytest.mark.parametrize("path", [*DEFAULT_UPLOAD_PATHS, "/files/1/", "/%66iles/?x=1"])
    def test_is_large_where_files_are_uploaded(self, task: Task, path: str) -> None:
        assert task.asked_for_body(path, f"Content-Length: {4 * 1024**3}") == 100
        assert task.asked_for_body(path, f"Content-Length: {4 * 1024**3 + 1}") == 413

    def test_counts_a_body_that_comes_in_pieces(self, task: Task) -> None:
        with socket.create_connection(("127.0.0.1", task.port), timeout=PATIENCE) as client:
            size = f"{101 * 1024**2:x}"
            head = "POST /missing/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            client.sendall(f"{head}{size}\r\nx".encode())
            with client.makefile("rb") as answer:
                assert answer.readline().split()[1] == b"413"

    def test_uploads_arrive(self, task: Task) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", task.port, timeout=PATIENCE)
        try:
            headers = {"Host": "api.example.com"}
            connection.request("POST", "/files/", body=bytes(100_000), headers=headers)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"100000")
            assert answer.headers["X-Host"] == "api.example.com"
        finally:
            connection.close()


@pytest.mark.slow
class TestStart:
    @pytest.mark.parametrize("nginx", [pytest.param(True, marks=NGINX), False])
    @pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.1, 0.4])
    def test_sigterm_at_any_time_ends_the_start(
        self, delay: float, nginx: bool, make: Callable[..., Task]
    ) -> None:
        task = make(nginx=nginx)
        time.sleep(delay)

        task.stop()

        assert task.leaves_nothing()

    @NGINX
    @pytest.mark.parametrize("line", [GUNICORN, FRONT])
    def test_a_stop_between_two_lines_is_not_lost(
        self, line: str, make: Callable[..., Task]
    ) -> None:
        task = make(change=lambda word: word.replace(line, f"\nkill -TERM $${line}"))

        task.process.wait(PATIENCE)

        assert task.leaves_nothing()

    def test_an_application_that_cannot_be_imported_ends_it(
        self, make: Callable[..., Task]
    ) -> None:
        def missing(word: str) -> str:
            # gunicorn fails by itself, at random, when a second worker fails while it ends.
            return word.replace("config.wsgi", "config.missing").replace(
                "--workers=2", "--workers=1"
            )

        task = make(change=missing)

        assert task.process.wait(PATIENCE) == 3
        assert task.leaves_nothing()

    def test_a_server_that_is_missing_ends_it(self, make: Callable[..., Task]) -> None:
        task = make(change=lambda word: "no-such-program" if word == "gunicorn" else word)

        assert task.process.wait(PATIENCE) == 127
        assert task.leaves_nothing()

    @NGINX
    def test_a_port_that_is_taken_ends_it(self, make: Callable[..., Task]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            def on_taken(word: str) -> str:
                return re.sub(r"listen 127\.0\.0\.1:\d+", f"listen 127.0.0.1:{port}", word)

            task = make(change=on_taken)
            task.process.wait(PATIENCE)

        assert task.leaves_nothing()
        assert "Address already in use" in task.output()


@pytest.mark.slow
class TestEnd:
    @pytest.mark.parametrize("nginx", [pytest.param(True, marks=NGINX), False])
    def test_it_ends_with_gunicorn_and_its_code(
        self, nginx: bool, make: Callable[..., Task]
    ) -> None:
        task = make(nginx=nginx).started()

        os.kill(task.pid_of("gunicorn"), signal.SIGKILL)

        assert task.process.wait(PATIENCE) == 128 + signal.SIGKILL
        # Workers notice once a second that their master is gone.
        assert task.leaves_nothing()

    @NGINX
    def test_it_ends_with_nginx(self, make: Callable[..., Task]) -> None:
        task = make().started()

        os.kill(task.pid_of("nginx"), signal.SIGTERM)

        assert task.process.wait(PATIENCE) == 0
        assert task.leaves_nothing()

    def test_its_loop_ends_with_it(self, make: Callable[..., Task]) -> None:
        """Even after a SIGKILL, where no other process namespace ends with it."""
        task = make(nginx=False, change=lambda word: word.replace("sleep 60", "sleep 1")).started()

        task.process.kill()
        task.process.wait(PATIENCE)
        os.kill(task.pid_of("gunicorn"), signal.SIGTERM)

        assert task.leaves_nothing()


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=str(why_not()))
class TestProcessOne:
    @pytest.fixture(params=SHELLS)
    def container(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
        application = tmp_path / "application"
        (application / "config").mkdir(parents=True)
        (application / "config" / "wsgi.py").write_text(APPLICATION)
        _, *rest = web_command(workers=1, threads=1, timeout=30)
        shell = [SHELLS[request.param], *(["sh"] if request.param == "busybox" else [])]
        definition = {
            "name": "web",
            "command": [*shell, *rest],
            "readonlyRootFilesystem": True,
            "volumes": [{"name": "tmp"}],
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
        }
        image = Image(python=Path(sys.executable), application=application)
        with Container(
            image, definition, environment={"PYTHONPATH": image.workdir}, folder=tmp_path / "task"
        ) as container:
            started = container.volume("tmp") / "galv" / "gunicorn.pid"
            until(lambda: started.exists() and started.stat().st_size > 0, container.output)
            yield container

    def test_reaps_orphaned_processes(self, container: Container) -> None:
        for _ in range(3):
            container.execute("sh", "-c", "(sleep 0.1 &)")
        ended = ["sh", "-c", "grep -h ^State: /proc/[0-9]*/status"]

        until(lambda: " Z " not in f"{container.execute(*ended).stdout}".replace("\t", " "), str)

    def test_stops_at_sigterm(self, container: Container) -> None:
        container.signal(signal.SIGTERM)

        assert container.wait(PATIENCE) == 0
