"""What a rehearsal may do, and what it may not."""

from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import Refusal, backend_in, own_database, regional_stack
from templates import Json, container, environment, of_type, only, only_id, synthesize

from galv_constructs import GalvBackend, GalvDatabase, GalvMail, GalvRehearsal, ReleaseStep

TASK = "rehearse-setup"
RULE, EGRESS = "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"
GROUP, SECRET = "AWS::EC2::SecurityGroup", "AWS::SecretsManager::Secret"
ROLES = (
    "RehearsalSetupTaskTaskDefinitionTaskRole",
    "RehearsalSetupTaskTaskDefinitionExecutionRole",
)


def given_secret(stack: Stack, id: str) -> ecs.Secret:
    arn = f"arn:aws:secretsmanager:eu-west-1:111122223333:secret:{id}-a1b2c3"
    return ecs.Secret.from_secrets_manager(
        secretsmanager.Secret.from_secret_complete_arn(stack, id, arn)
    )


@pytest.fixture(scope="module")
def template() -> Json:
    """A backend that has all that a rehearsal must not get, and a rehearsal."""
    stack = regional_stack()
    smtp = secretsmanager.Secret.from_secret_name_v2(stack, "Smtp", "smtp")
    backend = backend_in(
        stack,
        mail=GalvMail.from_secret(smtp, sender="galv@example.com"),
        secrets={"TOKEN": given_secret(stack, "token")},
        environment={"DJANGO_LOG_LEVEL": "INFO"},
        setup_cpu=1024,
        setup_memory_limit_mib=4096,
    )
    GalvRehearsal(stack, "Rehearsal", backend=backend)
    return synthesize(stack)


