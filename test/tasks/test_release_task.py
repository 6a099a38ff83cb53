"""GalvReleaseTask: a task of one's own that gates a deployment."""

from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import KEY_ARN, MakeBackend, Refusal, backend_in
from templates import (
    Json,
    as_list,
    container,
    environment,
    ingress_rules,
    needs,
    of_type,
    only,
    only_id,
    references,
    secrets,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork, GalvReleaseTask, ReleaseStep, TaskRuntime
from galv_constructs.tasks._checks import task_name

RUN = "Custom::GalvReleaseTask"


@pytest.fixture
def secret(stack: Stack) -> ecs.Secret:
    return ecs.Secret.from_secrets_manager(
        secretsmanager.Secret.from_secret_name_v2(stack, "Own", "own")
    )


@pytest.fixture
def runtime(stack: Stack, secret: ecs.Secret) -> TaskRuntime:
    """A runtime that is not a backend's."""
    vpc = ec2.Vpc(stack, "Vpc")
    return TaskRuntime(
        cluster=ecs.Cluster(stack, "Cluster", vpc=vpc),
        network=GalvNetwork.from_vpc(vpc),
        image=ecs.ContainerImage.from_registry("reports:1.4.2"),
        log_group_prefix="/reports",
        environment={"MODE": "live"},
        secrets={"TOKEN": secret},
    )


@pytest.fixture
def refuse(stack: Stack, refusal: Refusal, runtime: TaskRuntime) -> Any:
    def message(**arguments: Any) -> str:
        given: Json = {"runtime": runtime, "command": ["true"], **arguments}
        return refusal(lambda: GalvReleaseTask(stack, "Reindex", **given))

    return message


class TestTask:
    def test_runs_the_given_command(self, stack: Stack, runtime: TaskRuntime) -> None:
        GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index", "two words"])
        template = synthesize(stack)

        assert container(template, "reindex")["Command"] == ["index", "two words"]
        assert "EntryPoint" not in container(template, "reindex")
        assert only(template, RUN)["Command"] == "index 'two words'"

    def test_runs_the_given_steps(self, stack: Stack, runtime: TaskRuntime) -> None:
        steps = [ReleaseStep(name=name, command=[name]) for name in ("one", "two")]
        GalvReleaseTask(stack, "Reindex", runtime=runtime, steps=steps)
        template = synthesize(stack)

        *shell, script = container(template, "reindex")["Command"]
        assert shell == ["sh", "-c"]
        assert script.endswith("\nstep one one\nstep two two")
        assert only(template, RUN)["Command"] == "steps one, two"

    def test_adds_the_given_variables(
        self, stack: Stack, runtime: TaskRuntime, secret: ecs.Secret
    ) -> None:
        GalvReleaseTask(
            stack,
            "Reindex",
            runtime=runtime,
            command=["index"],
            environment={"MODE": "dry", "DEPTH": "2"},
            secrets={"LICENSE": secret},
        )
        template = synthesize(stack)

        assert environment(template, "reindex") == {"MODE": "dry", "DEPTH": "2"}
        assert set(secrets(template, "reindex")) == {"TOKEN", "LICENSE"}

    def test_has_the_runtime_s_variables_when_none_are_given(
        self, stack: Stack, runtime: TaskRuntime
    ) -> None:
        GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])
        template = synthesize(stack)

        assert environment(template, "reindex") == {"MODE": "live"}
        assert set(secrets(template, "reindex")) == {"TOKEN"}

    def test_uses_the_given_name_size_and_timeout(self, stack: Stack, runtime: TaskRuntime) -> None:
        GalvReleaseTask(
            stack,
            "Reindex",
            runtime=runtime,
            command=["index"],
            name="search_index",
            cpu=256,
            memory_limit_mib=512,
            timeout=Duration.minutes(55),
        )
        template = synthesize(stack)

        _, properties = task_definition(template, "search_index")
        assert (properties["Cpu"], properties["Memory"]) == ("256", "512")
        run = only(template, RUN)
        assert run["ContainerName"] == run["LogStreamPrefix"] == "search_index"
        assert run["TimeoutSeconds"] == "3300"
        # As long as CloudFormation waits for anything.
        assert run["ServiceTimeout"] == "3600"
        assert (
            only(template, "AWS::Logs::LogGroup", "ReindexTask")["LogGroupName"]
            == "/reports/search_index"
        )
        waiter = only(template, "AWS::StepFunctions::StateMachine")["DefinitionString"]
        # The handler's own deadline comes first, so that its reason is the one that is shown.
        assert '"MaxAttempts":360' in str(waiter)

    def test_has_a_name_size_and_timeout_when_none_are_given(
        self, stack: Stack, runtime: TaskRuntime
    ) -> None:
        GalvReleaseTask(stack, "ReindexAll", runtime=runtime, command=["index"])
        template = synthesize(stack)

        _, properties = task_definition(template, "reindex-all")
        assert (properties["Cpu"], properties["Memory"]) == ("512", "1024")
        assert only(template, RUN)["TimeoutSeconds"] == "900"
        assert only(template, RUN)["ServiceTimeout"] == "1500"
        assert only(template, RUN)["OnFailure"] == "fail"

    @pytest.mark.parametrize(
        ("id", "name"),
        [
            ("Setup", "setup"),
            ("CheckStatus", "check-status"),
            ("Load2Fixtures", "load2-fixtures"),
            ("my_task", "my-task"),
            ("-A.b-", "a-b"),
        ],
    )
    def test_takes_its_name_from_its_id(self, id: str, name: str) -> None:
        assert task_name(id) == name

    def test_takes_everything_else_from_the_runtime(self, stack: Stack) -> None:
        vpc = ec2.Vpc(stack, "Vpc")
        bucket = s3.Bucket(stack, "Bucket")
        group = ec2.SecurityGroup(stack, "Queue", vpc=vpc)
        queue = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(5672))
        runtime = TaskRuntime(
            cluster=ecs.Cluster(stack, "Cluster", vpc=vpc),
            network=GalvNetwork.from_vpc(vpc),
            image=ecs.ContainerImage.from_registry("reports:1.4.2"),
            log_group_prefix="/reports",
            entry_point=["/bin/run"],
            writable_paths=["/data/cache"],
            connects_to=[queue],
            egress_ports=[443, 8883],
            grants=[bucket.grant_read],
            depends_on=[bucket],
            log_retention=logs.RetentionDays.ONE_WEEK,
        )
        task = GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])
        template = synthesize(stack)

        main = container(template, "reindex")
        assert main["EntryPoint"] == ["/bin/run"]
        assert main["ReadonlyRootFilesystem"] is True
        assert [mount["ContainerPath"] for mount in main["MountPoints"]] == ["/data/cache"]
        (rule,) = ingress_rules(template, only_id(template, "AWS::EC2::SecurityGroup", "Queue"))
        own_group = only_id(template, "AWS::EC2::SecurityGroup", "Reindex")
        assert references(rule["SourceSecurityGroupId"]) == {own_group}
        egress = template["Resources"][own_group]["Properties"]["SecurityGroupEgress"]
        assert [rule["FromPort"] for rule in egress] == [443, 8883]
        assert only_id(template, "AWS::S3::Bucket") in needs(template, only_id(template, RUN))
        log_group = only(template, "AWS::Logs::LogGroup", "ReindexTask")
        assert log_group["RetentionInDays"] == 7
        role_id = references(stack.resolve(task.task_definition.task_role.role_arn)).pop()
        (statement,) = statements(template, role_id)
        assert "s3:GetObject*" in statement["Action"]

    def test_is_writable_when_the_runtime_says_nothing(
        self, stack: Stack, runtime: TaskRuntime
    ) -> None:
        GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])

        assert container(synthesize(stack), "reindex")["ReadonlyRootFilesystem"] is False


