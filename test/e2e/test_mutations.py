"""Mistakes that a template test does not see, each made on purpose: a deployment shows every one.

The templates go to CloudFormation directly, which is faster than the CLI for so many.
"""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.app import Application
from e2e.backend import Backend
from e2e.backend_invariants import backend_problems
from e2e.mutants import Mutation, deploy_mutant
from e2e.templates import Template

AT_ONCE = 3


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


def handler_of_another_name(template: Template) -> None:
    for properties in template.properties("AWS::Lambda::Function", "SetupRunOnEvent"):
        properties["Handler"] = "handlers.release_task.on_evnt"


def image_that_was_never_published(template: Template) -> None:
    for properties in template.properties("AWS::ECS::TaskDefinition", "WebTask"):
        properties["ContainerDefinitions"][0]["Image"] = "ghcr.io/galv-team/galv-backend:2.99"


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


def scheduler_may_not_invoke(template: Template) -> None:
    template.drop_action("ValidationMonitor", "lambda:InvokeFunction")


# Each fails a deployment of its own, with this among the reasons.
FAIL: dict[Mutation, str] = {
    database_rule_missing: r"the database .* lets nothing in",
    secret_without_the_key: r"did not contain json key passphrase",
    no_right_to_pass_roles: r"not authorized to perform: ecs:RunTask",
    setup_waits_for_nothing: r"Release task",
    service_does_not_wait_for_setup: r"Circuit Breaker",
    no_route_to_the_internet: r"no way from subnet-\w+ to ecr.api",
    log_group_of_another_name: r"the log group /somewhere does not exist",
    execution_role_may_not_read_secrets: r"may not read arn:aws:secretsmanager",
    task_may_not_list_its_bucket: r"may not list arn:aws:s3",
    handler_of_another_name: r"on_evnt",
    image_that_was_never_published: r"Circuit Breaker",
}
# All deploy, and are found afterwards. So one deployment is enough for all of them, but for one
# that would hide what another leads to.
FOUND: dict[Mutation, str] = {
    health_check_on_another_port: r"health is checked on port 80",
    health_check_without_the_slash: r"health is checked at /health$",
    load_balancer_may_not_reach_the_service: r"let nothing out to the web service on 8000",
    service_lets_the_load_balancer_not_in: r"the web service .* lets nothing in",
    public_bucket: r"may become public",
    database_open_to_everyone: r"is open to everyone",
    plain_http_is_answered: r"http is not redirected",
    certificate_of_another_name: r"the certificate of the load balancer is not for",
    scheduler_may_not_invoke: r"may not invoke",
}


@pytest.fixture(scope="module")
def failed(deployed: Application) -> dict[str, Backend]:
    """The deployments with one mistake each, a few at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = [mutate.__name__.replace("_", "-") for mutate in FAIL]
        made = pool.map(lambda name, mutate: deploy_mutant(deployed, name, mutate), names, FAIL)
        return dict(zip(names, made, strict=True))


@pytest.fixture(scope="module")
def found(deployed: Application) -> str:
    """The violations found after a deployment with many mistakes."""
    backend = deploy_mutant(deployed, "mistaken", *FOUND)
    assert backend.status == "CREATE_COMPLETE", backend.reasons()
    return "\n".join(backend_problems(backend))


def test_finds_nothing_wrong_without_a_mistake(deployed: Application) -> None:
    assert deployed.problems() == []


@pytest.mark.parametrize("mutate", FAIL, ids=lambda mutate: mutate.__name__)
def test_each_mistake_fails_the_deployment(mutate: Mutation, failed: dict[str, Backend]) -> None:
    backend = failed[mutate.__name__.replace("_", "-")]

    reasons = "\n".join(backend.reasons())
    assert backend.status == "CREATE_FAILED"
    assert re.search(FAIL[mutate], reasons), reasons


@pytest.mark.parametrize("mutate", FOUND, ids=lambda mutate: mutate.__name__)
def test_the_invariants_find_each_mistake(mutate: Mutation, found: str) -> None:
    assert re.search(FOUND[mutate], found, re.MULTILINE), found
