"""A service that keeps tasks running: a worker, or what answers HTTP behind a listener."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match
from backends import Refusal, backend_in
from runtimes import given_runtime, runtime_in
from templates import (
    Json,
    container,
    ingress_rules,
    needs,
    of_type,
    only,
    only_id,
    references,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork, GalvService, TaskRuntime

SERVICE = "AWS::ECS::Service"
POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
ALARM = "AWS::CloudWatch::Alarm"
REPORTS = elbv2.ListenerCondition.path_patterns(["/reports/*"])


def reporting_runtime(
    stack: Stack, insights: ecs.ContainerInsights | None = ecs.ContainerInsights.ENABLED
) -> TaskRuntime:
    """A runtime in a cluster that reports Container Insights, unless told otherwise."""
    vpc = ec2.Vpc(stack, "OwnVpc", max_azs=2)
    cluster = ecs.Cluster(stack, "OwnCluster", vpc=vpc, container_insights_v2=insights)
    return given_runtime(stack, cluster=cluster, network=GalvNetwork.from_vpc(vpc))


def https_listener(stack: Stack, vpc: ec2.IVpc) -> elbv2.ApplicationListener:
    """A listener that a platform has."""
    balancer = elbv2.ApplicationLoadBalancer(stack, "LoadBalancer", vpc=vpc)
    return balancer.add_listener(
        "Listener",
        port=80,
        open=False,
        default_action=elbv2.ListenerAction.fixed_response(404),
    )


@pytest.fixture
def make(stack: Stack) -> Callable[..., GalvService]:
    def make(**overrides: Any) -> GalvService:
        arguments: Json = {"command": ["work"], **overrides}
        runtime = arguments.pop("runtime", None) or runtime_in(stack)
        return GalvService(stack, "Worker", runtime=runtime, **arguments)

    return make


class TestWorker:
    def test_keeps_one_task_running(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make()

        template = synthesize(stack)
        service = only(template, SERVICE)
        assert references(service["TaskDefinition"]) == {
            only_id(template, "AWS::ECS::TaskDefinition")
        }
        assert container(template, "worker")["Command"] == ["work"]
        assert (only(template, TARGET)["MinCapacity"], only(template, TARGET)["MaxCapacity"]) == (
            1,
            1,
        )
        # A number in the template would undo what scaling has done.
        assert "DesiredCount" not in service
        assert of_type(template, POLICY) == {}

    def test_goes_back_when_new_tasks_do_not_stay_up(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make()

        configuration = only(synthesize(stack), SERVICE)["DeploymentConfiguration"]
        assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert configuration["MinimumHealthyPercent"] == 100
        assert configuration["Alarms"]["AlarmNames"] == []

    def test_nobody_can_connect_to_it(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        worker = make()

        template = synthesize(stack)
        group = only_id(template, "AWS::EC2::SecurityGroup", "WorkerTask")
        assert ingress_rules(template, group) == []
        assert "PortMappings" not in container(template, "worker")
        assert "LoadBalancers" not in only(template, SERVICE)
        assert worker.target_group is None

    def test_its_command_gets_the_longest_time_to_end(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make()

        assert container(synthesize(stack), "worker")["StopTimeout"] == 120

    def test_uses_the_given_size(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make(cpu=512, memory_limit_mib=2048, ephemeral_storage_gib=50)

        _, definition = task_definition(synthesize(stack), "worker")
        assert (definition["Cpu"], definition["Memory"]) == ("512", "2048")
        assert definition["EphemeralStorage"] == {"SizeInGiB": 50}

    def test_waits_for_what_the_runtime_needs(self, stack: Stack) -> None:
        gate, database = sqs.Queue(stack, "Gate"), sqs.Queue(stack, "Database")
        runtime = given_runtime(stack, gates=[gate], depends_on=[database])
        GalvService(stack, "Worker", runtime=runtime, command=["work"])

        template = synthesize(stack)
        waits_for = needs(template, only_id(template, SERVICE))
        assert {
            only_id(template, "AWS::SQS::Queue", "Gate"),
            only_id(template, "AWS::SQS::Queue", "Database"),
        } <= waits_for

    def test_starts_when_there_is_a_way_to_the_registry(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make()

        template = synthesize(stack)
        routes = of_type(template, "AWS::EC2::Route", "VpcPrivate")
        assert routes
        assert set(routes) <= needs(template, only_id(template, SERVICE))

    def test_of_a_backend_changes_after_setup(self, stack: Stack) -> None:
        backend = backend_in(stack)
        GalvService(stack, "Worker", runtime=backend.runtime, command=["work"])

        template = synthesize(stack)
        assert only_id(template, "Custom::GalvReleaseTask") in needs(
            template, only_id(template, SERVICE, "Worker")
        )

    def test_can_be_opened_for_shells(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make(
            runtime=runtime_in(stack, writable_paths=["/tmp"]),
            execute_command=True,
        )

        template = synthesize(stack)
        assert only(template, SERVICE)["EnableExecuteCommand"] is True
        assert container(template, "worker")["ReadonlyRootFilesystem"] is False

    def test_is_closed_for_shells_otherwise(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make(runtime=runtime_in(stack, writable_paths=["/tmp"]))

        template = synthesize(stack)
        assert only(template, SERVICE)["EnableExecuteCommand"] is False
        (worker,) = only(template, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
        assert worker["ReadonlyRootFilesystem"] is True


class TestSpot:
    def test_runs_on_demand_by_default(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make()

        service = only(synthesize(stack), SERVICE)
        assert service["LaunchType"] == "FARGATE"
        assert "CapacityProviderStrategy" not in service

    def test_runs_on_spot_when_asked(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make(spot=True)

        template = synthesize(stack)
        service = only(template, SERVICE)
        assert service["CapacityProviderStrategy"] == [
            {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
        ]
        assert "LaunchType" not in service
        # ECS refuses a provider that the cluster does not have yet, and to take away one in use.
        association = only_id(template, "AWS::ECS::ClusterCapacityProviderAssociations")
        assert association in needs(template, only_id(template, SERVICE))


class TestScaling:
    def test_scales_by_cpu_between_two_numbers(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        make(min_tasks=2, max_tasks=5)

        policy = only(synthesize(stack), POLICY)["TargetTrackingScalingPolicyConfiguration"]
        assert policy["TargetValue"] == 60
        assert policy["PredefinedMetricSpecification"] == {
            "PredefinedMetricType": "ECSServiceAverageCPUUtilization"
        }

    def test_uses_the_given_target(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make(max_tasks=5, cpu_target=80)

        policy = only(synthesize(stack), POLICY)["TargetTrackingScalingPolicyConfiguration"]
        assert policy["TargetValue"] == 80

    def test_scales_by_the_backlog_of_a_task(self, stack: Stack) -> None:
        queue = sqs.Queue(stack, "Queue")
        runtime = reporting_runtime(stack)
        GalvService(
            stack,
            "Worker",
            runtime=runtime,
            command=["work"],
            max_tasks=5,
            queue=queue,
            backlog_per_task=100,
        )

        template = synthesize(stack)
        # By the queue alone.
        policy = only(template, POLICY)["TargetTrackingScalingPolicyConfiguration"]
        assert policy["TargetValue"] == 100
        messages, tasks, backlog = policy["CustomizedMetricSpecification"]["Metrics"]
        assert backlog == {"Id": "backlog", "Expression": "messages / tasks", "ReturnData": True}
        metric = messages["MetricStat"]["Metric"]
        assert metric["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert references(metric) == {only_id(template, "AWS::SQS::Queue")}
        metric = tasks["MetricStat"]["Metric"]
        assert (metric["Namespace"], metric["MetricName"]) == (
            "ECS/ContainerInsights",
            "RunningTaskCount",
        )
        assert references(metric) == {
            only_id(template, "AWS::ECS::Cluster"),
            only_id(template, SERVICE),
        }

    def test_may_consume_its_queue(self, stack: Stack) -> None:
        queue = sqs.Queue(stack, "Queue")
        runtime = reporting_runtime(stack)
        GalvService(
            stack, "Worker", runtime=runtime, command=["w"], queue=queue, backlog_per_task=1
        )

        template = synthesize(stack)
        role = only_id(template, "AWS::IAM::Role", "WorkerTaskTaskDefinitionTaskRole")
        assert "sqs:ReceiveMessage" in json.dumps(list(statements(template, role)))

    def test_scales_by_both_when_asked(self, stack: Stack) -> None:
        GalvService(
            stack,
            "Worker",
            runtime=reporting_runtime(stack),
            command=["work"],
            queue=sqs.Queue(stack, "Queue"),
            backlog_per_task=1,
            cpu_target=70,
        )

        assert len(of_type(synthesize(stack), POLICY)) == 2

    def test_takes_schedules(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        make().scaling.scale_on_schedule(
            "Night",
            schedule=scaling.Schedule.cron(hour="20", minute="0"),
            min_capacity=0,
            max_capacity=0,
        )

        (action,) = only(synthesize(stack), TARGET)["ScheduledActions"]
        assert action["ScalableTargetAction"] == {"MinCapacity": 0, "MaxCapacity": 0}

    def test_refuses_a_queue_where_nobody_counts_the_tasks(
        self, stack: Stack, refusal: Refusal
    ) -> None:
        runtime = reporting_runtime(stack, ecs.ContainerInsights.DISABLED)
        queue = sqs.Queue(stack, "Queue")

        message = refusal(
            lambda: GalvService(
                stack, "Worker", runtime=runtime, command=["w"], queue=queue, backlog_per_task=1
            )
        )
        assert "Container Insights" in message
        assert "container_insights=True" in message

    def test_warns_of_a_cluster_that_does_not_tell(self, stack: Stack) -> None:
        GalvService(
            stack,
            "Worker",
            runtime=reporting_runtime(stack, None),
            command=["work"],
            queue=sqs.Queue(stack, "Queue"),
            backlog_per_task=1,
        )

        Annotations.from_stack(stack).has_warning(
            "/Stack/Worker", Match.string_like_regexp("must report Container Insights")
        )

    def test_does_not_warn_of_one_that_reports(self, stack: Stack) -> None:
        GalvService(
            stack,
            "Worker",
            runtime=reporting_runtime(stack),
            command=["work"],
            queue=sqs.Queue(stack, "Queue"),
            backlog_per_task=1,
        )

        found = Annotations.from_stack(stack).find_warning("/Stack/Worker", Match.any_value())
        assert found == []


class TestHttp:
    @pytest.fixture
    def template(self, stack: Stack) -> Callable[..., Json]:
        def synth(**overrides: Any) -> Json:
            runtime = runtime_in(stack)
            arguments: Json = {"port": 8080, "conditions": [REPORTS], "priority": 10, **overrides}
            GalvService(
                stack,
                "Worker",
                runtime=runtime,
                command=["serve"],
                listener=https_listener(stack, runtime.network.vpc),
                **arguments,
            )
            return synthesize(stack)

        return synth

    def test_gets_the_requests_of_its_rule(self, template: Callable[..., Json]) -> None:
        result = template()

        rule = only(result, "AWS::ElasticLoadBalancingV2::ListenerRule")
        assert rule["Priority"] == 10
        assert rule["Conditions"] == [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/reports/*"]}}
        ]
        group = only_id(result, "AWS::ElasticLoadBalancingV2::TargetGroup")
        assert rule["Actions"] == [{"TargetGroupArn": {"Ref": group}, "Type": "forward"}]

    def test_the_load_balancer_alone_can_connect_to_its_port(
        self, template: Callable[..., Json]
    ) -> None:
        result = template()

        (rule,) = ingress_rules(result, only_id(result, "AWS::EC2::SecurityGroup", "WorkerTask"))
        assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)
        assert references(rule["SourceSecurityGroupId"]) == {
            only_id(result, "AWS::EC2::SecurityGroup", "LoadBalancer")
        }

    def test_starts_when_its_rule_is_there(self, template: Callable[..., Json]) -> None:
        result = template()

        assert only_id(result, "AWS::ElasticLoadBalancingV2::ListenerRule") in needs(
            result, only_id(result, SERVICE)
        )

    def test_is_healthy_when_its_root_answers(self, template: Callable[..., Json]) -> None:
        group = only(template(), "AWS::ElasticLoadBalancingV2::TargetGroup")

        assert (group["HealthCheckPath"], group["Matcher"]) == ("/", {"HttpCode": "200"})
        attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
        assert attributes["deregistration_delay.timeout_seconds"] == "300"

    def test_uses_the_given_health_check_and_delay(self, template: Callable[..., Json]) -> None:
        group = only(
            template(health_check_path="/ok", deregistration_delay=Duration.seconds(0)),
            "AWS::ElasticLoadBalancingV2::TargetGroup",
        )

        assert group["HealthCheckPath"] == "/ok"
        attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
        assert attributes["deregistration_delay.timeout_seconds"] == "0"

    def test_stands_behind_the_listener_of_a_backend(self, stack: Stack) -> None:
        backend = backend_in(stack)
        GalvService(
            stack,
            "Reports",
            runtime=backend.runtime,
            command=["serve"],
            listener=backend.listener,
            port=8080,
            conditions=[elbv2.ListenerCondition.host_headers(["reports.example.com"])],
            priority=10,
        )

        rules = of_type(synthesize(stack), "AWS::ElasticLoadBalancingV2::ListenerRule")
        assert {rule["Properties"]["Priority"] for rule in rules.values()} == {10, 100}


class TestAlarms:
    def test_go_off_when_no_task_runs(self, stack: Stack, make: Callable[..., GalvService]) -> None:
        worker = make()

        template = synthesize(stack)
        alarm = only(template, ALARM)
        assert (alarm["MetricName"], alarm["Statistic"]) == ("CPUUtilization", "SampleCount")
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 5)
        # Without tasks there is no data.
        assert alarm["TreatMissingData"] == "breaching"
        assert "AlarmActions" not in alarm
        assert worker.message_age_alarm is None

    def test_go_off_when_messages_wait(self, stack: Stack) -> None:
        topic = sns.Topic(stack, "Topic")
        GalvService(
            stack,
            "Worker",
            runtime=reporting_runtime(stack),
            command=["work"],
            queue=sqs.Queue(stack, "Queue"),
            backlog_per_task=1,
            max_message_age=Duration.minutes(10),
            alarm_topic=topic,
        )

        template = synthesize(stack)
        alarm = only(template, ALARM, "WorkerMessageAge")
        assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
        assert alarm["Threshold"] == 600
        for each in of_type(template, ALARM).values():
            assert each["Properties"]["AlarmActions"] == [stack.resolve(topic.topic_arn)]

    def test_take_a_deployment_back_when_asked(
        self, stack: Stack, make: Callable[..., GalvService]
    ) -> None:
        errors = cloudwatch.Alarm.from_alarm_name(stack, "Errors", "errors")
        make(deployment_alarms=[errors])

        configuration = only(synthesize(stack), SERVICE)["DeploymentConfiguration"]
        assert configuration["Alarms"] == {
            "AlarmNames": ["errors"],
            "Enable": True,
            "Rollback": True,
        }


LISTENER: Json = {"port": 80, "conditions": [REPORTS], "priority": 1}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"runtime": "backend"}, "runtime must be a TaskRuntime, got 'backend'"),
        ({"command": "work"}, "command must be a list of words"),
        ({"cpu": 300}, "cpu must be one of 256"),
        ({"ephemeral_storage_gib": 7}, "ephemeral_storage_gib must be from 21 to 200 GiB, got 7"),
        ({"spot": 1}, "spot must be true or false, got 1"),
        ({"min_tasks": 0}, "min_tasks must be from 1 to 100, got 0"),
        ({"min_tasks": 3, "max_tasks": 2}, "max_tasks must be at least min_tasks"),
        ({"cpu_target": 95}, "cpu_target must be from 10 to 90 %, got 95"),
        ({"backlog_per_task": 5}, "queue and backlog_per_task go together, got only backlog_per"),
        ({"queue": True}, "queue and backlog_per_task go together, got only queue"),
        ({"queue": "arn:aws:sqs:x"}, "queue must be an aws_sqs.IQueue, got 'arn:aws:sqs:x'"),
        ({"queue": True, "backlog_per_task": 0}, "backlog_per_task must be from 1 to 100000"),
        ({"max_message_age": Duration.hours(1)}, "max_message_age is about messages, and no queue"),
        (
            {"queue": True, "backlog_per_task": 1, "max_message_age": Duration.seconds(1)},
            "max_message_age must be whole seconds from 60",
        ),
        ({"port": 80, "priority": 1}, "port, priority given without listener"),
        ({"listener": True}, "listener needs port, conditions, priority too"),
        (
            {"listener": REPORTS, **LISTENER},
            "listener must be an aws_elasticloadbalancingv2.IApplicationListener, got _Listener",
        ),
        ({"listener": "arn"}, "listener must be an aws_elasticloadbalancingv2.IApplicationListen"),
        ({"listener": True, **LISTENER, "port": 0}, "port must be from 1 to 65535, got 0"),
        ({"listener": True, **LISTENER, "priority": 50001}, "priority must be from 1 to 50000"),
        ({"listener": True, **LISTENER, "conditions": []}, "conditions must be a list of at least"),
        ({"listener": True, **LISTENER, "conditions": ["/x"]}, "conditions must be a list of at"),
        (
            {"listener": True, **LISTENER, "health_check_path": "ok"},
            "health_check_path must be a path such as '/health/', got 'ok'",
        ),
        ({"deregistration_delay": Duration.hours(2)}, "deregistration_delay must be whole seconds"),
        ({"execute_command": "no"}, "execute_command must be true or false"),
        ({"deployment_alarms": "errors"}, "deployment_alarms must be a list of alarms"),
        (
            {"deployment_alarms": [None]},
            "deployment_alarms[0] must be an aws_cloudwatch.IAlarm, got None: use cloudwatch.Alarm",
        ),
        ({"deployment_alarms": ["errors"]}, "deployment_alarms[0] must be an aws_cloudwatch.IAla"),
        ({"alarm_topic": "arn:aws:sns:x"}, "alarm_topic must be an aws_sns.ITopic"),
    ],
)
def test_refuses_invalid_arguments(
    stack: Stack, refusal: Refusal, overrides: Json, message: str
) -> None:
    arguments: Json = {"runtime": given_runtime(stack), "command": ["work"], **overrides}
    if arguments.get("queue") is True:
        arguments["queue"] = sqs.Queue(stack, "Queue")
    if arguments.get("listener") is True:
        arguments["listener"] = https_listener(stack, ec2.Vpc(stack, "OwnVpc", max_azs=2))

    assert refusal(lambda: GalvService(stack, "Worker", **arguments)).startswith(message)
