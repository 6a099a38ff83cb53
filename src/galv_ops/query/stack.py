"""A stack of CloudFormation, as it is in AWS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from galv_ops.query.aws import Aws

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import StackTypeDef


@dataclass(frozen=True)
class Resource:
    """A resource of a stack."""

    logical_id: str
    type: str
    id: str
    status: str
    changed: datetime

    @property
    def stem(self) -> str:
        """The logical id without the hash that CDK puts at its end.

        It comes from the path of the construct, so that what belongs together starts alike.
        """
        return self.logical_id[:-8]


class Stack:
    """A stack with its resources."""

    def __init__(self, aws: Aws, description: StackTypeDef) -> None:
        self.aws = aws
        self.name = description["StackName"]
        self.id = description.get("StackId", self.name)
        self.status: str = description["StackStatus"]
        self.changed = description.get("LastUpdatedTime", description["CreationTime"])
        self.tags = {tag["Key"]: tag["Value"] for tag in description.get("Tags", [])}
        self.outputs = {
            output.get("OutputKey", ""): output.get("OutputValue", "")
            for output in description.get("Outputs", [])
        }
        self.parameters = {
            parameter.get("ParameterKey", ""): parameter.get("ParameterValue", "")
            for parameter in description.get("Parameters", [])
        }

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is changing it."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def is_being_created(self) -> bool:
        """Whether its first deployment is going on, so that much in it is not there yet."""
        return self.status in {"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS"}

    @property
    def is_back(self) -> bool:
        """Whether its last change failed, and it is again what it was before."""
        return self.status in {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}

    @property
    def is_well(self) -> bool:
        """Whether its last change succeeded."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}

    @cached_property
    def history(self) -> list[Resource]:
        """All resources that CloudFormation tells of, also deleted ones."""
        pages = self.aws.cloudformation.get_paginator("list_stack_resources")
        return [
            Resource(
                logical_id=found["LogicalResourceId"],
                type=found["ResourceType"],
                id=found.get("PhysicalResourceId", ""),
                status=found["ResourceStatus"],
                changed=found["LastUpdatedTimestamp"],
            )
            for page in pages.paginate(StackName=self.id)
            for found in page["StackResourceSummaries"]
        ]

    def resources(self, type: str) -> list[Resource]:  # noqa: A002 - CloudFormation's word
        """Return the resources of a type that are there."""
        return [
            resource
            for resource in self.history
            if resource.type == type and resource.id and resource.status != "DELETE_COMPLETE"
        ]
