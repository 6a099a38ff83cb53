"""One container of a task, from its start to its end."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from containers.definition import Json
from containers.image import Image
from containers.network import Network

CGROUPS = Path("/sys/fs/cgroup")
# What Fargate takes if the task definition says nothing:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
_STOP_TIMEOUT = 30
# Seconds that its namespaces and mounts may take.
_LONGEST_START = 120
_USERS = {"root": "0:0", "daemon": "1:1", "www-data": "33:33", "nobody": "65534:65534"}
_MOUNT_OPTIONS = {"nosuid": 2, "nodev": 4, "noexec": 8, "ro": 1, "rw": 0, "noatime": 1 << 10}


class ContainerError(Exception):
    """A container could not be started."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """CPU and memory of a task, as its definition spells them.

    Attributes:
        cpu: CPU units, of which 1024 are one vCPU.
        memory: Memory in MiB.
    """

    cpu: int
    memory: int


class Container:
    """A process with the command, variables, user and mounts of a container definition."""

    def __init__(
        self,
        image: Image,
        definition: Json,
        *,
        secrets: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        command: list[str] | None = None,
        hosts: Mapping[str, str] | None = None,
        network: Network | None = None,
        address: str | None = None,
        limits: Limits | None = None,
        folder: Path | None = None,
    ) -> None:
        """Prepare a container; nothing runs before `start()`.

        Args:
            image: The image.
            definition: The container's definition, as `container_of` returns it.
            secrets: Values of the secrets that the definition names, by the variables' names.
            environment: Variables beside the definition's, as the overrides of `RunTask` give them.
            command: Command instead of the definition's, as in those overrides.
            hosts: Addresses of names, which the container finds in its `/etc/hosts`.
            network: Network that the container gets an address in.
                Default: the network of this machine, all of it.
            address: The address. Default: a free one.
            limits: CPU and memory. Default: what the machine has.
            folder: Folder for volumes and output. Default: a temporary one, removed at the end.
        """
        self.image = image
        self.definition = definition
        self.name = str(definition["name"])
        self.network = network
        self.address = "127.0.0.1"
        if network is not None:
            self.address = address or network.free_address()
        self.hosts = dict(hosts or {})
        self.limits = limits
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="container-")) if folder is None else folder
        self.hostname = f"ip-{self.address.replace('.', '-')}"
        self.user = str(definition.get("user") or image.user)
        self.uid, self.gid = _ids(self.user)
        self.environment = self._environment(secrets or {}, environment or {})
        self.command = self._command(command)
        self.stop_timeout = float(definition.get("stopTimeout") or _STOP_TIMEOUT)
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: list[Path] = []

    def __enter__(self) -> "Container":  # noqa: PYI034 - typing.Self came with Python 3.11
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- Life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the command.

        Raises:
            ContainerError: If it cannot be started, or not with its mounts.
        """
        for name in ("scratch", "volumes"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._groups = self._make_groups()
        order = json.dumps(self._order()).encode() + b"\n"
        status, told = os.pipe()
        try:
            with self.output_file.open("wb") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", Path(__file__).with_name("enter.py"), str(told)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=[told],
                    # What a terminal sends to its programs is not for containers.
                    start_new_session=True,
                )
        finally:
            os.close(told)
        self._stdin.write(order)
        self._stdin.flush()
        late = threading.Timer(_LONGEST_START, self._process.kill)
        late.start()
        with os.fdopen(status) as answers:
            for line in answers:
                answer = json.loads(line)
                self.pid = answer.get("pid", self.pid)
                if "error" in answer:
                    late.cancel()
                    self.kill()
                    raise ContainerError(f"{self.name}: {answer['error']}")
        late.cancel()
        if not self.pid:
            raise ContainerError(
                f"{self.name} did not start within {_LONGEST_START} s: {self.output()}"
            )

    @property
    def running(self) -> bool:
        """Whether the command runs."""
        return self._process is not None and self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, which is 128 + n after signal n."""
        assert self._process is not None
        return self._process.wait(timeout)

    def stop(self, patience: float | None = None) -> int:
        """Stop it as ECS does: SIGTERM, and SIGKILL after its `stopTimeout`; return the exit code.

        Args:
            patience: Seconds to wait instead.
        """
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(self.stop_timeout if patience is None else patience)
        return self.kill()

    def signal(self, number: int) -> None:
        """Send a signal to process 1, which ignores what it does not handle but for SIGKILL."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> int:
        """End it and all that it started."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        return self.wait(60)

    def close(self) -> None:
        """Kill it if it runs, and remove what it leaves if its folder is temporary."""
        if self._process is not None:
            self.kill()
        for group in self._groups:
            with contextlib.suppress(OSError):
                group.rmdir()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- Looking --------------------------------------------------------------------------------

    @property
    def output_file(self) -> Path:
        """File with what it wrote to standard output and standard error."""
        return self.folder / "output"

    def output(self) -> str:
        """Return what it wrote so far."""
        return self.output_file.read_text(errors="replace") if self.output_file.exists() else ""

    def volume(self, name: str) -> Path:
        """Return the folder of this machine behind a volume."""
        return self.folder / "volumes" / name

    def execute(self, *command: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run one more command in it, as `docker exec` does."""
        enter = shutil.which("nsenter")
        if enter is None:
            raise ContainerError("nsenter is not installed (Debian: util-linux)")
        options = ["--mount", "--pid", "--net", "--ipc", "--uts"]
        if os.geteuid() != 0:
            options.append("--user")
        elif self.uid != 0:
            options += [f"--setuid={self.uid}", f"--setgid={self.gid}"]
        there = ["sh", "-c", 'cd "$0" && exec "$@"', self.image.workdir]
        return subprocess.run(
            [enter, f"--target={self.pid}", *options, *there, *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def peak_memory(self) -> int:
        """Return the most bytes of memory that it had, if its memory is limited."""
        for group in self._groups:
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                if (group / name).exists():
                    return int((group / name).read_text())
        raise ContainerError("its memory is not limited, so nobody counts it: pass limits=")

    # -- What it is made of ---------------------------------------------------------------------

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin

    def _environment(self, secrets: Json, overrides: Json) -> dict[str, str]:
        wanted = [secret["name"] for secret in self.definition.get("secrets") or []]
        if missing := sorted(set(wanted) - set(secrets)):
            raise ContainerError(f"{self.name} asks for the secrets {missing}: pass their values")
        own = {one["name"]: one["value"] for one in self.definition.get("environment") or []}
        return {
            "HOME": "/root" if self.uid == 0 else "/",
            "HOSTNAME": self.hostname,
            "PATH": self.image.path,
            **self.image.environment,
            **own,
            **{name: secrets[name] for name in wanted},
            **overrides,
        }

    def _command(self, override: list[str] | None) -> list[str]:
        entry_point = self.definition.get("entryPoint")
        own = override or self.definition.get("command")
        # An entry point of the definition's own makes Docker forget the image's command too.
        default = [] if entry_point else self.image.command
        words = [*(entry_point or self.image.entry_point), *(own or default)]
        if not words:
            raise ContainerError(f"{self.name} has neither an entry point nor a command")
        return [*self._init_process(), *words]

    def _init_process(self) -> list[str]:
        """Return the start of a command that runs below an init process.

        `initProcessEnabled` "maps to the `--init` option to docker run", whose docker-init "is
        backed by tini":
        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinuxParameters.html
        https://docs.docker.com/reference/cli/docker/container/run/#init
        """
        if not (self.definition.get("linuxParameters") or {}).get("initProcessEnabled"):
            return []
        if (tini := shutil.which("tini")) is None:
            raise ContainerError(f"{self.name} has an init process: install tini (Debian: tini)")
        return [tini, "--"]

    def _mounts(self) -> list[dict[str, Any]]:
        layers = [
            {"kind": "layer", "path": path, "source": source}
            for path, source in self.image.layers().items()
        ]
        volumes = []
        known = {volume["name"] for volume in self.definition.get("volumes") or []}
        for point in self.definition.get("mountPoints") or []:
            name = point["sourceVolume"]
            if name not in known:
                raise ContainerError(f"{self.name} mounts {name!r}, which is no volume of the task")
            folder = self.volume(name)
            # Root's, whoever runs the command: Fargate takes owner and mode from the image, where
            # that declares the path as a volume. Another container of the task may change it.
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)
            volumes.append(
                {
                    "kind": "volume",
                    "path": point["containerPath"],
                    "source": str(folder),
                    "readOnly": bool(point.get("readOnly")),
                }
            )
        return [*layers, *volumes, *self._tmpfs()]

    def _tmpfs(self) -> list[dict[str, Any]]:
        found = []
        for one in (self.definition.get("linuxParameters") or {}).get("tmpfs") or []:
            words = list(one.get("mountOptions") or [])
            flags = sum(_MOUNT_OPTIONS.get(word, 0) for word in words)
            rest = [word for word in words if word not in _MOUNT_OPTIONS and word != "defaults"]
            options = ",".join([f"size={one['size']}m", *rest])
            mount = {"kind": "tmpfs", "path": one["containerPath"], "readOnly": False}
            found.append({**mount, "flags": flags, "options": options})
        return found

    def _order(self) -> dict[str, Any]:
        scratch = self.folder / "scratch"
        names = {"localhost": "127.0.0.1", self.hostname: self.address, **self.hosts}
        users = "".join(
            f"{name}:x:{ids}:{name}:{'/root' if name == 'root' else '/'}:/bin/sh\n"
            for name, ids in _USERS.items()
        )
        groups = "".join(f"{name}:x:{ids.split(':')[1]}:\n" for name, ids in _USERS.items())
        return {
            "command": self.command,
            "environment": self.environment,
            "workdir": self.image.workdir,
            "uid": self.uid,
            "gid": self.gid,
            "realRoot": os.geteuid() == 0,
            "hostname": self.hostname,
            "scratch": str(scratch),
            "root": str(scratch / "root"),
            "readOnly": bool(self.definition.get("readonlyRootFilesystem")),
            "links": self.image.links(),
            "texts": {
                "/etc/hosts": "".join(f"{to}\t{name}\n" for name, to in names.items()),
                "/etc/hostname": f"{self.hostname}\n",
                "/etc/passwd": users,
                "/etc/group": groups,
                # Names that are not in /etc/hosts are nowhere.
                "/etc/resolv.conf": "",
            },
            "mounts": self._mounts(),
            "network": None if self.network is None else self.network.cable(self.address),
            "cgroups": [str(group / "cgroup.procs") for group in self._groups],
        }

    def _make_groups(self) -> list[Path]:
        """Make the control groups that hold it within its limits."""
        if self.limits is None:
            return []
        # What a task of Fargate has is its own: it is served before what else the machine does.
        share, size = self.limits.cpu * 100_000 // 1024, self.limits.memory << 20
        name = f"container-{os.getpid()}-{os.urandom(4).hex()}"
        if (CGROUPS / "cgroup.controllers").exists():
            settings = {
                ".": {
                    "cpu.max": f"{share} 100000",
                    "cpu.weight": "10000",
                    "memory.max": str(size),
                }
            }
        else:
            settings = {
                "cpu": {
                    "cpu.cfs_period_us": "100000",
                    "cpu.cfs_quota_us": str(share),
                    "cpu.shares": "262144",
                },
                "memory": {"memory.limit_in_bytes": str(size)},
            }
        groups = []
        for controller, values in settings.items():
            group = CGROUPS / controller / name
            try:
                group.mkdir()
                groups.append(group)
                for key, value in values.items():
                    (group / key).write_text(value)
            except OSError as error:
                raise ContainerError(
                    f"CPU and memory cannot be limited on this machine: {error}"
                ) from error
        return groups


def _ids(user: str) -> tuple[int, int]:
    """Return the numbers of a user and a group."""
    name, _, group = user.partition(":")
    known = _USERS.get(name, name if name.isdigit() else "")
    if not known or (group and not group.isdigit()):
        raise ContainerError(f"user {user!r} is not in the image: use {sorted(_USERS)} or numbers")
    uid, _, gid = known.partition(":")
    return int(uid), int(group or gid or 0)
