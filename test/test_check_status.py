"""The task that checks connections: ready to run, and run in a deployment if asked for."""

import pytest
from backends import RefusedBackend, Synth
from templates import (
    Json,
    as_list,
    container,
    needs,
    of_type,
    only,
    only_id,
    statements,
    task_definition,
)

RUN = "Custom::GalvReleaseTask"


def test_is_ready_to_be_run(default: Json) -> None:
    _, properties = task_definition(default, "check-status")

    assert container(default, "check-status")["Command"] == ["python", "manage.py", "check_status"]
    assert (properties["Cpu"], properties["Memory"]) == ("256", "1024")
    assert of_type(default, RUN, "BackendCheckStatus") == {}


def test_it_alone_may_list_buckets(default: Json) -> None:
    def may(name: str) -> set[str]:
        role = task_definition(default, name)[1]["TaskRoleArn"]["Fn::GetAtt"][0]
        return {action for s in statements(default, role) for action in as_list(s["Action"])}

    assert "s3:ListAllMyBuckets" in may("check-status")
    assert "s3:ListAllMyBuckets" not in may("web") | may("setup-db")


def test_runs_after_the_service_if_asked_for(development: Json) -> None:
    run = only(development, RUN, "BackendCheckStatus")

    assert run["OnFailure"] == "warn"
    assert run["Command"] == "python manage.py check_status"
    assert run["TaskDefinition"] == {"Ref": task_definition(development, "check-status")[0]}
    before = needs(development, only_id(development, RUN, "BackendCheckStatus"))
    assert only_id(development, "AWS::ECS::Service") in before
    assert only_id(development, RUN, "BackendSetup") in before


def test_fails_the_deployment_if_asked_to(synth: Synth) -> None:
    template = synth(check_status="fail", check_status_command=["true"])

    run = only(template, RUN, "BackendCheckStatus")
    assert (run["OnFailure"], run["Command"]) == ("fail", "true")
    assert container(template, "check-status")["Command"] == ["true"]


@pytest.mark.parametrize("run", ["on", "", None, True])
def test_refuses_what_it_cannot_do(refused_backend: RefusedBackend, run: object) -> None:
    assert refused_backend(check_status=run) == (
        f"check_status must be one of off, warn, fail, got {run!r}"
    )


@pytest.mark.parametrize("command", ["check_status", [], ["python", 7]])
def test_refuses_what_is_no_command(refused_backend: RefusedBackend, command: object) -> None:
    text = refused_backend(check_status_command=command)

    assert text.startswith("check_status_command must be a list of words such as ['python'")
    assert text.endswith(f"got {command!r}")
