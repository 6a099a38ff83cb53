"""Containers as processes: what a task definition says is what the process meets."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import (
    Container,
    ContainerError,
    Image,
    Limits,
    Network,
    cannot_limit,
    container_of,
    why_no_network,
    why_not,
)

Run = Callable[..., Container]
TASK: dict[str, Any] = {
    "Cpu": "512",
    "Memory": "1024",
    "Volumes": [{"Name": "tmp"}],
    "ContainerDefinitions": [
        {"Name": "web", "EntryPoint": ["sh"], "Environment": [{"Name": "A", "Value": "B"}]},
        {"Name": "log", "Command": ["tail"]},
    ],
}
STAY = """\
import sys, time
from pathlib import Path
from containers import Container, Image
image = Image(python=Path(sys.executable), application=Path({application!r}))
with Container(image, {{"name": "x", "command": ["sleep", "4321.5"]}}) as container:
    print(container.pid, flush=True)
    time.sleep(60)
"""
NETWORK = pytest.mark.skipif(bool(why_no_network()), reason=str(why_no_network()))
pytestmark = pytest.mark.skipif(bool(why_not()), reason=str(why_not()))
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def image(tmp_path: Path) -> Image:
    application = tmp_path / "application"
    application.mkdir()
    (application / "manage.py").write_text("print('managed')\n")
    return Image(python=Path(sys.executable), application=application)


@pytest.fixture
def run(image: Image, tmp_path: Path) -> Iterator[Run]:
    """Start a container that is closed after the test."""
    started: list[Container] = []

    def start(script: str, given: dict[str, Any] | None = None, **definition: Any) -> Container:
        made = Container(
            image,
            {
                "name": "web",
                "command": ["sh", "-c", script],
                "readonlyRootFilesystem": True,
                "volumes": [{"name": "tmp"}],
                "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
                **definition,
            },
            folder=tmp_path / f"container-{len(started)}",
            **(given or {}),
        )
        started.append(made)
        made.start()
        return made

    yield start
    for container in started:
        container.close()


def test_root_on_linux_can_make_namespaces() -> None:
    """Where tests run as root, as in CI, nothing here may be skipped."""
    if sys.platform == "linux" and os.geteuid() == 0:
        assert why_not() is None
        assert why_no_network() is None


class TestMounts:
    @pytest.mark.parametrize(
        "path",
        ["/x", "/etc/x", "/root/x", "/var/log/x", "/var/tmp/x", "/usr/x", "/code/backend_django/x"],
    )
    def test_a_read_only_root_refuses_to_be_written(self, path: str, run: Run) -> None:
        container = run(f"touch {path}")

        assert container.wait(10) == 1
        assert "Read-only file system" in container.output()

    def test_the_environment_of_python_is_read_only_too(self, run: Run) -> None:
        """That is what a virtual environment on this machine's disk hides."""
        packages = next(path for path in sys.path if path.endswith("site-packages"))

        container = run(f"touch {packages}/x")

        assert container.wait(10) == 1
        assert "Read-only file system" in container.output()
        assert not (Path(packages) / "x").exists()

    def test_volumes_can_be_written(self, run: Run) -> None:
        container = run("echo one > /tmp/x && cat /tmp/x")

        assert container.wait(10) == 0
        assert container.output() == "one\n"
        assert (container.volume("tmp") / "x").read_text() == "one\n"

    def test_a_read_only_mount_of_a_volume_cannot(self, run: Run) -> None:
        mount = {"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": True}

        container = run("touch /tmp/x", mountPoints=[mount])

        assert container.wait(10) == 1
        assert "Read-only file system" in container.output()

    def test_a_tmpfs_has_its_size(self, run: Run) -> None:
        tmpfs = {"containerPath": "/scratch", "size": 1, "mountOptions": ["noexec"]}

        container = run(
            "head -c 900000 /dev/zero > /scratch/a && echo fits; head -c 900000 /dev/zero > "
            "/scratch/b",
            linuxParameters={"tmpfs": [tmpfs]},
        )

        assert container.wait(10) == 1
        assert container.output().startswith("fits\n")
        assert "No space left on device" in container.output()

    def test_a_writable_root_takes_everything_and_forgets_it(self, run: Run, image: Image) -> None:
        container = run(
            "touch /x /etc/x /usr/x manage.pyc && echo written", readonlyRootFilesystem=False
        )

        assert container.wait(10) == 0, container.output()
        assert container.output() == "written\n"
        assert not Path("/usr/x").exists()
        assert not (image.application / "manage.pyc").exists()

    def test_it_sees_its_image_and_nothing_else_of_the_machine(
        self, run: Run, tmp_path: Path
    ) -> None:
        container = run(f"python manage.py; ls {tmp_path}; ls /home /root/.ssh; ls /proc")

        container.wait(10)
        output = container.output()
        assert output.startswith("managed\n")
        assert f"cannot access '{tmp_path}'" in output
        processes = [word for word in output.split() if word.isdigit()]
        assert str(os.getpid()) not in processes
        assert len(processes) <= 2

    def test_files_of_an_image_are_where_it_says(self, image: Image, tmp_path: Path) -> None:
        (tmp_path / "server.sh").write_text("echo served\n")
        with_file = Image(
            python=image.python,
            application=image.application,
            files={"/code/server.sh": tmp_path / "server.sh"},
            entry_point=["sh"],
            command=["/code/server.sh"],
        )

        with Container(with_file, {"name": "web"}) as container:
            assert container.wait(10) == 0
            assert container.output() == "served\n"

    def test_root_cannot_make_its_root_writable(self, run: Run) -> None:
        container = run("mount -o remount,rw /")

        assert container.wait(10) != 0

    def test_refuses_a_mount_of_no_volume(self, run: Run) -> None:
        with pytest.raises(ContainerError, match="no volume of the task"):
            run("true", volumes=[])


