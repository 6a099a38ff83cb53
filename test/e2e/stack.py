"""A deployed stack, read through the service APIs."""

import json
import time
from typing import Any

from e2e.cloud import Cloud

Json = dict[str, Any]


class Stack:
    """A stack, as CloudFormation describes it."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud = cloud
        self.name = name
        self.cloudformation = cloud.client("cloudformation")

    @property
    def status(self) -> str:
        """Status of the stack."""
        return str(self._description["StackStatus"])

    def wait(self, timeout: float = 600) -> str:
        """Wait until nothing is under way; return the status."""
        deadline = time.monotonic() + timeout
        while (status := self.status).endswith("_IN_PROGRESS"):
            assert time.monotonic() < deadline, f"{self.name} is {status} after {timeout} s"
            # Each look takes the emulator's processor from what is waited for.
            time.sleep(0.5)
        return status

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack."""
        return {o["OutputKey"]: o["OutputValue"] for o in self._description["Outputs"]}

    @property
    def _description(self) -> Json:
        (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return dict(stack)

    def resources(self, kind: str | None = None) -> dict[str, Json]:
        """Return the resources of the stack, of one type if given, by logical id."""
        found = self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {
            resource["LogicalResourceId"]: resource
            for resource in found
            if kind in (None, resource["ResourceType"])
        }

    def id_of(self, kind: str) -> str:
        """Return the physical id of the only resource of a type."""
        (resource,) = self.resources(kind).values()
        return str(resource["PhysicalResourceId"])

    def ids(self, kind: str) -> list[str]:
        """Return the physical ids of all resources of a type."""
        return [str(one["PhysicalResourceId"]) for one in self.resources(kind).values()]

    def reasons(self) -> list[str]:
        """Return the reasons in the events of the stack, newest first."""
        return [e["ResourceStatusReason"] for e in self.events() if e.get("ResourceStatusReason")]

    def events(self) -> list[Json]:
        """Return the events of the stack, newest first."""
        pages = self.cloudformation.get_paginator("describe_stack_events")
        found = pages.paginate(StackName=self.name)
        return [event for page in found for event in page["StackEvents"]]

    def bucket_policy(self, bucket: str) -> list[Json]:
        """Return the statements of the policy of a bucket, which may have none."""
        s3 = self.cloud.client("s3")
        try:
            policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        except s3.exceptions.ClientError:
            return []
        statements: list[Json] = policy["Statement"]
        return statements
