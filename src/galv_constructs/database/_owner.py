"""The role that owns Galv's database, and the login that its tasks use."""

import json
from collections.abc import Sequence
from dataclasses import replace

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import (
    ROTATED_BY_DEPLOYMENT,
    acknowledge,
    secret_findings,
)
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.tasks._longest_run import seconds_in_use
from galv_constructs.tasks._release_run import ReleaseRun
from galv_constructs.tasks._task import LONGEST_STOP
from galv_constructs.tasks.release_steps import ReleaseStep, shell_command
from galv_constructs.tasks.release_task import GalvReleaseTask

MASTER_USER = "GALV_DATABASE_MASTER_USER"
MASTER_PASSWORD = "GALV_DATABASE_MASTER_PASSWORD"  # noqa: S105 - the name of a variable
OWNER = "GALV_DATABASE_OWNER"
NEW_DATABASE = "GALV_DATABASE_NEW"
_COMMAND = ("python", "-m", "galv_task.own_database")


def setup_steps(steps: Sequence[ReleaseStep]) -> list[ReleaseStep]:
    """Let setup create the roles, then run the other steps without the master's password."""
    without = ["env", "-u", MASTER_USER, "-u", MASTER_PASSWORD]
    return [
        ReleaseStep(name="own_database", command=_COMMAND),
        *(replace(step, command=[*without, *step.command]) for step in steps),
    ]


class DatabaseOwner(Construct):
    """A login of a role that is no master: its secret, and how setup creates both roles.

    A rotation is another login, not another password of one: old tasks, and a rollback, go on with
    theirs.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: IGalvDatabase,
        encryption_key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, id)
        name, rotation = database.database_name, database.rotation
        self._login = f"{name}_tasks_{rotation}"
        self._master_secret = database.secret
        self.environment = {OWNER: f"{name}_owner"}
        if database.creates_database:
            self.environment[NEW_DATABASE] = name
        # A secret each, so that tasks with the old one can start until the deployment has ended.
        self.secret = secretsmanager.Secret(
            self,
            f"Secret{rotation}",
            description="User name and password that Galv's tasks sign in to the database with",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": self._login}),
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
            encryption_key=encryption_key,
            # Setup gives the login another password, also in a snapshot that was restored.
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(self.secret, secret_findings(encryption_key, not_rotated=ROTATED_BY_DEPLOYMENT))

    @property
    def secrets(self) -> dict[str, ecs.Secret]:
        """The master's credentials, for setup only."""
        return {
            MASTER_USER: ecs.Secret.from_secrets_manager(self._master_secret, "username"),
            MASTER_PASSWORD: ecs.Secret.from_secrets_manager(self._master_secret, "password"),
        }

    def retire_old(self, setup: GalvReleaseTask, drain: Duration) -> None:
        """Refuse the old password when a rotation is over, and old tasks have had time to end.

        Web tasks end after their requests. Runs of a schedule that started before go on until
        their timeout, and so does a release task when its deployment is rolled back.
        """
        web = drain.plus(Duration.seconds(LONGEST_STOP))
        seconds = seconds_in_use(self.secret, at_least=web)
        run = setup.node.find_child("Run")
        assert isinstance(run, ReleaseRun)  # noqa: S101 - what a release task is made of
        retired = run.run_when_replaced(
            "OldLogin",
            resource_type="Custom::GalvDatabaseLogin",
            value=self._login,
            # As a step, so that its log reads as that of any run of setup.
            command=shell_command(
                [
                    ReleaseStep(
                        name="retire_login",
                        command=[*_COMMAND, "retire", self._login, seconds],
                    )
                ]
            ),
            command_text=f"retire {self._login}",
        )
        retired.node.add_dependency(self.secret)