class TestProcess:
    def test_has_exactly_its_variables(self, run: Run) -> None:
        container = run(
            "env",
            {"secrets": {"PASSWORD": "p$'\"w"}, "environment": {"GALV_RELEASE_EVENT": "Create"}},
            environment=[{"name": "POSTGRES_HOST", "value": "db"}],
            secrets=[{"name": "PASSWORD", "valueFrom": "arn:…"}],
        )

        container.wait(10)
        names = {line.partition("=")[0] for line in container.output().splitlines()}
        assert "PASSWORD=p$'\"w\n" in container.output()
        assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {
            *("HOME", "HOSTNAME", "PATH"),
            *("POSTGRES_HOST", "PASSWORD", "GALV_RELEASE_EVENT"),
        }

    def test_refuses_to_run_without_a_secret(self, run: Run) -> None:
        with pytest.raises(ContainerError, match=r"asks for the secrets \['PASSWORD'\]"):
            run("true", secrets=[{"name": "PASSWORD", "valueFrom": "arn:…"}])

    def test_runs_the_entry_point_with_the_command(self, run: Run) -> None:
        container = run("", entryPoint=["sh", "-c", 'echo "$0 $1"'], command=["one", "two"])

        assert container.wait(10) == 0
        assert container.output() == "one two\n"

    def test_says_what_cannot_be_started(self, run: Run) -> None:
        with pytest.raises(ContainerError, match="No such file or directory"):
            run("", command=["no-such-program"])

    @ROOT_ONLY
    @pytest.mark.parametrize(
        ("user", "expected"), [("nobody", "65534 65534"), ("1000", "1000 0"), ("7:8", "7 8")]
    )
    def test_runs_as_its_user(self, user: str, expected: str, run: Run) -> None:
        container = run("echo $(id -u) $(id -g); touch /tmp/x", user=user)

        assert container.wait(10) == 1
        assert container.output().startswith(f"{expected}\n")
        # Volumes belong to root.
        assert "Permission denied" in container.output()

    def test_refuses_a_user_whom_the_image_does_not_know(self, run: Run) -> None:
        with pytest.raises(ContainerError, match="'galv' is not in the image"):
            run("true", user="galv")

    @pytest.mark.parametrize("code", [0, 3, 77])
    def test_ends_with_the_exit_code_of_the_command(self, code: int, run: Run) -> None:
        assert run(f"exit {code}").wait(10) == code

    def test_runs_one_more_command_inside(self, run: Run) -> None:
        container = run("echo one > /tmp/x; exec sleep 60")
        while not (container.volume("tmp") / "x").exists():
            time.sleep(0.01)

        done = container.execute(
            "python", "-c", "print(open('/tmp/x').read() + __import__('os').getcwd())"
        )

        assert done.stdout == "one\n/code/backend_django\n", done.stderr