def statements(template: Json, role: str) -> list[Json]:
    """The statements of a role of the rehearsal."""
    found = of_type(template, "AWS::IAM::Policy", f"{role}DefaultPolicy")
    return [
        statement
        for policy in found.values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def actions(template: Json, role: str) -> set[str]:
    found: set[str] = set()
    for statement in statements(template, role):
        names = statement["Action"]
        found |= {names} if isinstance(names, str) else set(names)
    return found


class TestRights:
    def test_the_task_reads_uploads_and_static_files_and_writes_nothing(
        self, template: Json
    ) -> None:
        assert actions(template, ROLES[0]) == {
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListAllMyBuckets",
        }

    def test_setup_itself_writes_so_the_test_would_see_it(self, template: Json) -> None:
        role = only_id(template, "AWS::IAM::Role", "BackendSetupTaskTaskDefinitionTaskRole")

        assert "s3:PutObject" in actions(template, role[:-8])

    def test_only_the_rehearsal_s_own_secret_can_be_read(self, template: Json) -> None:
        (read,) = (
            statement
            for statement in statements(template, ROLES[1])
            if "secretsmanager:GetSecretValue" in statement["Action"]
        )

        assert read["Resource"] == {"Ref": only_id(template, SECRET, "RehearsalSecret")}


class TestNetwork:
    def test_the_copy_is_reached_by_the_rehearsal_alone(self, template: Json) -> None:
        copy = only_id(template, GROUP, "RehearsalCopySecurityGroup")
        task = only_id(template, GROUP, "RehearsalSetupTaskSecurityGroup")
        rules = [
            rule["Properties"]
            for rule in of_type(template, RULE).values()
            if rule["Properties"]["GroupId"] == {"Fn::GetAtt": [copy, "GroupId"]}
        ]

        assert [rule["SourceSecurityGroupId"] for rule in rules] == [
            {"Fn::GetAtt": [task, "GroupId"]}
        ]
        assert "SecurityGroupIngress" not in template["Resources"][copy]["Properties"]

    def test_the_rehearsal_has_no_rule_at_production_s_database(self, template: Json) -> None:
        task = only_id(template, GROUP, "RehearsalSetupTaskSecurityGroup")
        copy = only_id(template, GROUP, "RehearsalCopySecurityGroup")
        own = {"Fn::GetAtt": [task, "GroupId"]}
        into = [
            rule["Properties"]["GroupId"]
            for rule in of_type(template, RULE).values()
            if rule["Properties"].get("SourceSecurityGroupId") == own
        ]
        out = [
            rule["Properties"]["DestinationSecurityGroupId"]
            for rule in of_type(template, EGRESS).values()
            if rule["Properties"]["GroupId"] == own
        ]

        assert into == out == [{"Fn::GetAtt": [copy, "GroupId"]}]

    def test_to_any_address_it_speaks_https_alone(self, template: Json) -> None:
        group = only(template, GROUP, "RehearsalSetupTaskSecurityGroup")

        assert [rule["FromPort"] for rule in group["SecurityGroupEgress"]] == [443]


class TestVariables:
    def test_it_has_no_secret_of_the_backend(self, template: Json) -> None:
        own = only_id(template, SECRET, "RehearsalSecret")
        secrets = {each["Name"]: each["ValueFrom"] for each in container(template, TASK)["Secrets"]}

        assert set(secrets) == {
            "DJANGO_SECRET_KEY",
            "GALV_DATABASE_MASTER_PASSWORD",
            "POSTGRES_PASSWORD",
        }
        assert all(
            value == {"Fn::Join": ["", [{"Ref": own}, ":password::"]]} for value in secrets.values()
        )

    def test_database_and_mail_server_are_nowhere_until_a_copy_is_named(
        self, template: Json
    ) -> None:
        variables = environment(template, TASK)

        assert variables["POSTGRES_HOST"] == variables["DJANGO_EMAIL_HOST"] == "rehearsal.invalid"
        assert variables["POSTGRES_USER"] == "galv_tasks_1"
        assert variables["GALV_DATABASE_OWNER"] == "galv_owner"

    def test_the_rest_is_that_of_setup(self, template: Json) -> None:
        setup, own = environment(template, "setup-db"), environment(template, TASK)
        differs = {name for name in {*setup, *own} if setup.get(name) != own.get(name)}

        assert differs == {"POSTGRES_HOST", "POSTGRES_USER", "DJANGO_EMAIL_HOST"}

    def test_the_password_is_long_enough_for_django_and_no_longer_than_rds_takes(
        self, template: Json
    ) -> None:
        generated = only(template, SECRET, "RehearsalSecret")["GenerateSecretString"]

        assert 50 <= generated["PasswordLength"] <= 128
        assert generated["ExcludePunctuation"] is True


class TestSteps:
    def test_setup_runs_as_in_production_without_collectstatic(self, template: Json) -> None:
        command = container(template, TASK)["Command"]

        assert command[:3] == ["python", "-m", "galv_task.rehearsal"]
        assert "step migrate " in command[-1]
        assert "step own_database " in command[-1]
        assert "collectstatic" not in command[-1]

    def test_its_size_is_that_of_setup(self, template: Json) -> None:
        definition = only(template, "AWS::ECS::TaskDefinition", "RehearsalSetupTaskTaskDefinition")

        assert (definition["Cpu"], definition["Memory"]) == ("1024", "4096")

    def test_given_ones_run_as_they_are(self) -> None:
        stack = regional_stack()
        GalvRehearsal(
            stack,
            "Rehearsal",
            backend=backend_in(stack, database=own_database(owner_role=False)),
            steps=[ReleaseStep(name="collectstatic", command=["true"])],
            environment={"TRIED": "yes"},
            secrets={"TOKEN": given_secret(stack, "token")},
            cpu=256,
            memory_limit_mib=512,
        )
        template = synthesize(stack)
        found = container(template, TASK)

        assert found["Command"][-1].endswith("step collectstatic true")
        assert environment(template, TASK)["TRIED"] == "yes"
        assert {each["Name"] for each in found["Secrets"]} == {
            "DJANGO_SECRET_KEY",
            "POSTGRES_PASSWORD",
            "TOKEN",
        }
        # Whoever rehearses names the master.
        assert "POSTGRES_USER" not in environment(template, TASK)


@pytest.fixture(scope="module")
def backend() -> GalvBackend:
    return backend_in(regional_stack())


class TestRefusals:
    def test_refuses_what_is_no_backend(self, refusal: Refusal) -> None:
        stack = regional_stack()
        message = refusal(lambda: GalvRehearsal(stack, "R", backend=stack))  # type: ignore[arg-type]

        assert "backend must be a GalvBackend" in message

    def test_refuses_a_backend_of_another_stack(
        self, backend: GalvBackend, refusal: Refusal
    ) -> None:
        other = regional_stack(id="Other")
        message = refusal(lambda: GalvRehearsal(other, "R", backend=backend))

        assert "is in the stack Stack, and this in Other" in message

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({"steps": []}, "steps must be a list of at least one ReleaseStep"),
            ({"environment": {"POSTGRES_HOST": "x"}}, "POSTGRES_HOST"),
            ({"cpu": 3}, "cpu"),
        ],
        ids=["steps", "environment", "size"],
    )
    def test_refuses_malformed_arguments(
        self, backend: GalvBackend, refusal: Refusal, arguments: Any, expected: str
    ) -> None:
        stack = Stack.of(backend)

        assert expected in refusal(lambda: GalvRehearsal(stack, "R", backend=backend, **arguments))

    def test_refuses_a_database_that_the_library_did_not_create(self, refusal: Refusal) -> None:
        stack = regional_stack()
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Login", "login")
        group = ec2.SecurityGroup.from_security_group_id(stack, "Server", "sg-1")
        backend = backend_in(
            stack,
            database=GalvDatabase.from_attributes(
                host="db.example.com", secret=secret, security_groups=[group]
            ),
        )
        message = refusal(lambda: GalvRehearsal(stack, "R", backend=backend))

        assert "has a database that is no GalvDatabase" in message
