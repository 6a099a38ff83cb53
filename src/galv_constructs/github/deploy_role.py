"""The role with which GitHub Actions deploys."""

import re
from collections.abc import Sequence

from aws_cdk import Annotations, ArnFormat, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs._core.acknowledge import OWN_POLICIES, acknowledge, acknowledge_wildcards
from galv_constructs._core.placement import check_place
from galv_constructs._core.regions import EDGE_REGION
from galv_constructs._core.validation import check_boolean
from galv_constructs.github._bootstrap import QUALIFIER, REGION, check_names, qualifier_of
from galv_constructs.github._role import GitHubRole
from galv_constructs.github._trust import check_trust, github_principal, github_provider
from galv_constructs.github.subject import GitHubSubject
from galv_constructs.tasks._status_check import TASK_NAME, check_family, check_role_path

# The roles of `cdk bootstrap` that the CDK CLI assumes. What they may do in turn, their template
# says: `cdk bootstrap --show-template`. It calls them cdk-<qualifier>-<name>-<account>-<region>.
_BOOTSTRAP_ROLES = ("deploy-role", "file-publishing-role", "image-publishing-role", "lookup-role")

_WILDCARD = (
    "The role is there before the stacks that it deploys, whose resources get their names when "
    "CloudFormation creates them. ecs:DescribeTaskDefinition and ses:GetAccount have no "
    "resource-level permissions, nor has listing stacks."
)
_BACKEND = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}(?:/[A-Za-z0-9._-]+)+")
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{1,255}")


