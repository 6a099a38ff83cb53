"""A deployed backend, read through the service APIs."""

from typing import Any

from e2e.cloud import Cloud

Json = dict[str, Any]


class Backend:
    """What the stack of the backend made."""

    def __init__(self, cloud: Cloud, stack: str) -> None:
        self.cloud = cloud
        self.name = stack
        self.cloudformation = cloud.client("cloudformation")
        self.ecs = cloud.client("ecs")

    @property
    def stack(self) -> Json:
        """The stack itself."""
        (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return dict(stack)

    @property
    def status(self) -> str:
        """Status of the stack."""
        return str(self.stack["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack."""
        return {o["OutputKey"]: o["OutputValue"] for o in self.stack["Outputs"]}

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
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e.get("ResourceStatusReason")]

    def events(self) -> list[str]:
        """Return the ids of the events of the stack."""
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [e["EventId"] for e in events]

    @property
    def cluster(self) -> str:
        """ARN or name of the cluster."""
        return self.id_of("AWS::ECS::Cluster")

    @property
    def service(self) -> Json:
        """The web service."""
        arn = self.id_of("AWS::ECS::Service")
        (service,) = self.ecs.describe_services(cluster=self.cluster, services=[arn])["services"]
        return dict(service)

    @property
    def version(self) -> str:
        """Tag of the image that the web service runs."""
        definition = self.ecs.describe_task_definition(
            taskDefinition=self.service["taskDefinition"]
        )["taskDefinition"]
        (container,) = definition["containerDefinitions"]
        return str(container["image"]).rpartition(":")[2]

    def tasks(self, name: str, status: str = "STOPPED") -> list[Json]:
        """Return the tasks whose container has this name, oldest first."""
        arns = [
            arn
            for page in self.ecs.get_paginator("list_tasks").paginate(
                cluster=self.cluster, desiredStatus=status
            )
            for arn in page["taskArns"]
        ]
        if not arns:
            return []
        tasks = self.ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]
        mine = [task for task in tasks if task["containers"][0]["name"] == name]
        return sorted(mine, key=lambda task: task["createdAt"])

    def log(self, task: Json) -> list[str]:
        """Return the lines that a task wrote."""
        definition = self.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])
        (container,) = definition["taskDefinition"]["containerDefinitions"]
        options = container["logConfiguration"]["options"]
        id = task["taskArn"].rpartition("/")[2]
        events = self.cloud.client("logs").get_log_events(
            logGroupName=options["awslogs-group"],
            logStreamName=f"{options['awslogs-stream-prefix']}/{container['name']}/{id}",
            startFromHead=True,
        )["events"]
        return [event["message"] for event in events]
