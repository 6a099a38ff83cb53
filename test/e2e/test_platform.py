"""The whole of examples/platform-app: three Galvs on what they share, and a worker."""

import json
import shutil
import time
from base64 import b64encode
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from e2e.app import DOMAIN, Application, Outcome, run_cdk
from e2e.backend import Backend
from e2e.cloud import ROOT, Cloud
from e2e.inventory import inventory
from e2e.stack import Json, Stack

VERSION = "v2.11.4"
# The names in DNS of the three APIs, by their stacks.
HOSTS = {
    "Production": f"galv-api.{DOMAIN}",
    "Stage": f"galv-stage-api.{DOMAIN}",
    "Demo": f"galv-demo-api.{DOMAIN}",
}


class Platform:
    """A copy of the example, so that what the CLI writes beside it stays out of the project."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.folder = cloud.folder / "platform"
        ignore = shutil.ignore_patterns("cdk.out", "__pycache__")
        shutil.copytree(ROOT / "examples" / "platform-app", self.folder, ignore=ignore)
        (self.folder / "cdk.context.json").symlink_to(cloud.folder / "cdk.context.json")
        found = cloud.client("route53").list_hosted_zones_by_name(DNSName=DOMAIN, MaxItems="1")
        (zone,) = found["HostedZones"]
        self._context = [
            f"--context=zoneId={zone['Id'].rpartition('/')[2]}",
            f"--context=zoneName={DOMAIN}",
        ]

    def cdk(self, command: str, *arguments: str) -> Outcome:
        return run_cdk(self.cloud, self.folder, command, *arguments, *self._context)

    def deploy(self) -> Outcome:
        return self.cdk("deploy", "--all", "--require-approval=never", "--concurrency=3")

    def service(self, stack: str) -> Json:
        """The ECS service of a stack."""
        arn = Backend(self.cloud, stack).id_of("AWS::ECS::Service")
        (service,) = self.cloud.client("ecs").describe_services(
            cluster=self.cluster, services=[arn]
        )["services"]
        return dict(service)

    @property
    def cluster(self) -> str:
        return Backend(self.cloud, "Shared").cluster

    def tasks(self, service: Json) -> list[Json]:
        """The running tasks of a service."""
        ecs = self.cloud.client("ecs")
        arns = ecs.list_tasks(cluster=self.cluster, serviceName=service["serviceName"])["taskArns"]
        return list(ecs.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"])

    def address(self, service: Json) -> str:
        """The address of the running task of a service."""
        (task,) = self.tasks(service)
        (interface,) = task["attachments"]
        details = {one["name"]: one["value"] for one in interface["details"]}
        return str(details["privateIPv4Address"])

    def service_for(self, host: str) -> Json:
        """The service that the load balancer forwards requests for a name to, by its rules."""
        listeners = Backend(self.cloud, "Shared").listeners()
        rules = self.cloud.client("elbv2").describe_rules(
            ListenerArn=listeners[443]["ListenerArn"]
        )["Rules"]
        numbered = [rule for rule in rules if rule["Priority"] != "default"]
        (target,) = [
            rule["Actions"][0]["TargetGroupArn"]
            for rule in numbered
            for condition in rule["Conditions"]
            if host in condition.get("HostHeaderConfig", condition)["Values"]
        ]
        services = [self.service(stack) for stack in HOSTS]
        (service,) = [
            one
            for one in services
            if target in {to["targetGroupArn"] for to in one["loadBalancers"]}
        ]
        return service

    def ask(
        self, host: str, path: str, *, of: Json, data: Json | None = None, password: str = ""
    ) -> tuple[int, str]:
        """Ask a task of a service, as the load balancer does."""
        port = int((self.cloud.published / f"{self.address(of)}:8000").read_text())
        headers = {"Host": host, "X-Forwarded-Proto": "https"}
        if password:
            headers["Authorization"] = "Basic " + b64encode(f"admin:{password}".encode()).decode()
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        body = None if data is None else json.dumps(data)
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, said


@pytest.fixture(scope="module")
def platform(cloud: Cloud) -> Platform:
    Application(cloud, "of-images").publish(VERSION)
    platform = Platform(cloud)
    done = platform.deploy()
    assert done.ok, done.output
    return platform


def test_each_host_name_leads_to_its_own_galv(platform: Platform) -> None:
    for stack, host in HOSTS.items():
        service = platform.service_for(host)
        assert service["serviceArn"] == platform.service(stack)["serviceArn"]
        assert platform.ask(host, "/", of=service)[0] == 200
        others = {name: platform.ask(name, "/", of=service)[0] for name in HOSTS.values()}
        assert others == dict.fromkeys(HOSTS.values(), 400) | {host: 200}


def test_the_worker_takes_a_message(platform: Platform, cloud: Cloud) -> None:
    sqs, worker = cloud.client("sqs"), Backend(cloud, "Worker")
    (queue,) = [url for url in worker.ids("AWS::SQS::Queue") if "Validations" in url]

    sqs.send_message(QueueUrl=queue, MessageBody="new files")

    (task,) = platform.tasks(platform.service("Worker"))
    deadline = time.monotonic() + 60
    while "0 to validate" not in worker.log(task):
        assert time.monotonic() < deadline, worker.log(task)
        time.sleep(0.5)


def test_the_same_again_changes_nothing(platform: Platform) -> None:
    done = platform.deploy()

    assert done.ok, done.output
    assert done.output.count("(no changes)") == 5


def test_the_end_of_demo_leaves_the_others_and_their_data(platform: Platform, cloud: Cloud) -> None:
    host, production = HOSTS["Production"], platform.service("Production")
    password = superuser_password(Backend(cloud, "Production"))
    lab = {"name": "a laboratory"}
    made, said = platform.ask(host, "/labs/", of=production, data=lab, password=password)
    assert made == 201, said
    storage = urlsplit(json.loads(said)["storages"][0]).path
    before = resources(cloud)

    done = platform.cdk("destroy", "Demo", "--force")

    assert done.ok, done.output
    assert resources(cloud) == {name: ids for name, ids in before.items() if name != "Demo"}
    # The logs of CDK's functions are Lambda's, of which CloudFormation knows nothing.
    left = [one for one in inventory(cloud) if "demo" in one.lower()]
    assert [one for one in left if not one.startswith("logs: /aws/lambda/Demo-")] == []
    for stack in ("Production", "Stage", "Worker"):
        assert platform.service(stack)["runningCount"] == 1
    status, said = platform.ask(host, storage, of=production, password=password)
    assert status == 200, said


def superuser_password(backend: Backend) -> str:
    (arn,) = [
        secret["valueFrom"]
        for definition in backend.ids("AWS::ECS::TaskDefinition")
        for container in backend.definition(definition)["containerDefinitions"]
        for secret in container["secrets"]
        if secret["name"] == "DJANGO_SUPERUSER_PASSWORD"
    ]
    secrets = backend.cloud.client("secretsmanager")
    return str(secrets.get_secret_value(SecretId=arn)["SecretString"])


def resources(cloud: Cloud) -> dict[str, set[str]]:
    """The resources of each stack of the example, by their ids in AWS."""
    found = cloud.client("cloudformation").describe_stacks()["Stacks"]
    names = {stack["StackName"] for stack in found if "DELETE" not in stack["StackStatus"]}
    return {
        name: {one["PhysicalResourceId"] for one in Stack(cloud, name).resources().values()}
        for name in ("Shared", *HOSTS, "Worker")
        if name in names
    }