class GalvDeployRole(GitHubRole):
    """A role that GitHub Actions assumes without any stored key, to run the CDK CLI.

    Defines an IAM role and, unless given, the OpenID Connect provider for GitHub. The role trusts
    the runs that `subjects` name, and no others. It may assume the roles of `cdk bootstrap` and do
    nothing else, except run `check_status` and read its log for the backends in `check_backends`.

    What it deploys is not limited by that: CloudFormation acts with the execution role of the
    bootstrap, which is an administrator unless `cdk bootstrap` was told otherwise. So the subjects
    are what guards the account: prefer an environment whose rules demand a review.

    Costs nothing.

    Example:
        ```python
        production = GitHubSubject.environment("octo-org/octo-repo", "production")
        GalvDeployRole(
            self,
            "DeployRole",
            subjects=[production],
            check_backends=["galv-BackendStack/Backend"],
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        subjects: Sequence[GitHubSubject],
        provider: iam.IOidcProvider | None = None,
        qualifiers: Sequence[str] | None = None,
        regions: Sequence[str] | None = None,
        check_backends: Sequence[str] = (),
        check_clusters: Sequence[str] | None = None,
        broad: bool = False,
    ) -> None:
        """Define the role.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            subjects: Runs that may assume the role.
            provider: The OpenID Connect provider for `token.actions.githubusercontent.com`, of
                which an account can have only one, with the audience `sts.amazonaws.com`:
                `GalvDeployRole.provider` of another role, or
                `iam.OidcProviderNative.from_oidc_provider_arn(…)`. Default: a new one.
            qualifiers: Qualifiers of the bootstraps to deploy through; to be given where the stack
                was given a synthesizer. Default: that of the application, `hnb659fds` unless its
                context has another.
            regions: Regions to deploy to. Default: that of the stack, and us-east-1, where
                CloudFront has its certificates.
            check_backends: Each `GalvBackend` whose `check_status` task the role may run: the name
                of its stack, a slash and its id there, such as `galv-BackendStack/Backend`. Whoever
                may run a task may run any command in it. Default: none.
            check_clusters: Names of the clusters that these tasks run in, for backends that were
                given one. Default: the clusters that the stacks create.
            broad: Whether subjects may be whole organizations, and the role is for the bootstraps
                of every qualifier and region of the account. Simple and robust, but it makes
                everyone who can push to any of the repositories an administrator, so it comes with
                a warning. Default: false.

        Raises:
            ValueError: If an argument is malformed or contradicts another one, or a subject has no
                place in such a role.
        """
        check_boolean("broad", broad)
        check_trust(subjects, provider)
        _check_subjects(subjects, broad=broad)
        check_place(scope, "provider", provider, any_region=True)
        if broad and (qualifiers is not None or regions is not None):
            raise ValueError(
                "qualifiers or regions are given with broad, which is for all of them: leave out "
                "broad, or the others"
            )
        check_names("qualifiers", qualifiers, QUALIFIER, "hnb659fds")
        check_names("regions", regions, REGION, "eu-west-2")
        check_names("check_clusters", check_clusters, _CLUSTER, "galv")
        if check_backends:
            check_names("check_backends", check_backends, _BACKEND, "galv-BackendStack/Backend")
        elif check_clusters is not None:
            raise ValueError("check_clusters are given without check_backends: pass both")
        stack = Stack.of(scope)
        if qualifiers is None:
            qualifiers = [qualifier_of(stack)]
        super().__init__(scope, id)
        self._provider = github_provider(self, "Provider") if provider is None else provider
        if regions is None:
            regions = list(dict.fromkeys([stack.region, EDGE_REGION]))
        if broad:
            qualifiers, regions = ["*"], ["*"]
            Annotations.of(self).add_warning_v2(
                "galv-constructs:broadDeployRole",
                "broad is set: whoever can push to any repository that this role trusts can do "
                "anything in this account. Name the repository, and its environment, branch or "
                "tag, instead.",
            )
        bootstrap_roles = [
            self._role_arn(f"cdk-{qualifier}-{name}-{stack.account}-{region}")
            for qualifier in qualifiers
            for name in _BOOTSTRAP_ROLES
            for region in regions
        ]
        statements = [iam.PolicyStatement(actions=["sts:AssumeRole"], resources=bootstrap_roles)]
        for backend in check_backends:
            statements += self._check_status(backend, check_clusters)
        self._role = iam.Role(
            self,
            "Resource",
            assumed_by=github_principal(self._provider, subjects),
            description="Assumed by GitHub Actions to run the CDK CLI",
            # A first deployment can take an hour, and the check comes after it.
            max_session_duration=Duration.hours(2),
            inline_policies={"Deploy": iam.PolicyDocument(statements=statements)},
        )
        self._acknowledge(statements)

    def _check_status(
        self, backend: str, clusters: Sequence[str] | None
    ) -> list[iam.PolicyStatement]:
        """Return the statements for `galv-ops check`, for a backend that need not exist yet."""
        stack_name = backend.partition("/")[0]
        of_cluster = [f"{name}/*" for name in clusters or [f"{stack_name}-*"]]
        tasks = [self._arn("ecs", "task", name) for name in of_cluster]
        return [
            # It finds the stacks that belong together by their tag. The bootstrap's roles may read
            # all of them, too.
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks", "cloudformation:ListStackResources"],
                resources=["*"],
            ),
            iam.PolicyStatement(
                actions=["ecs:DescribeTaskDefinition", "ses:GetAccount"], resources=["*"]
            ),
            iam.PolicyStatement(
                actions=["ecs:DescribeServices"],
                resources=[self._arn("ecs", "service", name) for name in of_cluster],
            ),
            iam.PolicyStatement(actions=["ecs:DescribeTasks", "ecs:StopTask"], resources=tasks),
            iam.PolicyStatement(
                actions=["ecs:TagResource"],
                resources=tasks,
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
            iam.PolicyStatement(
                actions=["ecs:RunTask"],
                resources=[self._arn("ecs", "task-definition", f"{check_family(backend)}:*")],
                conditions={
                    "ArnLike": {
                        "ecs:cluster": [
                            self._arn("ecs", "cluster", name.removesuffix("/*"))
                            for name in of_cluster
                        ]
                    }
                },
            ),
            # The check's own two, by the path that `GalvBackend` gives them.
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self._role_arn(f"{check_role_path(backend)[1:]}*")],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            iam.PolicyStatement(
                actions=["logs:GetLogEvents"],
                resources=[self._arn("logs", "log-group", f"/{backend}/*/{TASK_NAME}:*", ":")],
            ),
        ]

    def _acknowledge(self, statements: Sequence[iam.PolicyStatement]) -> None:
        acknowledge(self._role, OWN_POLICIES)
        resources = [arn for statement in statements for arn in statement.resources if "*" in arn]
        acknowledge_wildcards(self._role, dict.fromkeys(resources, _WILDCARD))

    def _arn(self, service: str, resource: str, name: str, separator: str = "/") -> str:
        return Stack.of(self).format_arn(
            service=service,
            region="*",
            resource=f"{resource}{separator}{name}",
            arn_format=ArnFormat.NO_RESOURCE_NAME,
        )

    def _role_arn(self, name: str) -> str:
        return Stack.of(self).format_arn(
            service="iam", region="", resource="role", resource_name=name
        )


def _check_subjects(subjects: Sequence[GitHubSubject], *, broad: bool) -> None:
    for subject in subjects:
        if subject.kind == "pull_request":
            raise ValueError(
                "subjects has pull requests, which run code that nobody may have read yet: give "
                "them a role of their own, GalvReviewRole(…), which may only compare templates"
            )
        if subject.kind == "organization" and not broad:
            raise ValueError(
                f"subjects has a whole organization, {subject.claims[0]!r}: name its repositories, "
                "or pass broad=True if all who can push to any of them may do anything in this "
                "account"
            )
