"""A deployed backend, read through the service APIs."""

import time
from datetime import datetime, timezone
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
        return [e["ResourceStatusReason"] for e in self.events() if e.get("ResourceStatusReason")]

    def events(self) -> list[Json]:
        """Return the events of the stack, newest first."""
        pages = self.cloudformation.get_paginator("describe_stack_events")
        found = pages.paginate(StackName=self.name)
        return [event for page in found for event in page["StackEvents"]]

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
    def load_balancer(self) -> Json:
        """The load balancer."""
        arn = self.id_of("AWS::ElasticLoadBalancingV2::LoadBalancer")
        elb = self.cloud.client("elbv2")
        (balancer,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return dict(balancer)

    def listeners(self) -> dict[int, Json]:
        """Return the listeners of the load balancer by port."""
        arn = self.id_of("AWS::ElasticLoadBalancingV2::LoadBalancer")
        found = self.cloud.client("elbv2").describe_listeners(LoadBalancerArn=arn)["Listeners"]
        return {listener["Port"]: listener for listener in found}

    def schedules(self) -> list[Json]:
        """Return the schedules of the stack."""
        scheduler = self.cloud.client("scheduler")
        names = {id.rpartition("/")[2] for id in self.ids("AWS::Scheduler::Schedule")}
        return [
            dict(scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"]))
            for one in scheduler.list_schedules()["Schedules"]
            if one["Name"] in names
        ]

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

    def wait_for_task(self, name: str) -> Json:
        """Return the newest stopped task whose container has this name, once there is one."""
        deadline = time.monotonic() + 20
        while not (tasks := self.tasks(name)):
            assert time.monotonic() < deadline, f"no {name} stopped"
            time.sleep(0.1)
        return tasks[-1]

    def send(self, schedule: Json) -> Json:
        """Do what EventBridge Scheduler does when a schedule is due."""
        target = schedule["Target"]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        payload = target["Input"].replace("<aws.scheduler.scheduled-time>", now)
        answer = self.cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=payload)
        return dict(answer)

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
