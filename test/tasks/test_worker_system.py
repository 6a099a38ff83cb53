"""A system without Galv is made of the same parts."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from backends import new_app, validation
from cdk_nag import AwsSolutionsChecks
from templates import Json, container, needs, of_type, only, only_id, synthesize, task_definition
from worker_system import Platform, worker_system

NAMES = ("worker", "api", "replay", "clean-up")


@pytest.fixture(scope="module")
def templates() -> tuple[Json, Json]:
    """The template of the system, and that of the platform below it."""
    stack = Stack(new_app(), "Jobs")
    platform = Platform(stack, "Platform")
    worker_system(stack, platform)
    return synthesize(stack), synthesize(platform)


@pytest.mark.parametrize("name", NAMES)
def test_all_tasks_have_what_the_runtime_says(templates: tuple[Json, Json], name: str) -> None:
    system, _ = templates

    _, definition = task_definition(system, name)
    assert definition["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert container(system, name)["Image"] == "registry.example.com/jobs:1.4.2"
    assert [each["Name"] for each in container(system, name)["Environment"]] == ["QUEUE"]


def test_each_task_has_its_own_role_and_log(templates: tuple[Json, Json]) -> None:
    system, _ = templates

    roles = {str(task_definition(system, name)[1]["TaskRoleArn"]) for name in NAMES}
    groups = {
        each["Properties"].get("LogGroupName")
        for each in of_type(system, "AWS::Logs::LogGroup").values()
    }
    assert len(roles) == len(NAMES)
    assert {f"/jobs/{name}" for name in NAMES} <= groups


def test_only_what_may_be_interrupted_is_on_spot(templates: tuple[Json, Json]) -> None:
    system, platform = templates

    services = of_type(system, "AWS::ECS::Service")
    spot = {
        name: "CapacityProviderStrategy" in each["Properties"] for name, each in services.items()
    }
    assert {name[:6]: value for name, value in spot.items()} == {
        "Worker": True,
        "ApiSer": False,
    }
    # The cluster offers it in its own stack, which deploys first.
    assert only(platform, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert of_type(system, "AWS::ECS::ClusterCapacityProviderAssociations") == {}


def test_requests_come_by_the_load_balancer_of_the_platform(
    templates: tuple[Json, Json],
) -> None:
    system, _ = templates

    rule = only_id(system, "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert rule in needs(system, only_id(system, "AWS::ECS::Service", "Api"))


def test_nothing_of_it_is_in_the_stack_of_the_platform(templates: tuple[Json, Json]) -> None:
    _, platform = templates

    assert of_type(platform, "AWS::ECS::TaskDefinition") == {}
    assert of_type(platform, "AWS::IAM::Policy") == {}


def test_cdk_nag_finds_nothing_in_it(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), **validation(on=False))
    stack = Stack(app, "Jobs")
    worker_system(stack, Platform(stack, "Platform"))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()

    report = (tmp_path / "validation-report.json").read_text()
    # What the platform has is not ours.
    assert "Platform/Jobs/Resource" in report
    assert '"Jobs/' not in report
