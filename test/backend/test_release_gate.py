"""The release gate in the template: what comes before it, what after, and when it runs again."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_rds as rds
from backends import MakeBackend, Synth, backend_in, regional_stack
from templates import (
    Json,
    as_list,
    needs,
    of_type,
    only,
    only_id,
    references,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvDatabase, GalvMail, GalvNetwork, NetworkPreset

RUN = "Custom::GalvReleaseTask"
SERVICE = "AWS::ECS::Service"
INGRESS = "AWS::EC2::SecurityGroupIngress"
EGRESS = "AWS::EC2::SecurityGroupEgress"
# Services that have no resource-level permissions for an action.
WILDCARDS = {"ecs:ListTasks"}


@pytest.fixture(scope="module")
def endpoints() -> Json:
    """The template of a backend without the internet."""
    stack = regional_stack()
    image = ecs.ContainerImage.from_registry("1.dkr.ecr.eu-west-1.amazonaws.com/galv:1")
    network = GalvNetwork(stack, "Network", preset=NetworkPreset.ENDPOINTS)
    mail = GalvMail(stack, "Mail", sender="galv@example.com")
    backend_in(stack, network=network, image=image, mail=mail)
    return synthesize(stack)


def before_run(template: Json) -> set[str]:
    return needs(template, only_id(template, RUN))


class TestOrder:
    @pytest.mark.parametrize(
        "kind",
        [
            "AWS::RDS::DBInstance",
            "AWS::SecretsManager::SecretTargetAttachment",
            "AWS::EC2::NatGateway",
            "AWS::EC2::VPCEndpoint",
            "AWS::EC2::VPCGatewayAttachment",
        ],
    )
    def test_setup_waits_for_the_resources_that_its_task_needs(
        self, default: Json, kind: str
    ) -> None:
        assert set(of_type(default, kind)) <= before_run(default)

    def test_setup_waits_for_its_access_to_the_database(self, default: Json) -> None:
        setup_group = only_id(default, "AWS::EC2::SecurityGroup", "BackendSetupTask")
        rules = {
            logical_id
            for kind in (INGRESS, EGRESS)
            for logical_id, rule in of_type(default, kind).items()
            if setup_group in references(rule["Properties"])
        }

        assert len(rules) == 2
        assert rules <= before_run(default)

    def test_the_run_waits_for_the_routes_of_its_subnets(self, default: Json) -> None:
        routes = {
            logical_id
            for kind in ("AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation")
            for logical_id in of_type(default, kind)
            if "TasksSubnet" in logical_id
        }

        assert len(routes) == 4
        assert routes <= before_run(default)

    def test_the_run_waits_for_every_endpoint(self, endpoints: Json) -> None:
        made = of_type(endpoints, "AWS::EC2::VPCEndpoint")

        assert len(made) == 7
        assert set(made) <= before_run(endpoints)

    def test_the_run_waits_for_the_log_and_the_policies_of_the_task(self, default: Json) -> None:
        own = {
            logical_id
            for kind in ("AWS::Logs::LogGroup", "AWS::IAM::Policy", "AWS::IAM::Role")
            for logical_id in of_type(default, kind, "BackendSetupTask")
        }

        assert len(own) == 5
        assert own <= before_run(default)

    def test_the_run_waits_for_the_permissions_of_its_handler(self, default: Json) -> None:
        policies = of_type(default, "AWS::IAM::Policy", "BackendSetupRunHandlerRole")

        assert len(policies) == 1
        # The handler's functions depend on them, and the framework's refer to the functions.
        assert set(policies) <= before_run(default)

    def test_the_web_service_waits_for_the_run(self, default: Json) -> None:
        assert only_id(default, RUN) in needs(default, only_id(default, SERVICE))

    def test_the_run_waits_for_nothing_of_the_web_service(self, default: Json) -> None:
        # Not even for its security group, which another resource may open to itself.
        assert not [name for name in before_run(default) if name.startswith("BackendWeb")]

    def test_the_web_service_waits_for_its_own_policies(self, default: Json) -> None:
        own = {
            logical_id
            for kind in ("AWS::Logs::LogGroup", "AWS::IAM::Policy", EGRESS)
            for logical_id in of_type(default, kind, "BackendWebTask")
        }

        assert len(own) == 4
        assert own <= needs(default, only_id(default, SERVICE))

    def test_the_web_service_waits_for_its_access_to_the_database(self, default: Json) -> None:
        (rule,) = of_type(default, INGRESS, "BackendDatabaseSecurityGroupfromStackBackendWeb")

        assert rule in needs(default, only_id(default, SERVICE))

    def test_a_resource_that_waits_for_setup_may_use_the_database(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        backend = make_backend()
        task = ecs.FargateTaskDefinition(stack, "Task")
        task.add_container("Main", image=ecs.ContainerImage.from_registry("search"))
        search = ecs.FargateService(stack, "Search", cluster=backend.cluster, task_definition=task)

        backend.database.connections.allow_default_port_from(search)
        search.node.add_dependency(backend.setup)

        # CDK refuses a template in which resources wait for each other.
        template = synthesize(stack)
        assert only_id(template, RUN) in needs(template, only_id(template, SERVICE, "Search"))

    def test_a_resource_that_waits_for_setup_may_use_a_given_database(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        vpc = ec2.Vpc(stack, "Vpc")
        database = rds.DatabaseInstance(
            stack, "Database", engine=rds.DatabaseInstanceEngine.POSTGRES, vpc=vpc
        )
        backend = make_backend(
            database=GalvDatabase.from_instance(database), network=GalvNetwork.from_vpc(vpc)
        )
        group = ec2.SecurityGroup(stack, "Search", vpc=vpc)

        database.connections.allow_default_port_from(group)
        group.node.add_dependency(backend.setup)

        template = synthesize(stack)
        assert only_id(template, "AWS::RDS::DBInstance") in before_run(template)


class TestRunsAgain:
    def test_the_run_knows_the_revision_of_the_task_definition(self, default: Json) -> None:
        logical_id, _ = task_definition(default, "setup-db")

        assert only(default, RUN)["TaskDefinition"] == {"Ref": logical_id}

    def test_another_image_is_asked_for_and_copied_and_changes_the_task_definitions_alone(
        self, default: Json, synth_whole: Synth
    ) -> None:
        changed = different(default, synth_whole(version="v2.11.4"))

        assert changed == {
            only_id(default, "Custom::GalvMirroredImage"),
            only_id(default, "Custom::GalvPreflight"),
            only_id(default, "Custom::GalvRestorePoint"),
            *(task_definition(default, name)[0] for name in ("web", "setup-db", "check-status")),
        }

    def test_a_variable_changes_the_task_definitions_and_nothing_else(
        self, default: Json, synth_whole: Synth
    ) -> None:
        changed = different(default, synth_whole(environment={"DJANGO_LOG_LEVEL": "INFO"}))

        assert changed == set(of_type(default, "AWS::ECS::TaskDefinition"))

    def test_another_size_of_the_web_task_does_not_run_setup_again(
        self, default: Json, synth_whole: Synth
    ) -> None:
        changed = different(default, synth_whole(cpu=1024, memory_limit_mib=2048))

        assert changed == {
            only_id(default, "Custom::GalvPreflight"),
            task_definition(default, "web")[0],
        }


class TestPermissions:
    def test_the_handlers_have_exactly_these_permissions(self, default: Json) -> None:
        role_id = only_id(default, "AWS::IAM::Role", "BackendSetupRunHandlerRole")

        actions = {
            action
            for statement in statements(default, role_id)
            for action in as_list(statement["Action"])
        }
        assert actions == {
            "cloudformation:DescribeStacks",
            "ecs:DescribeTasks",
            "ecs:ListTasks",
            "ecs:RunTask",
            "ecs:StopTask",
            "ecs:TagResource",
            "iam:PassRole",
            "logs:CreateLogStream",
            "logs:GetLogEvents",
            "logs:PutLogEvents",
            "rds:AddTagsToResource",
            "rds:CreateDBSnapshot",
            "rds:DeleteDBSnapshot",
            "rds:DescribeDBSnapshots",
        }
        assert default["Resources"][role_id]["Properties"].get("ManagedPolicyArns", []) == []

    def test_the_handlers_may_pass_only_the_roles_of_the_task(self, default: Json) -> None:
        _, setup = task_definition(default, "setup-db")
        (statement,) = handler_statements(default, "iam:PassRole")

        assert statement["Resource"] == [setup["TaskRoleArn"], setup["ExecutionRoleArn"]]
        assert statement["Condition"] == {
            "StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
        }

    def test_the_handlers_may_run_only_this_family_on_this_cluster(self, default: Json) -> None:
        _, setup = task_definition(default, "setup-db")
        (statement,) = handler_statements(default, "ecs:RunTask")

        cluster = {"Fn::GetAtt": [only_id(default, "AWS::ECS::Cluster"), "Arn"]}
        assert statement["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
        assert statement["Resource"]["Fn::Join"][1][-1] == f":task-definition/{setup['Family']}:*"

    def test_the_handlers_may_stop_only_runs_of_this_family(self, default: Json) -> None:
        _, setup = task_definition(default, "setup-db")
        (statement,) = handler_statements(default, "ecs:StopTask")

        # Runs get the tags of their definition: the handlers ask for that.
        assert {"Key": "galv:task-family", "Value": setup["Family"]} in setup["Tags"]
        assert statement["Action"] == "ecs:StopTask"
        assert statement["Condition"] == {
            "StringEquals": {"aws:ResourceTag/galv:task-family": setup["Family"]}
        }

    def test_an_action_on_everything_has_no_resource_to_name(self, default: Json) -> None:
        for role_id in of_type(default, "AWS::IAM::Role", "BackendSetupRun"):
            for statement in statements(default, role_id):
                if "*" in as_list(statement["Resource"]):
                    assert set(as_list(statement["Action"])) <= WILDCARDS
                    assert statement["Condition"]

    def test_every_other_wildcard_is_below_a_named_resource(self, default: Json) -> None:
        wildcards = {
            resource
            for role_id in of_type(default, "AWS::IAM::Role", "BackendSetupRunHandlerRole")
            for statement in statements(default, role_id)
            for resource in strings(as_list(statement["Resource"]))
            if "*" in resource and resource != "*"
        }

        # The tasks of the cluster, the revisions of the family, the streams of the log, and the
        # snapshots, of which those that it makes have a name of their own.
        assert wildcards == {
            "/*",
            ":task-definition/StackBackendSetupTaskTaskDefinitionCDB985C3:*",
            ":log-stream:setup-db/*",
            ":snapshot:*",
            ":snapshot:stack-before-*",
        }

    def test_the_handlers_are_maintained_and_log_for_a_limited_time(self, default: Json) -> None:
        for name in ("OnEvent", "IsComplete"):
            function = only(default, "AWS::Lambda::Function", f"BackendSetupRun{name}")
            assert function["Runtime"] == "python3.14"
            assert function["Handler"] == f"handlers.release_task.{snake(name)}"
            assert "VpcConfig" not in function
            log_group = default["Resources"][function["LoggingConfig"]["LogGroup"]["Ref"]]
            assert log_group["Properties"]["RetentionInDays"] == 365


def test_no_value_of_a_secret_reaches_the_run(mailing: Json) -> None:
    run = dict(only(mailing, RUN))
    # Which words of a log to leave out of a reason: names, and names alone.
    names = run.pop("SecretNames")

    assert all(re.fullmatch("[A-Z_]+", name) for name in names)
    assert "ecret" not in json.dumps(run)
    assert "PASSWORD" not in json.dumps(run)


def different(one: Json, other: Json) -> set[str]:
    """The logical ids of the resources that are not the same."""
    assert set(one["Resources"]) == set(other["Resources"])
    return {
        logical_id
        for logical_id, resource in one["Resources"].items()
        if resource != other["Resources"][logical_id]
    }


def handler_statements(template: Json, action: str) -> Iterator[Json]:
    role_id = only_id(template, "AWS::IAM::Role", "BackendSetupRunHandlerRole")
    return (s for s in statements(template, role_id) if action in as_list(s["Action"]))


def strings(value: Any) -> Iterator[str]:
    """All the text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
