"""Questions about a deployment, asked before anything that takes minutes is created."""

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import jsii
from aws_cdk import (
    CfnParameter,
    CfnResource,
    CustomResource,
    Duration,
    IStableAnyProducer,
    Lazy,
    RemovalPolicy,
    Stack,
)
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from galv_constructs._core.acknowledge import (
    DEPLOYMENT_FUNCTIONS,
    acknowledge,
    acknowledge_wildcards,
)
from galv_constructs._core.dependencies import set_dependency_roots
from galv_constructs._core.handler import handled_resource, handler_function, handler_role
from galv_constructs._core.logs import allow_logs, new_log_group
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.validation import check_construct, check_type
from galv_constructs.preflight._cycles import Cycles
from galv_constructs.preflight._permission import READ_SECRET, Permission
from galv_constructs.preflight.check import PreflightCheck

_ID = "GalvPreflight"


class GalvPreflight(Construct):
    """Fails a deployment in its second minute for what would fail it in its twentieth.

    There is one in a stack, `GalvPreflight.of(scope)`. `GalvBackend`, `GalvFrontend`, `GalvMail`
    and `GalvNetwork` define it, unless they are given `preflight=False`: they tell it what they
    need, such as an image at its registry, and what of theirs takes minutes waits for it. It
    asks all of it at once, in seconds, and changes nothing. What is wrong fails the deployment with
    as many reasons as fit into one message: what is wrong, what was found, what to do. What may be
    wrong is a warning: a line of the log, and `warnings`. An update asks only what changed; a
    rollback and a deletion ask nothing.

    Defines a custom resource with its function, a role that may do what the questions need and
    nothing else, and a log group. Costs nothing while no deployment runs.

    What the application itself creates is not asked.

    Example:
        ```python
        preflight = GalvPreflight.of(self)
        preflight.add_check("Licence", PreflightCheck.secret(licence, keys=["KEY"]))
        preflight.hold(search_cluster)
        ```
    """

    def __init__(self, scope: Construct, id: str) -> None:
        """Define it; `GalvPreflight.of(scope)` does so where the stack has none.

        Args:
            scope: The stack.
            id: Id of this construct in the stack, which is `GalvPreflight`.

        Raises:
            ValueError: If it is not in a stack, under that id.
        """
        if id != _ID or not isinstance(scope, Stack):
            raise ValueError(
                f"a GalvPreflight must be in a stack with the id {_ID!r}, of which there is one: "
                f"use GalvPreflight.of(scope), got the id {id!r} in {scope.node.path!r}"
            )
        super().__init__(scope, id)
        policy = DeploymentPolicy.of(production=False)
        self._questions: dict[str, Mapping[str, Any]] = {}
        self._allowed: set[tuple[str, str]] = set()
        self._credentials: list[list[str]] = []
        self._log_group = new_log_group(
            self,
            retention=policy.log_retention,
            removal_policy=policy.data_removal,
            encryption_key=None,
        )
        acknowledge(self, DEPLOYMENT_FUNCTIONS)
        self._role = handler_role(self)
        self._log_group.grant_write(self._role)
        self._role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[scope.stack_id]
            )
        )
        self._function = handler_function(
            self,
            "Handler",
            module="preflight",
            folders=["_preflight"],
            entry="on_event",
            description=f"Preflight of {scope.node.path}",
            role=self._role,
            log_group=self._log_group,
            timeout=Duration.minutes(5),
            # More memory is a faster processor, and a deployment waits.
            memory_size=1024,
        )
        self._resource = handled_resource(
            self,
            resource_type="Custom::GalvPreflight",
            on_event=self._function,
            log_group=self._log_group,
            properties={
                "LogGroup": self._log_group.log_group_name,
                "Questions": Lazy.any(_Questions(self._questions)),
                # So that an upgrade is not stopped by what it asks in other words.
                "Version": _version(),
            },
        )
        self._waits_for: dict[str, IConstruct] = {}
        self.node.add_validation(Cycles(self._resource, self._waits_for))
        set_dependency_roots(self, lambda: [self._resource])

    @staticmethod
    def of(scope: IConstruct) -> "GalvPreflight":
        """Return that of the stack of a construct; define it if the stack has none.

        Args:
            scope: A construct in the stack.

        Raises:
            ValueError: If it is in no stack.
        """
        return GalvPreflight.find(scope) or GalvPreflight(Stack.of(scope), _ID)

    @staticmethod
    def find(scope: IConstruct) -> "GalvPreflight | None":
        """Return that of the stack of a construct; none if it has none so far.

        Args:
            scope: A construct in the stack.

        Raises:
            ValueError: If it is in no stack.
        """
        try:
            stack = Stack.of(scope)
        except RuntimeError as error:
            raise ValueError(
                f"scope must be a stack or a construct in one, got {type(scope).__name__} at "
                f"{scope.node.path!r}: each stack has a GalvPreflight of its own"
            ) from error
        found = stack.node.try_find_child(_ID)
        return found if isinstance(found, GalvPreflight) else None

    def add_check(self, id: str, check: PreflightCheck) -> None:
        """Ask one more question.

        A question about what the application itself creates is left out: the deployment creates it
        later than it asks.

        Args:
            id: What messages call the question, such as `Reports/Image`. A construct of this
                library puts its path before it.
            check: The question.

        Raises:
            ValueError: If an argument has the wrong type, or the id is taken.
        """
        check_type("id", id, str, "text")
        if not isinstance(check, PreflightCheck):
            raise ValueError(
                f"check must be a PreflightCheck, got {check!r}: use a static method of it, such "
                "as PreflightCheck.secret(…)"
            )
        if id in self._questions:
            raise ValueError(f"preflight has a check {id!r} already: use another id")
        stack = Stack.of(self)
        if check.waits_for is not None:
            self._resource.node.add_dependency(check.waits_for)
            self._waits_for[id] = check.waits_for
        elif not _is_known_before(stack, stack.resolve(check.arguments)):
            return
        own = {"Own": "true"} if check.is_own else {}
        self._questions[id] = {"Ask": check.kind, **own, **check.arguments}
        self._send_credentials(check.arguments)
        for permission in check.permissions:
            for resource in permission.resources:
                self._allow(permission, resource)

    def keep_log(
        self,
        *,
        production: bool,
        removal_protection: bool | None = None,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        """Keep the log as deployments of a kind do, where it is not kept longer already.

        Without it the log is kept for a month, and deleted with the stack.

        Args:
            production: Whether people rely on this deployment, whose logs are kept for a year.
            removal_protection: Whether the log outlives the stack. Default: the same as
                `production`.
            encryption_key: KMS key for it, unless it has one; the policy of an imported key must
                let CloudWatch Logs use it. Default: the key that it has, or one of AWS's.

        Raises:
            ValueError: If an argument has the wrong type.
        """
        check_switches(production, removal_protection=removal_protection)
        check_construct(
            "encryption_key", encryption_key, "aws_kms.IKey", "kms.Key.from_key_arn(scope, id, arn)"
        )
        policy = DeploymentPolicy.of(production=production, removal_protection=removal_protection)
        resource = self._log_group.node.default_child
        assert isinstance(resource, logs.CfnLogGroup)  # noqa: S101 - what a log group is made of
        days = policy.log_expiration_days
        resource.retention_in_days = max(days, resource.retention_in_days or 0)
        if policy.data_removal is not RemovalPolicy.DESTROY:
            self._log_group.apply_removal_policy(policy.data_removal)
        if encryption_key is not None and resource.kms_key_id is None:
            resource.kms_key_id = encryption_key.key_arn
            allow_logs(encryption_key)

    def hold(self, *constructs: IConstruct) -> None:
        """Make resources wait until all questions are answered.

        Args:
            constructs: Resources of this stack, or constructs that have a main one. Those of
                another stack are left alone. Default: none.
        """
        path = Stack.of(self).node.path
        for construct in constructs:
            if not hasattr(construct, "node"):
                raise ValueError(f"hold takes constructs, got {construct!r}: pass a resource")
            held = construct if isinstance(construct, CfnResource) else construct.node.default_child
            if isinstance(held, CfnResource) and Stack.of(held).node.path == path:
                held.node.add_dependency(self._resource)

    @property
    def warnings(self) -> str:
        """The warnings of the last deployment that asked; `none` where there were none."""
        return self._resource.get_att_string("Warnings")

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group of what asks."""
        return self._log_group

    @property
    def resource(self) -> CustomResource:
        """The custom resource that stands for answered questions."""
        return self._resource

    @property
    def role(self) -> iam.IRole:
        """Role of what asks."""
        return self._role

    def may_read(self, secret_arn: str) -> bool:
        """Return whether the role may read a secret.

        Args:
            secret_arn: The ARN as the question has it.
        """
        return (READ_SECRET, secret_arn) in self._allowed

    def _send_credentials(self, arguments: Mapping[str, Any]) -> None:
        """Let the function send a secret to the registry of its image, and to no other one.

        Whoever may invoke the function writes the questions, and could name a host of their own.
        """
        if "CredentialsArn" not in arguments:
            return
        self._credentials.append([arguments["Image"], arguments["CredentialsArn"]])
        self._function.add_environment(
            "CREDENTIALS", Stack.of(self).to_json_string(self._credentials)
        )

    def _allow(self, permission: Permission, resource: str) -> None:
        # Those with conditions are for one secret each, and may be of the same key.
        conditions = permission.conditions
        given = () if conditions else self._allowed
        new = [action for action in permission.actions if (action, resource) not in given]
        if not new:
            return
        self._allowed.update((action, resource) for action in new)
        self._role.add_to_policy(
            iam.PolicyStatement(actions=new, resources=[resource], conditions=conditions)
        )
        if permission.reason:
            acknowledge_wildcards(self._role, {resource: permission.reason})


def _version() -> str:
    """The version of this library; `source` where it runs from its source."""
    try:
        return metadata.version("galv-constructs")
    except metadata.PackageNotFoundError:
        return "source"


def _is_known_before(stack: Stack, value: Any) -> bool:
    """Whether a resolved value needs nothing that this application creates."""
    match value:
        case {"Ref": str(name), **others} if not others:
            return name.startswith("AWS::") or _is_parameter(stack, name)
        case {"Fn::GetAtt": _}:
            return False
        case {"Fn::Sub": _}:
            return False
        case dict():
            return all(_is_known_before(stack, part) for part in value.values())
        case list():
            return all(_is_known_before(stack, part) for part in value)
        case _:
            return True


def _is_parameter(stack: Stack, name: str) -> bool:
    return any(
        isinstance(child, CfnParameter) and stack.resolve(child.logical_id) == name
        for child in stack.node.find_all()
    )


@jsii.implements(IStableAnyProducer)
class _Questions:
    """All questions, at synthesis."""

    def __init__(self, questions: Mapping[str, Mapping[str, Any]]) -> None:
        self._questions = questions

    def produce(self) -> Any:
        return {id: dict(self._questions[id]) for id in sorted(self._questions)}
