"""Reading task definitions, as a template spells them or as ECS answers them."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def container_of(definition: Json, name: str | None = None) -> dict[str, Any]:
    """Return one container of a task definition, together with the volumes of the task.

    Args:
        definition: A task definition: an answer of `describe_task_definition`, or the properties of
            an `AWS::ECS::TaskDefinition` whose references are resolved.
        name: Name of the container. Default: the only one.

    Returns:
        The container as ECS spells it (`entryPoint`), with `volumes`, `taskCpu` and `taskMemory`.
    """
    task = camel(definition)
    containers = [one for one in task["containerDefinitions"] if name in (None, one["name"])]
    if len(containers) != 1:
        names = [one["name"] for one in task["containerDefinitions"]]
        raise ValueError(f"the task has the containers {names}: name one of them, got {name!r}")
    return {
        **containers[0],
        "volumes": task.get("volumes", []),
        "taskCpu": task.get("cpu"),
        "taskMemory": task.get("memory"),
    }


def camel(value: Any) -> Any:
    """Spell the keys of a template as the service does: `EntryPoint` is `entryPoint`."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: camel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [camel(item) for item in value]
    return value
