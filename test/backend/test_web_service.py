"""The web service: its task, its health, its scaling."""

import pytest
from aws_cdk import CfnParameter, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import MakeBackend, RefusedBackend, Synth
from templates import (
    Json,
    as_list,
    container,
    ingress_rules,
    needs,
    of_type,
    only,
    only_id,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvNetwork
from galv_constructs.backend._web_service import default_workers

SERVICE = "AWS::ECS::Service"
ALARM = "AWS::CloudWatch::Alarm"
ASSOCIATIONS = "AWS::ECS::ClusterCapacityProviderAssociations"
TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"


def stops_within(template: Json, *, timeout: int, graceful: int, drain: int) -> None:
    """Look at how long everything that ends the web task lets requests go on."""
    web = container(template, "web")
    assert f"--timeout={timeout}" in web["Command"]
    assert f"--graceful-timeout={graceful}" in web["Command"]
    assert graceful < web["StopTimeout"] == 120
    attributes = {
        attribute["Key"]: attribute["Value"]
        for attribute in only(template, TARGET_GROUP)["TargetGroupAttributes"]
    }
    assert attributes["deregistration_delay.timeout_seconds"] == str(drain)
    for name in ("client_body_timeout", "proxy_read_timeout"):
        assert f"{name} {timeout}s;" in web["Command"][2]


class TestCapacity:
    def test_runs_on_demand_by_default(self, default: Json) -> None:
        assert only(default, SERVICE)["LaunchType"] == "FARGATE"
        assert of_type(default, ASSOCIATIONS) == {}
        _, definition = task_definition(default, "web")
        assert "EphemeralStorage" not in definition

    def test_runs_on_spot_outside_of_production_when_asked(self, synth: Synth) -> None:
        result = synth(spot=True, production=False)

        service = only(result, SERVICE)
        assert service["CapacityProviderStrategy"] == [
            {"CapacityProvider": "FARGATE_SPOT", "Weight": 1}
        ]
        assert only_id(result, ASSOCIATIONS) in needs(result, only_id(result, SERVICE))

    @pytest.mark.parametrize("name", ["setup-db", "check-status"])
    def test_setup_and_the_check_are_never_on_spot(self, synth: Synth, name: str) -> None:
        result = synth(spot=True, production=False)

        _, definition = task_definition(result, name)
        assert "galv:spot" not in str(definition["Tags"])

    def test_refuses_spot_in_production(self, refused_backend: RefusedBackend) -> None:
        message = refused_backend(spot=True)

        assert message.startswith("spot is for deployments that may be away for a while, and prod")
        assert "two minutes' notice" in message

    def test_refuses_spot_that_is_no_switch(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(spot="no").startswith("spot must be true or false, got 'no'")

    def test_setup_has_a_size_of_its_own(self, default: Json) -> None:
        _, definition = task_definition(default, "setup-db")

        assert (definition["Cpu"], definition["Memory"]) == ("512", "1024")

    def test_setup_has_the_given_size(self, synth: Synth) -> None:
        _, definition = task_definition(
            synth(setup_cpu=1024, setup_memory_limit_mib=8192), "setup-db"
        )

        assert (definition["Cpu"], definition["Memory"]) == ("1024", "8192")

    @pytest.mark.parametrize(
        ("overrides", "message"),
        [
            ({"setup_cpu": 300}, "setup_cpu must be one of 256, 512"),
            ({"setup_memory_limit_mib": 512}, "setup_memory_limit_mib must be one of 1024, 2048"),
        ],
    )
    def test_refuses_a_size_of_setup_that_fargate_does_not_offer(
        self, refused_backend: RefusedBackend, overrides: Json, message: str
    ) -> None:
        assert refused_backend(**overrides).startswith(message)

    def test_has_the_given_disk(self, synth: Synth) -> None:
        _, definition = task_definition(synth(ephemeral_storage_gib=60), "web")

        assert definition["EphemeralStorage"] == {"SizeInGiB": 60}

    def test_refuses_a_disk_that_fargate_does_not_offer(
        self, refused_backend: RefusedBackend
    ) -> None:
        message = refused_backend(ephemeral_storage_gib=500)

        assert message == "ephemeral_storage_gib must be from 21 to 200 GiB, got 500"


class TestTask:
    def test_answers_with_gunicorn_on_port_8000(self, default: Json) -> None:
        web = container(default, "web")

        _, _, script, *server = web["Command"]
        assert "bind=0.0.0.0:8000\n" in script
        assert "listen 0.0.0.0:8000;" in script
        assert server == [
            "serve",
            "gunicorn",
            "--worker-class=gthread",
            "--workers=2",
            "--threads=4",
            "--keep-alive=0",
            "--timeout=120",
            "--graceful-timeout=110",
            "config.wsgi",
        ]
        assert [mapping["ContainerPort"] for mapping in web["PortMappings"]] == [8000]

    @pytest.mark.parametrize("name", ["web", "setup-db", "check-status"])
    def test_writes_only_where_the_application_needs_it(self, default: Json, name: str) -> None:
        task = container(default, name)

        assert task["ReadonlyRootFilesystem"] is True
        assert {mount["ContainerPath"]: mount["ReadOnly"] for mount in task["MountPoints"]} == {
            "/tmp": False,
            "/var/log/galv": False,
        }

    def test_uses_the_given_size_and_workers(self, tuned: Json) -> None:
        _, properties = task_definition(tuned, "web")

        assert (properties["Cpu"], properties["Memory"]) == ("1024", "4096")
        command = container(tuned, "web")["Command"]
        assert {"--workers=7", "--threads=3"} <= set(command)

    def test_is_half_a_vcpu_when_no_size_is_given(self, default: Json) -> None:
        _, properties = task_definition(default, "web")

        assert (properties["Cpu"], properties["Memory"]) == ("512", "1024")
        assert properties["RuntimePlatform"] == {
            "CpuArchitecture": "X86_64",
            "OperatingSystemFamily": "LINUX",
        }

    @pytest.mark.parametrize(
        ("cpu", "memory", "workers"),
        [
            (256, 512, 1),
            (256, 2048, 1),
            (512, 1024, 2),
            (512, 4096, 2),
            (1024, 2048, 3),
            (2048, 4096, 5),
            (4096, 8192, 9),
            (16384, 32768, 33),
        ],
    )
    def test_has_as_many_workers_as_there_is_room_for(
        self, cpu: int, memory: int, workers: int
    ) -> None:
        assert default_workers(cpu, memory) == workers

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"cpu": 500}, "cpu must be one of 256, 512, 1024"),
            ({"cpu": "512"}, "(1024 is one vCPU), got '512'"),
            ({"memory_limit_mib": 512}, "memory_limit_mib must be one of 1024, 2048, 3072, 4096"),
            ({"workers": 0}, "workers must be from 1 to 64, got 0"),
            ({"workers": 2.5}, "workers must be a whole number, got 2.5 (float)"),
            ({"threads": 0}, "threads must be from 1 to 64, got 0"),
            ({"threads": None}, "threads must be a whole number, got None"),
            (
                {"deregistration_delay": Duration.minutes(1)},
                "deregistration_delay must be whole seconds from 120 to 3600, got 60 seconds",
            ),
            ({"deregistration_delay": 900}, "deregistration_delay must be a Duration, got 900"),
            ({"min_tasks": None}, "min_tasks must be a whole number, got None"),
            ({"min_tasks": 0}, "min_tasks must be from 1 to 100, got 0"),
            ({"max_tasks": 101}, "max_tasks must be from 1 to 100, got 101"),
            (
                {"min_tasks": 5},
                "max_tasks must be at least min_tasks, got min_tasks=5 and max_tasks=4",
            ),
            ({"request_timeout": 120}, "request_timeout must be a Duration, got 120"),
        ],
    )
    def test_refuses_invalid_arguments(
        self, refused_backend: RefusedBackend, arguments: Json, message: str
    ) -> None:
        assert message in refused_backend(**arguments)

    @pytest.mark.parametrize("name", ["workers", "threads"])
    def test_refuses_counts_that_are_not_known_at_synthesis(
        self, stack: Stack, refused_backend: RefusedBackend, name: str
    ) -> None:
        number = CfnParameter(stack, "Number", type="Number").value_as_number

        assert refused_backend(**{name: number}).startswith(f"{name} must be known at synthesis")


