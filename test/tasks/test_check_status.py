"""The task that checks connections: ready to run, and run in a deployment if asked for."""

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from backends import RefusedBackend, Synth, backend_in, new_app, own_database, regional_stack
from templates import (
    Json,
    as_list,
    container,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
    task_definition,
)

RUN = "Custom::GalvReleaseTask"


def test_is_defined_and_can_be_run_by_hand(default: Json) -> None:
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
def test_refuses_an_invalid_reaction(refused_backend: RefusedBackend, run: object) -> None:
    assert refused_backend(check_status=run) == (
        f"check_status must be one of off, warn, fail, got {run!r}"
    )


@pytest.mark.parametrize("command", ["check_status", [], ["python", 7]])
def test_refuses_an_invalid_command(refused_backend: RefusedBackend, command: object) -> None:
    text = refused_backend(check_status_command=command)

    assert text.startswith("check_status_command must be a list of words such as ['python'")
    assert text.endswith(f"got {command!r}")


def digest(**arguments: object) -> str:
    """The property with which the check knows the contents of its deployment."""
    stack = Stack(new_app(), "Stack")
    backend_in(stack, **{"check_status": "warn", **arguments})
    return str(only(synthesize(stack), RUN, "BackendCheckStatus")["Deployment"])


def test_two_syntheses_of_one_input_agree(development: Json) -> None:
    """No nonce: where nothing changes, nothing is deployed and nothing runs."""
    run = only(development, RUN, "BackendCheckStatus")

    assert run["Deployment"] == digest(production=False, preflight=True, mirror_image=True)


def test_runs_in_each_deployment_that_changes_something() -> None:
    """CloudFormation asks a custom resource only when a property of its own has changed."""
    found = {
        "nothing": digest(),
        "database": digest(database=own_database(instance_type=ec2.InstanceType("t4g.small"))),
        "web ACL": digest(web_acl=False),
        "version": digest(version="v2.11.4"),
        "scaling": digest(max_tasks=7),
    }

    assert len(set(found.values())) == len(found)


def test_notices_other_resources_of_the_stack() -> None:
    def told_beside(retention: logs.RetentionDays) -> str:
        stack = Stack(new_app(), "Stack")
        backend_in(stack, check_status="warn")
        logs.LogGroup(stack, "Theirs", retention=retention)
        return str(only(synthesize(stack), RUN, "BackendCheckStatus")["Deployment"])

    assert told_beside(logs.RetentionDays.ONE_DAY) != told_beside(logs.RetentionDays.ONE_WEEK)


def test_two_checks_in_one_stack_do_not_wait_for_each_other() -> None:
    stack = regional_stack(new_app())
    for name in ("api", "stage"):
        backend_in(stack, name, domain_name=f"{name}.example.com", check_status="warn")
    runs = of_type(synthesize(stack), RUN)

    told = {run["Properties"].get("Deployment") for run in runs.values()}
    assert len(told - {None}) == 1


def test_setup_does_not_depend_on_the_rest_of_the_stack(development: Json) -> None:
    """It runs for a new task definition only: a change of the network migrates nothing."""
    assert "Deployment" not in only(development, RUN, "BackendSetup")


def test_runs_after_the_web_service_and_its_routes(development: Json) -> None:
    before = needs(development, only_id(development, RUN, "BackendCheckStatus"))

    assert {development["Resources"][id]["Type"] for id in before} >= {
        "AWS::CloudFront::Distribution",
        "AWS::ElasticLoadBalancingV2::Listener",
        "AWS::RDS::DBInstance",
        "AWS::Route53::RecordSet",
        "AWS::WAFv2::WebACLAssociation",
    }
