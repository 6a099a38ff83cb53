"""What CloudFormation said during the last change of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from galv_constructs.ops.stack import Stack

# What follows from another failure, and explains none.
_CANCELLED = ("Resource creation cancelled", "Resource update cancelled", "Resource deletion")
_STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"}
_ROOT = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Failure:
    """A resource that failed."""

    stack: str
    resource: str
    type: str
    when: datetime
    reason: str


def failures(stack: Stack) -> list[Failure]:
    """Return what failed in the last change of a stack, oldest first."""
    found: list[Failure] = []
    for page in stack.aws.cloudformation.get_paginator("describe_stack_events").paginate(
        StackName=stack.id
    ):
        for event in page["StackEvents"]:
            status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
            own = event.get("PhysicalResourceId") == event["StackId"]
            if own and event.get("ResourceType") == _ROOT:
                if status in _STARTS:
                    return found[::-1]
            elif status.endswith("_FAILED") and not reason.startswith(_CANCELLED):
                found.append(
                    Failure(
                        stack=stack.name,
                        resource=event.get("LogicalResourceId", ""),
                        type=event.get("ResourceType", ""),
                        when=event["Timestamp"],
                        reason=reason,
                    )
                )
    return found[::-1]
