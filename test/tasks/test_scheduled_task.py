import functools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack, Tags, TimeZone, Token, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import MakeBackend, Refusal, new_app, validation
from cdk_nag import AwsSolutionsChecks
from cfnlint import ManualArgs, lint  # type: ignore[import-untyped] # it has no types
from runtimes import runtime_in
from templates import (
    Json,
    container,
    environment,
    needs,
    of_type,
    only,
    only_id,
    references,
    secrets,
    statements,
    synthesize,
    task_definition,
    text,
)

from galv_constructs import (
    GalvNetwork,
    GalvReleaseTask,
    GalvScheduledTask,
    TaskRuntime,
)

EVERY_FIVE_MINUTES = ScheduleExpression.rate(Duration.minutes(5))


@pytest.fixture
def runtime(stack: Stack) -> TaskRuntime:
    return runtime_in(stack)


@pytest.fixture
def make(stack: Stack, runtime: TaskRuntime) -> Callable[..., GalvScheduledTask]:
    def make(id: str = "NightlyReport", **overrides: Any) -> GalvScheduledTask:
        arguments: Json = {
            "runtime": runtime,
            "command": ["report", "--all"],
            "schedule": EVERY_FIVE_MINUTES,
            **overrides,
        }
        return GalvScheduledTask(stack, id, **arguments)

    return make


@functools.cache
def default_text() -> str:
    stack = Stack(new_app(), "Stack")
    GalvScheduledTask(
        stack,
        "NightlyReport",
        runtime=runtime_in(stack),
        command=["report", "--all"],
        schedule=EVERY_FIVE_MINUTES,
    )
    return json.dumps(synthesize(stack))


@pytest.fixture
def template(request: pytest.FixtureRequest) -> Callable[..., Json]:
    """Synthesize a task, in `stack` if it has more than the necessary arguments."""

    def synth(**overrides: Any) -> Json:
        if not overrides:
            default: Json = json.loads(default_text())
            return default
        request.getfixturevalue("make")(**overrides)
        return synthesize(request.getfixturevalue("stack"))

    return synth


def variables(template: Json) -> Json:
    """The environment of the function."""
    found: Json = only(template, "AWS::Lambda::Function")["Environment"]["Variables"]
    return found


def log_groups(template: Json) -> list[Json]:
    return [
        resource["Properties"] for resource in of_type(template, "AWS::Logs::LogGroup").values()
    ]


