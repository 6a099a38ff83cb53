"""Each task has the secrets that it uses, and no role may read another one."""

from __future__ import annotations

import pytest
from aws_cdk import Duration, SecretValue, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_secretsmanager as secretsmanager
from backends import backend_in, new_app
from templates import (
    Json,
    as_list,
    environment,
    of_type,
    secrets,
    statements,
    synthesize,
    task_definition,
)

from galv_constructs import GalvMail, GalvReleaseTask, GalvScheduledTask

EVERY = {"DJANGO_SECRET_KEY", "POSTGRES_PASSWORD", "POSTGRES_USER", "DJANGO_TOKEN"}
SMTP = {"DJANGO_EMAIL_HOST_PASSWORD", "DJANGO_EMAIL_HOST_USER"}
MASTER = {"GALV_DATABASE_MASTER_PASSWORD", "GALV_DATABASE_MASTER_USER"}
# As the real application does: mail is sent where a request is answered, and by nothing that
# manage.py runs; settings without these variables have defaults. create_superuser alone reads
# the password, and own_database those of the database's master.
USED = {
    "web": EVERY | SMTP,
    "setup-db": EVERY | MASTER | {"DJANGO_SUPERUSER_PASSWORD"},
    "check-status": EVERY | SMTP,
    "monitor": EVERY,
    "reindex": EVERY,
    "newsletter": EVERY | SMTP,
}


@pytest.fixture(scope="module")
def template() -> Json:
    """A backend with mail, a secret of the user's own, and tasks beside it."""
    stack = Stack(new_app(), "Stack")
    own = secretsmanager.Secret(
        stack,
        "Own",
        secret_object_value={"DJANGO_TOKEN": SecretValue.unsafe_plain_text("token")},
    )
    smtp = secretsmanager.Secret(stack, "Smtp")
    backend = backend_in(
        stack,
        mail=GalvMail.from_secret(smtp, sender="galv@mail.example.com"),
        secrets={"DJANGO_TOKEN": ecs.Secret.from_secrets_manager(own, "DJANGO_TOKEN")},
    )
    daily = scheduler.ScheduleExpression.rate(Duration.days(1))
    for id, runtime in {"Monitor": backend.runtime, "Newsletter": backend.mail_runtime}.items():
        GalvScheduledTask(stack, id, runtime=runtime, command=["x"], schedule=daily)
    GalvReleaseTask(stack, "Reindex", runtime=backend.runtime, command=["x"])
    return synthesize(stack)


def test_each_task_is_listed(template: Json) -> None:
    names = {
        one["Properties"]["ContainerDefinitions"][0]["Name"]
        for one in of_type(template, "AWS::ECS::TaskDefinition").values()
    }
    assert names == set(USED)


@pytest.mark.parametrize("name", USED)
def test_each_task_has_the_secrets_that_it_uses(template: Json, name: str) -> None:
    assert set(secrets(template, name)) == USED[name]


@pytest.mark.parametrize("name", USED)
def test_tasks_without_mail_get_no_mail_settings_and_reach_no_mail_server(
    template: Json, name: str
) -> None:
    mails = USED[name] >= SMTP

    assert any("EMAIL" in variable for variable in environment(template, name)) is mails
    (group,) = [
        one["Properties"]
        for one in of_type(template, "AWS::EC2::SecurityGroup").values()
        if one["Properties"]["GroupDescription"] == f"Galv task {name}"
    ]
    ports = {rule["FromPort"] for rule in group["SecurityGroupEgress"] if "CidrIp" in rule}
    assert ports == ({443, 587} if mails else {443})


@pytest.mark.parametrize("name", USED)
def test_each_execution_role_reads_the_secrets_of_its_task_alone(template: Json, name: str) -> None:
    _, definition = task_definition(template, name)
    role = definition["ExecutionRoleArn"]["Fn::GetAtt"][0]

    readable = {
        str(resource)
        for statement in statements(template, role)
        if any("secretsmanager:Get" in action for action in as_list(statement["Action"]))
        for resource in as_list(statement["Resource"])
    }

    assert readable == {_whole(value) for value in secrets(template, name).values()}


@pytest.mark.parametrize("name", USED)
def test_no_task_role_reads_a_secret(template: Json, name: str) -> None:
    """The application would otherwise read what its task was not given."""
    _, definition = task_definition(template, name)
    role = definition["TaskRoleArn"]["Fn::GetAtt"][0]

    for statement in statements(template, role):
        assert not any("secretsmanager" in action for action in as_list(statement["Action"]))


def test_handlers_of_releases_know_the_names_of_secrets_and_read_none(template: Json) -> None:
    runs = of_type(template, "Custom::GalvReleaseTask")
    assert runs
    for run in runs.values():
        name = run["Properties"]["ContainerName"]
        assert set(run["Properties"]["SecretNames"]) == USED[name]
    for logical_id in of_type(template, "AWS::IAM::Role"):
        if "HandlerRole" in logical_id:
            for statement in statements(template, logical_id):
                assert "secretsmanager" not in str(statement["Action"])


def _whole(value: Json | str) -> str:
    """The ARN of a secret, of a reference to a part of it."""
    if isinstance(value, dict) and "Fn::Join" in value:
        return str(value["Fn::Join"][1][0])
    return str(value)
