"""Setup of a release, on a copy of the database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.acknowledge import acknowledge, secret_findings
from galv_constructs._core.placement import check_secrets_place
from galv_constructs._core.validation import check_fargate_size, check_type, check_variables
from galv_constructs.backend._container import entry_point
from galv_constructs.backend._environment import RESERVED_VARIABLES
from galv_constructs.backend.backend import GalvBackend
from galv_constructs.database._owner import MASTER_PASSWORD, OWNER, setup_steps
from galv_constructs.database.database import GalvDatabase
from galv_constructs.tasks._status_check import let_list_buckets
from galv_constructs.tasks._task import Task
from galv_constructs.tasks._task_construct import TaskConstruct
from galv_constructs.tasks.release_steps import ReleaseStep, check_steps, shell_command

TASK_NAME = "rehearse-setup"
# "invalid" is a name that never leads anywhere: https://www.rfc-editor.org/rfc/rfc6761#section-6.4
_NOWHERE = "rehearsal.invalid"
_WRITES_FILES = "collectstatic"


class GalvRehearsal(TaskConstruct):
    """Lets the setup of a release run on a copy of the database, before it is deployed.

    Defines a task with roles, security group and log group of its own; a security group for the
    copy, which that task alone reaches; and a secret with a generated password, which the copy's
    master, Django and the login of the tasks get in place of production's. The copy itself is
    created when it is needed, and deleted after that.

    The task runs setup as production does, but for the step `collectstatic`, which would write the
    files that browsers run. It may read uploads and static files, and write neither; has no secret
    of the backend; reaches no SMTP port, and has a mail server that does not exist. No rule lets it
    into production's database.

    As an `iam.IGrantable` it is the task role, as an `ec2.IConnectable` the task's security group.

    Costs, while nothing is rehearsed, a secret ($0.40 a month).

    Example:
        ```python
        GalvRehearsal(self, "Rehearsal", backend=backend)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        backend: GalvBackend,
        steps: Sequence[ReleaseStep] | None = None,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        cpu: int | None = None,
        memory_limit_mib: int | None = None,
    ) -> None:
        """Define what a rehearsal runs with.

        Args:
            scope: Parent of this construct, in the stack of `backend`.
            id: Id of this construct in its parent.
            backend: Backend whose releases are rehearsed. Its database has to be a `GalvDatabase`.
            steps: Commands that are rehearsed. Default: the backend's `setup_steps`, without one
                that is named `collectstatic`.
            environment: Variables in addition to the backend's. Default: none.
            secrets: Variables from Secrets Manager, such as credentials for a system that is there
                to be tried. Default: none; `secrets` of the backend are not passed on, as they
                may lead to data of production.
            cpu: CPU units; 1024 is one vCPU. Default: those of setup.
            memory_limit_mib: Memory in MiB. Default: that of setup.

        Raises:
            ValueError: If an argument is malformed or out of range, `backend` is in another stack,
                or its database is no `GalvDatabase`.
        """
        check_type("backend", backend, GalvBackend, "a GalvBackend")
        database = _check_backend(scope, backend)
        if steps is not None:
            check_steps("steps", steps)
        check_variables(environment or {}, secrets or {}, RESERVED_VARIABLES)
        check_secrets_place(scope, secrets)
        setup = backend.setup.task_definition
        cpu = int(setup.cpu) if cpu is None else cpu
        if memory_limit_mib is None:
            memory_limit_mib = int(setup.memory_mib)
        check_fargate_size(cpu, memory_limit_mib)
        super().__init__(scope, id)
        runtime = backend.runtime
        self._copy_security_group = ec2.SecurityGroup(
            self,
            "CopySecurityGroup",
            vpc=backend.vpc,
            description="Copy of the Galv database, for a rehearsal",
            allow_all_outbound=False,
        )
        self._secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Password of the copy of Galv's database that a release is rehearsed on",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"rehearsal": True}),
                generate_string_key="password",
                # Django warns of keys with less than 50; RDS takes 128.
                password_length=64,
                exclude_punctuation=True,
            ),
            encryption_key=runtime.encryption_key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(self._secret, secret_findings(runtime.encryption_key, not_rotated=_NOT_ROTATED))
        password = ecs.Secret.from_secrets_manager(self._secret, "password")
        variables = {
            **runtime.environment,
            "POSTGRES_HOST": _NOWHERE,
            "DJANGO_EMAIL_HOST": _NOWHERE,
        }
        own = {"DJANGO_SECRET_KEY": password, "POSTGRES_PASSWORD": password}
        wanted = backend._setup_steps if steps is None else steps  # noqa: SLF001 - the library's
        wanted = [step for step in wanted if steps is not None or step.name != _WRITES_FILES]
        if database.owner_role:
            variables |= {
                OWNER: f"{database.database_name}_owner",
                "POSTGRES_USER": f"{database.database_name}_tasks_{database.rotation}",
            }
            own[MASTER_PASSWORD] = password
            wanted = setup_steps(wanted)
        self._task = Task(
            self,
            "SetupTask",
            runtime=replace(
                runtime,
                entry_point=entry_point(
                    check_status=True, own_database=True, rehearsal=True, setup=True
                ),
                environment={**variables, **(environment or {})},
                secrets={**own, **(secrets or {})},
                connects_to=[
                    ec2.Connections(
                        security_groups=[self._copy_security_group],
                        default_port=database.connections.default_port,
                    )
                ],
                egress_ports=[443],
                depends_on=list(runtime.network.connectivity),
                gates=[],
            ),
            name=TASK_NAME,
            command=["python", "-m", "galv_task.rehearsal", *shell_command(wanted)],
            cpu=cpu,
            memory_limit_mib=memory_limit_mib,
        )
        let_list_buckets(self._task)

    @property
    def copy_security_group(self) -> ec2.ISecurityGroup:
        """Security group that copies of the database get."""
        return self._copy_security_group

    @property
    def secret(self) -> secretsmanager.ISecret:
        """Secret whose `password` the master of a copy gets."""
        return self._secret


def _check_backend(scope: Construct, backend: GalvBackend) -> GalvDatabase:
    """Refuse a backend whose database cannot be copied beside it."""
    own, other = Stack.of(scope), Stack.of(backend)
    if own is not other:
        raise ValueError(
            f"backend ({backend.node.path}) is in the stack {other.node.path}, and this in "
            f"{own.node.path}: define GalvRehearsal in the stack of the backend, where galv-ops "
            "looks for it"
        )
    database = backend.database
    if not isinstance(database, GalvDatabase):
        raise ValueError(
            f"backend ({backend.node.path}) has a database that is no GalvDatabase "
            f"({type(database).__name__}), and a rehearsal copies the instance of a GalvDatabase "
            "alone: rehearse on a copy of your own, as a backend of its own with database="
            "GalvDatabase.from_cluster(…) or from_attributes(…), or leave out GalvRehearsal"
        )
    return database


_NOT_ROTATED = (
    "It opens copies of the database that live for an hour, and each is given it anew by whoever "
    "rehearses."
)