class TestEnd:
    def test_a_command_that_handles_sigterm_ends_itself(self, run: Run) -> None:
        container = run("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done")
        until(container, "up")

        assert container.stop() == 5
        assert container.output() == "up\nbye\n"

    def test_one_that_does_not_is_killed_after_its_stop_timeout(self, run: Run) -> None:
        """Process 1 ignores signals that it does not handle."""
        container = run("echo up; while :; do sleep 0.05; done", stopTimeout=1)
        until(container, "up")

        began = time.monotonic()
        assert container.stop() == 128 + signal.SIGKILL
        assert 1 <= time.monotonic() - began < 5

    def test_an_init_process_hands_the_signal_on(self, run: Run) -> None:
        init = {"initProcessEnabled": True}
        container = run("echo up; while :; do sleep 0.05; done", linuxParameters=init)
        until(container, "up")

        assert container.stop() == 128 + signal.SIGTERM

    @pytest.mark.parametrize("code", [0, 3])
    def test_an_init_process_ends_with_the_exit_code_of_the_command(
        self, code: int, run: Run
    ) -> None:
        container = run(f"exit {code}", linuxParameters={"initProcessEnabled": True})

        assert container.wait(10) == code

    def test_all_that_it_started_ends_with_it(self, run: Run) -> None:
        container = run("sleep 1234.5 & setsid sleep 1234.5 & echo up; wait")
        until(container, "up")
        while len(sleeping()) != 2:
            time.sleep(0.01)

        container.kill()

        assert sleeping() == []

    def test_it_ends_with_whoever_started_it(self, image: Image) -> None:
        script = STAY.format(application=str(image.application))
        path = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        with subprocess.Popen(
            [sys.executable, "-c", script], env=path, stdout=subprocess.PIPE, text=True
        ) as starter:
            assert starter.stdout is not None
            pid = int(starter.stdout.readline())
            assert Path(f"/proc/{pid}").exists()
            starter.kill()

        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, "the container is still there"
            time.sleep(0.02)

    def test_a_temporary_folder_is_removed(self, image: Image) -> None:
        with Container(image, {"name": "web", "command": ["true"]}) as container:
            container.wait(10)
            assert container.folder.exists()

        assert not container.folder.exists()


@NETWORK
class TestNetwork:
    @pytest.fixture
    def network(self) -> Iterator[Network]:
        with Network("10.0.0.0/16") as network:
            yield network

    def test_two_containers_serve_the_same_port(self, run: Run, network: Network) -> None:
        for word in ("one", "two"):
            script = f"cd /tmp && echo {word} > index.html && exec python -m http.server 8000"
            container = run(script, {"network": network})
            assert answer(network, container, 8000) == word
            assert container.execute("hostname").stdout.startswith("ip-10-0-0-")

    def test_a_service_of_this_machine_has_an_address_and_a_name(
        self, run: Run, network: Network
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = network.serve(5432, server.getsockname())
            script = "import socket; print(socket.create_connection(('db.test', 5432)).recv(9))"
            container = run(
                f'exec python -c "{script}"', {"network": network, "hosts": {"db.test": address}}
            )
            server.settimeout(10)
            caller, _ = server.accept()
            with caller:
                caller.sendall(b"hello")

        assert container.wait(10) == 0
        assert container.output() == "b'hello'\n"

    def test_nothing_else_can_be_reached(self, run: Run, network: Network) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
            container = run(f'exec python -c "{script}"', {"network": network})

        assert container.wait(20) == 1
        assert "Connection refused" in container.output()

    def test_addresses_come_from_a_subnet(self, network: Network) -> None:
        assert network.free_address("10.0.8.0/24") == "10.0.8.4"
        assert network.free_address("10.0.8.0/24") == "10.0.8.5"
        network.release("10.0.8.4")
        assert network.free_address("10.0.8.0/24") == "10.0.8.4"


@pytest.mark.skipif(bool(cannot_limit()), reason=str(cannot_limit()))
class TestLimits:
    def test_more_memory_than_the_task_has_kills_it(self, run: Run) -> None:
        limits = {"limits": Limits(cpu=512, memory=64)}

        assert run("exec python -c \"x = 'x' * (32 << 20)\"", limits).wait(20) == 0
        assert run("exec python -c \"x = 'x' * (128 << 20)\"", limits).wait(20) == 137

    def test_counts_memory(self, run: Run) -> None:
        container = run("true", {"limits": Limits(cpu=512, memory=64)})
        container.wait(10)

        assert 0 < container.peak_memory() < 64 << 20


class TestDefinition:
    def test_is_read_as_a_template_spells_it(self) -> None:
        assert container_of(TASK, "web") == {
            "name": "web",
            "entryPoint": ["sh"],
            "environment": [{"name": "A", "value": "B"}],
            "volumes": [{"name": "tmp"}],
            "taskCpu": "512",
            "taskMemory": "1024",
        }

    def test_refuses_to_guess_a_container(self) -> None:
        with pytest.raises(ValueError, match=r"\['web', 'log'\]: name one of them"):
            container_of(TASK)


def until(container: Container, word: str) -> None:
    """Wait until a container has written a word."""
    deadline = time.monotonic() + 10
    while word not in container.output():
        assert time.monotonic() < deadline, container.output()
        time.sleep(0.01)


def sleeping() -> list[str]:
    """Processes of this machine that sleep as long as only these tests let them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes() == b"sleep\x001234.5\x00":
                found.append(process.name)
    return found


def answer(network: Network, container: Container, port: int) -> str:
    """Ask a web server in a container, once it listens."""
    url = f"http://127.0.0.1:{network.publish(container.address, port)}/"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
            text: str = response.read().decode()
            return text.strip()
        time.sleep(0.05)
    raise AssertionError(container.output())
