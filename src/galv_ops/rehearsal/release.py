"""The task that rehearses, with the image of a release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from galv_ops.answers import tasks_of_family
from galv_ops.errors import COULD_NOT, USAGE, OpsError
from galv_ops.query.deployment import SECURITY_GROUP, Deployment
from galv_ops.query.task import Task, short
from galv_ops.rehearsal.copy import OPERATION, REHEARSAL

TASK = "rehearse-setup"
GALV = "ghcr.io/galv-team/galv-backend"
_GROUP = "CopySecurityGroup"
_PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105 - the name of a variable
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?")
_VERSION, _DIGEST = "galv-version", "galv-image-digest"
_MARK = {"key": OPERATION, "value": REHEARSAL}
# Of a task definition, what RegisterTaskDefinition takes too.
_KEPT = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "ephemeralStorage",
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The parts of a `GalvRehearsal` in the stack."""

    task: Task
    security_group: str
    secret: str

    @property
    def needs_master(self) -> bool:
        """Whether tasks sign in as the master, as the stack has no login of their own."""
        return "POSTGRES_USER" not in self.task.environment


def stage_of(deployment: Deployment) -> Stage:
    """Return what the stack has for rehearsals.

    Raises:
        OpsError: If it has no `GalvRehearsal`.
    """
    groups = [
        group.id
        for group in deployment.backend.resources(SECURITY_GROUP)
        if group.stem.endswith(_GROUP)
    ]
    if TASK not in deployment.tasks or len(groups) != 1:
        raise OpsError(
            f"{deployment.backend.name} has no GalvRehearsal: add GalvRehearsal(self, "
            '"Rehearsal", backend=backend) to it, and deploy what runs now'
        )
    task = deployment.task(TASK)
    # ARN, key, stage and version: the first seven parts are the ARN.
    secret = ":".join(task.secrets[_PASSWORD].split(":")[:7])
    return Stage(task=task, security_group=groups[0], secret=secret)


def image_of(version: str) -> str:
    """Return the image of a version: Galv's, or one that is named whole.

    Raises:
        OpsError: If it is neither.
    """
    if "/" in version:
        return version
    if not _TAG.fullmatch(version):
        raise OpsError(
            f"VERSION must be a tag of Galv's image such as v3.0.0, with or without its digest, or "
            f"an image's whole name, got {version!r}",
            USAGE,
        )
    return f"{GALV}:{f'v{version}' if version[0].isdigit() else version}"


@contextmanager
def registered(deployment: Deployment, task: Task, image: str) -> Iterator[Task]:
    """Register a revision of the task with another image, and take it away at the end."""
    ecs: Any = deployment.aws.ecs
    answer = ecs.describe_task_definition(taskDefinition=task.definition, include=["TAGS"])
    found: dict[str, Any] = dict(answer["taskDefinition"])
    tags = [tag for tag in answer.get("tags", []) if tag.get("key") not in (_VERSION, _DIGEST)]
    definition = {key: found[key] for key in _KEPT if found.get(key)}
    definition["containerDefinitions"] = [
        # A container beside it that prepares the disk has the same image.
        {**container, "image": image} if container["image"] == task.image else container
        for container in found["containerDefinitions"]
    ]
    made = ecs.register_task_definition(**definition, tags=[*tags, _MARK])
    arn = made["taskDefinition"].get("taskDefinitionArn", "")
    try:
        yield replace(task, definition=arn, image=image)
    finally:
        ecs.deregister_task_definition(taskDefinition=arn)


def deregister_left(deployment: Deployment, task: Task) -> None:
    """Take away the revisions that rehearsals have left that were killed."""
    ecs = deployment.aws.ecs
    family = short(task.definition).partition(":")[0]
    pages = ecs.get_paginator("list_task_definitions")
    for page in pages.paginate(familyPrefix=family, status="ACTIVE"):
        for arn in page["taskDefinitionArns"]:
            # Others may have a name that begins alike.
            if short(arn).partition(":")[0] != family:
                continue
            found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            if _MARK in found.get("tags", []):
                ecs.deregister_task_definition(taskDefinition=arn)


def stop_runs(deployment: Deployment, task: Task) -> int:
    """Stop what rehearses, and return how many there were."""
    cluster = deployment.cluster
    if cluster is None:
        raise OpsError(f"{deployment.backend.name} has no cluster", COULD_NOT)
    ecs = deployment.aws.ecs
    runs = tasks_of_family(ecs, cluster, task.definition, "RUNNING")
    for run in runs:
        ecs.stop_task(cluster=cluster, task=run["taskArn"], reason="The rehearsal has ended")
    return len(runs)