class TestBesideABackend:
    def test_shares_the_backend_s_runtime(self, stack: Stack, make_backend: MakeBackend) -> None:
        backend = make_backend(environment={"DJANGO_LOG_LEVEL": "INFO"})
        GalvReleaseTask(stack, "Reindex", runtime=backend.runtime, command=["index"])
        template = synthesize(stack)

        for key in ("Image", "EntryPoint", "Environment", "Secrets", "MountPoints"):
            assert container(template, "reindex")[key] == container(template, "web")[key]

    def test_a_dependency_on_it_is_one_on_the_run_alone(
        self, stack: Stack, runtime: TaskRuntime
    ) -> None:
        task = GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])
        bucket = s3.Bucket(stack, "Later")

        bucket.node.add_dependency(task)

        ((_, later),) = of_type(synthesize(stack), "AWS::S3::Bucket").items()
        assert later["DependsOn"] == [only_id(synthesize(stack), RUN)]

    def test_a_grant_goes_to_its_task_role(self, stack: Stack, runtime: TaskRuntime) -> None:
        task = GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])
        bucket = s3.Bucket(stack, "Reports")

        bucket.grant_write(task)

        template = synthesize(stack)
        _, properties = task_definition(template, "reindex")
        (role_id,) = references(properties["TaskRoleArn"])
        (statement,) = statements(template, role_id)
        assert "s3:PutObject" in as_list(statement["Action"])

    def test_a_connection_goes_to_its_security_group(
        self, stack: Stack, runtime: TaskRuntime
    ) -> None:
        task = GalvReleaseTask(stack, "Reindex", runtime=runtime, command=["index"])
        group = ec2.SecurityGroup(stack, "Queue", vpc=runtime.network.vpc)

        group.connections.allow_from(task, ec2.Port.tcp(5672))

        template = synthesize(stack)
        (rule,) = ingress_rules(template, only_id(template, "AWS::EC2::SecurityGroup", "Queue"))
        assert rule["SourceSecurityGroupId"] == stack.resolve(task.security_group.security_group_id)
        assert stack.resolve(task.log_group.log_group_name) == only(template, RUN)["LogGroup"]