class TestTask:
    def test_runs_the_image_and_command_of_a_user_without_galv(
        self, template: Callable[..., Json]
    ) -> None:
        made = container(template(), "nightly-report")

        assert made["Image"] == "reports:1.4.2"
        assert made["Command"] == ["report", "--all"]
        assert "EntryPoint" not in made

    def test_runs_in_the_cluster_and_network_of_the_runtime(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()
        function = variables(result)

        assert references(function["CLUSTER"]) == {only_id(result, "AWS::ECS::Cluster")}
        assert references(function["SUBNETS"]) <= set(of_type(result, "AWS::EC2::Subnet"))
        assert references(function["TASK_DEFINITION"]) == {
            only_id(result, "AWS::ECS::TaskDefinition")
        }
        assert references(function["SECURITY_GROUPS"]) == {
            only_id(result, "AWS::EC2::SecurityGroup")
        }
        assert function["ASSIGN_PUBLIC_IP"] == "DISABLED"

    def test_gives_tasks_public_addresses_where_the_network_does(self, stack: Stack) -> None:
        network = GalvNetwork.from_vpc(
            ec2.Vpc(stack, "Vpc", max_azs=1),
            task_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            assign_public_ip=True,
        )
        cluster = ecs.Cluster(stack, "Cluster", vpc=network.vpc)
        runtime = TaskRuntime(
            cluster=cluster,
            network=network,
            image=ecs.ContainerImage.from_registry("reports"),
            log_group_prefix="/reports",
        )
        GalvScheduledTask(
            stack, "Report", runtime=runtime, command=["x"], schedule=EVERY_FIVE_MINUTES
        )

        assert variables(synthesize(stack))["ASSIGN_PUBLIC_IP"] == "ENABLED"

    def test_is_named_after_its_id(self, template: Callable[..., Json]) -> None:
        result = template()

        names = {group.get("LogGroupName") for group in log_groups(result)}
        assert names == {"/reports/nightly-report", None}

    def test_uses_the_given_name(self, template: Callable[..., Json]) -> None:
        result = template(name="nightly")

        names = {group.get("LogGroupName") for group in log_groups(result)}
        assert names == {"/reports/nightly", None}
        assert container(result, "nightly")["Name"] == variables(result)["CONTAINER_NAME"]

    def test_keeps_logs_as_the_runtime_says(self, stack: Stack) -> None:
        runtime = runtime_in(stack, log_retention=logs.RetentionDays.ONE_WEEK)
        GalvScheduledTask(
            stack, "Report", runtime=runtime, command=["x"], schedule=EVERY_FIVE_MINUTES
        )

        assert {group["RetentionInDays"] for group in log_groups(synthesize(stack))} == {7}

    def test_has_a_small_size_unless_given_one(self, template: Callable[..., Json]) -> None:
        _, definition = task_definition(template(), "nightly-report")

        assert (definition["Cpu"], definition["Memory"]) == ("256", "1024")

    def test_uses_the_given_size(self, template: Callable[..., Json]) -> None:
        result = template(cpu=1024, memory_limit_mib=4096)

        _, definition = task_definition(result, "nightly-report")
        assert (definition["Cpu"], definition["Memory"]) == ("1024", "4096")

    def test_has_no_variables_unless_given_some(self, template: Callable[..., Json]) -> None:
        made = container(template(), "nightly-report")

        assert "Environment" not in made
        assert "Secrets" not in made

    def test_adds_the_given_variables_to_those_of_the_runtime(self, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        runtime = runtime_in(
            stack,
            environment={"A": "1"},
            secrets={"B": ecs.Secret.from_secrets_manager(secret, "b")},
        )
        GalvScheduledTask(
            stack,
            "Report",
            runtime=runtime,
            command=["x"],
            schedule=EVERY_FIVE_MINUTES,
            environment={"C": "3"},
            secrets={"D": ecs.Secret.from_secrets_manager(secret, "d")},
        )

        result = synthesize(stack)
        assert environment(result, "report") == {"A": "1", "C": "3"}
        assert set(secrets(result, "report")) == {"B", "D"}

    def test_a_grant_to_it_is_no_grant_to_the_web_service(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        backend = make_backend()
        task = GalvScheduledTask(
            stack,
            "Report",
            runtime=backend.runtime,
            command=["report"],
            schedule=EVERY_FIVE_MINUTES,
        )
        bucket = s3.Bucket(stack, "Reports")
        bucket.grant_read(task)

        result = synthesize(stack)
        readers = {
            role_id
            for role_id in of_type(result, "AWS::IAM::Role")
            for statement in statements(result, role_id)
            if only_id(result, "AWS::S3::Bucket", "Reports") in references(statement["Resource"])
        }
        role = only_id(result, "AWS::IAM::Role", "ReportTaskTaskDefinitionTaskRole")
        assert readers == {role}
        assert references(stack.resolve(task.task_role.role_arn)) == {role}
        assert task.security_group not in backend.connections.security_groups

    def test_a_connection_to_it_is_to_its_own_security_group(
        self, stack: Stack, make: Callable[..., GalvScheduledTask], runtime: TaskRuntime
    ) -> None:
        group = ec2.SecurityGroup(stack, "Reports", vpc=runtime.network.vpc)
        task = make()
        group.connections.allow_from(task, ec2.Port.tcp(5432))

        result = synthesize(stack)
        rule = only(result, "AWS::EC2::SecurityGroupIngress")
        source = only_id(result, "AWS::EC2::SecurityGroup", "NightlyReport")
        assert references(rule["SourceSecurityGroupId"]) == {source}
        assert task.connections.security_groups[0].node.path == task.security_group.node.path


class TestSchedule:
    @pytest.mark.parametrize(
        ("schedule", "expression", "zone"),
        [
            (EVERY_FIVE_MINUTES, "rate(5 minutes)", "Etc/UTC"),
            (ScheduleExpression.rate(Duration.minutes(1)), "rate(1 minute)", "Etc/UTC"),
            (ScheduleExpression.rate(Duration.days(1)), "rate(1 day)", "Etc/UTC"),
            (
                ScheduleExpression.cron(
                    minute="30", hour="3", week_day="MON-FRI", time_zone=TimeZone.EUROPE_LONDON
                ),
                "cron(30 3 ? * MON-FRI *)",
                "Europe/London",
            ),
            (
                ScheduleExpression.at(datetime(2027, 1, 15, 8, tzinfo=timezone.utc)),
                "at(2027-01-15T08:00:00)",
                "Etc/UTC",
            ),
        ],
    )
    def test_takes_rates_times_of_day_and_single_times(
        self,
        template: Callable[..., Json],
        schedule: ScheduleExpression,
        expression: str,
        zone: str,
    ) -> None:
        made = only(template(schedule=schedule), "AWS::Scheduler::Schedule")

        assert made["ScheduleExpression"] == expression
        assert made["ScheduleExpressionTimezone"] == zone
        assert made["State"] == "ENABLED"

    def test_passes_the_function_the_due_time_that_all_retries_share(
        self, template: Callable[..., Json]
    ) -> None:
        made = only(template(), "AWS::Scheduler::Schedule")

        assert json.loads(made["Target"]["Input"]) == {"due": "<aws.scheduler.scheduled-time>"}

    def test_starts_only_after_the_resources_that_a_run_needs(self, stack: Stack) -> None:
        database = ec2.SecurityGroup(stack, "Database", vpc=ec2.Vpc(stack, "DatabaseVpc"))
        ready = s3.Bucket(stack, "Ready")
        runtime = runtime_in(
            stack,
            depends_on=[ready],
            connects_to=[
                ec2.Connections(security_groups=[database], default_port=ec2.Port.tcp(5432))
            ],
        )
        GalvScheduledTask(
            stack, "Report", runtime=runtime, command=["x"], schedule=EVERY_FIVE_MINUTES
        )

        result = synthesize(stack)
        needed = needs(result, only_id(result, "AWS::Scheduler::Schedule"))
        assert only_id(result, "AWS::S3::Bucket", "Ready") in needed
        assert set(of_type(result, "AWS::EC2::SecurityGroupIngress")) <= needed
        assert set(of_type(result, "AWS::EC2::SecurityGroupEgress")) <= needed
        assert set(of_type(result, "AWS::IAM::Policy")) <= needed

    def test_changes_only_after_the_gates_of_the_runtime(self, stack: Stack) -> None:
        runtime = runtime_in(stack)
        gate = GalvReleaseTask(stack, "Migrate", runtime=runtime, command=["migrate"])
        GalvScheduledTask(
            stack,
            "Report",
            runtime=replace(runtime, gates=[gate]),
            command=["x"],
            schedule=EVERY_FIVE_MINUTES,
        )

        result = synthesize(stack)
        run = only_id(result, "Custom::GalvReleaseTask")
        assert run in needs(result, only_id(result, "AWS::Lambda::Function", "Report"))
        assert run in needs(result, only_id(result, "AWS::Scheduler::Schedule"))

    def test_waits_for_the_setup_of_a_backend_without_a_circle(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        GalvScheduledTask(
            stack,
            "Report",
            runtime=make_backend().runtime,
            command=["x"],
            schedule=EVERY_FIVE_MINUTES,
        )

        result = synthesize(stack)
        function = only_id(result, "AWS::Lambda::Function", "Report")
        assert only_id(result, "Custom::GalvReleaseTask", "BackendSetup") in needs(result, function)
        assert not [
            logical_id
            for logical_id in result["Resources"]
            if logical_id in needs(result, logical_id)
        ]

    def test_takes_its_deadlines_with_it_when_the_stack_is_deleted(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()

        (group,) = of_type(result, "AWS::Scheduler::ScheduleGroup").values()
        assert group["DeletionPolicy"] == "Delete"
        schedule = only(result, "AWS::Scheduler::Schedule")
        assert schedule["GroupName"] == group["Properties"]["Name"]
        assert variables(result)["SCHEDULE_GROUP"] == group["Properties"]["Name"]


class TestBounds:
    def test_has_default_bounds(self, template: Callable[..., Json]) -> None:
        result = template()

        assert variables(result)["TIMEOUT_SECONDS"] == "3600"
        assert variables(result)["OVERLAP"] == "skip"
        assert only(result, "AWS::Scheduler::Schedule")["Target"]["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 3600,
            "MaximumRetryAttempts": 2,
        }
        invocations = only(result, "AWS::Lambda::EventInvokeConfig")
        assert invocations["MaximumEventAgeInSeconds"] == 3600
        assert invocations["MaximumRetryAttempts"] == 2

    def test_uses_the_given_bounds(self, template: Callable[..., Json]) -> None:
        result = template(
            timeout=Duration.days(2),
            overlap="allow",
            retry_attempts=0,
            max_event_age=Duration.minutes(4),
        )

        assert variables(result)["TIMEOUT_SECONDS"] == "172800"
        assert variables(result)["OVERLAP"] == "allow"
        assert only(result, "AWS::Scheduler::Schedule")["Target"]["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 240,
            "MaximumRetryAttempts": 0,
        }
        invocations = only(result, "AWS::Lambda::EventInvokeConfig")
        assert invocations["MaximumEventAgeInSeconds"] == 240
        assert invocations["MaximumRetryAttempts"] == 0

    def test_a_start_that_is_given_up_ends_in_an_encrypted_queue(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()
        queue = {"Fn::GetAtt": [only_id(result, "AWS::SQS::Queue"), "Arn"]}

        assert only(result, "AWS::SQS::Queue")["SqsManagedSseEnabled"] is True
        # The longest that SQS keeps a message.
        assert only(result, "AWS::SQS::Queue")["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
        (statement,) = only(result, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        schedule = only(result, "AWS::Scheduler::Schedule")
        assert schedule["Target"]["DeadLetterConfig"] == {"Arn": queue}
        destinations = only(result, "AWS::Lambda::EventInvokeConfig")["DestinationConfig"]
        assert destinations == {"OnFailure": {"Destination": queue}}
        assert variables(result)["DEAD_LETTER_QUEUE"] == queue

    def test_the_function_may_only_do_what_it_does(self, template: Callable[..., Json]) -> None:
        result = template()
        role = only_id(result, "AWS::IAM::Role", "NightlyReportRunsFunctionRole")

        allowed = {
            action: statement
            for statement in statements(result, role)
            for action in (
                statement["Action"]
                if isinstance(statement["Action"], list)
                else [statement["Action"]]
            )
            if action != "iam:PassRole"
        }
        assert set(allowed) == {
            "ecs:DescribeTasks",
            "ecs:ListTasks",
            "ecs:RunTask",
            "ecs:StopTask",
            "ecs:TagResource",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "scheduler:CreateSchedule",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:SendMessage",
        }
        cluster = {"ArnEquals": {"ecs:cluster": variables(result)["CLUSTER"]}}
        assert [action for action, at in allowed.items() if at["Resource"] == "*"] == [
            "ecs:ListTasks"
        ]
        assert allowed["ecs:ListTasks"]["Condition"] == cluster
        assert allowed["ecs:RunTask"]["Condition"] == cluster
        _, definition = task_definition(result, "nightly-report")
        assert allowed["ecs:StopTask"]["Condition"] == {
            "StringEquals": {"aws:ResourceTag/galv:task-family": definition["Family"]}
        }

    def test_only_this_schedule_group_may_call_the_function(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()

        role = only(result, "AWS::IAM::Role", "NightlyReportRunsSchedulerRole")
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        group = only_id(result, "AWS::Scheduler::ScheduleGroup")
        assert statement["Condition"] == {
            "StringEquals": {
                "aws:SourceAccount": {"Ref": "AWS::AccountId"},
                "aws:SourceArn": {"Fn::GetAtt": [group, "Arn"]},
            }
        }

    def test_tags_reach_the_task_definition_that_runs_copy_them_from(
        self, stack: Stack, make: Callable[..., GalvScheduledTask]
    ) -> None:
        make()
        Tags.of(stack).add("project-name", "galv")

        _, definition = task_definition(synthesize(stack), "nightly-report")
        assert definition["Tags"] == [
            {"Key": "galv:task-family", "Value": definition["Family"]},
            {"Key": "project-name", "Value": "galv"},
        ]

    def test_tags_of_the_runtime_are_on_the_task_definition(
        self, stack: Stack, runtime: TaskRuntime, make: Callable[..., GalvScheduledTask]
    ) -> None:
        make(runtime=replace(runtime, tags={"team": "lab"}))

        _, definition = task_definition(synthesize(stack), "nightly-report")
        assert {"Key": "team", "Value": "lab"} in definition["Tags"]

    def test_refuses_a_tag_that_aws_would_refuse(self, runtime: TaskRuntime) -> None:
        with pytest.raises(ValueError, match=r"tags\['team'\] must be letters, digits"):
            replace(runtime, tags={"team": "a;b"})


class TestCapacity:
    def test_runs_on_demand_by_default(self, template: Callable[..., Json]) -> None:
        result = template()

        assert "SPOT" not in variables(result)
        assert of_type(result, "AWS::ECS::ClusterCapacityProviderAssociations") == {}
        _, definition = task_definition(result, "nightly-report")
        assert "EphemeralStorage" not in definition

    def test_runs_on_spot_when_asked(self, template: Callable[..., Json]) -> None:
        result = template(spot=True)

        assert variables(result)["SPOT"] == "true"
        # The first run can come as soon as the schedule is there.
        association = only_id(result, "AWS::ECS::ClusterCapacityProviderAssociations")
        assert association in needs(result, only_id(result, "AWS::Scheduler::Schedule"))

    def test_has_the_given_disk(self, template: Callable[..., Json]) -> None:
        _, definition = task_definition(template(ephemeral_storage_gib=100), "nightly-report")

        assert definition["EphemeralStorage"] == {"SizeInGiB": 100}


class TestAlarms:
    def test_go_off_for_failed_runs_and_for_dead_letters(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()
        failed = only(result, "AWS::CloudWatch::Alarm", "NightlyReportRunsFailed")
        dead = only(result, "AWS::CloudWatch::Alarm", "NightlyReportRunsDead")

        rule, queue = only_id(result, "AWS::Events::Rule"), only_id(result, "AWS::SQS::Queue")
        assert (failed["Namespace"], failed["MetricName"]) == ("AWS/Events", "TriggeredRules")
        assert failed["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": rule}}]
        assert (failed["Statistic"], failed["Period"]) == ("Sum", 300)
        assert dead["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert references(dead["Dimensions"]) == {queue}
        for alarm in (failed, dead):
            assert alarm["Threshold"] == 1
            assert alarm["EvaluationPeriods"] == 1
            assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
            assert alarm["TreatMissingData"] == "notBreaching"
        assert references(failed["AlarmDescription"]) == {
            only_id(result, "AWS::Logs::LogGroup", "NightlyReportRuns")
        }

    def test_notify_nobody_without_a_topic(self, template: Callable[..., Json]) -> None:
        for alarm in of_type(template(), "AWS::CloudWatch::Alarm").values():
            assert "AlarmActions" not in alarm["Properties"]

    def test_notify_the_given_topic(self, stack: Stack, template: Callable[..., Json]) -> None:
        result = template(alarm_topic=sns.Topic(stack, "Topic"))

        topic = {"Ref": only_id(result, "AWS::SNS::Topic")}
        alarms = of_type(result, "AWS::CloudWatch::Alarm").values()
        assert [alarm["Properties"]["AlarmActions"] for alarm in alarms] == [[topic], [topic]]

    def test_the_function_explains_each_failed_run(self, template: Callable[..., Json]) -> None:
        result = template()

        (target,) = only(result, "AWS::Events::Rule")["Targets"]
        assert references(target["Arn"]) == {only_id(result, "AWS::Lambda::Function")}
        permission = only(result, "AWS::Lambda::Permission")
        assert references(permission["SourceArn"]) == {only_id(result, "AWS::Events::Rule")}


class TestRefusals:
    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            ({"runtime": "backend"}, "runtime must be a TaskRuntime, got 'backend'"),
            ({"command": "report --all"}, "command must be a list of words"),
            ({"command": []}, "command must be a list of words"),
            ({"schedule": "rate(5 minutes)"}, "schedule must be an aws_scheduler.ScheduleExpress"),
            ({"schedule": 5}, "schedule must be an aws_scheduler.ScheduleExpression, got 5"),
            ({"name": "nightly report"}, "name must be letters, digits, '-' and '_'"),
            ({"name": ""}, "name must be letters"),
            ({"id": "…"}, "name must be letters"),
            ({"environment": {"A B": "1"}}, "environment has the name 'A B'"),
            ({"secrets": {"A": "1"}}, "secrets['A'] must be an aws_ecs.Secret"),
            ({"cpu": 300}, "cpu must be one of 256"),
            ({"memory_limit_mib": 300}, "memory_limit_mib must be one of 512"),
            ({"timeout": Duration.seconds(59)}, "timeout must be whole seconds from 60 to 604800"),
            ({"timeout": Duration.days(8)}, "timeout must be whole seconds from 60 to 604800"),
            ({"timeout": 60}, "timeout must be a Duration, got 60"),
            ({"overlap": "wait"}, "overlap must be one of skip, allow, got 'wait'"),
            ({"retry_attempts": 3}, "retry_attempts must be from 0 to 2, got 3"),
            ({"retry_attempts": -1}, "retry_attempts must be from 0 to 2, got -1"),
            ({"retry_attempts": 1.5}, "retry_attempts must be a whole number, got 1.5"),
            ({"max_event_age": Duration.hours(7)}, "max_event_age must be whole seconds from 60"),
            ({"spot": 5}, "spot must be true or false, got 5"),
            ({"ephemeral_storage_gib": 201}, "ephemeral_storage_gib must be from 21 to 200 GiB"),
            ({"ephemeral_storage_gib": 20}, "ephemeral_storage_gib must be from 21 to 200 GiB"),
            ({"alarm_topic": "arn:aws:sns:x"}, "alarm_topic must be an aws_sns.ITopic"),
        ],
    )
    def test_refuses_invalid_arguments(
        self,
        refusal: Refusal,
        make: Callable[..., GalvScheduledTask],
        overrides: Json,
        message: str,
    ) -> None:
        assert refusal(lambda: make(**overrides)).startswith(message)

    @pytest.mark.parametrize(
        "expression",
        [
            "rate(0 minutes)",
            "rate(-5 minutes)",
            "rate(1.5 minutes)",
            "rate(five minutes)",
            "rate(5 seconds)",
            "rate(5)",
            "cron(0 3 * * *)",
            "at(tomorrow)",
            "5",
            "",
        ],
    )
    def test_refuses_an_invalid_interval(
        self,
        refusal: Refusal,
        make: Callable[..., GalvScheduledTask],
        expression: str,
    ) -> None:
        schedule = ScheduleExpression.expression(expression)

        message = refusal(lambda: make(schedule=schedule))
        assert f"got {expression!r}: use a GalvTask" in message

    def test_accepts_an_expression_that_is_not_known_at_synthesis(
        self, template: Callable[..., Json]
    ) -> None:
        schedule = ScheduleExpression.expression(Token.as_string({"Ref": "AWS::StackName"}))

        made = only(template(schedule=schedule), "AWS::Scheduler::Schedule")
        assert made["ScheduleExpression"] == {"Ref": "AWS::StackName"}

    def test_refuses_a_variable_that_is_a_secret_of_the_runtime(
        self, stack: Stack, refusal: Refusal
    ) -> None:
        secret = ecs.Secret.from_secrets_manager(secretsmanager.Secret(stack, "Secret"))
        runtime = runtime_in(stack, secrets={"A": secret})

        message = refusal(
            lambda: GalvScheduledTask(
                stack,
                "Report",
                runtime=runtime,
                command=["x"],
                schedule=EVERY_FIVE_MINUTES,
                environment={"A": "1"},
            )
        )
        assert "A would be both in environment and in secrets" in message


class TestTemplate:
    def test_two_are_in_one_stack(
        self, stack: Stack, make: Callable[..., GalvScheduledTask]
    ) -> None:
        make("First")
        make("Second")

        result = synthesize(stack)
        assert len(of_type(result, "AWS::Scheduler::Schedule")) == 2
        groups = of_type(result, "AWS::Scheduler::ScheduleGroup").values()
        assert len({group["Properties"]["Name"] for group in groups}) == 2
        # One asset for both.
        functions = of_type(result, "AWS::Lambda::Function").values()
        assert len({json.dumps(f["Properties"]["Code"]) for f in functions}) == 1

    def test_is_the_same_every_time(self, template: Callable[..., Json]) -> None:
        stack = Stack(new_app(), "Stack")
        GalvScheduledTask(
            stack,
            "NightlyReport",
            runtime=runtime_in(stack),
            command=["report", "--all"],
            schedule=EVERY_FIVE_MINUTES,
            name=None,
            environment=None,
            secrets=None,
            timeout=None,
            max_event_age=None,
            alarm_topic=None,
        )

        assert text(synthesize(stack)) == text(template())

    def test_cdk_nag_finds_nothing(self, tmp_path: Path) -> None:
        app = App(outdir=str(tmp_path), **validation(on=False))
        stack = Stack(app, "Stack")
        GalvScheduledTask(
            stack,
            "Report",
            runtime=runtime_in(stack),
            command=["x"],
            schedule=EVERY_FIVE_MINUTES,
        )
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        # The cluster and the VPC of the test have findings, which fail the synthesis.
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            app.synth()

        report = (tmp_path / "validation-report.json").read_text()
        assert "Stack/Cluster/Resource" in report
        assert "Stack/Report" not in report

    @pytest.mark.slow
    def test_cfn_lint_finds_nothing(self, template: Callable[..., Json]) -> None:
        found = lint(json.dumps(template()), config=ManualArgs(regions=["eu-west-1"]))

        # CDK makes a function depend on the role that it refers to.
        assert [str(match) for match in found if match.rule.id != "W3005"] == []
