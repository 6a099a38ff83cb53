"""The contents of a stack, as one text that changes with it."""

import hashlib
import json
from typing import Any

import jsii
from aws_cdk import (
    CfnParameter,
    CfnResource,
    IResolvable,
    IStableAnyProducer,
    IStableStringProducer,
    Lazy,
    Stack,
)
from constructs import Construct

# Of CDK's bootstrap, which is looked at before a deployment begins.
_BOOTSTRAP_VERSION = "BootstrapVersion"
# They run when the text changes, and would otherwise be part of it.
_RUNS = ("Custom::GalvReleaseTask", "Custom::GalvWake")


def contents_of_stack(scope: Construct) -> str:
    """Return a token for a text that is the same as long as the stack's resources are.

    It is a hash of the properties of all resources, so that two syntheses of one input agree and a
    deployment that changes nothing stays one. CloudFormation asks a custom resource only when a
    property of its own has changed.
    """
    return Lazy.string(_Contents(Stack.of(scope)))


def parameters_of_stack(scope: Construct) -> IResolvable:
    """Return a token for the values of the stack's parameters, which are known in a deployment.

    A deployment may change them and nothing else. Without those that `NoEcho` hides, and without
    CDK's own.
    """
    return Lazy.any(_Parameters(Stack.of(scope)), omit_empty_array=True)


@jsii.implements(IStableAnyProducer)
class _Parameters:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def produce(self) -> Any:
        found = (
            child
            for child in self._stack.node.find_all()
            if isinstance(child, CfnParameter)
            and Stack.of(child) is self._stack
            and not child.no_echo
        )
        names = (self._stack.resolve(child.logical_id) for child in found)
        return [{"Ref": name} for name in names if name != _BOOTSTRAP_VERSION]


@jsii.implements(IStableStringProducer)
class _Contents:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def produce(self) -> str:
        resources = [
            child
            for child in self._stack.node.find_all()
            if isinstance(child, CfnResource)
            and Stack.of(child) is self._stack
            and child.cfn_resource_type not in _RUNS
        ]
        contents = self._stack.resolve(
            [
                [child.node.path, child.cfn_resource_type, child._cfn_properties]  # noqa: SLF001 - what else says what a resource is
                for child in resources
            ]
        )
        text = json.dumps(contents, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]
