"""A deployment that rests at night and at weekends."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk import CfnParameter, Duration, Stack, TimeZone
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import Refusal, backend_in, new_app, regional_stack
from runtimes import given_runtime
from templates import (
    Json,
    as_list,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
)

from galv_constructs import (
    AwakeHours,
    GalvBackend,
    GalvDatabase,
    GalvDatabaseCluster,
    GalvScheduledTask,
    GalvService,
    GalvSleep,
    GalvTask,
    TaskRuntime,
)

FUNCTION = "AWS::Lambda::Function"
SCHEDULE = "AWS::Scheduler::Schedule"
INSTANCE = "AWS::RDS::DBInstance"
SERVICE = "AWS::ECS::Service"
WAKE, END = "Custom::GalvWake", "Custom::GalvSleep"
RATE = ScheduleExpression.rate(Duration.minutes(5))


def worker_in(stack: Stack, id: str = "Worker", **arguments: Any) -> GalvService:
    given: Json = {"command": ["work"], **arguments}
    if "runtime" not in given:
        given["runtime"] = given_runtime(stack)
    return GalvService(stack, id, **given)


def database_in(stack: Stack, runtime: TaskRuntime, id: str = "Database") -> GalvDatabase:
    return GalvDatabase(stack, id, network=runtime.network, production=False, preflight=False)


def trial_in(stack: Stack, **arguments: Any) -> GalvBackend:
    return backend_in(stack, production=False, **arguments)


def functions(template: Json, handler: str) -> list[Json]:
    """The functions with a handler."""
    found = [resource["Properties"] for resource in of_type(template, FUNCTION).values()]
    return [properties for properties in found if properties.get("Handler") == handler]


def role_statements(template: Json, handler: str) -> list[Json]:
    """What the role of the function with a handler may do."""
    (function,) = functions(template, handler)
    return list(statements(template, function["Role"]["Fn::GetAtt"][0]))


def actions(statement: Json) -> set[str]:
    return set(as_list(statement["Action"]))


def plans(template: Json) -> list[dict[str, list[str]]]:
    """What functions are told, with what is known at deployment as the logical id."""
    return [_plan(function) for function in functions(template, "handlers.sleep.handle")]


def _plan(function: Json) -> dict[str, list[str]]:
    _, parts = function["Environment"]["Variables"]["PLAN"]["Fn::Join"]
    text = "".join(
        part if isinstance(part, str) else part.get("Ref") or part["Fn::GetAtt"][0]
        for part in parts
    )
    found: dict[str, list[str]] = json.loads(text)
    return found


def plan(template: Json) -> dict[str, list[str]]:
    """What the only function is told."""
    (found,) = plans(template)
    return found


@pytest.fixture(scope="module")
def template() -> Json:
    """A trial with a monitor."""
    stack = regional_stack()
    backend = trial_in(stack)
    monitor = GalvScheduledTask(
        stack, "Monitor", runtime=backend.runtime, command=["x"], schedule=RATE
    )
    GalvSleep(
        stack,
        "Sleep",
        sleepers=[backend, monitor],
        awake=AwakeHours(start="08:00", time_zone=TimeZone.EUROPE_LONDON),
    )
    return synthesize(stack)


class TestTrial:
    """A backend with a monitor."""

    def test_sleeps_every_evening_and_wakes_on_working_days(self, template: Json) -> None:
        own = {
            json.loads(found["Properties"]["Target"]["Input"])["do"]: found["Properties"]
            for found in of_type(template, SCHEDULE, "Sleep").values()
        }

        assert own["wake"]["ScheduleExpression"] == "cron(0 8 ? * MON,TUE,WED,THU,FRI *)"
        assert own["sleep"]["ScheduleExpression"] == "cron(0 19 ? * * *)"
        assert {found["ScheduleExpressionTimezone"] for found in own.values()} == {"Europe/London"}
        assert all("DeadLetterConfig" in found["Target"] for found in own.values())

    def test_knows_all_that_sleeps(self, template: Json) -> None:
        told = plan(template)

        (service,), (database,) = told["services"], told["databases"]
        assert [service.partition("/")[2]] == list(of_type(template, SERVICE))
        assert [database] == list(of_type(template, INSTANCE))
        assert len(told["tasks"]) == 4
        (schedule,) = told["schedules"]
        assert schedule.partition("/")[2] == only_id(template, SCHEDULE, "Monitor")
        assert told["clusters"] == told["alarms"] == []

    def test_a_deployment_wakes_it_before_it_changes_anything(self, template: Json) -> None:
        wake = only_id(template, WAKE)
        held = {
            id for id, found in template["Resources"].items() if wake in found.get("DependsOn", [])
        }

        assert held == {
            *of_type(template, INSTANCE),
            *of_type(template, SERVICE),
            only_id(template, "Custom::GalvReleaseTask"),
        }
        assert not needs(template, wake) & held

    def test_each_deployment_asks_that_changes_anything(self) -> None:
        def deployment(command: str) -> str:
            stack = Stack(new_app(), "Stack")
            worker = worker_in(stack, command=[command])
            GalvSleep(stack, "Sleep", sleepers=[worker])
            return str(only(synthesize(stack), WAKE)["Deployment"])

        assert deployment("work") == deployment("work") != deployment("rest")

    def test_each_deployment_asks_that_changes_a_value_of_a_parameter(self) -> None:
        stack = Stack(new_app(), "Stack")
        CfnParameter(stack, "Size", type="Number", default=20)
        CfnParameter(stack, "Token", no_echo=True)
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack)])

        # What may not be seen does not go to a function that logs.
        assert only(synthesize(stack), WAKE)["Parameters"] == [{"Ref": "Size"}]

    def test_it_is_not_asked_for_parameters_that_are_not_there(self, template: Json) -> None:
        assert "Parameters" not in only(template, WAKE)

    def test_it_calls_the_function_as_the_last_deployment_left_it(self, template: Json) -> None:
        wake = only(template, WAKE)

        assert template["Resources"][wake["LogicalId"]]["Type"] == FUNCTION
        assert wake["LogicalId"] not in needs(template, only_id(template, WAKE))

    def test_the_end_comes_after_all_and_may_call_the_function(self, template: Json) -> None:
        before = needs(template, only_id(template, END))

        assert {
            *of_type(template, INSTANCE),
            *of_type(template, SERVICE),
            *of_type(template, SCHEDULE),
            *of_type(template, "AWS::ApplicationAutoScaling::ScalableTarget"),
        } <= before
        assert any("CallPolicy" in id for id in before)

    def test_the_function_may_change_what_sleeps_and_nothing_else(self, template: Json) -> None:
        allowed = role_statements(template, "handlers.sleep.handle")

        wide = [actions(one) for one in allowed if "*" in json.dumps(one["Resource"])]
        assert set().union(*wide) == {
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:RegisterScalableTarget",
            "ecs:DescribeTasks",
            "ecs:ListTasks",
        }
        (scaling,) = [s for s in allowed if "RegisterScalableTarget" in s["Action"]]
        assert scaling["Condition"]["StringEquals"] == {
            "application-autoscaling:service-namespace": "ecs",
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
        }

    def test_what_wakes_it_may_call_one_function(self, template: Json) -> None:
        allowed = role_statements(template, "handlers.wake.on_event")

        (call,) = [s for s in allowed if s["Action"] == "lambda:InvokeFunction"]
        assert call["Resource"]["Fn::GetAtt"][0] == only(template, WAKE)["LogicalId"]

    def test_a_restart_by_aws_is_noticed(self, template: Json) -> None:
        rule = only(template, "AWS::Events::Rule", "Sleep")

        assert rule["EventPattern"] == {
            "source": ["aws.rds"],
            "detail": {
                "EventID": ["RDS-EVENT-0153", "RDS-EVENT-0154"],
                "SourceIdentifier": [{"Ref": only_id(template, INSTANCE)}],
            },
        }
        told = rule["Targets"][0]["InputTransformer"]
        assert told["InputPathsMap"] == {"detail-SourceIdentifier": "$.detail.SourceIdentifier"}
        assert told["InputTemplate"] == ('{"do":"restarted","database":<detail-SourceIdentifier>}')

    def test_the_function_may_call_itself_alone(self, template: Json) -> None:
        allowed = role_statements(template, "handlers.sleep.handle")

        (call,) = [s for s in allowed if s["Action"] == "lambda:InvokeFunction"]
        assert call["Resource"]["Fn::GetAtt"][0] == only(template, WAKE)["LogicalId"]


class TestParts:
    """What else can sleep, and how."""

    def test_a_service_has_its_alarms_quiet(self, stack: Stack) -> None:
        own = cloudwatch.Alarm(
            stack,
            "Hosts",
            metric=cloudwatch.Metric(
                namespace="AWS/ApplicationELB", metric_name="HealthyHostCount"
            ),
            threshold=1,
            evaluation_periods=1,
        )
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack)], alarms=[own])

        alarms = plan(synthesize(stack))["alarms"]

        assert [re.sub("[0-9A-F]{8}$", "", name) for name in alarms] == [
            "Hosts",
            "WorkerNoTaskAlarm",
        ]

    def test_a_cluster_is_stopped_as_one(self, stack: Stack) -> None:
        runtime = given_runtime(stack)
        database = GalvDatabaseCluster(
            stack, "Database", network=runtime.network, production=False, preflight=False
        )
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack, runtime=runtime), database])

        template = synthesize(stack)

        cluster = only_id(template, "AWS::RDS::DBCluster")
        assert plan(template)["clusters"] == [cluster]
        assert plan(template)["databases"] == []
        allowed = set().union(*map(actions, role_statements(template, "handlers.sleep.handle")))
        assert {"rds:StopDBCluster", "rds:StartDBCluster"} <= allowed
        assert not {"rds:StopDBInstance", "rds:StartDBInstance"} & allowed
        wake = only_id(template, WAKE)
        for id in (cluster, *of_type(template, INSTANCE)):
            assert wake in template["Resources"][id]["DependsOn"]

    def test_a_task_on_demand_is_waited_for(self, stack: Stack) -> None:
        runtime = given_runtime(stack)
        export = GalvTask(stack, "Export", runtime=runtime, command=["export"])
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack, runtime=runtime), export])

        assert plan(synthesize(stack))["tasks"] == [
            "c/StackWorkerTaskTaskDefinitionD42824F3",
            "c/StackExportTaskTaskDefinition66392215",
        ]

    def test_without_a_database_nothing_watches_for_its_restart(self, stack: Stack) -> None:
        sleep = GalvSleep(stack, "Sleep", sleepers=[worker_in(stack)])

        assert sleep.restarts_rule is None
        assert of_type(synthesize(stack), "AWS::Events::Rule") == {}

    @pytest.mark.parametrize("named", [False, True])
    def test_a_database_that_the_backend_was_given_sleeps_if_it_is_named(
        self, *, named: bool
    ) -> None:
        stack = regional_stack()
        instance = rds.DatabaseInstance.from_database_instance_attributes(
            stack,
            "Given",
            instance_identifier="ours",
            instance_endpoint_address="ours.example.com",
            port=5432,
            security_groups=[],
        )
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "ours")
        database = GalvDatabase.from_instance(instance, secret=secret)
        backend = trial_in(stack, database=database)
        GalvSleep(stack, "Sleep", sleepers=[backend, *([database] if named else [])])

        assert plan(synthesize(stack))["databases"] == (["ours"] if named else [])

    @pytest.mark.parametrize("told", [True, False])
    def test_tells_the_topic_when_it_could_not(self, stack: Stack, *, told: bool) -> None:
        topic = sns.Topic(stack, "Topic") if told else None
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack)], alarm_topic=topic)

        alarm = only(synthesize(stack), "AWS::CloudWatch::Alarm", "Sleep")
        assert bool(alarm.get("AlarmActions")) == told


class TestWindows:
    """When RDS backs up and maintains what sleeps."""

    @pytest.mark.parametrize("make", [GalvDatabase, GalvDatabaseCluster])
    def test_at_night_are_warned_of(self, stack: Stack, make: Any) -> None:
        worker = worker_in(stack)
        network = worker._task.runtime.network
        database = make(
            stack,
            "Database",
            network=network,
            production=False,
            preflight=False,
            preferred_maintenance_window="sun:03:00-sun:03:30",
        )
        GalvSleep(stack, "Sleep", sleepers=[worker, database])

        found = Annotations.from_stack(stack)
        found.has_warning(
            "/Stack/Sleep",
            Match.string_like_regexp(
                "the backup window of Stack/Database/Resource at a time of its own, at night.*"
                "pass preferred_backup_window='12:45-13:15'"
            ),
        )
        found.has_warning(
            "/Stack/Sleep",
            Match.string_like_regexp(
                "maintenance window of Stack/Database/Resource at sun:03:00-sun:03:30 UTC.*"
                "pass preferred_maintenance_window='mon:13:30-mon:14:00'"
            ),
        )

    def test_in_the_day_are_not(self, stack: Stack) -> None:
        hours = AwakeHours(days="Tue,Thu", time_zone=TimeZone.EUROPE_LONDON)
        worker = worker_in(stack)
        database = GalvDatabase(
            stack,
            "Database",
            network=worker._task.runtime.network,
            production=False,
            preflight=False,
            preferred_backup_window=hours.backup_window,
            preferred_maintenance_window=hours.maintenance_window,
        )
        GalvSleep(stack, "Sleep", sleepers=[worker, database], awake=hours)

        Annotations.from_stack(stack).has_no_warning("/Stack/Sleep", Match.any_value())


class TestRefuses:
    """What cannot sleep."""

    def message(self, stack: Stack, refusal: Refusal, **arguments: Any) -> str:
        return refusal(lambda: GalvSleep(stack, "Sleep", **arguments))

    def test_refuses_a_backend_in_production(self, refusal: Refusal, stack: Stack) -> None:
        backend = backend_in(stack)

        text = self.message(stack, refusal, sleepers=[backend])

        assert "sleepers[0] (Stack/Backend) is in production" in text
        assert "pass production=False to the backend, or leave it out of sleepers" in text

    @pytest.mark.parametrize(
        ("sleepers", "problem"),
        [
            ([], "sleepers must have a GalvBackend or a GalvService"),
            (["backend"], r"sleepers\[0\] must be a GalvBackend, .* got 'backend'"),
            ("backend", "sleepers must be a list"),
            (None, "sleepers must be a list"),
        ],
    )
    def test_refuses_what_is_no_sleeper(
        self, stack: Stack, refusal: Refusal, sleepers: Any, problem: str
    ) -> None:
        assert re.search(problem, self.message(stack, refusal, sleepers=sleepers))

    def test_refuses_a_database_alone(self, stack: Stack, refusal: Refusal) -> None:
        database = database_in(stack, given_runtime(stack))

        text = self.message(stack, refusal, sleepers=[database])

        assert "got ['GalvDatabase']" in text

    def test_refuses_one_twice(self, stack: Stack, refusal: Refusal) -> None:
        worker = worker_in(stack)

        assert "sleepers[1] is in sleepers twice" in self.message(
            stack, refusal, sleepers=[worker, worker]
        )

    def test_refuses_what_sleeps_already(self, stack: Stack, refusal: Refusal) -> None:
        worker, other = (
            worker_in(stack),
            worker_in(stack, "Other", runtime=given_runtime(Stack(stack, "Inner"))),
        )
        GalvSleep(stack, "Sleep", sleepers=[worker])

        said = refusal(lambda: GalvSleep(stack, "Again", sleepers=[other, worker]))

        assert "sleepers[1] sleeps by Stack/Sleep already" in said
        assert "leave it out of one of them" in said

    def test_refuses_another_stack(self, stack: Stack, refusal: Refusal) -> None:
        worker = worker_in(Stack(stack.node.root, "Other"))  # type: ignore[arg-type]

        text = self.message(stack, refusal, sleepers=[worker])

        assert "sleepers[0] (Other/Worker) is in the stack Other, and this in Stack" in text

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"awake": "Mon-Fri"}, "awake must be an AwakeHours, got 'Mon-Fri'"),
            ({"alarms": "alarm"}, "alarms must be a list"),
            ({"alarms": ["alarm"]}, "alarms[0] must be"),
            ({"alarm_topic": "topic"}, "alarm_topic must be"),
        ],
    )
    def test_refuses_other_arguments(
        self, stack: Stack, refusal: Refusal, arguments: Json, problem: str
    ) -> None:
        worker = worker_in(stack)

        assert problem in self.message(stack, refusal, sleepers=[worker], **arguments)

    def forgotten(self, stack: Stack, make: Callable[[TaskRuntime], object]) -> str:
        database = database_in(stack, runtime := given_runtime(stack))
        runtime = replace(runtime, connects_to=[database])
        worker = worker_in(stack, runtime=runtime)
        GalvSleep(stack, "Sleep", sleepers=[worker, database])
        made = make(runtime)
        if made is None:
            synthesize(stack)
            return ""
        with pytest.raises(Exception, match="Sleep stops") as caught:
            synthesize(stack)
        return str(caught.value)

    def test_refuses_a_service_that_would_lose_its_database(self, stack: Stack) -> None:
        text = self.forgotten(stack, lambda runtime: worker_in(stack, "Other", runtime=runtime))

        assert "Stack/Other connects to a database that Stack/Sleep stops" in text
        assert "pass it in sleepers too" in text

    def test_refuses_a_task_that_would_lose_its_database(self, stack: Stack) -> None:
        text = self.forgotten(
            stack, lambda runtime: GalvTask(stack, "Import", runtime=runtime, command=["import"])
        )

        assert "Stack/Import connects to a database that Stack/Sleep stops" in text

    def test_refuses_a_schedule_that_would_lose_its_database(self, stack: Stack) -> None:
        text = self.forgotten(
            stack,
            lambda runtime: GalvScheduledTask(
                stack, "Report", runtime=runtime, command=["report"], schedule=RATE
            ),
        )

        assert "Stack/Report connects to a database that Stack/Sleep stops" in text

    def test_takes_a_service_without_that_database(self, stack: Stack) -> None:
        def make(runtime: TaskRuntime) -> None:
            worker_in(stack, "Other", runtime=replace(runtime, connects_to=[]))

        assert self.forgotten(stack, make) == ""

    def test_refuses_a_read_replica(self, stack: Stack) -> None:
        database = database_in(stack, runtime := given_runtime(stack))
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack, runtime=runtime), database])
        database.add_read_replica("Replica")

        with pytest.raises(Exception, match="Stack/Database/Replica is a read replica of a") as it:
            synthesize(stack)

        assert "RDS stops none that has one: leave the replica out" in str(it.value)

    def test_takes_a_replica_of_another_database(self, stack: Stack) -> None:
        database = database_in(stack, runtime := given_runtime(stack))
        database_in(stack, runtime, "Other").add_read_replica("Replica")
        GalvSleep(stack, "Sleep", sleepers=[worker_in(stack, runtime=runtime), database])

        synthesize(stack)
