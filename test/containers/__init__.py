"""Containers of ECS task definitions as processes, with the mounts that Fargate gives them.

A task definition says that the root file system is read-only, which paths are writable, which user
runs the command and how long it may take to stop. A process that only gets the command and the
variables shows nothing of that: on a writable disk an application writes where it likes. Here a
container has a root file system of its own, in namespaces of its own, made with what every Linux
has. Needed are the standard library, tini for init processes, and `ip` of iproute2 for networks.

    image = Image(python=Path(".venv/bin/python"), application=Path("backend_django"))
    with Container(image, container_of(task_definition, "web"), folder=tmp_path) as container:
        container.wait(timeout=60)

Namespaces need root, or a kernel that lets users make them: `why_not()` says what is in the way.
A container then refuses to start, because a run on a writable disk would prove nothing.
"""

from containers.container import Container, ContainerError, Limits
from containers.definition import container_of
from containers.image import Image
from containers.network import Network
from containers.support import cannot_limit, why_no_network, why_not

__all__ = [
    "Container",
    "ContainerError",
    "Image",
    "Limits",
    "Network",
    "cannot_limit",
    "container_of",
    "why_no_network",
    "why_not",
]
