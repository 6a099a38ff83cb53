"""A worker on Fargate Spot, an HTTP service and a task on demand, without Galv."""

import json
import time
from collections.abc import Iterator

import pytest
from aws_cdk import DefaultStackSynthesizer, Environment
from aws_cdk import Stack as CdkStack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sqs as sqs
from backends import new_app
from e2e.app import Application
from e2e.cloud import ACCOUNT, REGION, Cloud
from e2e.stack import Stack
from templates import synthesize

from galv_constructs import GalvNetwork, GalvService, GalvTask, TaskRuntime

NAME, VERSION = "workers", "v2.11.4"
_SERVE = """
import http.server, os
os.makedirs("/tmp/served/health")
os.chdir("/tmp/served")
http.server.HTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def _template() -> str:
    synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
    environment = Environment(account=ACCOUNT, region=REGION)
    azs = {
        f"availability-zones:account={ACCOUNT}:region={REGION}": [f"{REGION}a", f"{REGION}b"],
    }
    stack = CdkStack(new_app(azs), NAME, synthesizer=synthesizer, env=environment)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)
    cluster = ecs.Cluster(
        stack, "Cluster", vpc=vpc, container_insights_v2=ecs.ContainerInsights.ENABLED
    )
    listener = elbv2.ApplicationLoadBalancer(stack, "LoadBalancer", vpc=vpc).add_listener(
        "Http", port=80, open=False, default_action=elbv2.ListenerAction.fixed_response(404)
    )
    runtime = TaskRuntime(
        cluster=cluster,
        network=GalvNetwork.from_vpc(vpc),
        image=ecs.ContainerImage.from_registry(f"ghcr.io/galv-team/galv-backend:{VERSION}"),
        entry_point=["python", "-c"],
        log_group_prefix=f"/{NAME}",
    )
    GalvService(
        stack,
        "Worker",
        runtime=runtime,
        command=["import time; print('working', flush=True); time.sleep(600)"],
        queue=sqs.Queue(stack, "Jobs"),
        backlog_per_task=10,
        max_tasks=3,
        spot=True,
    )
    GalvService(
        stack,
        "Api",
        runtime=runtime,
        command=[_SERVE],
        listener=listener,
        port=8080,
        conditions=[elbv2.ListenerCondition.path_patterns(["/jobs/*"])],
        priority=10,
        health_check_path="/health/",
    )
    GalvTask(stack, "Replay", runtime=runtime, command=["print('replayed'); raise SystemExit(3)"])
    return json.dumps(synthesize(stack))


@pytest.fixture(scope="module")
def workers(cloud: Cloud) -> Iterator[Stack]:
    Application(cloud, NAME).publish(VERSION)
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=NAME, TemplateBody=_template(), Capabilities=["CAPABILITY_IAM"]
    )
    stack = Stack(cloud, NAME)
    status = stack.wait()
    assert status == "CREATE_COMPLETE", stack.reasons()
    yield stack
    cloudformation.delete_stack(StackName=NAME)


def test_both_services_keep_a_task_running(workers: Stack, cloud: Cloud) -> None:
    answer = cloud.client("ecs").describe_services(
        cluster=workers.id_of("AWS::ECS::Cluster"), services=workers.ids("AWS::ECS::Service")
    )

    services = answer["services"]
    assert [service["runningCount"] for service in services] == [1, 1]
    strategies = sorted(bool(each.get("capacityProviderStrategy")) for each in services)
    assert strategies == [False, True]


def test_a_task_on_demand_ends_with_its_code(workers: Stack, cloud: Cloud) -> None:
    client = cloud.client("ecs")
    cluster = workers.id_of("AWS::ECS::Cluster")
    (definition,) = [id for id in workers.ids("AWS::ECS::TaskDefinition") if "Replay" in id]
    (service,) = client.describe_services(
        cluster=cluster, services=workers.ids("AWS::ECS::Service")[:1]
    )["services"]
    task = client.run_task(
        cluster=cluster,
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration=service["networkConfiguration"],
    )["tasks"][0]["taskArn"]

    deadline = time.monotonic() + 60
    while True:
        (found,) = client.describe_tasks(cluster=cluster, tasks=[task])["tasks"]
        if found["lastStatus"] == "STOPPED":
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert found["containers"][0]["exitCode"] == 3
