"""Containers as local processes: what MiniStack would otherwise ask of Docker.

MiniStack's ECS has the whole life of a task, but without Docker it only pretends. This is the small
part of Docker's client that it uses. An "image" is a directory, named by its tag, in the folder
that E2E_IMAGES names; a "container" is a process that runs the task definition's own entry point
and command with that directory first on PATH. What the command finds there (`python`, `gunicorn`)
the test has written. So shells, steps, exit codes, output and signals are real.
"""

import functools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from e2e.emulator.ecs import network_of
from e2e.emulator.process import Process
from e2e.emulator.types import Json
from e2e.reach import Reach
from ministack.services import ecs

log = logging.getLogger("e2e.containers")

IMAGES = Path(os.environ["E2E_IMAGES"])


def _image(name: str) -> Path:
    """Return the directory of an image, which a registry would refuse if it did not exist."""
    repository = name.partition("@")[0]
    tag = repository.rpartition("/")[2].partition(":")[2] or "latest"
    directory = IMAGES / tag
    if not directory.is_dir():
        raise ImageNotFound(f"failed to resolve reference {name!r}: not found")
    return directory


class ImageNotFound(Exception):  # noqa: N818 - Docker's name for it
    """No registry has the image."""


class _Registry:
    def get_registry_data(self, name: str, **_: object) -> Any:
        raise RuntimeError(f"no digest of {name}")  # a folder has none; tags are used as they are

    def get(self, name: str) -> Path:
        return _image(name)

    def pull(self, name: str, **_: object) -> Path:
        return _image(name)


class _Container:
    """A process, with the members that MiniStack uses."""

    def __init__(self, image: Path, command: list[str], environment: dict[str, str]) -> None:
        self.id = os.urandom(16).hex()
        self.attrs = {"NetworkSettings": {"Networks": {"vpc": {"IPAddress": _address()}}}}
        # Like a container's, the environment is the task definition's and nothing else.
        path = {"PATH": f"{image}:{os.defpath}"}
        self._process = Process(command, image, {**environment, **path})

    @property
    def status(self) -> str:
        return "exited" if self._process.ended.is_set() else "running"

    def reload(self) -> None:
        """Nothing to read again: `status` is what is."""

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self._process.code()}

    def logs(self, *, stream: bool = False, tail: int = 0, **_: object) -> Any:
        return self._follow() if stream else self._process.output()

    def _follow(self) -> Iterator[bytes]:
        """Yield whole lines as they come."""
        position, rest = 0, b""
        while True:
            ended = self._process.ended.wait(0.05)
            while chunk := self._process.output(position):
                position += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield b"\n".join(lines)
            if ended:
                yield rest
                return

    def stop(self, **_: object) -> None:
        self._process.end()

    def remove(self, **_: object) -> None:
        CONTAINERS.pop(self.id, None)


@functools.cache
def _client(service: str) -> Any:
    return boto3.client(service, endpoint_url=f"http://localhost:{os.environ['GATEWAY_PORT']}")


CONTAINERS: dict[str, _Container] = {}


def _command(task_arn: str, container: Json) -> list[str]:
    """Return the command of a container, which a single run may have replaced."""
    overrides: list[Json] = ecs._tasks[task_arn]["overrides"].get("containerOverrides", [])
    own: list[str] = container.get("command", [])
    return next(
        (o["command"] for o in overrides if o["name"] == container["name"] and "command" in o), own
    )


class _Containers:
    def run(
        self, image: str, *, environment: dict[str, str], labels: dict[str, str], **_: object
    ) -> _Container:
        task_arn = labels["com.amazonaws.ecs.task-arn"]
        name = labels["com.amazonaws.ecs.container-name"]
        definition_arn = ecs._tasks[task_arn]["taskDefinitionArn"]
        definition = ecs._task_defs[definition_arn.rpartition("/")[2]]
        (container,) = [c for c in definition["containerDefinitions"] if c["name"] == name]
        network = network_of(task_arn)
        # Read through the service APIs, as the tests do.
        reach = Reach(_client)
        if problems := reach.start_problems(definition_arn, network):
            raise RuntimeError("; ".join(problems))
        command = [*container.get("entryPoint", []), *_command(task_arn, container)]
        if problems := reach.run_problems(definition_arn, network):
            log.warning("%s cannot reach what it needs: %s", name, problems)
            # What the application would say, a minute later.
            command = ["/bin/sh", "-c", 'printf "%s\\n" "$0" "$@"; exit 1', *problems]
        made = _Container(_image(image), command, environment)
        CONTAINERS[made.id] = made
        return made

    def get(self, id: str) -> _Container:
        return CONTAINERS[id]

    def list(self, **_: object) -> list[_Container]:
        return list(CONTAINERS.values())


class _Docker:
    images = _Registry()
    containers = _Containers()


_addresses = iter(range(1, 1 << 16))


def _address() -> str:
    number = next(_addresses)
    return f"10.0.{number >> 8}.{number & 255}"


def install() -> None:
    """Give MiniStack's ECS this instead of Docker."""
    if ecs._docker is not None:
        raise AttributeError("MiniStack has a Docker client already")
    ecs._docker = _Docker()
    # Asked for when an image cannot be pulled.
    errors = ModuleType("docker.errors")
    errors.ImageNotFound = ImageNotFound  # type: ignore[attr-defined]
    sys.modules.update({"docker": ModuleType("docker"), "docker.errors": errors})
