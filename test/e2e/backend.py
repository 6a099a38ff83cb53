"""A deployed backend, read through the service APIs."""

import contextlib
import json
import time
from datetime import datetime, timezone
from http.client import HTTPConnection

from e2e.cloud import Cloud
from e2e.stack import Json, Stack


class Backend(Stack):
    """The resources that the stack of the backend created."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        super().__init__(cloud, name)
        self.ecs = cloud.client("ecs")

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

    def protected(self) -> list[bool]:
        """Say whether the database and the load balancer refuse to be deleted."""
        (database,) = self.cloud.client("rds").describe_db_instances(
            DBInstanceIdentifier=self.id_of("AWS::RDS::DBInstance")
        )["DBInstances"]
        attributes = self.cloud.client("elbv2").describe_load_balancer_attributes(
            LoadBalancerArn=self.id_of("AWS::ElasticLoadBalancingV2::LoadBalancer")
        )["Attributes"]
        return [
            database["DeletionProtection"],
            {"Key": "deletion_protection.enabled", "Value": "true"} in attributes,
        ]

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

    def definition(self, arn: str) -> Json:
        """Describe a task definition."""
        answer = self.ecs.describe_task_definition(taskDefinition=arn)
        return dict(answer["taskDefinition"])

    @property
    def image(self) -> str:
        """The image that the web service runs."""
        return self.image_of(self.service["taskDefinition"])

    def image_of(self, definition_arn: str) -> str:
        """Return the image of a task definition."""
        (container,) = self.definition(definition_arn)["containerDefinitions"]
        return str(container["image"])

    @property
    def version(self) -> str:
        """Tag of the image that the web service runs, or of the one that was copied."""
        name, _, digest = self.image.partition("@")
        if not digest:
            return name.rpartition(":")[2]
        ids, repository = [{"imageDigest": digest}], name.partition("/")[2]
        (found,) = self.cloud.client("ecr").describe_images(
            repositoryName=repository, imageIds=ids
        )["imageDetails"]
        # Such as v2.11.4-amd64-1a2b3c4d; those of deployments have a time.
        tags = [tag for tag in found["imageTags"] if not tag.startswith("deployed-")]
        return str(tags[0]).rsplit("-", 2)[0]

    def secret(self, value_from: str) -> str:
        """Return what a container gets for a secret of its task definition."""
        parts = value_from.split(":")
        arn, (key, stage, version) = ":".join(parts[:7]), parts[7:10]
        which = {"VersionStage": stage, "VersionId": version}
        answer = self.cloud.client("secretsmanager").get_secret_value(
            SecretId=arn, **{name: value for name, value in which.items() if value}
        )
        return str(json.loads(answer["SecretString"])[key])

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

    def wait_for_task(self, name: str, number: int = 1) -> Json:
        """Return the stopped task of that number whose container has this name, once there is."""
        deadline = time.monotonic() + 120
        while len(tasks := self.tasks(name)) < number:
            assert time.monotonic() < deadline, f"no {name} number {number} stopped"
            time.sleep(0.1)
        return tasks[number - 1]

    def ask(self, path: str, host: str | None = None) -> tuple[int, bytes]:
        """Ask a running web task, past the load balancer.

        Args:
            path: Path.
            host: The header `Host`. Default: the task's address, as in health checks.
        """
        (interface,) = self.tasks("web", "RUNNING")[-1]["attachments"]
        details = {one["name"]: one["value"] for one in interface["details"]}
        address = f"{details['privateIPv4Address']}:8000"
        port = int((self.cloud.published / address).read_text())
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host or address})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, schedule: Json) -> Json:
        """Do what EventBridge Scheduler does when a schedule is due."""
        target = schedule["Target"]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        payload = target["Input"].replace("<aws.scheduler.scheduled-time>", now)
        answer = self.cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=payload)
        return dict(answer)

    def log_group(self, task: Json) -> str:
        """Name of the log group that a task writes to."""
        return str(self._log_options(task)["awslogs-group"])

    def log(self, task: Json) -> list[str]:
        """Return the lines that a task wrote."""
        id, name = task["taskArn"].rpartition("/")[2], task["containers"][0]["name"]
        events = self.cloud.client("logs").get_log_events(
            logGroupName=self.log_group(task),
            logStreamName=f"{self._log_options(task)['awslogs-stream-prefix']}/{name}/{id}",
            startFromHead=True,
        )["events"]
        return [event["message"] for event in events]

    def _log_options(self, task: Json) -> Json:
        (container,) = self.definition(task["taskDefinitionArn"])["containerDefinitions"]
        return dict(container["logConfiguration"]["options"])