class TestService:
    def test_deploys_by_a_rolling_update_with_rollback(self, default: Json) -> None:
        deployment = only(default, SERVICE)["DeploymentConfiguration"]

        assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert only(default, SERVICE)["DeploymentController"] == {"Type": "ECS"}
        assert only(default, SERVICE)["HealthCheckGracePeriodSeconds"] == 180

    def test_goes_back_on_no_alarm_by_default(self, default: Json) -> None:
        alarms = only(default, SERVICE)["DeploymentConfiguration"]["Alarms"]
        assert alarms == {"AlarmNames": [], "Enable": False, "Rollback": False}
        assert not any("RollbackAlarms" in id for id in of_type(default, ALARM))

    def test_goes_back_when_an_alarm_goes_off_where_asked(self, synth: Synth) -> None:
        result = synth(rollback_alarms=True)

        names = only(result, SERVICE)["DeploymentConfiguration"]["Alarms"]
        alarms = {
            id: alarm for id, alarm in of_type(result, ALARM).items() if "RollbackAlarms" in id
        }
        assert names == {
            "AlarmNames": [{"Ref": id} for id in alarms],
            "Enable": True,
            "Rollback": True,
        }
        watched = {}
        for id, alarm in alarms.items():
            properties = alarm["Properties"]
            assert properties["TreatMissingData"] == "notBreaching"
            watched[properties["MetricName"]] = (properties["Statistic"], properties["Threshold"])
            assert only_id(result, SERVICE) not in needs(result, id)
        assert watched == {
            "HTTPCode_Target_5XX_Count": ("Sum", 10),
            "UnHealthyHostCount": ("Minimum", 1),
        }

    def test_refuses_rollback_alarms_that_are_no_switch(
        self, refused_backend: RefusedBackend
    ) -> None:
        assert "rollback_alarms must be" in refused_backend(rollback_alarms="yes")

    def test_runs_in_the_private_subnets(self, default: Json) -> None:
        network = only(default, SERVICE)["NetworkConfiguration"]["AwsvpcConfiguration"]

        assert network["AssignPublicIp"] == "DISABLED"
        assert all("TasksSubnet" in subnet["Ref"] for subnet in network["Subnets"])

    def test_runs_with_public_addresses_where_the_network_says_so(self, tuned: Json) -> None:
        network = only(tuned, SERVICE)["NetworkConfiguration"]["AwsvpcConfiguration"]

        assert network["AssignPublicIp"] == "ENABLED"
        assert all("PublicSubnet" in subnet["Ref"] for subnet in network["Subnets"])
        run = only(tuned, "Custom::GalvReleaseTask")
        assert run["AssignPublicIp"] == "ENABLED"
        assert run["Subnets"] == network["Subnets"]

    def test_is_healthy_when_the_application_answers(self, default: Json) -> None:
        target_group = only(default, TARGET_GROUP)

        assert (target_group["Port"], target_group["Protocol"]) == (8000, "HTTP")
        assert target_group["TargetType"] == "ip"
        assert target_group["HealthCheckPath"] == "/health/"
        assert target_group["Matcher"] == {"HttpCode": "200"}
        assert (
            target_group["HealthCheckTimeoutSeconds"] < target_group["HealthCheckIntervalSeconds"]
        )

    def test_one_slow_answer_replaces_no_task(self, default: Json) -> None:
        target_group = only(default, TARGET_GROUP)

        unhealthy, healthy = (
            target_group[f"{kind}ThresholdCount"] * target_group["HealthCheckIntervalSeconds"]
            for kind in ("Unhealthy", "Healthy")
        )
        assert (unhealthy, healthy) == (60, 30)

    def test_finishes_requests_that_take_less_than_fargate_allows(self, synth: Synth) -> None:
        template = synth(request_timeout=Duration.seconds(30))

        stops_within(template, timeout=30, graceful=30, drain=900)

    def test_finishes_longer_requests_as_far_as_fargate_allows(self, tuned: Json) -> None:
        stops_within(tuned, timeout=600, graceful=110, drain=1200)

    def test_drains_as_long_as_the_longest_answer_takes(self, synth: Synth) -> None:
        template = synth(request_timeout=Duration.minutes(30))

        stops_within(template, timeout=1800, graceful=110, drain=1800)

    def test_only_the_load_balancer_reaches_it(self, default: Json) -> None:
        (rule,) = (
            resource["Properties"]
            for logical_id, resource in of_type(default, "AWS::EC2::SecurityGroupIngress").items()
            if logical_id.startswith("BackendWebTaskSecurityGroup")
        )

        assert (rule["FromPort"], rule["ToPort"]) == (8000, 8000)
        source = rule["SourceSecurityGroupId"]["Fn::GetAtt"][0]
        assert source.startswith("BackendLoadBalancerSecurityGroup")


