"""Secrets are generated where they are kept, and only those read them who need to."""

import re

from templates import (
    Json,
    as_list,
    environment,
    key_arn,
    of_type,
    only,
    only_id,
    references,
    secrets,
    statements,
    task_definition,
    text,
)

SECRET = "AWS::SecretsManager::Secret"
PASSWORD = "DJANGO_SUPERUSER_PASSWORD"


def readers(template: Json, secret_id: str) -> set[str]:
    """The roles that may read a secret."""
    return {
        role_id
        for role_id in of_type(template, "AWS::IAM::Role")
        for statement in statements(template, role_id)
        if "secretsmanager:GetSecretValue" in as_list(statement["Action"])
        and secret_id in references(statement["Resource"])
    }


def execution_role(template: Json, name: str) -> str:
    _, properties = task_definition(template, name)
    role_id: str = properties["ExecutionRoleArn"]["Fn::GetAtt"][0]
    return role_id


def test_every_secret_is_generated(default: Json) -> None:
    made = [resource["Properties"] for resource in of_type(default, SECRET).values()]

    assert len(made) == 4
    for properties in made:
        assert "SecretString" not in properties
        assert properties["GenerateSecretString"]["PasswordLength"] >= 30


def test_no_secret_value_is_in_the_template(mailing: Json) -> None:
    values = {
        name: value
        for task in ("web", "setup-db", "check-status")
        for name, value in environment(mailing, task).items()
    }
    assert not [name for name in values if re.search(r"PASSWORD|SECRET|TOKEN|_KEY|USER$", name)]
    # Whatever is called a password elsewhere is a reference that is resolved in the deployment.
    passwords = re.findall(
        r'"(?:MasterUserPassword|Password|SecretString)": ("[^"]*"|\{)', text(mailing)
    )
    assert passwords == ["{"]
    master = only(mailing, "AWS::RDS::DBInstance")["MasterUserPassword"]["Fn::Join"][1]
    assert master[0] == "{{resolve:secretsmanager:"


def test_the_secret_key_goes_to_every_task(default: Json) -> None:
    reference = {"Ref": only_id(default, SECRET, "BackendSecretsSecretKey")}

    for name in ("web", "setup-db", "check-status"):
        assert secrets(default, name)["DJANGO_SECRET_KEY"] == reference


def test_the_superuser_s_password_goes_to_the_setup_task_alone(default: Json) -> None:
    secret_id = only_id(default, SECRET, "BackendSecretsSuperuserPassword")

    assert secrets(default, "setup-db")[PASSWORD] == {"Ref": secret_id}
    for name in ("web", "check-status"):
        assert PASSWORD not in secrets(default, name)
        assert PASSWORD not in environment(default, name)
    assert readers(default, secret_id) == {execution_role(default, "setup-db")}


def test_the_database_password_goes_to_execution_roles_alone(default: Json) -> None:
    secret_id = only_id(default, SECRET, "BackendLogin")

    assert readers(default, secret_id) == {
        execution_role(default, name) for name in ("web", "setup-db", "check-status")
    }


def test_only_setup_signs_in_as_the_database_master(default: Json) -> None:
    attached = only_id(default, "AWS::SecretsManager::SecretTargetAttachment")
    secret_id = only_id(default, SECRET, "BackendDatabase")

    assert readers(default, attached) == {execution_role(default, "setup-db")}
    assert readers(default, secret_id) == set()


def test_passwords_have_only_characters_that_their_readers_accept(default: Json) -> None:
    password = only(default, SECRET, "BackendSecretsSuperuserPassword")["GenerateSecretString"]
    key = only(default, SECRET, "BackendSecretsSecretKey")["GenerateSecretString"]

    # A person types the first one.
    assert (password["PasswordLength"], password["ExcludePunctuation"]) == (32, True)
    assert key["PasswordLength"] == 64


def test_encrypts_with_the_given_key(encrypted: Json) -> None:
    key = key_arn(encrypted)

    keys = [
        resource["Properties"].get("KmsKeyId") for resource in of_type(encrypted, SECRET).values()
    ]
    assert keys == [key] * 4
    for name in ("web", "setup-db", "check-status"):
        assert any(
            "kms:Decrypt" in as_list(statement["Action"]) and statement["Resource"] == key
            for statement in statements(encrypted, execution_role(encrypted, name))
        )


def test_encrypts_with_the_key_of_aws_when_none_is_given(default: Json) -> None:
    assert all(
        "KmsKeyId" not in secret["Properties"] for secret in of_type(default, SECRET).values()
    )
