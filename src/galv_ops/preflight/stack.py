"""Resources of the stack that asks, which are no obstacle to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code

if TYPE_CHECKING:
    from .question import Question
    from .world import World

ACTION = "cloudformation:ListStackResources"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceSummary.html
_ABSENT = ("CREATE_FAILED", "CREATE_IN_PROGRESS", "DELETE_COMPLETE")


def own(question: Question, world: World, resource_type: str) -> set[str]:
    """Return the physical ids of a type in the stack `Stack`; none where it is not there yet."""
    return {
        str(resource.get("PhysicalResourceId", "")).lower()
        for resource in _resources(question, world)
        if resource["ResourceType"] == resource_type
    }


def has(question: Question, world: World) -> bool:
    """Tell whether the stack `Stack` has created the resource `Resource`, a logical id."""
    logical_id = question.text("Resource", "")
    return bool(logical_id) and any(
        resource["LogicalResourceId"] == logical_id and resource["ResourceStatus"] not in _ABSENT
        for resource in _resources(question, world)
    )


def _resources(question: Question, world: World) -> list[Any]:
    name = question.text("Stack", "")
    if not name:
        return []
    pages = world.client("cloudformation").get_paginator("list_stack_resources")
    try:
        return [
            resource
            for page in pages.paginate(StackName=name)
            for resource in page["StackResourceSummaries"]
        ]
    except AWS_ERRORS as error:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
        if error_code(error) == "ValidationError":
            return []
        raise