class TestScaling:
    def test_scales_between_the_given_bounds(self, tuned: Json) -> None:
        target = only(tuned, "AWS::ApplicationAutoScaling::ScalableTarget")

        assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 9)

    def test_scales_from_one_to_four_when_no_bounds_are_given(self, default: Json) -> None:
        target = only(default, "AWS::ApplicationAutoScaling::ScalableTarget")

        assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)

    def test_accepts_bounds_that_are_not_known_at_synthesis(self, deferred: Json) -> None:
        target = only(deferred, "AWS::ApplicationAutoScaling::ScalableTarget")

        assert target["MinCapacity"] == {"Ref": "Least"}

    def test_follows_cpu_and_requests(self, default: Json) -> None:
        policies = {
            metric["PredefinedMetricSpecification"]["PredefinedMetricType"]: metric["TargetValue"]
            for policy in of_type(default, "AWS::ApplicationAutoScaling::ScalingPolicy").values()
            for metric in [policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]]
        }

        assert policies == {
            "ECSServiceAverageCPUUtilization": 60,
            "ALBRequestCountPerTarget": 600,
        }

    def test_a_deployment_leaves_the_count_alone(self, default: Json) -> None:
        assert "DesiredCount" not in only(default, SERVICE)


class TestExec:
    def test_opens_a_shell_outside_of_production(self, development: Json) -> None:
        template = development

        assert only(template, SERVICE)["EnableExecuteCommand"] is True
        # The agent behind ECS Exec writes to the root file system.
        assert container(template, "web")["ReadonlyRootFilesystem"] is False
        assert container(template, "setup-db")["ReadonlyRootFilesystem"] is True
        configuration = only(template, "AWS::ECS::Cluster")["Configuration"]
        logging = configuration["ExecuteCommandConfiguration"]
        assert logging["Logging"] == "OVERRIDE"
        log_group = logging["LogConfiguration"]["CloudWatchLogGroupName"]["Ref"]
        assert log_group in of_type(template, "AWS::Logs::LogGroup")

    def test_opens_none_in_production(self, default: Json) -> None:
        assert only(default, SERVICE)["EnableExecuteCommand"] is False
        assert "Configuration" not in only(default, "AWS::ECS::Cluster")
        assert "ssmmessages" not in str(default)


