"""A task that runs when somebody asks for it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import ENVIRONMENT, Refusal, new_app
from runtimes import given_runtime, runtime_in
from templates import Json, container, of_type, only, only_id, statements, synthesize
from templates import task_definition as definition_of

from galv_constructs import GalvNetwork, GalvScheduledTask, GalvTask

ASSOCIATIONS = "AWS::ECS::ClusterCapacityProviderAssociations"


@pytest.fixture
def make(stack: Stack) -> Callable[..., GalvTask]:
    def make(id: str = "NightlyReport", **overrides: Any) -> GalvTask:
        arguments: Json = {"command": ["report", "--all"], **overrides}
        return GalvTask(
            stack, id, runtime=arguments.pop("runtime", None) or runtime_in(stack), **arguments
        )

    return make


class TestTask:
    def test_defines_only_the_task(self, stack: Stack, make: Callable[..., GalvTask]) -> None:
        make()

        types = {
            resource["Type"]
            for logical_id, resource in synthesize(stack)["Resources"].items()
            if logical_id.startswith("NightlyReport")
        }
        assert types == {
            "AWS::EC2::SecurityGroup",
            "AWS::ECS::TaskDefinition",
            "AWS::IAM::Policy",
            "AWS::IAM::Role",
            "AWS::Logs::LogGroup",
        }

    def test_a_schedule_can_take_its_place(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        make()
        other = Stack(new_app(), "Stack")
        GalvScheduledTask(
            other,
            "NightlyReport",
            runtime=runtime_in(other),
            command=["report", "--all"],
            schedule=ScheduleExpression.rate(Duration.days(1)),
        )

        scheduled = synthesize(other)
        for logical_id, resource in synthesize(stack)["Resources"].items():
            assert scheduled["Resources"][logical_id] == resource

    def test_has_a_small_size_unless_given_one(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        make()

        _, definition = definition_of(synthesize(stack), "nightly-report")
        assert (definition["Cpu"], definition["Memory"]) == ("256", "1024")
        assert "EphemeralStorage" not in definition

    def test_uses_the_given_size(self, stack: Stack, make: Callable[..., GalvTask]) -> None:
        make(cpu=1024, memory_limit_mib=4096, ephemeral_storage_gib=200)

        _, definition = definition_of(synthesize(stack), "nightly-report")
        assert (definition["Cpu"], definition["Memory"]) == ("1024", "4096")
        assert definition["EphemeralStorage"] == {"SizeInGiB": 200}

    def test_is_built_for_the_architecture_of_the_runtime(self, stack: Stack) -> None:
        GalvTask(
            stack, "Report", runtime=given_runtime(stack, architecture="ARM64"), command=["report"]
        )

        _, definition = definition_of(synthesize(stack), "report")
        assert definition["RuntimePlatform"]["CpuArchitecture"] == "ARM64"

    def test_is_a_grantee(self, stack: Stack, make: Callable[..., GalvTask]) -> None:
        bucket = s3.Bucket(stack, "Bucket")
        task = make()
        bucket.grant_read(task)

        template = synthesize(stack)
        role = only_id(template, "AWS::IAM::Role", "NightlyReportTaskTaskDefinitionTaskRole")
        assert "s3:GetObject*" in json.dumps(list(statements(template, role)))


class TestRunCommand:
    def test_is_a_command_of_the_aws_cli(self) -> None:
        stack = Stack(new_app(), "Stack", env=ENVIRONMENT)
        task = GalvTask(stack, "Report", runtime=given_runtime(stack), command=["report"])

        command = json.dumps(stack.resolve(task.run_command))
        assert "aws ecs run-task --region eu-west-1 --cluster c --task-definition" in command
        assert "--launch-type FARGATE --network-configuration" in command
        assert "subnets=[subnet-1,subnet-2]" in command
        assert "aws logs tail --region eu-west-1 --follow" in command

    def test_uses_spot_when_asked(self) -> None:
        stack = Stack(new_app(), "Stack", env=ENVIRONMENT)
        task = GalvTask(
            stack, "Report", runtime=given_runtime(stack), command=["report"], spot=True
        )

        command = json.dumps(stack.resolve(task.run_command))
        assert "--capacity-provider-strategy capacityProvider=FARGATE_SPOT,weight=1" in command
        assert "--launch-type" not in command


class TestSpot:
    def test_leaves_the_cluster_alone_unless_asked(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        make()

        template = synthesize(stack)
        assert of_type(template, ASSOCIATIONS) == {}
        assert "StopTimeout" not in container(template, "nightly-report")

    def test_associates_the_cluster_with_spot(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        make(spot=True)

        template = synthesize(stack)
        association = only(template, ASSOCIATIONS)
        assert association["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
        # What says nothing of capacity stays as it is.
        assert association["DefaultCapacityProviderStrategy"] == []
        _, definition = definition_of(template, "nightly-report")
        assert {"Key": "galv:spot", "Value": "true"} in definition["Tags"]

    def test_a_command_gets_all_of_the_notice(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        make(spot=True)

        assert container(synthesize(stack), "nightly-report")["StopTimeout"] == 120

    def test_changes_no_cluster_that_is_imported(self, stack: Stack) -> None:
        GalvTask(stack, "Report", runtime=given_runtime(stack), command=["report"], spot=True)

        assert of_type(synthesize(stack), ASSOCIATIONS) == {}

    def test_keeps_the_capacity_providers_that_a_cluster_has(self, stack: Stack) -> None:
        cluster = ecs.Cluster(
            stack,
            "Own",
            vpc=ec2.Vpc(stack, "OwnVpc", max_azs=1),
            enable_fargate_capacity_providers=True,
        )
        network = GalvNetwork.from_vpc(cluster.vpc)
        runtime = given_runtime(stack, cluster=cluster, network=network)
        GalvTask(stack, "Report", runtime=runtime, command=["report"], spot=True)

        assert only(synthesize(stack), ASSOCIATIONS)["CapacityProviders"] == [
            "FARGATE",
            "FARGATE_SPOT",
        ]


class TestGrantRun:
    def test_lets_a_role_run_this_task_and_no_other(
        self, stack: Stack, make: Callable[..., GalvTask]
    ) -> None:
        role = iam.Role(stack, "Starter", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        make().grant_run(role)

        template = synthesize(stack)
        found = {
            statement["Action"]: statement
            for statement in statements(template, only_id(template, "AWS::IAM::Role", "Starter"))
        }
        assert set(found) == {
            "ecs:RunTask",
            "ecs:TagResource",
            "ecs:DescribeTasks",
            "ecs:StopTask",
            "ecs:ListTasks",
            "iam:PassRole",
        }
        _, definition = definition_of(template, "nightly-report")
        assert str(definition["Family"]) in json.dumps(found["ecs:RunTask"]["Resource"])

    def test_nobody_may_run_it_otherwise(self, stack: Stack, make: Callable[..., GalvTask]) -> None:
        make()

        assert "ecs:RunTask" not in json.dumps(synthesize(stack))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"runtime": "backend"}, "runtime must be a TaskRuntime, got 'backend'"),
        ({"command": "report --all"}, "command must be a list of words"),
        ({"name": "nightly report"}, "name must be letters, digits, '-' and '_'"),
        ({"environment": {"A B": "1"}}, "environment has the name 'A B'"),
        ({"secrets": {"A": "1"}}, "secrets['A'] must be an aws_ecs.Secret"),
        ({"cpu": 300}, "cpu must be one of 256"),
        ({"memory_limit_mib": 300}, "memory_limit_mib must be one of 512"),
        ({"ephemeral_storage_gib": 201}, "ephemeral_storage_gib must be from 21 to 200 GiB, got 2"),
        ({"ephemeral_storage_gib": 20}, "ephemeral_storage_gib must be from 21 to 200 GiB, got 20"),
        ({"spot": "yes"}, "spot must be true or false, got 'yes'"),
    ],
)
def test_refuses_invalid_arguments(
    stack: Stack, refusal: Refusal, overrides: Json, message: str
) -> None:
    runtime = given_runtime(stack)
    arguments: Json = {"runtime": runtime, "command": ["report"], **overrides}

    assert refusal(lambda: GalvTask(stack, "Report", **arguments)).startswith(message)
