"""The effect of the snippets of docs/extending.md on a template."""

from collections.abc import Callable

import pytest
from aws_cdk import Stack
from backends import backend_in, new_app
from snippets import SNIPPETS, run
from templates import Json, container, environment, of_type, only, synthesize

After = Callable[[str], Json]


@pytest.fixture
def after(stack: Stack) -> After:
    """The template after the snippet that has a text."""

    def template(text: str) -> Json:
        (name,) = (
            name
            for name, code in SNIPPETS.items()
            if name.startswith("docs/extending.md") and text in code
        )
        run(name, stack)
        return synthesize(stack)

    return template


def test_given_resources_are_not_created(after: After) -> None:
    template = after("from_vpc_attributes")

    for kind in ("AWS::EC2::VPC", "AWS::ECS::Cluster", "AWS::RDS::DBInstance"):
        assert of_type(template, kind) == {}


def test_a_copy_of_a_runtime_differs_in_one_variable(after: After) -> None:
    template = after("replace(")

    own, web = environment(template, "convert"), environment(template, "web")
    assert own.pop("DJANGO_LOG_LEVEL") == "DEBUG"
    assert own.items() <= web.items()
    assert "Environment" not in container(template, "import")


def test_tags_and_boundaries_reach_everything(stack: Stack, after: After) -> None:
    backend_in(stack)

    template = after("PermissionsBoundary")

    tag = {"Key": "cost-centre", "Value": "4711"}
    assert tag in only(template, "AWS::RDS::DBInstance")["Tags"]
    assert of_type(template, "AWS::IAM::Role")
    for role in of_type(template, "AWS::IAM::Role").values():
        assert "developer-boundary" in str(role["Properties"]["PermissionsBoundary"])


def test_a_property_injector_reaches_the_resources_of_a_backend(after: After) -> None:
    groups = of_type(after("PropertyInjectors"), "AWS::EC2::SecurityGroup")

    assert len(groups) >= 5
    for group in groups.values():
        assert group["Properties"]["GroupDescription"].startswith("Owned by the platform: ")


def test_an_escape_hatch_sets_what_has_no_argument(after: After) -> None:
    service = only(after("add_property_override"), "AWS::ECS::Service")

    assert service["AvailabilityZoneRebalancing"] == "ENABLED"


def test_an_alarm_can_be_created_from_an_attribute() -> None:
    stack = Stack(new_app(), "Stack")
    run(next(name for name, code in SNIPPETS.items() if '"Slow"' in code), stack)

    assert only(synthesize(stack), "AWS::CloudWatch::Alarm", "Slow")["Threshold"] == 2
