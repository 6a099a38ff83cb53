"""The stack of the roles for GitHub Actions."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs import GalvConfig, GalvDeployRole, GalvReviewRole, GitHubSubject


class DeployRoleStack(Stack):
    """A role that deploys and checks, and, if asked for, one that compares pull requests."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: GalvConfig,
        subjects: Sequence[GitHubSubject],
        review_subjects: Sequence[GitHubSubject],
        provider_exists: bool,
        review_preflight: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, id, **kwargs)
        provider = None
        if provider_exists:
            provider = iam.OidcProviderNative.from_oidc_provider_arn(
                self,
                "Provider",
                f"arn:{self.partition}:iam::{self.account}:oidc-provider/"
                "token.actions.githubusercontent.com",
            )
        self.deploy = GalvDeployRole(
            self,
            "DeployRole",
            subjects=subjects,
            provider=provider,
            check_backends=[f"{config.name}-BackendStack/Backend"],
        )
        self._tell("DEPLOY_ROLE_ARN", self.deploy.role)
        if review_subjects:
            review = GalvReviewRole(
                self,
                "ReviewRole",
                subjects=review_subjects,
                stacks=[f"{config.name}-*"],
                provider=self.deploy.provider,
                preflight=review_preflight,
            )
            self._tell("REVIEW_ROLE_ARN", review.role)

    def _tell(self, variable: str, role: iam.Role) -> None:
        CfnOutput(
            self,
            variable.title().replace("_", ""),
            value=role.role_arn,
            description=f"Variable {variable} of the repository",
        )
