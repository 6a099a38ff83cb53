"""The second example: Galv on a VPC, a cluster, a zone and a database that are there already."""

import json
import runpy
from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import Validations
from backends import recommended_flags, validation
from cdk_nag import (
    AwsSolutionsChecks,
    HIPAASecurityChecks,
    NIST80053R5Checks,
    PCIDSS321Checks,
)
from snapshot import snapshot_stacks
from templates import Json, container, ingress_rules, needs, of_type, only, only_id

APP = Path(__file__).parent.parent / "examples" / "platform-app"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates of main.py, checked by cdk-nag."""
    directory = tmp_path_factory.mktemp("assembly")
    app = aws_cdk.App(
        context=json.loads((APP / "cdk.json").read_text())["context"],
        outdir=str(directory),
        **validation(on=False),
    )
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app),
        HIPAASecurityChecks(app),
        NIST80053R5Checks(app),
        PCIDSS321Checks(app),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_cdk, "App", lambda: app)
        # What the platform has itself has findings, which are its own affair.
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            runpy.run_path(str(APP / "main.py"))
    return directory


def test_sets_the_flags_that_are_recommended_but_one() -> None:
    context = json.loads((APP / "cdk.json").read_text())["context"]

    strong = {"@aws-cdk/core:defaultCrossStackReferences": "strong"}
    assert {**recommended_flags(), **strong} == context


def template(assembly: Path, stack: str) -> Json:
    found: Json = json.loads((assembly / f"{stack}.template.json").read_text())
    return found


@pytest.fixture(scope="module")
def galv(assembly: Path) -> Json:
    return template(assembly, "Galv")


@pytest.fixture(scope="module")
def shared(assembly: Path) -> Json:
    return template(assembly, "Shared")


def test_creates_nothing_that_it_was_given(galv: Json) -> None:
    for kind in (
        "AWS::EC2::VPC",
        "AWS::EC2::NatGateway",
        "AWS::ECS::Cluster",
        "AWS::RDS::DBInstance",
        "AWS::Route53::HostedZone",
    ):
        assert of_type(galv, kind) == {}


def test_uses_the_given_resources(galv: Json) -> None:
    for kind, name in (
        ("AWS::ECS::Service", "Cluster"),
        ("AWS::EC2::SecurityGroup", "VpcId"),
        ("AWS::Route53::RecordSet", "HostedZoneId"),
    ):
        resources = of_type(galv, kind)
        assert resources
        for resource in resources.values():
            assert "Shared:" in str(resource["Properties"][name]["Fn::ImportValue"])


def test_each_task_may_reach_the_database_and_nobody_else(galv: Json, shared: Json) -> None:
    rules = [
        resource["Properties"]
        for resource in of_type(galv, "AWS::EC2::SecurityGroupIngress").values()
        if "Shared:" in str(resource["Properties"]["GroupId"])
    ]
    sources = {rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in rules}

    groups = of_type(galv, "AWS::EC2::SecurityGroup")
    assert sources == {name for name in groups if "Task" in name}
    assert len(sources) == 4
    group = only_id(shared, "AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
    assert ingress_rules(shared, group) == []


def test_its_own_task_is_one_of_galvs(galv: Json) -> None:
    own, web = container(galv, "clear-sessions"), container(galv, "web")

    assert own["Image"] == web["Image"]
    assert {secret["Name"] for secret in own["Secrets"]} >= {"POSTGRES_PASSWORD"}
    schedule = only_id(galv, "AWS::Scheduler::Schedule")
    assert only_id(galv, "Custom::GalvReleaseTask", "BackendSetup") in needs(galv, schedule)


def test_every_alarm_reaches_the_platform(galv: Json) -> None:
    alarms = of_type(galv, "AWS::CloudWatch::Alarm")

    assert len(alarms) == 8
    for alarm in alarms.values():
        (action,) = alarm["Properties"]["AlarmActions"]
        assert "Shared:" in str(action["Fn::ImportValue"])
    assert only(galv, "AWS::CloudWatch::Alarm", "Storage")["Threshold"] == 5 * 1024**3


def test_the_standards_find_nothing_in_the_stack_of_galv(assembly: Path) -> None:
    report = json.loads((assembly / "validation-report.json").read_text())
    found = {
        f"{violation['ruleName']} at {construct['constructPath']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }

    assert any(" at Shared/" in finding for finding in found)
    assert {finding for finding in found if " at Galv/" in finding} == set()


def test_logical_ids_and_types_stay(galv: Json, shared: Json) -> None:
    snapshot_stacks({"Galv": galv, "Shared": shared}, "platform-app/stacks")
