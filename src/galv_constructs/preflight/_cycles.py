"""Refusing a function that preflight asks, and that itself waits for preflight."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsii
from aws_cdk import CfnResource, Stack
from constructs import Dependable, IConstruct, IValidation


@jsii.implements(IValidation)
class Cycles:
    """Finds checks that wait for what waits for the answers, at synthesis.

    CloudFormation says of such a stack only that it has a circular dependency, with all that is in
    it. CDK validates the tree when it has written each dependency into the resources.
    """

    def __init__(self, resource: IConstruct, waits_for: Mapping[str, IConstruct]) -> None:
        """Remember the custom resource, and what it waits for by the check's id."""
        self._resource = resource
        self._waits_for = waits_for

    def validate(self) -> list[str]:
        if not self._waits_for:
            return []
        stack = Stack.of(self._resource)
        resources = {
            stack.resolve(one.logical_id): one
            for one in stack.node.find_all()
            if isinstance(one, CfnResource) and Stack.of(one).node.path == stack.node.path
        }
        (end,) = _ids(stack, self._resource)
        found = []
        for check, construct in self._waits_for.items():
            path = _path(resources, _ids(stack, construct).intersection(resources), end)
            if path:
                names = [resources[id].node.path for id in path]
                found.append(
                    f"preflight's check {check!r} waits for {construct.node.path}, which waits for "
                    f"preflight: {' -> '.join(names)}. Let the function do without "
                    f"{names[-2]}, or ask no question of it"
                )
        return found


def _ids(stack: Stack, construct: IConstruct) -> set[str]:
    """Return the logical ids of what a dependency on a construct waits for."""
    return {
        stack.resolve(one.logical_id)
        for root in Dependable.of(construct).dependency_roots
        for one in root.node.find_all()
        if isinstance(one, CfnResource)
    }


def _path(resources: Mapping[str, CfnResource], starts: set[str], end: str) -> list[str]:
    """Return a shortest path by logical ids, along what each resource waits for."""
    before: dict[str, str | None] = dict.fromkeys(sorted(starts))
    queue = list(before)
    for id in queue:
        if id == end:
            path = [id]
            while (last := before[path[0]]) is not None:
                path.insert(0, last)
            return path
        for other in _needs(resources[id]):
            if other in resources and other not in before:
                before[other] = id
                queue.append(other)
    return []


def _needs(resource: CfnResource) -> Iterator[str]:
    """Yield the logical ids of what a resource depends on or refers to."""
    stack = Stack.of(resource)
    for other in resource.obtain_dependencies():
        # Of another stack it is the stack.
        if isinstance(other, CfnResource):
            yield str(stack.resolve(other.logical_id))
    # CDK tells them to subclasses, and to nobody else before the template is written.
    yield from _references(stack.resolve(resource._cfn_properties))  # noqa: SLF001


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(id)}:
            yield id
        case {"Fn::GetAtt": [str(id), *_]}:
            yield id
        case dict():
            for part in value.values():
                yield from _references(part)
        case list():
            for part in value:
                yield from _references(part)
