"""A deployment of Galv: its stacks, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from galv_ops.errors import COULD_NOT, USAGE, OpsError
from galv_ops.query.aws import Aws
from galv_ops.query.stack import Resource, Stack
from galv_ops.query.task import Network, Task, describe_task

if TYPE_CHECKING:
    from types_boto3_ecs.type_defs import ServiceTypeDef

CLUSTER = "AWS::ECS::Cluster"
SERVICE = "AWS::ECS::Service"
TASK_DEFINITION = "AWS::ECS::TaskDefinition"
SECURITY_GROUP = "AWS::EC2::SecurityGroup"
RELEASE = "Custom::GalvReleaseTask"
SITE_RELEASE = "Custom::GalvSiteRelease"

# How the logical ids of the resources of GalvBackend end, without their hash: the last constructs
# of their paths.
_SERVICE = "WebService"
_SETUP = "SetupRun"
_TASK = "TaskTaskDefinition"

WEB = "web"
SETUP = "setup-db"
CHECK = "check-status"


class Deployment:
    """The stacks of a deployment, the backend's among them if there is one."""

    def __init__(
        self,
        aws: Aws,
        name: str,
        stacks: Sequence[Stack],
        backend: Stack | None,
        unseen: Sequence[str] = (),
    ) -> None:
        self.aws = aws
        self.name = name
        self.stacks = list(stacks)
        self._backend = backend
        self._unseen = list(unseen)

    @property
    def region(self) -> str:
        """Region of the backend; what is for CloudFront may be in us-east-1."""
        return self.aws.region

    @property
    def account(self) -> str:
        """The account's number."""
        return self.stacks[0].id.split(":")[4]

    @property
    def has_backend(self) -> bool:
        """Whether there is a stack with a backend."""
        return self._backend is not None

    @property
    def is_being_created(self) -> bool:
        """Whether a first deployment goes on: what is missing then is not there yet."""
        return any(stack.is_being_created for stack in self.stacks)

    @property
    def unseen(self) -> list[str]:
        """Stacks in us-east-1 that may exist but could not be read, with the reason."""
        # A backend alone has none.
        return self._unseen if self.resources(SITE_RELEASE) else []

    @property
    def backend(self) -> Stack:
        """The stack of the backend.

        Raises:
            OpsError: If there is none.
        """
        if self._backend is None:
            names = ", ".join(stack.name for stack in self.stacks)
            raise OpsError(
                f"{self.name} has no backend yet, only {names}: deploy it, and if that fails ask "
                "`galv-ops doctor`"
            )
        return self._backend

    @property
    def setup_run(self) -> Resource | None:
        """The custom resource that stands for setup; none before it is created."""
        return self._setups[0] if self._setups else None

    @property
    def _setups(self) -> list[Resource]:
        return [
            resource
            for resource in self.backend.resources(RELEASE)
            if resource.stem.endswith(_SETUP)
        ]

    def resources(self, type: str) -> list[tuple[Stack, Resource]]:  # noqa: A002
        """Return the resources of a type in all stacks."""
        return [(stack, resource) for stack in self.stacks for resource in stack.resources(type)]

    @cached_property
    def service(self) -> str | None:
        """ARN of the web service; none before it is created."""
        # A service that an application has beside it may be called so too.
        stems = {f"{setup.stem.removesuffix(_SETUP)}{_SERVICE}" for setup in self._setups}
        found = [resource for resource in self.backend.resources(SERVICE) if resource.stem in stems]
        if len(found) > 1:
            raise OpsError(
                f"{self.backend.name} holds {len(found)} backends, and galv-ops knows one per "
                "stack: give each a stack of its own"
            )
        return found[0].id if found else None

    @cached_property
    def cluster(self) -> str | None:
        """The cluster that tasks run in; none before it is created."""
        if self.service is not None and self.service.count("/") == 2:
            return self.service.split("/")[1]
        found = self.backend.resources(CLUSTER)
        return found[0].id if found else None

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The tasks of the backend's stack by name, such as `web` and `setup-db`."""
        groups = {resource.stem: resource.id for resource in self.backend.resources(SECURITY_GROUP)}
        services = {resource.stem for resource in self.backend.resources(SERVICE)}
        tasks = []
        for resource in self.backend.resources(TASK_DEFINITION):
            # Of this library: an application may have others beside them.
            if resource.stem.endswith(_TASK):
                stem = resource.stem.removesuffix("TaskDefinition")
                own = groups.get(f"{stem}SecurityGroup")
                construct = stem.removesuffix("Task")
                task = describe_task(self.aws, resource.id, [] if own is None else [own])
                # CDK leaves out the second of two equal ends of a path.
                kept = not services.isdisjoint({f"{construct}Service", construct})
                tasks.append(replace(task, in_service=kept))
        return {task.name: task for task in tasks}

    def task(self, name: str, *, given: bool = False) -> Task:
        """Return a task by its name, which may be `given` by a person.

        Raises:
            OpsError: If there is none of that name.
        """
        if name not in self.tasks:
            raise OpsError(
                f"{self.backend.name} has no task {name!r}: it has "
                f"{', '.join(sorted(self.tasks)) or 'none yet'}",
                USAGE if given and self.tasks else COULD_NOT,
            )
        return self.tasks[name]

    def network(self, task: Task) -> Network:
        """Return where a task runs: with the web service, but in its own security group.

        Raises:
            OpsError: If there is no web service yet.
        """
        if self.service is None or self.cluster is None:
            raise OpsError(
                f"{self.backend.name} has no web service yet, so nothing can be run in it: "
                "`galv-ops doctor` says why"
            )
        answer = self.aws.ecs.describe_services(cluster=self.cluster, services=[self.service])
        if not answer["services"]:
            raise OpsError(f"ECS does not know the web service {self.service}")
        vpc = answer["services"][0].get("networkConfiguration", {}).get("awsvpcConfiguration")
        if vpc is None:
            raise OpsError(f"the web service {self.service} tells no network")
        return Network(
            cluster=self.cluster,
            subnets=vpc["subnets"],
            security_groups=task.security_groups or vpc.get("securityGroups", []),
            assign_public_ip=vpc.get("assignPublicIp", "DISABLED"),
        )


def is_backend(stack: Stack) -> bool:
    """Tell whether a stack holds a backend, or held one that was rolled back."""
    # Release tasks of an application's own can be in any stack.
    return any(
        resource.type == RELEASE and resource.stem.endswith(_SETUP) for resource in stack.history
    )


def is_galv(stack: Stack) -> bool:
    """Tell whether a stack holds anything that only this library creates."""
    return any(resource.type.startswith("Custom::Galv") for resource in stack.history)


def describe_service(deployment: Deployment) -> ServiceTypeDef | None:
    """Return the web service as ECS describes it; none if there is none."""
    if deployment.service is None or deployment.cluster is None:
        return None
    answer = deployment.aws.ecs.describe_services(
        cluster=deployment.cluster, services=[deployment.service]
    )
    return next(
        (service for service in answer["services"] if service.get("status") != "INACTIVE"), None
    )
