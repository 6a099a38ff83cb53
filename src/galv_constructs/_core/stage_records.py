"""Records at a stage, by which constructs of an application know of each other."""

from typing import Any

from aws_cdk import Stage
from constructs import IConstruct

from galv_constructs._core.validation import is_token


def records(scope: IConstruct, kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind, in the order in which they were made."""
    return [entry.data for entry in _stage_of(scope).node.metadata if entry.type == kind]


def record(scope: IConstruct, kind: str, data: dict[str, Any]) -> None:
    """Make a record, which stands in the metadata of the stage and in no template."""
    _stage_of(scope).node.add_metadata(kind, data)


def name_of(resource: IConstruct, physical: str) -> str:
    """Return what is the same for each import of a resource: its ARN or id, where that is known."""
    return resource.node.path if is_token(physical) else physical


def _stage_of(scope: IConstruct) -> Stage:
    stage = Stage.of(scope)
    assert stage is not None  # noqa: S101 - CDK creates an app where none is given
    return stage
