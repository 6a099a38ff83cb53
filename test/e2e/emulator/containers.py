"""Containers as local processes: what MiniStack would otherwise ask of Docker.

MiniStack's ECS has the whole life of a task, but without Docker it only pretends. This is the small
part of Docker's client that it uses. An image, with the application that stands in for Galv, is
pulled from its registry. It runs in a container with the template's command, variables, user and
mounts, at an address of the task's subnet, with a real database and the rights of the task's role.
"""

import contextlib
import functools
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from containers import Container, Image, Network, container_of
from e2e.emulator import databases, iam, images
from e2e.emulator.ecs import network_of
from e2e.emulator.private import ecs
from e2e.emulator.types import Json
from e2e.reach import Reach

log = logging.getLogger("e2e.containers")

PUBLISHED = Path(os.environ["E2E_PUBLISHED"])
GATEWAY_PORT = int(os.environ["GATEWAY_PORT"])
# Seconds that a container which is stopped has until it is killed.
_PATIENCE = 1
# Seconds that a server has until it answers.
_LONGEST_START = 120
_lock = threading.Lock()
_ways: dict[tuple[str, int], str] = {}


class _Images:
    def get_registry_data(self, name: str, **_: object) -> Any:
        raise RuntimeError(f"no digest of {name}")  # tags are used as they are

    def get(self, name: str) -> Image:
        return images.pull(name)

    def pull(self, name: str, **_: object) -> Image:
        return images.pull(name)


class _Container:
    """A container of `containers`, with the members that MiniStack uses."""

    def __init__(self, container: Container) -> None:
        self.id = os.urandom(16).hex()
        self.attrs = {"NetworkSettings": {"Networks": {"vpc": {"IPAddress": container.address}}}}
        self._container = container
        container.start()
        self.ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        """Wait for the end, which a service has when it is stopped, or with the emulator."""
        self._container.wait()
        network = self._container.network
        assert network is not None
        network.release(self._container.address)
        self.ended.set()

    @property
    def status(self) -> str:
        return "exited" if self.ended.is_set() else "running"

    def reload(self) -> None:
        """Nothing to read again: `status` is what is."""

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self._container.wait()}

    def logs(self, *, stream: bool = False, tail: int = 0, **_: object) -> Any:
        return self._follow() if stream else self._output(0)

    def _output(self, start: int) -> bytes:
        with self._container.output_file.open("rb") as file:
            file.seek(start)
            return file.read(1 << 20)

    def _follow(self) -> Iterator[bytes]:
        """Yield whole lines as they come."""
        position, rest = 0, b""
        while True:
            ended = self.ended.wait(0.1)
            while chunk := self._output(position):
                position += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield b"\n".join(lines)
            if ended:
                yield rest
                return

    def stop(self, **_: object) -> None:
        self._container.stop(_PATIENCE)
        self._container.close()

    def remove(self, **_: object) -> None:
        CONTAINERS.pop(self.id, None)


@functools.cache
def _client(service: str) -> Any:
    return boto3.client(service, endpoint_url=f"http://localhost:{os.environ['GATEWAY_PORT']}")


CONTAINERS: dict[str, _Container] = {}


def _command(task_arn: str, container: Json) -> list[str]:
    """Return the command of a container, which a single run may have replaced."""
    overrides: list[Json] = ecs.tasks[task_arn]["overrides"].get("containerOverrides", [])
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
        definition_arn = ecs.tasks[task_arn]["taskDefinitionArn"]
        definition = ecs.task_defs[definition_arn.rpartition("/")[2]]
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
        own = {**container_of(definition, name), "entryPoint": [], "command": command}
        role = definition["taskRoleArn"]
        platform = definition.get("runtimePlatform") or {}
        pulled = images.pull(image, platform.get("cpuArchitecture", "X86_64"))
        made = _start(pulled, own, environment, role, network)
        CONTAINERS[made.id] = made
        return made

    def get(self, id: str) -> _Container:
        return CONTAINERS[id]

    def list(self, **_: object) -> list[_Container]:
        return list(CONTAINERS.values())


class _Docker:
    images = _Images()
    containers = _Containers()


def _network() -> Network:
    """Return the network of all containers, in which this emulator is AWS."""
    # The cache alone lets tasks that start at the same time make a network each.
    with _lock:
        return _only_network()


@functools.cache
def _only_network() -> Network:
    network = Network("10.0.0.0/16").__enter__()
    network.serve(GATEWAY_PORT, ("127.0.0.1", GATEWAY_PORT), address=network.gateway)
    return network


def _way_to(database: tuple[str, int]) -> str:
    """Return the address of a database in the network."""
    network = _network()
    with _lock:
        if database not in _ways:
            _ways[database] = network.serve(5432, database)
        return _ways[database]


def _start(
    image: Image, definition: Json, environment: dict[str, str], role: str, where: Json
) -> _Container:
    """Start a container at an address of a task's subnet."""
    network, subnets = _network(), where["subnets"]
    (subnet,) = _client("ec2").describe_subnets(SubnetIds=subnets[:1])["Subnets"]
    address = network.free_address(subnet["CidrBlock"])
    # What the task would get from ECS's agent.
    session = _client("sts").assume_role(RoleArn=role, RoleSessionName="task")["Credentials"]
    if vpc := Reach(_client).vpc_that_s3_sees(where):
        iam.comes_through_endpoint_of(vpc, session["AccessKeyId"])
    hosts = {}
    # What has nothing to do with Galv has no database.
    if (host := environment.get("POSTGRES_HOST")) and (database := databases.server_of(host)):
        hosts[host] = _way_to(database)
    added = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    given = {name: value for name, value in environment.items() if name not in added}
    container = Container(
        image,
        {**definition, "environment": [], "secrets": []},
        environment={
            **given,
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"],
            "AWS_ENDPOINT_URL": f"http://{network.gateway}:{GATEWAY_PORT}",
        },
        hosts=hosts,
        network=network,
        address=address,
        folder=Path(tempfile.mkdtemp(prefix="container-")),
    )
    made = _Container(container)
    for mapping in definition.get("portMappings") or []:
        place = f"{address}:{mapping['containerPort']}"
        published = network.publish(address, mapping["containerPort"])
        (PUBLISHED / place).write_text(str(published))
        _wait_until_it_serves(made, published, place)
    return made


def _wait_until_it_serves(container: _Container, published: int, place: str) -> None:
    """Wait as the checks of a load balancer do; a container that ends has told enough."""
    deadline = time.monotonic() + _LONGEST_START
    while not container.ended.wait(0.2):
        if _serves(published, place):
            return
        if time.monotonic() > deadline:
            log.warning("%s does not serve after %s s", place, _LONGEST_START)
            return


def _serves(published: int, place: str) -> bool:
    connection = HTTPConnection("127.0.0.1", published, timeout=20)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/", headers={"Host": place})
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False


def install() -> None:
    """Give MiniStack's ECS this instead of Docker."""
    if ecs.docker is not None:
        raise AttributeError("MiniStack has a Docker client already")
    ecs.docker = _Docker()
    # Asked for when an image cannot be pulled.
    errors = ModuleType("docker.errors")
    errors.ImageNotFound = images.PullError  # type: ignore[attr-defined]
    sys.modules.update({"docker": ModuleType("docker"), "docker.errors": errors})
