"""The second example: three Galvs on one network, cluster and load balancer."""

import json
import re
import runpy
from pathlib import Path

import aws_cdk
import pytest
from aws_cdk import Validations
from aws_cdk import aws_sns as sns
from backends import recommended_flags, validation
from cdk_nag import (
    AwsSolutionsChecks,
    HIPAASecurityChecks,
    NIST80053R5Checks,
    PCIDSS321Checks,
)
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it declares none
from platform_app.galv_stack import GalvStack
from platform_app.shared_stack import SharedStack
from snapshot import snapshot_stacks
from templates import Json, container, ingress_rules, needs, of_type, only, only_id, synthesize

APP = Path(__file__).parent.parent / "examples" / "platform-app"
GALVS = {"Production": "galv", "Stage": "galv-stage", "Demo": "galv-demo"}


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
        # So that it is seen that somebody looks.
        sns.Topic(aws_cdk.Stack(app, "Mistake"), "Topic")
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            runpy.run_path(str(APP / "main.py"))
    return directory


def test_sets_the_flags_that_are_recommended_but_one() -> None:
    context = json.loads((APP / "cdk.json").read_text())["context"]

    own = {"zoneId": "Z0000000EXAMPLE", "zoneName": "lab.example.com"}
    strong = {"@aws-cdk/core:defaultCrossStackReferences": "strong"}
    assert {**own, **recommended_flags(), **strong} == context


def template(assembly: Path, stack: str) -> Json:
    found: Json = json.loads((assembly / f"{stack}.template.json").read_text())
    return found


@pytest.fixture(scope="module")
def stacks(assembly: Path) -> dict[str, Json]:
    return {name: template(assembly, name) for name in ("Shared", *GALVS, "Worker")}


def imports(stack: Json) -> set[str]:
    """The stacks that a stack takes something from."""
    return set(re.findall(r'"Fn::ImportValue": "(\w+):', json.dumps(stack)))


def test_a_galv_needs_what_is_shared_and_no_other_galv(stacks: dict[str, Json]) -> None:
    assert imports(stacks["Shared"]) == set()
    for name in GALVS:
        assert imports(stacks[name]) == {"Shared"}
    assert imports(stacks["Worker"]) == {"Shared", "Production"}


def test_stacks_are_deployed_one_after_the_other_only_where_one_needs_the_other(
    assembly: Path,
) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = {"Shared", "Worker", *GALVS}
    order = {name: set(artifacts[name]["dependencies"]) & stacks for name in stacks}

    assert order == {
        "Shared": set(),
        **{name: {"Shared"} for name in GALVS},
        "Worker": {"Shared", "Production"},
    }


def test_what_is_shared_is_the_same_for_production_alone(stacks: dict[str, Json]) -> None:
    """So that one Galv more, or one less, updates nothing that the others use."""
    app = aws_cdk.App(
        context=json.loads((APP / "cdk.json").read_text())["context"], **validation(on=False)
    )
    shared = SharedStack(app, "Shared", zone_id="Z0000000EXAMPLE", zone_name="lab.example.com")
    GalvStack(app, "Production", shared=shared, name="galv", version="v2.11.4")

    assert synthesize(shared) == stacks["Shared"]


def test_one_load_balancer_network_and_cluster(stacks: dict[str, Json]) -> None:
    for kind in (
        "AWS::EC2::VPC",
        "AWS::EC2::NatGateway",
        "AWS::ECS::Cluster",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::WAFv2::WebACL",
        "AWS::CertificateManager::Certificate",
        "AWS::SNS::Topic",
    ):
        found = {name: len(of_type(stack, kind)) for name, stack in stacks.items()}
        assert found == dict.fromkeys(stacks, 0) | {"Shared": 1}


def test_each_galv_has_a_name_at_the_load_balancer(stacks: dict[str, Json]) -> None:
    rules = {
        name: only(stacks[name], "AWS::ElasticLoadBalancingV2::ListenerRule") for name in GALVS
    }

    hosts = {
        name: rule["Conditions"][0]["HostHeaderConfig"]["Values"] for name, rule in rules.items()
    }
    assert hosts == {name: [f"{host}-api.lab.example.com"] for name, host in GALVS.items()}
    assert len({rule["Priority"] for rule in rules.values()}) == 3


