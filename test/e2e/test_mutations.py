"""Mistakes that a template test does not see, each made on purpose: a deployment shows every one.

The templates go to CloudFormation directly, which is faster than the CLI for so many.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.app import Application
from e2e.backend import Backend, Json
from e2e.cloud import ACCOUNT, REGION, Cloud
from e2e.invariants import problems

VERSION = "2.11.0"
AT_ONCE = 3


class Template:
    """A synthesized template, to be broken."""

    def __init__(self, resources: Json) -> None:
        self.resources = resources

    def matching(self, kind: str, pattern: str = "") -> Iterator[str]:
        """Yield the ids of resources of a type whose id matches."""
        found = [
            id
            for id, resource in self.resources.items()
            if resource["Type"] == kind and re.search(pattern, id)
        ]
        assert found, f"no {kind} matches {pattern!r}: the mutation is out of date"
        yield from found

    def properties(self, kind: str, pattern: str = "") -> Iterator[Json]:
        """Yield the properties of these resources."""
        for id in self.matching(kind, pattern):
            yield self.resources[id]["Properties"]

    def remove(self, kind: str, pattern: str) -> None:
        """Remove resources, and what waits for them."""
        for id in list(self.matching(kind, pattern)):
            del self.resources[id]
            for other in self.resources.values():
                if id in other.get("DependsOn", []):
                    other["DependsOn"].remove(id)

    def drop_action(self, policy: str, action: str) -> None:
        """Take an action away from the policies whose id matches."""
        found = False
        for properties in self.properties("AWS::IAM::Policy", policy):
            document = properties["PolicyDocument"]
            kept = []
            for statement in document["Statement"]:
                actions = statement["Action"]
                actions = actions if isinstance(actions, list) else [actions]
                found |= action in actions
                statement["Action"] = [one for one in actions if one != action]
                if statement["Action"]:
                    kept.append(statement)
            document["Statement"] = kept
        assert found, f"no {policy} has {action}: the mutation is out of date"


def database_rule_missing(template: Template) -> None:
    template.remove("AWS::EC2::SecurityGroupIngress", "DatabaseSecurityGroup.*SetupTask")


def secret_without_the_key(template: Template) -> None:
    for properties in template.properties("AWS::ECS::TaskDefinition", "Setup"):
        (container,) = properties["ContainerDefinitions"]
        (secret,) = [s for s in container["Secrets"] if s["Name"] == "POSTGRES_PASSWORD"]
        secret["ValueFrom"]["Fn::Join"][1][-1] = ":passphrase::"


def no_right_to_pass_roles(template: Template) -> None:
    template.drop_action("SetupRunHandlerRole", "iam:PassRole")


def setup_waits_for_nothing(template: Template) -> None:
    (id,) = template.matching("Custom::GalvReleaseTask")
    del template.resources[id]["DependsOn"]


def service_does_not_wait_for_setup(template: Template) -> None:
    (setup,) = template.matching("Custom::GalvReleaseTask")
    (service,) = template.matching("AWS::ECS::Service")
    template.resources[service]["DependsOn"].remove(setup)


def health_check_on_another_port(template: Template) -> None:
    for properties in template.properties("AWS::ElasticLoadBalancingV2::TargetGroup"):
        properties["HealthCheckPort"] = "80"


def health_check_without_the_slash(template: Template) -> None:
    for properties in template.properties("AWS::ElasticLoadBalancingV2::TargetGroup"):
        properties["HealthCheckPath"] = "/health"


def load_balancer_may_not_reach_the_service(template: Template) -> None:
    for properties in template.properties(
        "AWS::EC2::SecurityGroupEgress", "LoadBalancerSecurityGroup"
    ):
        properties["FromPort"] = properties["ToPort"] = 80


def service_lets_the_load_balancer_not_in(template: Template) -> None:
    template.remove("AWS::EC2::SecurityGroupIngress", "^BackendWebTaskSecurityGroup")


def no_route_to_the_internet(template: Template) -> None:
    template.remove("AWS::EC2::Route", "TasksSubnet")


def log_group_of_another_name(template: Template) -> None:
    for properties in template.properties("AWS::Logs::LogGroup", "SetupTask"):
        properties["LogGroupName"] = "/elsewhere"
    for properties in template.properties("AWS::ECS::TaskDefinition", "Setup"):
        (container,) = properties["ContainerDefinitions"]
        container["LogConfiguration"]["Options"]["awslogs-group"] = "/somewhere"


def execution_role_may_not_read_secrets(template: Template) -> None:
    template.drop_action("SetupTask.*ExecutionRole", "secretsmanager:GetSecretValue")


def task_may_not_list_its_bucket(template: Template) -> None:
    template.drop_action("SetupTask.*TaskRole", "s3:ListBucket")


def public_bucket(template: Template) -> None:
    for properties in template.properties("AWS::S3::Bucket", "MediaBucket"):
        properties["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] = False


def database_open_to_everyone(template: Template) -> None:
    for properties in template.properties("AWS::EC2::SecurityGroup", "DatabaseSecurityGroup"):
        rule = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
        properties["SecurityGroupIngress"] = [rule]


def plain_http_is_answered(template: Template) -> None:
    (https, http) = sorted(
        template.properties("AWS::ElasticLoadBalancingV2::Listener"),
        key=lambda listener: -int(listener["Port"]),
    )
    http["DefaultActions"] = https["DefaultActions"]


def certificate_of_another_name(template: Template) -> None:
    for properties in template.properties("AWS::CertificateManager::Certificate"):
        properties["DomainName"] = "www.example.com"


def handler_of_another_name(template: Template) -> None:
    for properties in template.properties("AWS::Lambda::Function", "SetupRunOnEvent"):
        properties["Handler"] = "handlers.release_task.on_evnt"


def image_that_was_never_published(template: Template) -> None:
    for properties in template.properties("AWS::ECS::TaskDefinition", "WebTask"):
        properties["ContainerDefinitions"][0]["Image"] = "ghcr.io/galv-team/galv-backend:2.99"


def scheduler_may_not_invoke(template: Template) -> None:
    template.drop_action("ValidationMonitor", "lambda:InvokeFunction")


MUTATIONS: dict[Callable[[Template], None], str] = {
    database_rule_missing: r"the database .* lets nothing in",
    secret_without_the_key: r"json key 'passphrase'",
    no_right_to_pass_roles: r"not authorized to perform: ecs:RunTask",
    setup_waits_for_nothing: r"Release task",
    service_does_not_wait_for_setup: r"started before setup was done|Circuit Breaker",
    health_check_on_another_port: r"health is checked on port 80",
    health_check_without_the_slash: r"health is checked at /health$",
    load_balancer_may_not_reach_the_service: r"let nothing out to the web service on 8000",
    service_lets_the_load_balancer_not_in: r"the web service .* lets nothing in",
    no_route_to_the_internet: r"no way from subnet-\w+ to registry ghcr.io",
    log_group_of_another_name: r"the log group /somewhere does not exist",
    execution_role_may_not_read_secrets: r"may not read arn:aws:secretsmanager",
    task_may_not_list_its_bucket: r"may not list arn:aws:s3",
    public_bucket: r"may become public",
    database_open_to_everyone: r"is open to everyone",
    plain_http_is_answered: r"http is not redirected",
    certificate_of_another_name: r"the certificate of the load balancer is not for",
    handler_of_another_name: r"on_evnt",
    image_that_was_never_published: r"Circuit Breaker",
    scheduler_may_not_invoke: r"may not invoke",
}


def nothing(_template: Template) -> None:
    """The control: what finds mistakes must find none where there is none."""


@pytest.fixture(scope="module")
def app(cloud: Cloud) -> Application:
    application = Application(cloud, "origin")
    application.publish(VERSION)
    done = application.deploy(backendVersion=VERSION)
    assert done.ok, done.output
    return application


@pytest.fixture(scope="module")
def found(app: Application, cloud: Cloud) -> dict[str, str]:
    """What was found out about each mutation, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        mutations = [nothing, *MUTATIONS]
        results = pool.map(lambda mutate: _deploy(app, cloud, mutate), mutations)
        return {mutate.__name__: found for mutate, found in zip(mutations, results, strict=True)}


def _deploy(app: Application, cloud: Cloud, mutate: Callable[[Template], None]) -> str:
    """Deploy a mutation; return the reasons of a failure, or what is wrong with the result."""
    name = mutate.__name__.replace("_", "-")
    # Names of its own in DNS and of its secret, as all share one account.
    text = json.dumps(app.template()).replace("origin.example.com", f"{name}.example.com")
    template = json.loads(text.replace('"origin-smtp"', f'"{name}-smtp"'))
    mutate(Template(template["Resources"]))
    bucket, key = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}", f"{name}.json"
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateURL=f"{cloud.url}/{bucket}/{key}",
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    backend = Backend(cloud, name)
    while backend.status.endswith("_IN_PROGRESS"):
        time.sleep(0.1)
    if backend.status == "CREATE_COMPLETE":
        return "\n".join(problems(backend))
    return "\n".join(backend.reasons())


def test_finds_nothing_wrong_without_a_mistake(found: dict[str, str]) -> None:
    assert found["nothing"] == ""


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_finds(mutate: Callable[[Template], None], found: dict[str, str]) -> None:
    assert re.search(MUTATIONS[mutate], found[mutate.__name__], re.MULTILINE), found[
        mutate.__name__
    ]
