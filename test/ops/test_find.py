"""Which deployment is meant."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import Result
from ops.recorded import REGION, Recorded, resource, stack

BACKEND, LOGS = "galv-BackendStack", "galv-LogBucketStack"
OTHER = "staging-BackendStack"
EDGE = "galv-FrontendStack-Edge"


def found(result: Result) -> list[str]:
    """The stacks of the deployment that was found."""
    import json  # noqa: PLC0415

    parts: list[dict[str, Any]] = json.loads(result.stdout)["parts"]
    return [part["stack"] for part in parts if part["name"] == "stack"]


def status(recorded: Recorded, *arguments: str) -> Result:
    return recorded.run("status", "--json", *arguments)


@pytest.fixture
def two(recorded: Recorded) -> Recorded:
    """Two deployments in a region, and a project that is none."""
    recorded.stacks[REGION] += [stack(OTHER, project="staging"), stack("Blog", project="blog")]
    recorded.resources[OTHER] = recorded.resources[BACKEND]
    recorded.resources["Blog"] = []
    return recorded


def test_finds_the_only_deployment(recorded: Recorded) -> None:
    assert found(status(recorded)) == [LOGS, BACKEND]


def test_projects_that_are_no_galv_do_not_count(recorded: Recorded) -> None:
    recorded.stacks[REGION].append(stack("Blog", project="blog"))
    recorded.resources["Blog"] = []

    assert found(status(recorded)) == [LOGS, BACKEND]


def test_refuses_to_choose_among_several_deployments(two: Recorded) -> None:
    result = status(two)

    assert result.exit_code == 2
    assert result.stderr == (
        "galv-ops: there are several deployments in eu-west-2: choose one with --project, of galv, "
        "staging\n"
    )
    assert found(status(two, "--project", "staging")) == [OTHER]
    assert found(status(two, "--stack", OTHER)) == [OTHER]
    assert found(status(two, "--stack", LOGS)) == [LOGS, BACKEND]


def test_an_environment_variable_chooses_the_deployment(
    two: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALV_PROJECT", "staging")
    assert found(status(two)) == [OTHER]

    monkeypatch.setenv("GALV_STACK", BACKEND)
    assert found(status(two)) == [BACKEND, LOGS], "a stack is more precise"


def test_a_stack_without_the_tag(recorded: Recorded) -> None:
    recorded.stacks = {
        REGION: [stack("Mine", project=None), stack(BACKEND)],
        "us-east-1": [stack("Mine-Edge", project=None), stack("Else", project=None)],
    }
    recorded.resources |= {"Mine": recorded.resources[BACKEND], "Mine-Edge": [], "Else": []}

    assert found(status(recorded, "--stack", "Mine")) == ["Mine", "Mine-Edge"]


def test_stacks_in_us_east_1_belong_to_it(recorded: Recorded) -> None:
    recorded.stacks["us-east-1"] = [stack("galv-FrontendStack-Edge"), stack("Blog", project="blog")]
    recorded.resources |= {"galv-FrontendStack-Edge": [], "Blog": []}

    assert found(status(recorded)) == [LOGS, BACKEND, "galv-FrontendStack-Edge"]


@pytest.mark.parametrize("command", ["status", "doctor", "check", "open", "logs"])
@pytest.mark.parametrize("options", [(), ("--project", "galv"), ("--stack", EDGE)])
def test_the_region_of_the_edge_stack_is_the_wrong_one(
    recorded: Recorded, command: str, options: tuple[str, ...]
) -> None:
    recorded.stacks["us-east-1"] = [stack(EDGE)]
    recorded.resources[EDGE] = []

    result = recorded.run(command, "--region", "us-east-1", *options)

    assert (result.exit_code, result.stdout) == (125, "")
    assert f"{EDGE}" in result.stderr
    assert "the deployment itself is in another region, so pass --region" in result.stderr


def test_the_same_project_in_us_east_1_is_another_deployment(recorded: Recorded) -> None:
    recorded.stacks["us-east-1"] = [stack(BACKEND), stack(LOGS), stack(EDGE)]
    recorded.stacks[REGION].append(stack("galv-FrontendStack"))
    recorded.resources |= {"galv-FrontendStack": [], EDGE: []}

    assert found(status(recorded)) == [LOGS, BACKEND, "galv-FrontendStack", EDGE]


def test_another_region_may_be_forbidden(recorded: Recorded) -> None:
    answer = recorded.answers["cloudformation.DescribeStacks"]
    recorded.refuse("cloudformation.DescribeStacks", "AccessDenied")
    refuse = recorded.answers["cloudformation.DescribeStacks"]
    recorded.answers["cloudformation.DescribeStacks"] = lambda request, region: (
        refuse if region == "us-east-1" else answer
    )(request, region)  # type: ignore[operator]  # both are functions here

    assert found(status(recorded)) == [LOGS, BACKEND]


def test_several_backends_with_one_tag(two: Recorded) -> None:
    two.stacks[REGION] = [stack(BACKEND), stack(OTHER)]

    result = status(two)

    assert result.exit_code == 2
    assert "galv has several backends: pass --stack with one of galv-BackendStack" in result.stderr
    assert found(status(two, "--stack", OTHER)) == [OTHER]


def test_a_release_task_of_the_application_is_no_backend(recorded: Recorded) -> None:
    other, task = "galv-ReportsStack", "AWS::ECS::TaskDefinition"
    recorded.stacks[REGION].append(stack(other))
    recorded.resources[other] = [resource("ReindexRun12345678", "Custom::GalvReleaseTask", "r")]
    recorded.resources[BACKEND].append(resource("Own12345678", task, "arn:own"))

    assert found(status(recorded)) == [LOGS, BACKEND, other]


def test_two_backends_in_a_stack_are_refused(recorded: Recorded) -> None:
    recorded.resources[BACKEND] += [
        resource("SecondWebService12345678", "AWS::ECS::Service", "arn:second"),
        resource("SecondSetupRun12345678", "Custom::GalvReleaseTask", "second"),
    ]

    result = status(recorded)

    assert result.exit_code == 125
    assert "holds 2 backends, and galv-ops knows one per stack" in result.stderr


def test_no_such_stack(recorded: Recorded) -> None:
    result = status(recorded, "--stack", "galf")

    assert result.exit_code == 125
    assert result.stderr == (
        "galv-ops: there is no stack galf in eu-west-2 (there are: galv-BackendStack, "
        "galv-LogBucketStack): check --stack, --region and --profile\n"
    )


def test_no_such_project(recorded: Recorded) -> None:
    result = status(recorded, "--project", "galf")

    assert result.exit_code == 125
    assert "no stack in eu-west-2 has the tag project-name=galf (there are: galv)" in result.stderr


def test_nothing_in_the_region(recorded: Recorded) -> None:
    result = status(recorded, "--region", "eu-north-1")

    assert result.exit_code == 125
    assert result.stderr == (
        "galv-ops: there is no Galv in eu-north-1 on stacks with the tag project-name: check "
        "--region and --profile, or pass --stack with the name of a stack\n"
    )


def test_projects_that_may_be_one_are_named(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(LOGS), stack("Blog", project="blog")]
    recorded.resources["Blog"] = []

    result = status(recorded)

    assert result.exit_code == 125
    assert "choose one of blog, galv with --project" in result.stderr


def test_a_deployment_without_a_backend(recorded: Recorded) -> None:
    recorded.stacks[REGION] = [stack(LOGS)]

    result = status(recorded, "--project", "galv")
    refused = recorded.run("check", "--project", "galv")

    assert result.exit_code == 1
    assert found(result) == [LOGS]
    assert refused.exit_code == 125
    assert "galv has no backend yet, only galv-LogBucketStack" in refused.stderr