def test_each_galv_has_a_database_that_its_tasks_alone_reach(stacks: dict[str, Json]) -> None:
    for name in GALVS:
        stack = stacks[name]
        group = only_id(stack, "AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
        sources = {
            rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in ingress_rules(stack, group)
        }
        assert sources == {id for id in of_type(stack, "AWS::EC2::SecurityGroup") if "Task" in id}


def test_only_production_is_kept_and_has_a_standby(stacks: dict[str, Json]) -> None:
    found = {}
    for name in GALVS:
        (database,) = of_type(stacks[name], "AWS::RDS::DBInstance").values()
        found[name] = database["Properties"]["MultiAZ"], database["DeletionPolicy"]

    cheap = (False, "Delete")
    assert found == {"Production": (True, "Snapshot"), "Stage": cheap, "Demo": cheap}


def test_only_production_is_not_on_fargate_spot(stacks: dict[str, Json]) -> None:
    spot = {
        name: "FARGATE_SPOT" in json.dumps(of_type(stacks[name], "AWS::ECS::Service"))
        for name in (*GALVS, "Worker")
    }

    assert spot == {"Production": False, "Stage": True, "Demo": True, "Worker": True}
    offered = only(stacks["Shared"], "AWS::ECS::ClusterCapacityProviderAssociations")
    assert set(offered["CapacityProviders"]) == {"FARGATE", "FARGATE_SPOT"}


def test_a_release_that_answers_with_errors_is_taken_back(stacks: dict[str, Json]) -> None:
    for name in GALVS:
        stack = stacks[name]
        alarm = only_id(stack, "AWS::CloudWatch::Alarm", "ServerErrors")
        alarms = only(stack, "AWS::ECS::Service")["DeploymentConfiguration"]["Alarms"]
        assert alarms == {"AlarmNames": [{"Ref": alarm}], "Enable": True, "Rollback": True}
        assert only_id(stack, "AWS::ECS::Service") not in needs(stack, alarm)


def test_a_schedule_runs_in_each_galv_and_waits_for_setup(stacks: dict[str, Json]) -> None:
    for name in GALVS:
        stack = stacks[name]
        own, web = container(stack, "clear-sessions"), container(stack, "web")
        assert own["Image"] == web["Image"]
        schedule = only_id(stack, "AWS::Scheduler::Schedule")
        assert only_id(stack, "Custom::GalvReleaseTask", "BackendSetup") in needs(stack, schedule)


def test_every_alarm_reaches_the_platform(stacks: dict[str, Json]) -> None:
    numbers = {}
    for name, stack in stacks.items():
        alarms = of_type(stack, "AWS::CloudWatch::Alarm")
        numbers[name] = len(alarms)
        for alarm in alarms.values():
            assert "Alarms" in str(alarm["Properties"]["AlarmActions"])

    assert numbers == {"Shared": 2, **dict.fromkeys(GALVS, 6), "Worker": 3}
    storage = only(stacks["Production"], "AWS::CloudWatch::Alarm", "Storage")
    assert storage["Threshold"] == 5 * 1024**3


def test_alarms_of_the_account_may_use_the_topic_and_its_key(stacks: dict[str, Json]) -> None:
    for kind, policy, action in (
        ("AWS::KMS::Key", "KeyPolicy", "kms:GenerateDataKey*"),
        ("AWS::SNS::TopicPolicy", "PolicyDocument", "sns:Publish"),
    ):
        statements = only(stacks["Shared"], kind)[policy]["Statement"]
        (allowed,) = [one for one in statements if "cloudwatch" in json.dumps(one)]
        assert action in allowed["Action"]
        condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert allowed["Condition"] == condition


def test_the_worker_runs_its_program_in_the_image_of_production(stacks: dict[str, Json]) -> None:
    worker = stacks["Worker"]
    command = container(worker, "worker")["Command"]

    assert command[:2] == ["python", "-c"]
    compile(command[2], "worker.py", "exec")
    assert "Production" in json.dumps(container(worker, "worker")["Image"])
    # A worker that takes a message again has not kept it for longer than the queue waits.
    assert only(worker, "AWS::SQS::Queue", "Validations")["VisibilityTimeout"] == 1800


def test_asks_before_anything_costly_is_created(stacks: dict[str, Json]) -> None:
    asked = {name: len(of_type(stack, "Custom::GalvPreflight")) for name, stack in stacks.items()}

    assert asked == {"Shared": 1, **dict.fromkeys(GALVS, 1), "Worker": 0}


def test_the_standards_find_nothing(assembly: Path) -> None:
    report = json.loads((assembly / "validation-report.json").read_text())
    found = {
        plugin["pluginName"]: {
            construct["constructPath"].partition("/")[0]
            for violation in plugin["violations"]
            for construct in violation["violatingConstructs"]
        }
        for plugin in report["pluginReports"]
    }

    assert len(found) == 4
    assert set().union(*found.values()) == {"Mistake"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Shared", *GALVS, "Worker"])
def test_cfn_lint_finds_nothing(name: str, assembly: Path) -> None:
    found = lint_file(assembly / f"{name}.template.json")

    # CDK writes every dependency into DependsOn, a reference to it or not.
    assert [str(match) for match in found if match.rule.id != "W3005"] == []


def test_logical_ids_and_types_stay(stacks: dict[str, Json]) -> None:
    snapshot_stacks(stacks, "platform-app/stacks")
