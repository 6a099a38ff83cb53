"""Changes of a stack, from CloudFormation's events, and who began them, from CloudTrail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from galv_ops.query.events import STARTS
from galv_ops.query.stack import Stack

Setup = Literal["succeeded", "failed", "not run", "not known"]

# With which deployments begin: CDK executes a change set, unless it is told otherwise.
_BEGIN = ("ExecuteChangeSet", "CreateStack", "UpdateStack")
# A change begins at once when it was asked for.
_AT_ONCE = timedelta(minutes=2)
_MOST_CALLS = 200


@dataclass(frozen=True)
class StackChange:
    """A deployment, with the rollback where there was one; its status is empty while it goes on."""

    began: datetime
    ended: datetime | None
    status: str
    setup: Setup

    @property
    def was_rolled_back(self) -> bool:
        """Whether it went back to what was before."""
        return "ROLLBACK" in self.status


@dataclass(frozen=True)
class Call:
    """A call with which somebody began a change."""

    at: datetime
    who: str


def stack_changes(stack: Stack, setup: str, *, since: datetime) -> Iterator[StackChange]:
    """Yield the changes of a stack since a time, newest first.

    CloudFormation forgets events after 90 days.

    Args:
        stack: The stack.
        setup: Logical id of the resource that stands for setup; empty if there is none.
        since: When the oldest one of interest began, or later.
    """
    ended: datetime | None = None
    status = ""
    outcome: Setup = "not run"
    newer: datetime | None = None
    pages = stack.aws.cloudformation.get_paginator("describe_stack_events")
    for page in pages.paginate(StackName=stack.id):
        for event in page["StackEvents"]:
            at, now = event["Timestamp"], str(event.get("ResourceStatus", ""))
            if event.get("PhysicalResourceId") == event["StackId"]:
                if now in STARTS:
                    # The newest alone can go on: of another one the end was not told.
                    is_told = status or newer is None
                    yield StackChange(
                        at, ended or newer, status, outcome if is_told else "not known"
                    )
                    ended, status, outcome, newer = None, "", "not run", at
                    if at < since:
                        return
                elif now.endswith(("_COMPLETE", "_FAILED")) and not status:
                    ended, status = at, now
            elif event.get("LogicalResourceId") == setup:
                # The oldest one counts: a rollback changes it back.
                if now.endswith("_COMPLETE") and not now.startswith("DELETE"):
                    outcome = "succeeded"
                elif now.endswith("_FAILED"):
                    outcome = "failed"


def calls(stack: Stack, *, since: datetime) -> list[Call]:
    """Return who began changes of a stack since a time, of the last 90 days, from CloudTrail."""
    found = []
    pages = stack.aws.cloudtrail.get_paginator("lookup_events")
    for name in _BEGIN:
        for page in pages.paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}],
            StartTime=since - _AT_ONCE,
            PaginationConfig={"MaxItems": _MOST_CALLS},
        ):
            found += [
                Call(event["EventTime"], event.get("Username", ""))
                for event in page["Events"]
                if _is_of(stack, event.get("CloudTrailEvent", "{}"))
            ]
    return found


def who_began(change: StackChange, made: Sequence[Call]) -> str:
    """Return who began a change; empty where that is not known."""
    near = [call for call in made if abs(call.at - change.began) <= _AT_ONCE]
    return min(near, key=lambda call: abs(call.at - change.began)).who if near else ""


def _is_of(stack: Stack, event: str) -> bool:
    try:
        asked = json.loads(event).get("requestParameters") or {}
    except (ValueError, AttributeError):
        return False
    return str(asked.get("stackName", "")) in (stack.name, stack.id)
