"""Resources of the stack that asks, which are no obstacle to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AWS_ERRORS, error_code

if TYPE_CHECKING:
    from .question import Question
    from .world import World

ACTION = "cloudformation:ListStackResources"


def own(question: Question, world: World, resource_type: str) -> set[str]:
    """Return the physical ids of a type in the stack `Stack`; none where it is not there yet."""
    name = question.text("Stack", "")
    if not name:
        return set()
    pages = world.client("cloudformation").get_paginator("list_stack_resources")
    try:
        return {
            str(resource.get("PhysicalResourceId", "")).lower()
            for page in pages.paginate(StackName=name)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == resource_type
        }
    except AWS_ERRORS as error:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html
        if error_code(error) == "ValidationError":
            return set()
        raise
