"""Checks of the arguments that all tasks have."""

import re
from collections.abc import Mapping

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from galv_constructs._core.placement import check_place, check_secrets_place
from galv_constructs._core.validation import (
    check_boolean,
    check_fargate_size,
    check_range,
    check_variables,
)
from galv_constructs.tasks.runtime import TaskRuntime

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def check_task(
    scope: Construct,
    id: str,
    *,
    runtime: TaskRuntime,
    name: str | None,
    environment: Mapping[str, str] | None,
    secrets: Mapping[str, ecs.Secret] | None,
    cpu: int,
    memory_limit_mib: int,
    ephemeral_storage_gib: int | None,
    spot: bool = False,
    reserved: Mapping[str, str] | None = None,
) -> str:
    """Refuse what no task can be made of, and return the task's name."""
    name = task_name(id) if name is None else name
    if not isinstance(runtime, TaskRuntime):
        raise ValueError(
            f"runtime must be a TaskRuntime, got {runtime!r}: use backend.runtime, or create one "
            "with TaskRuntime(…)"
        )
    _check_name(name)
    check_variables(environment or {}, secrets or {}, reserved or {})
    _check_overlap(runtime, environment or {}, secrets or {})
    check_fargate_size(cpu, memory_limit_mib)
    check_ephemeral_storage(ephemeral_storage_gib)
    check_boolean("spot", spot)
    check_secrets_place(scope, secrets)
    check_place(scope, "runtime.cluster", runtime.cluster)
    check_place(scope, "runtime.network", runtime.network.vpc)
    check_place(scope, "runtime.encryption_key", runtime.encryption_key)
    check_secrets_place(scope, runtime.secrets, "runtime.secrets")
    return name


def check_ephemeral_storage(gib: int | None) -> None:
    """Refuse a size that Fargate does not offer.

    "The minimum supported value is 21 GiB and the maximum supported value is 200 GiB":
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html
    """
    if gib == 20:
        raise ValueError(
            "ephemeral_storage_gib must be from 21 to 200 GiB, got 20: leave it out, as 20 GiB are "
            "what a task has without it"
        )
    if gib is not None:
        check_range("ephemeral_storage_gib", gib, 21, 200, " GiB")


def task_name(id: str) -> str:
    """Turn a construct's id into the name of a task: `CheckStatus` into `check-status`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", id)
    return words.strip("-").lower()


def _check_name(name: object) -> None:
    """Refuse what ECS would not take as the name of a container."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"name must be letters, digits, '-' and '_', at most 255, got {name!r}: it is the name "
            "of a container, a log group and a log stream"
        )


def _check_overlap(
    runtime: TaskRuntime, environment: Mapping[str, str], secrets: Mapping[str, ecs.Secret]
) -> None:
    """Refuse a name that is a plain variable on one side and a secret on the other."""
    both = sorted(
        (set(environment) & set(runtime.secrets)) | (set(secrets) & set(runtime.environment))
    )
    if both:
        raise ValueError(
            f"{', '.join(both)} would be both in environment and in secrets, one of them from "
            "runtime, which ECS refuses: use other names"
        )