class TestRefusals:
    def test_refuses_command_and_steps(self, refuse: Any) -> None:
        steps = [ReleaseStep(name="one", command=["one"])]

        assert refuse(steps=steps).startswith("exactly one of command and steps must be given: ")
        assert refuse(command=None).endswith("steps for several that run one after another")

    @pytest.mark.parametrize("steps", [[], "migrate", [["python"]]])
    def test_refuses_anything_but_a_list_of_steps(self, refuse: Any, steps: Any) -> None:
        assert refuse(command=None, steps=steps) == (
            f"steps must be a list of at least one ReleaseStep, got {steps!r}"
        )

    def test_refuses_two_steps_with_one_name(self, refuse: Any) -> None:
        steps = [ReleaseStep(name="one", command=["one"])] * 2

        assert refuse(command=None, steps=steps) == (
            "each step of steps must have a name of its own, got one, one"
        )

    def test_refuses_a_variable_that_is_a_secret_of_the_runtime(
        self, refuse: Any, secret: ecs.Secret
    ) -> None:
        assert refuse(environment={"TOKEN": "x"}, secrets={"MODE": secret}) == (
            "MODE, TOKEN would be both in environment and in secrets, one of them from runtime, "
            "which ECS refuses: use other names"
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"command": []}, "command must be a list of words such as ['python', 'manage.py',"),
            ({"command": "index"}, "command must be a list of words such as "),
            ({"name": "two words"}, "name must be letters, digits, '-' and '_', at most 255"),
            ({"name": ""}, "name must be letters, digits, '-' and '_', at most 255, got ''"),
            ({"cpu": 100}, "cpu must be one of 256, 512"),
            ({"memory_limit_mib": 512}, "memory_limit_mib must be one of 1024"),
            (
                {"timeout": Duration.minutes(56)},
                "timeout must be whole seconds from 60 to 3300, got 3360 seconds",
            ),
            (
                {"timeout": Duration.seconds(59)},
                "timeout must be whole seconds from 60 to 3300, got 59 seconds",
            ),
            ({"timeout": 900}, "timeout must be a Duration, got 900"),
            ({"environment": {"A": ""}}, "environment['A'] is empty"),
            ({"environment": {"GALV_RELEASE_EVENT": "Create"}}, "environment sets GALV_RELEASE"),
            ({"secrets": {"A": KEY_ARN}}, "secrets['A'] must be an aws_ecs.Secret"),
        ],
    )
    def test_refuses_invalid_arguments(self, refuse: Any, arguments: Json, message: str) -> None:
        assert refuse(**arguments).startswith(message)

    @pytest.mark.parametrize("id", ["Ü", "--"])
    def test_refuses_an_id_that_gives_no_name(
        self, stack: Stack, refusal: Refusal, runtime: TaskRuntime, id: str
    ) -> None:
        text = refusal(lambda: GalvReleaseTask(stack, id, runtime=runtime, command=["true"]))

        assert "name must be letters" in text
        assert "got ''" in text


def test_refuses_a_name_that_another_task_has(stack: Stack) -> None:
    backend = backend_in(stack)
    with pytest.raises(ValueError, match="is named 'web' already"):
        GalvReleaseTask(stack, "Web", runtime=backend.runtime, command=["x"])


def test_refuses_anything_but_a_task_runtime(stack: Stack) -> None:
    with pytest.raises(ValueError, match="runtime must be a TaskRuntime, got 'x'"):
        GalvReleaseTask(stack, "Reindex", runtime="x", command=["x"])  # type: ignore[arg-type]  # wrong
