"""Waking what sleeps before a deployment changes it."""

from collections.abc import Sequence

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as cr
from constructs import Construct, IConstruct, IDependable

from galv_constructs._core.acknowledge import DEPLOYMENT_FUNCTIONS, acknowledge
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs.tasks._stack_contents import contents_of_stack, parameters_of_stack

# A database starts in five to ten minutes. CloudFormation waits an hour for a custom resource.
_TIMEOUT = Duration.minutes(40)


class Waking(Construct):
    """Two custom resources: one before all that a deployment changes, one after it.

    The first is asked in each deployment that changes anything. It cannot refer to what sleeps,
    which waits for it, and so knows the logical id of the function that wakes. Its permission to
    call that function is a policy apart, which it does not wait for: the last deployment left it.
    The second is deleted first, and wakes what nothing would wake any more.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.Function,
        before: Sequence[IConstruct],
        after: Sequence[IDependable],
        log_group: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        role = handler_role(self)
        log_group.grant_write(role)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStackResource", "cloudformation:DescribeStacks"],
                resources=[stack.stack_id],
            )
        )
        on_event, is_complete = (
            handler_function(
                self,
                id,
                module="wake",
                entry=entry,
                description=f"Wakes what sleeps before a deployment of {stack.node.path}: {entry}",
                role=role,
                log_group=log_group,
                timeout=Duration.minutes(5),
            )
            for id, entry in (("OnEvent", "on_event"), ("IsComplete", "is_complete"))
        )
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - what an L2 function is made of
        self.first = handled_resource(
            self,
            resource_type="Custom::GalvWake",
            on_event=on_event,
            is_complete=is_complete,
            log_group=log_group,
            timeout=_TIMEOUT,
            properties={
                "LogicalId": stack.get_logical_id(resource),
                "Deployment": contents_of_stack(self),
                "Parameters": parameters_of_stack(self),
            },
        )
        for held in before:
            held.node.add_dependency(self.first)
        call = iam.Policy(
            self,
            "CallPolicy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"], resources=[function.function_arn]
                )
            ],
        )
        provider = self.node.find_child("Provider")
        assert isinstance(provider, cr.Provider)  # noqa: S101 - what a handled resource has
        self.last = CustomResource(
            self,
            "Last",
            resource_type="Custom::GalvSleep",
            service_token=provider.service_token,
            service_timeout=_TIMEOUT.plus(Duration.minutes(10)),
            properties={
                "Function": function.function_name,
                "TimeoutSeconds": str(round(_TIMEOUT.to_seconds())),
            },
        )
        self.last.node.add_dependency(call, *before, *after)
