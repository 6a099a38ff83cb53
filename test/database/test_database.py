"""The database that a backend makes, a given one, and who can reach them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.aws_scheduler import ScheduleExpression
from backends import MakeBackend, Refusal, RefusedBackend, Synth, own_database
from templates import (
    Json,
    container,
    environment,
    ingress_rules,
    key_arn,
    needs,
    of_type,
    only,
    only_id,
    references,
    secrets,
    synthesize,
    task_definition,
    text,
)

from galv_constructs import GalvDatabase, GalvNetwork, GalvReleaseTask, GalvScheduledTask

INSTANCE = "AWS::RDS::DBInstance"
SECRET = "AWS::SecretsManager::Secret"
OLD_LOGIN = "Custom::GalvDatabaseLogin"
Given = Callable[..., Json]
DAILY = ScheduleExpression.rate(Duration.days(1))
MASTER_USER, MASTER_PASSWORD = "GALV_DATABASE_MASTER_USER", "GALV_DATABASE_MASTER_PASSWORD"


@pytest.fixture
def database(stack: Stack) -> rds.IDatabaseInstance:
    """A database from elsewhere."""
    group = ec2.SecurityGroup.from_security_group_id(stack, "DatabaseGroup", "sg-database")
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_identifier="shared",
        instance_endpoint_address="shared.example.internal",
        port=5433,
        security_groups=[group],
    )


@pytest.fixture
def secret(stack: Stack) -> secretsmanager.ISecret:
    return secretsmanager.Secret.from_secret_name_v2(stack, "DatabaseSecret", "shared/galv")


@pytest.fixture
def given(database: rds.IDatabaseInstance, secret: secretsmanager.ISecret) -> Given:
    """The argument for a database from elsewhere, with settings."""

    def make(**settings: Any) -> Json:
        return {"database": GalvDatabase.from_instance(database, secret=secret, **settings)}

    return make


class TestMade:
    def test_creates_an_encrypted_database_when_none_is_given(self, default: Json) -> None:
        database = only(default, INSTANCE)

        assert database["Engine"] == "postgres"
        assert database["EngineVersion"] == "17"
        assert database["DBInstanceClass"] == "db.t4g.micro"
        assert database["DBName"] == "galv"
        assert database["StorageType"] == "gp3"
        assert database["AllocatedStorage"] == "20"
        assert database["MaxAllocatedStorage"] == 200
        assert database["StorageEncrypted"] is True
        assert "KmsKeyId" not in database
        assert database["PubliclyAccessible"] is False
        assert database["AutoMinorVersionUpgrade"] is True
        assert database["AllowMajorVersionUpgrade"] is False
        assert database["CopyTagsToSnapshot"] is True
        assert database["EnableCloudwatchLogsExports"] == ["postgresql", "upgrade"]

    def test_speaks_only_tls(self, default: Json) -> None:
        parameter_group = only(default, "AWS::RDS::DBParameterGroup")

        assert parameter_group["Family"] == "postgres17"
        assert parameter_group["Parameters"] == {"rds.force_ssl": "1"}
        assert only(default, INSTANCE)["DBParameterGroupName"] == {
            "Ref": only_id(default, "AWS::RDS::DBParameterGroup")
        }
        assert environment(default, "web")["PGSSLMODE"] == "require"

    def test_is_in_the_isolated_subnets(self, default: Json) -> None:
        subnet_ids = only(default, "AWS::RDS::DBSubnetGroup")["SubnetIds"]

        assert [subnet["Ref"].rpartition("Subnet")[0] for subnet in subnet_ids] == [
            "BackendNetworkVpcDatabaseSubnet1",
            "BackendNetworkVpcDatabaseSubnet2",
        ]

    def test_uses_the_given_size(self, tuned: Json) -> None:
        assert only(tuned, INSTANCE)["DBInstanceClass"] == "db.m7g.large"

    def test_uses_the_given_key(self, encrypted: Json) -> None:
        key = key_arn(encrypted)

        secret = only(encrypted, "AWS::SecretsManager::Secret", "BackendDatabase")
        assert only(encrypted, INSTANCE)["KmsKeyId"] == key
        assert secret["KmsKeyId"] == key

    def test_its_password_is_generated_and_read_by_reference(self, default: Json) -> None:
        database = only(default, INSTANCE)
        secret_id = only_id(default, "AWS::SecretsManager::Secret", "BackendDatabase")
        generator = only(default, "AWS::SecretsManager::Secret", "BackendDatabase")

        assert generator["GenerateSecretString"]["GenerateStringKey"] == "password"
        for argument, key in (("MasterUsername", "username"), ("MasterUserPassword", "password")):
            assert database[argument] == {
                "Fn::Join": [
                    "",
                    [
                        "{{resolve:secretsmanager:",
                        {"Ref": secret_id},
                        f":SecretString:{key}::}}}}",
                    ],
                ]
            }

    def test_tasks_get_its_address_and_credentials(self, default: Json) -> None:
        database = only_id(default, INSTANCE)
        login = {"Ref": only_id(default, "AWS::SecretsManager::Secret", "BackendLogin")}

        for name in ("web", "setup-db", "check-status"):
            variables = environment(default, name)
            assert variables["POSTGRES_HOST"] == {"Fn::GetAtt": [database, "Endpoint.Address"]}
            assert variables["POSTGRES_PORT"] == {"Fn::GetAtt": [database, "Endpoint.Port"]}
            assert variables["POSTGRES_DB"] == "galv"
            injected = secrets(default, name)
            for variable, key in (("POSTGRES_USER", "username"), ("POSTGRES_PASSWORD", "password")):
                assert injected[variable] == {"Fn::Join": ["", [login, f":{key}::"]]}

    def test_only_tasks_can_reach_it(self, default: Json) -> None:
        database_group = only_id(default, "AWS::EC2::SecurityGroup", "BackendDatabase")
        task_groups = {
            resource["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"][
                0
            ]["Fn::GetAtt"][0]
            for resource in of_type(default, "AWS::ECS::Service").values()
        } | {
            logical_id
            for logical_id in of_type(default, "AWS::EC2::SecurityGroup")
            if logical_id.startswith(("BackendSetupTask", "BackendCheckStatusTask"))
        }

        rules = ingress_rules(default, database_group)

        assert len(task_groups) == 3
        assert {rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in rules} == task_groups
        assert only(default, INSTANCE)["VPCSecurityGroups"] == [
            {"Fn::GetAtt": [database_group, "GroupId"]}
        ]
        port = {"Fn::GetAtt": [only_id(default, INSTANCE), "Endpoint.Port"]}
        for rule in rules:
            assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", port, port)
            assert "CidrIp" not in rule
            assert "CidrIpv6" not in rule

    def test_opens_no_connections_itself(self, default: Json) -> None:
        group = only(default, "AWS::EC2::SecurityGroup", "BackendDatabase")

        # Without any rule EC2 would allow all: this one, which CDK writes, matches nothing.
        (rule,) = group["SecurityGroupEgress"]
        assert (rule["CidrIp"], rule["IpProtocol"]) == ("255.255.255.255/32", "icmp")

    def test_its_log_groups_expire(self, default: Json) -> None:
        database = only_id(default, INSTANCE)

        retentions = [
            resource["Properties"] for resource in of_type(default, "Custom::LogRetention").values()
        ]

        assert [retention["LogGroupName"]["Fn::Join"][1] for retention in retentions] == [
            ["/aws/rds/instance/", {"Ref": database}, "/postgresql"],
            ["/aws/rds/instance/", {"Ref": database}, "/upgrade"],
        ]
        assert {retention["RetentionInDays"] for retention in retentions} == {365}

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [("default", "retain-on-update-or-delete"), ("development", "destroy")],
    )
    def test_its_log_groups_go_with_it_only_without_protection(
        self, request: pytest.FixtureRequest, shape: str, expected: str
    ) -> None:
        template = request.getfixturevalue(shape)

        retentions = of_type(template, "Custom::LogRetention").values()
        assert [one["Properties"]["RemovalPolicy"] for one in retentions] == [expected] * 2


class TestGiven:
    def test_uses_the_given_database_with_its_secret(self, synth: Synth, given: Given) -> None:
        template = synth(**given())

        assert of_type(template, INSTANCE) == {}
        assert of_type(template, "Custom::LogRetention") == {}
        variables = environment(template, "web")
        assert variables["POSTGRES_HOST"] == "shared.example.internal"
        assert variables["POSTGRES_PORT"] == "5433"
        assert variables["POSTGRES_DB"] == "galv"
        parts = secrets(template, "web")["POSTGRES_PASSWORD"]["Fn::Join"][1]
        assert parts[-1].endswith("secret:shared/galv:password::")

    def test_uses_the_secret_that_cdk_created_with_the_database(
        self, stack: Stack, synth: Synth
    ) -> None:
        vpc = ec2.Vpc(stack, "Vpc")
        database = rds.DatabaseInstance(
            stack, "Database", engine=rds.DatabaseInstanceEngine.POSTGRES, vpc=vpc
        )

        template = synth(
            database=GalvDatabase.from_instance(database), network=GalvNetwork.from_vpc(vpc)
        )

        attachment = {"Ref": only_id(template, "AWS::SecretsManager::SecretTargetAttachment")}
        password = secrets(template, "setup-db")["GALV_DATABASE_MASTER_PASSWORD"]
        assert password == {"Fn::Join": ["", [attachment, ":password::"]]}

    def test_uses_the_given_name(self, synth: Synth, given: Given) -> None:
        template = synth(**given(database_name="battery_2"))

        assert environment(template, "setup-db")["POSTGRES_DB"] == "battery_2"

    def test_opens_the_given_database_to_each_task(self, synth: Synth, given: Given) -> None:
        template = synth(**given())

        rules = [
            resource["Properties"]
            for resource in of_type(template, "AWS::EC2::SecurityGroupIngress").values()
            if resource["Properties"]["GroupId"] == "sg-database"
        ]
        assert len(rules) == 3
        assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(5433, 5433)}


class TestOwner:
    """Setup creates the role and its login, on PostgreSQL in test/e2e/test_database_owner.py."""

    def test_setup_creates_the_owner_before_anything_else(self, default: Json) -> None:
        variables, injected = environment(default, "setup-db"), secrets(default, "setup-db")
        script = container(default, "setup-db")["Command"][-1]
        steps = [line for line in script.splitlines() if " python " in line]

        assert variables["GALV_DATABASE_OWNER"] == "galv_owner"
        assert steps[0] == "step own_database python -m galv_task.own_database"
        # An application that prints its environment has no master's password to print.
        assert [name for name in injected if "MASTER" in name] == [MASTER_USER, MASTER_PASSWORD]
        assert len(steps) == 6
        for step in steps[1:]:
            assert f" env -u {MASTER_USER} -u {MASTER_PASSWORD} python " in step

    def test_tasks_sign_in_with_a_login_of_their_own(self, default: Json) -> None:
        secret = only(default, SECRET, "BackendLogin")

        generated = secret["GenerateSecretString"]
        assert generated["SecretStringTemplate"] == '{"username": "galv_tasks_1"}'
        assert (generated["PasswordLength"], generated["ExcludePunctuation"]) == (32, True)
        # It is worth nothing without the database, and setup replaces it in a restored one.
        assert of_type(default, SECRET, "BackendLogin").popitem()[1]["DeletionPolicy"] == "Delete"

    def test_roles_are_named_after_the_database(self, synth: Synth, given: Given) -> None:
        template = synth(**given(database_name="cells", owner_role=True))

        assert environment(template, "setup-db")["GALV_DATABASE_OWNER"] == "cells_owner"
        generated = only(template, SECRET, "BackendLogin")["GenerateSecretString"]
        assert generated["SecretStringTemplate"] == '{"username": "cells_tasks_1"}'
        parts = secrets(template, "setup-db")[MASTER_PASSWORD]["Fn::Join"][1]
        assert parts[-1].endswith("secret:shared/galv:password::")

    def test_a_rotation_is_another_login(self, default: Json, synth: Synth) -> None:
        rotated = synth(
            database=own_database(rotation=2), deregistration_delay=Duration.minutes(20)
        )

        ids = [only_id(template, SECRET, "BackendLogin") for template in (default, rotated)]
        assert ids[0] != ids[1]
        # So that tasks are replaced, setup first.
        for name in ("web", "setup-db", "check-status"):
            assert references(secrets(rotated, name)["POSTGRES_PASSWORD"]) == {ids[1]}
        old, new = (only(template, OLD_LOGIN) for template in (default, rotated))
        retire = "\nstep retire_login python -m galv_task.own_database retire"
        assert old["CommandOverride"][-1].endswith(f"{retire} galv_tasks_1 '1080'")
        assert new["CommandOverride"][-1].endswith(f"{retire} galv_tasks_2 '1320'")
        assert (old["RunWhenReplaced"], new["RunWhenReplaced"]) == ("galv_tasks_1", "galv_tasks_2")

    @pytest.mark.parametrize(
        ("arguments", "runs", "expected"),
        [
            # A web task has time for its requests, and two minutes to end.
            ({"deregistration_delay": Duration.minutes(30)}, [], 32 * 60),
            # Each run ends at its timeout, which is noticed within a minute.
            ({"setup_timeout": Duration.minutes(20)}, [], 23 * 60),
            ({}, [(GalvReleaseTask, {"timeout": Duration.minutes(55)})], 58 * 60),
            ({}, [(GalvScheduledTask, {"schedule": DAILY})], 63 * 60),
            (
                {},
                [
                    (GalvScheduledTask, {"schedule": DAILY, "timeout": Duration.days(7)}),
                    (GalvScheduledTask, {"schedule": DAILY, "timeout": Duration.minutes(1)}),
                ],
                7 * 86400 + 180,
            ),
        ],
        ids=["requests", "setup", "release task", "default", "longest"],
    )
    def test_the_old_login_lasts_as_long_as_the_tasks_that_use_it(
        self,
        stack: Stack,
        make_backend: MakeBackend,
        arguments: Json,
        runs: list[tuple[Callable[..., object], Json]],
        expected: int,
    ) -> None:
        runtime = make_backend(**arguments).runtime
        # Also in another stack, and with variables of its own.
        runtime = replace(runtime, environment={**runtime.environment, "MORE": "1"})
        other = Stack(stack, "Other")
        for index, (kind, options) in enumerate(runs):
            kind(other, f"Run{index}", runtime=runtime, command=["true"], **options)

        words = only(synthesize(stack), OLD_LOGIN)["CommandOverride"]
        assert words[-1].endswith(f" galv_tasks_1 '{expected}'")

    def test_a_run_without_the_login_does_not_prolong_it(
        self, stack: Stack, make_backend: MakeBackend
    ) -> None:
        runtime = replace(make_backend().runtime, secrets={})
        GalvScheduledTask(
            stack,
            "Report",
            runtime=runtime,
            command=["true"],
            schedule=DAILY,
            timeout=Duration.days(1),
        )

        words = only(synthesize(stack), OLD_LOGIN)["CommandOverride"]
        assert words[-1].endswith(" galv_tasks_1 '1080'")

    def test_the_old_login_is_refused_while_its_task_can_still_run(self, default: Json) -> None:
        before = needs(default, only_id(default, OLD_LOGIN))

        assert {
            only_id(default, SECRET, "BackendLogin"),
            only_id(default, "Custom::GalvReleaseTask"),
            only_id(default, INSTANCE),
            task_definition(default, "setup-db")[0],
        } <= before

    @pytest.mark.parametrize("choice", [None, False])
    def test_credentials_that_are_given_are_used_as_they_are(
        self, synth: Synth, given: Given, choice: bool | None
    ) -> None:
        template = synth(**given(owner_role=choice))

        assert of_type(template, SECRET, "BackendLogin") == {}
        assert of_type(template, OLD_LOGIN) == {}
        assert MASTER_PASSWORD not in secrets(template, "setup-db")
        assert "own_database" not in text(template)

    def test_a_new_database_can_do_without_an_owner_role(self, synth: Synth) -> None:
        template = synth(database=own_database(owner_role=False))

        attachment = {"Ref": only_id(template, "AWS::SecretsManager::SecretTargetAttachment")}
        password = secrets(template, "web")["POSTGRES_PASSWORD"]
        assert password == {"Fn::Join": ["", [attachment, ":password::"]]}

    def test_refuses_a_rotation_of_credentials_that_it_did_not_create(
        self, refusal: Refusal, given: Given
    ) -> None:
        assert refusal(lambda: given(rotation=2)) == (
            "rotation is 2, and tasks sign in with credentials that are not created here: drop it, "
            "or pass owner_role=True and the credentials of the server's master"
        )

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"owner_role": "yes"}, "owner_role must be true or false"),
            ({"rotation": 0}, "rotation must be from 1 to 1000000, got 0"),
            ({"rotation": 1.5}, "rotation must be a whole number, got 1.5"),
            (
                {"rotation": Token.as_number({"Ref": "Rotation"})},
                "rotation must be known at synthesis",
            ),
        ],
    )
    def test_refuses_invalid_settings(
        self, refusal: Refusal, given: Given, settings: Json, expected: str
    ) -> None:
        assert expected in refusal(lambda: given(**settings))

    def test_refuses_a_name_that_leaves_no_room_for_those_of_roles(
        self, refusal: Refusal, given: Given
    ) -> None:
        assert refusal(lambda: given(database_name="g" * 56, owner_role=True)) == (
            "database_name must have at most 55 characters, got 56: roles are named after it; pass "
            "a shorter one, or owner_role=False"
        )


class TestRefusals:
    def test_refuses_an_instance_without_credentials(
        self, refusal: Refusal, database: rds.IDatabaseInstance
    ) -> None:
        assert refusal(lambda: GalvDatabase.from_instance(database)) == (
            "Stack/Database comes without credentials: pass secret, a secret with the keys "
            "username and password"
        )

    def test_refuses_an_instance_in_place_of_how_to_use_it(
        self, refused_backend: RefusedBackend, database: rds.IDatabaseInstance
    ) -> None:
        text = refused_backend(database=database)

        assert text.startswith("database must be an IGalvDatabase, got ")
        assert "GalvDatabase.from_instance(instance, secret=…)" in text

    @pytest.mark.parametrize("name", ["", "1galv", "galv-db", "galv db", "g" * 64, "gälv"])
    def test_refuses_an_invalid_name(self, refusal: Refusal, given: Given, name: str) -> None:
        assert refusal(lambda: given(database_name=name)) == (
            "database_name must be letters, digits and '_', at most 63, not starting with a "
            f"digit, got {name!r}"
        )

    @pytest.mark.parametrize(
        ("make", "value", "expected"),
        [
            (GalvDatabase.from_instance, "shared", "instance must be an aws_rds.IDatabaseInstance"),
            (GalvDatabase.from_cluster, "shared", "cluster must be an aws_rds.IDatabaseCluster"),
        ],
    )
    def test_refuses_a_name_in_place_of_a_server(
        self, refusal: Refusal, make: Callable[..., object], value: str, expected: str
    ) -> None:
        text = refusal(lambda: make(value))

        assert expected in text
        assert f"got {value!r}" in text

    def test_refuses_the_arn_of_a_secret(
        self, refusal: Refusal, database: rds.IDatabaseInstance
    ) -> None:
        arn: Any = "arn:aws:x"

        text = refusal(lambda: GalvDatabase.from_instance(database, secret=arn))

        assert text.startswith("secret must be an aws_secretsmanager.ISecret, got 'arn:aws:x'")

    def test_refuses_a_name_in_place_of_a_database(self, refused_backend: RefusedBackend) -> None:
        assert refused_backend(database="shared").startswith(
            "database must be an IGalvDatabase, got 'shared': use GalvDatabase.from_instance("
        )

    def test_refuses_another_network_for_a_database_of_the_backend(
        self, stack: Stack, refused_backend: RefusedBackend
    ) -> None:
        database = own_database(network=GalvNetwork(stack, "Network"))

        assert refused_backend(database=database) == (
            "database creates a GalvDatabase in the backend's network, and has another one: pass "
            "network to the backend alone"
        )

    def test_refuses_a_protection_of_its_own_for_a_database_of_the_backend(
        self, refused_backend: RefusedBackend
    ) -> None:
        assert refused_backend(database=own_database(deletion_protection=False)) == (
            "database has deletion_protection, which the backend turns on for its database and its "
            "load balancer together: pass deletion_protection to the backend alone"
        )
