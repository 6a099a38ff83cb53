"""Finding a deployment: by the name of a stack, or by the tag `project-name`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from botocore.exceptions import ClientError

from galv_ops.answers import error_code
from galv_ops.errors import USAGE, OpsError, explain, is_denied
from galv_ops.query.aws import EDGE_REGION, Aws
from galv_ops.query.deployment import Deployment, is_backend, is_galv
from galv_ops.query.stack import Stack

TAG = "project-name"
# How the name of a stack ends that GalvFrontend creates in us-east-1.
_EDGE = "-Edge"


def find(aws: Aws, *, stack: str | None, project: str | None) -> Deployment:
    """Find the deployment that is meant.

    Args:
        aws: Account and region to look in.
        stack: Name of one of its stacks. Default: what `project` says.
        project: Value of the tag `project-name` on its stacks. Default: the only one there is.

    Raises:
        OpsError: If there is none, or more than one.
    """
    if stack is not None:
        return _by_stack(aws, stack)
    projects = _projects(aws)
    if project is None:
        project = _only(aws, projects)
    elif project not in projects:
        raise OpsError(
            f"no stack in {aws.region} has the tag {TAG}={project}{_there_are(projects)}: check "
            "--project, --region and --profile"
        )
    return _deployment(aws, project, projects[project])


def _by_stack(aws: Aws, name: str) -> Deployment:
    try:
        (description,) = aws.cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error_code(error) != "ValidationError":
            raise
        there = _there_are([stack.name for stack in _stacks(aws) if TAG in stack.tags])
        raise OpsError(
            f"there is no stack {name} in {aws.region}{there}: check --stack, --region and "
            "--profile"
        ) from error
    stack = Stack(aws, description)
    project = stack.tags.get(TAG)
    if project is None:
        return _deployment(aws, stack.name, [stack])
    others = [other for other in _projects(aws)[project] if other.id != stack.id]
    return _deployment(aws, project, [stack, *others], named=stack)


def _deployment(
    aws: Aws, name: str, stacks: Sequence[Stack], named: Stack | None = None
) -> Deployment:
    backends = [stack for stack in stacks if is_backend(stack)]
    if named in backends:
        # Of several backends with one tag, this one is meant.
        stacks = [stack for stack in stacks if stack is named or stack not in backends]
        backends = [stack for stack in backends if stack is named]
    if len(backends) > 1:
        names = ", ".join(stack.name for stack in backends)
        raise OpsError(f"{name} has several backends: pass --stack with one of {names}", USAGE)
    if all(stack.name.endswith(_EDGE) for stack in stacks):
        raise OpsError(
            f"of {name} there is only {', '.join(stack.name for stack in stacks)} in {aws.region}, "
            "which holds what CloudFront needs there: the deployment itself is in another region, "
            "so pass --region"
        )
    edge, unseen = _edge(aws, name, stacks)
    return Deployment(aws, name, [*stacks, *edge], backends[0] if backends else None, unseen)


def _only(aws: Aws, projects: dict[str, list[Stack]]) -> str:
    found = [name for name, stacks in projects.items() if any(is_galv(stack) for stack in stacks)]
    if len(found) > 1:
        raise OpsError(
            f"there are several deployments in {aws.region}: choose one with --project, of "
            f"{', '.join(sorted(found))}",
            USAGE,
        )
    edge = [
        stack.name for stacks in projects.values() for stack in stacks if stack.name.endswith(_EDGE)
    ]
    if not found and edge:
        raise OpsError(
            f"there is no Galv in {aws.region} but for {', '.join(sorted(edge))}, which holds what "
            "CloudFront needs there: the deployment itself is in another region, so pass --region"
        )
    if not found:
        # One that failed early has nothing yet that tells it from other projects.
        choose = f", choose one of {', '.join(sorted(projects))} with --project" if projects else ""
        raise OpsError(
            f"there is no Galv in {aws.region} on stacks with the tag {TAG}: check --region and "
            f"--profile{choose}, or pass --stack with the name of a stack"
        )
    return found[0]


def _projects(aws: Aws) -> dict[str, list[Stack]]:
    """Return the stacks of the region by the value of the tag."""
    projects: dict[str, list[Stack]] = {}
    for stack in _stacks(aws):
        if TAG in stack.tags:
            projects.setdefault(stack.tags[TAG], []).append(stack)
    return projects


def _stacks(aws: Aws) -> list[Stack]:
    pages = aws.cloudformation.get_paginator("describe_stacks").paginate()
    return [Stack(aws, description) for page in pages for description in page["Stacks"]]


def _edge(aws: Aws, project: str, stacks: Sequence[Stack]) -> tuple[list[Stack], list[str]]:
    """Return the stacks of the deployment in us-east-1, and what could not be seen of them.

    They hold what is for CloudFront.
    """
    if aws.region == EDGE_REGION:
        return [], []
    try:
        found = _stacks(aws.in_region(EDGE_REGION))
    except ClientError as error:
        # Many organisations forbid other regions.
        if is_denied(error):
            return [], [f"stacks in {EDGE_REGION}: {explain(error)}"]
        raise
    own = {f"{stack.name}{_EDGE}" for stack in stacks}
    tagged = [stack for stack in found if stack.tags.get(TAG) == project and stack.name not in own]
    if any(is_backend(stack) for stack in tagged):
        # The same project is deployed there too, and has stacks of its own.
        tagged = []
    return [stack for stack in found if stack in tagged or stack.name in own], []


def _there_are(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names))
    return f" (there are: {listed})" if listed else ""