class TestGrants:
    def test_a_grant_goes_to_the_web_task(self, stack: Stack, make_backend: MakeBackend) -> None:
        secret = secretsmanager.Secret(stack, "Other")

        secret.grant_read(make_backend())

        template = synthesize(stack)
        arn = stack.resolve(secret.secret_arn)
        readers = [
            role_id
            for role_id in of_type(template, "AWS::IAM::Role")
            if any(arn in as_list(s["Resource"]) for s in statements(template, role_id))
        ]
        _, properties = task_definition(template, "web")
        assert readers == [properties["TaskRoleArn"]["Fn::GetAtt"][0]]

    def test_a_connection_goes_to_the_web_task(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        vpc = ec2.Vpc(stack, "Vpc")
        group = ec2.SecurityGroup(stack, "Other", vpc=vpc)
        other = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(5000))

        other.allow_default_port_from(make_backend(network=GalvNetwork.from_vpc(vpc)))

        template = synthesize(stack)
        (rule,) = ingress_rules(template, only_id(template, "AWS::EC2::SecurityGroup", "Other"))
        assert rule["SourceSecurityGroupId"] == {
            "Fn::GetAtt": [
                only_id(template, "AWS::EC2::SecurityGroup", "BackendWebTask"),
                "GroupId",
            ]
        }


def test_exec_has_an_init_process(synth: Synth) -> None:
    template = synth(execute_command=True)

    assert container(template, "web")["LinuxParameters"]["InitProcessEnabled"] is True


def test_without_exec_there_is_no_init_process_but_in_single_tasks(default: Json) -> None:
    assert "LinuxParameters" not in container(default, "web")
    for name in ("setup-db", "check-status"):
        assert container(default, name)["LinuxParameters"]["InitProcessEnabled"] is True
