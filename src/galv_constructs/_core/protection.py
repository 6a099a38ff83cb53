"""Deletion protection that closes when a deployment has succeeded."""

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct, IDependable

from galv_constructs._core.acknowledge import (
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
)
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs._core.logs import new_log_group
from galv_constructs._core.policy import DeploymentPolicy

CLOSED_AT_THE_END = (
    "Deletion protection is turned on when a deployment has succeeded, and not by the template: "
    "a first deployment that fails could not be rolled back."
)


class Protection(Construct):
    """A custom resource that turns deletion protection on, or off, at the end of a deployment.

    It is there whether the protection is on or not, so that switching it off is an update of its
    own. It waits for `after`, and is therefore deleted before any of it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        policy: DeploymentPolicy,
        databases: Sequence[rds.IDatabaseInstance | rds.IDatabaseCluster],
        load_balancers: Sequence[elbv2.ApplicationLoadBalancer],
        encryption_key: kms.IKey | None,
        after: Sequence[IDependable],
    ) -> None:
        super().__init__(scope, id)
        log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=encryption_key,
        )
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        role = handler_role(self)
        log_group.grant_write(role)
        stack_id = root_stack(self).stack_id
        clusters = [one for one in databases if isinstance(one, rds.DatabaseClusterBase)]
        instances = [one for one in databases if isinstance(one, rds.DatabaseInstanceBase)]
        cluster_arns = [cluster.cluster_arn for cluster in clusters]
        statements = {
            "rds:DescribeDBInstances": [instance.instance_arn for instance in instances],
            "rds:ModifyDBInstance": [instance.instance_arn for instance in instances],
            "rds:DescribeDBClusters": cluster_arns,
            "rds:ModifyDBCluster": cluster_arns,
            "elasticloadbalancing:ModifyLoadBalancerAttributes": [
                load_balancer.load_balancer_arn for load_balancer in load_balancers
            ],
            # Knows no resources.
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_elasticloadbalancingv2.html
            "elasticloadbalancing:DescribeLoadBalancerAttributes": ["*"] if load_balancers else [],
            "cloudformation:DescribeStacks": [stack_id],
        }
        for action, resources in statements.items():
            if resources:
                role.add_to_policy(iam.PolicyStatement(actions=[action], resources=resources))
        acknowledge_wildcards(role, {"*": _ANY_LOAD_BALANCER})
        self.resource = handled_resource(
            self,
            resource_type="Custom::GalvProtection",
            on_event=handler_function(
                self,
                "Handler",
                module="protection",
                entry="on_event",
                description=f"Deletion protection of {scope.node.path}",
                role=role,
                log_group=log_group,
                timeout=Duration.minutes(9),
            ),
            log_group=log_group,
            properties={
                "Protected": "true" if policy.deletion_protection else "false",
                "Databases": [instance.instance_identifier for instance in instances],
                **(
                    {"Clusters": [cluster.cluster_identifier for cluster in clusters]}
                    if clusters
                    else {}
                ),
                "LoadBalancers": [
                    load_balancer.load_balancer_arn for load_balancer in load_balancers
                ],
                "StackId": stack_id,
            },
        )
        self.resource.node.add_dependency(*after)


_ANY_LOAD_BALANCER = "Reading the attributes of load balancers knows no resource-level permissions."


def root_stack(scope: Construct) -> Stack:
    """The stack whose status says what happens: a nested one is only deleted in a rollback."""
    stack = Stack.of(scope)
    while (parent := stack.nested_stack_parent) is not None:
        stack = parent
    return stack
