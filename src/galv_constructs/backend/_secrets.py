"""Secrets of the application itself, generated where they are kept."""

from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, secret_findings
from galv_constructs._core.policy import DeploymentPolicy


class ApplicationSecrets(Construct):
    """Django's secret key and the first superuser's password."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        policy: DeploymentPolicy,
        encryption_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, id)
        self.secret_key = secretsmanager.Secret(
            self,
            "SecretKey",
            description="Django's secret key: sessions and links in e-mails are signed with it",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64),
            encryption_key=encryption_key,
            removal_policy=policy.data_removal,
        )
        self.superuser_password = secretsmanager.Secret(
            self,
            "SuperuserPassword",
            description="First password of Galv's superuser",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=32, exclude_punctuation=True
            ),
            encryption_key=encryption_key,
            removal_policy=policy.data_removal,
        )
        for secret, not_rotated in (
            (self.secret_key, _WHY_KEY_STAYS),
            (self.superuser_password, _WHY_FIRST_ONE_STAYS),
        ):
            acknowledge(secret, secret_findings(encryption_key, not_rotated=not_rotated))


_WHY_KEY_STAYS = (
    "A new key signs every user out and breaks links already sent; it is "
    "changed by a person who means that to happen."
)
_WHY_FIRST_ONE_STAYS = (
    "Read once, when the superuser is created; from then on the "
    "password lives in the application, where rotating this secret would not change it."
)
