"""The role with which GitHub Actions compares a pull request with what is deployed."""

import re
from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs._core.acknowledge import OWN_POLICIES, acknowledge, acknowledge_wildcards
from galv_constructs._core.placement import check_place
from galv_constructs._core.regions import EDGE_REGION
from galv_constructs._core.validation import check_boolean
from galv_constructs.github._bootstrap import QUALIFIER, REGION, check_names, qualifier_of
from galv_constructs.github._preflight_reads import preflight_reads
from galv_constructs.github._role import GitHubRole
from galv_constructs.github._trust import check_trust, github_principal, github_provider
from galv_constructs.github.subject import GitHubSubject

_STACK = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,126}\*?")


class GalvReviewRole(GitHubRole):
    """A role that GitHub Actions assumes for pull requests, to show what they would change.

    Defines an IAM role and, unless given, the OpenID Connect provider for GitHub. The role may read
    the templates of the named stacks and the version of the bootstrap, which is what
    `cdk diff --method=template` asks for. It may not read a bucket, a log, a secret or any other
    stack, and it may assume no other role: a pull request runs code that nobody may have read yet.
    The lookup role of `cdk bootstrap`, which the CDK CLI would use otherwise, reads almost
    everything in the account.

    With `preflight=True` it may also read what `galv-ops preflight` asks of the account: its zones
    and their records, certificates, mail identities, databases, subnets, quotas and the roles of
    services. It reads no secret, no image and invokes no function unless you grant it:
    `secret.grant_read(role)`, `repository.grant_pull(role)`, `function.grant_invoke(role)`. What
    the role may read, whoever may push a branch may read.

    Costs nothing.

    Example:
        ```python
        GalvReviewRole(
            self,
            "ReviewRole",
            subjects=[GitHubSubject.pull_request("octo-org/octo-repo")],
            stacks=["galv-*"],
        )
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        subjects: Sequence[GitHubSubject],
        stacks: Sequence[str],
        provider: iam.IOidcProvider | None = None,
        qualifiers: Sequence[str] | None = None,
        regions: Sequence[str] | None = None,
        preflight: bool = False,
    ) -> None:
        """Define the role.

        Args:
            scope: Parent of this construct.
            id: Id of this construct in its parent.
            subjects: Runs that may assume the role.
            stacks: Names of the stacks whose templates the role may read; a `*` at the end stands
                for the rest of a name, as in `galv-*`.
            provider: The OpenID Connect provider for `token.actions.githubusercontent.com`, of
                which an account can have only one, with the audience `sts.amazonaws.com`:
                `GalvDeployRole.provider`, or `iam.OidcProviderNative.from_oidc_provider_arn(…)`.
                Default: a new one.
            qualifiers: Qualifiers of the bootstraps whose version may be read. Default: that of
                the application, `hnb659fds` unless its context has another.
            regions: Regions of the stacks. Default: that of the stack of this construct, and
                us-east-1, where CloudFront has its certificates.
            preflight: Whether the role may read what `galv-ops preflight` asks. Default: false,
                and it gets no answers from AWS, only from registries and the DNS.

        Raises:
            ValueError: If an argument is malformed, or a subject is a whole organization.
        """
        check_trust(subjects, provider)
        check_place(scope, "provider", provider, any_region=True)
        for subject in subjects:
            if subject.kind == "organization":
                raise ValueError(
                    f"subjects has a whole organization, {subject.claims[0]!r}: name the "
                    "repositories whose pull requests may be compared"
                )
        check_names("stacks", stacks, _STACK, "galv-BackendStack", wildcard="a '*' at the end")
        check_names("qualifiers", qualifiers, QUALIFIER, "hnb659fds")
        check_names("regions", regions, REGION, "eu-west-2")
        check_boolean("preflight", preflight)
        stack = Stack.of(scope)
        if qualifiers is None:
            qualifiers = [qualifier_of(stack)]
        super().__init__(scope, id)
        self._provider = github_provider(self, "Provider") if provider is None else provider
        if regions is None:
            regions = list(dict.fromkeys([stack.region, EDGE_REGION]))
        templates = [
            stack.format_arn(
                service="cloudformation",
                region=region,
                resource="stack",
                resource_name=f"{name}/*",
            )
            for region in regions
            for name in stacks
        ]
        versions = [
            stack.format_arn(
                service="ssm",
                region=region,
                resource="parameter",
                resource_name=f"cdk-bootstrap/{qualifier}/version",
                arn_format=ArnFormat.SLASH_RESOURCE_NAME,
            )
            for region in regions
            for qualifier in qualifiers
        ]
        self._role = iam.Role(
            self,
            "Resource",
            assumed_by=github_principal(self._provider, subjects),
            description="Assumed by GitHub Actions to compare templates",
            max_session_duration=Duration.hours(1),
            inline_policies={
                "Review": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
                            resources=templates,
                        ),
                        iam.PolicyStatement(actions=["ssm:GetParameter"], resources=versions),
                    ]
                )
            },
        )
        acknowledge(self._role, OWN_POLICIES)
        acknowledge_wildcards(self._role, dict.fromkeys(templates, _ANY_STACK))
        if preflight:
            for statement, reasons in preflight_reads(
                stacks=templates, regions=regions, qualifiers=qualifiers
            ):
                self._role.add_to_policy(statement)
                acknowledge_wildcards(self._role, reasons)


_ANY_STACK = "A stack's id is not known before it is created."
