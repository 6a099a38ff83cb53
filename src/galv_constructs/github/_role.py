"""The common part of the constructs of roles for GitHub Actions."""

import jsii
from aws_cdk import aws_iam as iam
from constructs import Construct


@jsii.implements(iam.IGrantable)
class GitHubRole(Construct):
    """Shows its role and the provider, which its initializer creates."""

    _role: iam.Role
    _provider: iam.IOidcProvider

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The role."""
        return self._role.grant_principal

    @property
    def role(self) -> iam.Role:
        """The role, whose ARN the workflow needs."""
        return self._role

    @property
    def provider(self) -> iam.IOidcProvider:
        """The OpenID Connect provider, for further roles of the account."""
        return self._provider
