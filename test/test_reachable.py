"""Every resource is an attribute of its construct, so that nobody has to look for it by its id."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from aws_cdk import Resource, Stack
from backends import whole_backend_in, zone_in
from test_snapshots import CONSTRUCTS

import galv_constructs
from galv_constructs import GalvFrontend

# Kinds that no property leads to, each with the reason.
INTERNAL = {
    "Asset": "files that a deployment uploads",
    "BucketPolicy": "bucket.policy, or bucket.add_to_resource_policy",
    "CachePolicy": "of the static files' distribution",
    "CustomResource": "resource, where something may wait for it",
    "DatabaseSecret": "secret of the database is the same, attached",
    "Function": "what deployments run, or CDK's; its log group is there",
    "Group": "the mail user's permissions: iam_user",
    "ManagedPolicy": "the mail user's permissions: iam_user",
    "ParameterGroup": "of the database",
    "Policy": "of a role",
    "ResponseHeadersPolicy": "content_security_policy is how it is changed",
    "Role": "of a function, a schedule or ECS itself; task_role is there",
    "S3OriginAccessControl": "of a distribution",
    "SubnetGroup": "of the database",
}
# Of those kinds, what no property leads to either: the ends of paths, each with the reason.
ALSO_INTERNAL = {
    "/AssetBucket": "what the CDK made at its bootstrap",
    "/Protection/LogGroup": "galv-ops logs shows it",
    "/CheckStatus/Run/LogGroup": "galv-ops logs shows it",
    "/CheckStatus/Task/SecurityGroup": "check_status_run_command names it",
    "/Database/SecurityGroup": "database.security_group",
    "/ReportsSecurityGroup": "connections of the replica",
    "/Database/Reports": "what add_read_replica returns",
    "/Cluster/ExecLogGroup": "cluster.execute_command_configuration",
}


def frontend(stack: Stack) -> None:
    GalvFrontend(
        stack,
        "Frontend",
        domain_name="app.example.com",
        alternative_domain_names=["www.example.com"],
        api_url="https://api.example.com",
        hosted_zone=zone_in(stack),
    )


MADE: dict[str, Callable[[Stack], object]] = {
    **CONSTRUCTS,
    "backend-with-shells": lambda stack: whole_backend_in(stack, execute_command=True),
    "frontend": frontend,
}


@pytest.mark.parametrize("name", MADE)
def test_each_kind_can_be_reached(stack: Stack, name: str) -> None:
    MADE[name](stack)
    constructs = [one for one in stack.node.children if type(one).__name__ in dir(galv_constructs)]
    reached = {path for construct in constructs for path in reachable(construct)}

    unreached = {
        f"{type(one).__name__} {one.node.path}"
        for construct in constructs
        for one in construct.node.find_all()
        if isinstance(one, Resource)
        and type(one).__name__ not in {*INTERNAL, "Resource"}
        and not one.node.path.endswith(tuple(ALSO_INTERNAL))
        and not any(
            one.node.path == path or one.node.path.startswith(f"{path}/") for path in reached
        )
    }

    assert unreached == set()


def reachable(construct: object) -> Iterator[str]:
    """The paths of what public properties hold, also those of our own constructs among it."""
    for name in dir(type(construct)):
        if name.startswith("_") or not isinstance(getattr(type(construct), name), property):
            continue
        value = getattr(construct, name)
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            node = getattr(one, "node", None)
            if node is None or one is construct or name == "node":
                continue
            yield node.path
            if type(one).__name__ in dir(galv_constructs):
                yield from reachable(one)
