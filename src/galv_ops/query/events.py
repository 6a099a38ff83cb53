"""Events of CloudFormation during the last change of a stack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from galv_ops.query.stack import Stack
from galv_ops.redact import redact

# What follows from another failure, and explains none.
_CANCELLED = (
    "Resource creation cancelled",
    "Resource update cancelled",
    "Resource deletion cancelled",
)
# What CloudFormation and CDK's framework write before the reason of a handler, and behind it.
_BEFORE = re.compile(
    r"Received response status \[FAILED\] from custom resource\. Message returned: (?:Error: )?"
)
_BEHIND = re.compile(
    r"\n\s*(?:Logs: /aws/lambda/|at \S[^\n]*:\d+:\d+\)?(?:\s|$)).*|\s*\(RequestId: [\w-]+\)\s*$",
    re.DOTALL,
)
STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"}


@dataclass(frozen=True)
class Failure:
    """A resource that failed."""

    stack: str
    resource: str
    type: str
    id: str
    when: datetime
    reason: str


@dataclass(frozen=True)
class Change:
    """The last change of a stack: when it began, and what failed in it, oldest first.

    CloudFormation forgets events after 90 days: then it began with the oldest one that is left.
    """

    began: datetime
    failures: list[Failure]


def last_change(stack: Stack) -> Change:
    """Read the last change of a stack from its events."""
    began = datetime.min.replace(tzinfo=timezone.utc)
    found: list[Failure] = []
    for page in stack.aws.cloudformation.get_paginator("describe_stack_events").paginate(
        StackName=stack.id
    ):
        for event in page["StackEvents"]:
            began, status = event["Timestamp"], event.get("ResourceStatus", "")
            reason = event.get("ResourceStatusReason", "")
            if event.get("PhysicalResourceId") == event["StackId"]:
                if status in STARTS:
                    return Change(began, found[::-1])
            elif status.endswith("_FAILED") and not reason.startswith(_CANCELLED):
                found.append(
                    Failure(
                        stack=stack.name,
                        resource=event.get("LogicalResourceId", ""),
                        type=event.get("ResourceType", ""),
                        id=event.get("PhysicalResourceId", ""),
                        when=event["Timestamp"],
                        reason=redact(_BEHIND.sub("", _BEFORE.sub("", reason)).strip()),
                    )
                )
    return Change(began, found[::-1])
