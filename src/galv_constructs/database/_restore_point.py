"""A snapshot of the database before setup runs."""

import re
from collections.abc import Callable

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rds as rds

from galv_constructs._core.acknowledge import acknowledge_wildcards
from galv_constructs._core.validation import is_token
from galv_constructs.database.interface import IGalvDatabase
from galv_constructs.tasks._release_run import ReleaseRun
from galv_constructs.tasks.release_task import GalvReleaseTask

_KEPT = 5


def check_restore_point(
    database: IGalvDatabase | Callable[..., IGalvDatabase], *, wanted: bool | None
) -> None:
    """Refuse to make snapshots of a server that only its host name is known of."""
    if wanted and not callable(database) and database.resource is None:
        raise ValueError(
            "snapshot_before_setup=True needs a database that is known as an instance or a "
            f"cluster of RDS, and of database only the host {database.host} is: pass "
            "GalvDatabase.from_instance(…) or from_cluster(…), or leave snapshot_before_setup out"
        )


def add_restore_point(
    setup: GalvReleaseTask, database: rds.IDatabaseInstance | rds.IDatabaseCluster, version: str
) -> None:
    """Let setup run after a snapshot has been made, in a deployment that changes the image."""
    run = setup.node.find_child("Run")
    container = setup.task_definition.default_container
    assert isinstance(run, ReleaseRun)  # noqa: S101 - what a release task is made of
    assert container is not None  # noqa: S101 - what a task is made of
    stack = Stack.of(setup)
    cluster = getattr(database, "cluster_identifier", None)
    identifier = str(cluster or getattr(database, "instance_identifier", ""))
    name = "galv" if is_token(stack.stack_name) else stack.stack_name.lower()
    prefix = re.sub("-+", "-", f"{name}-before")
    _grant(run.role, identifier, prefix, is_cluster=cluster is not None)
    run.run_before(
        "RestorePoint",
        resource_type="Custom::GalvRestorePoint",
        properties={
            "Database": identifier,
            "Kind": "instance" if cluster is None else "cluster",
            "Image": container.image_name,
            "Version": version,
            "Prefix": prefix,
            "Keep": str(_KEPT),
        },
    )


def _grant(role: iam.Role, identifier: str, prefix: str, *, is_cluster: bool) -> None:
    """Let the handlers make snapshots of the database, and delete those that they made.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
    """
    stack, kind = Stack.of(role), "Cluster" if is_cluster else ""

    def arn(resource: str, name: str) -> str:
        return stack.format_arn(
            service="rds",
            resource=resource,
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    snapshot = "cluster-snapshot" if is_cluster else "snapshot"
    database = arn("cluster" if is_cluster else "db", identifier)
    own, every = arn(snapshot, f"{prefix}-*"), arn(snapshot, "*")
    for actions, resources in (
        ([f"rds:CreateDB{kind}Snapshot"], [database, own]),
        (["rds:AddTagsToResource", f"rds:DeleteDB{kind}Snapshot"], [own]),
        ([f"rds:DescribeDB{kind}Snapshots"], [database, every]),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
    acknowledge_wildcards(role, {own: _OWN, every: _LISTED})


_OWN = "A snapshot is named after the release, which is not known before."
_LISTED = "RDS lists snapshots of a database, and answers for each by its name."
