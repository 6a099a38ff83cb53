"""Trust in GitHub Actions: the OpenID Connect provider, and the runs that may assume a role."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from constructs import Construct

from galv_constructs._core.validation import check_construct
from galv_constructs.github.subject import GitHubSubject

_ISSUER = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"


def check_trust(subjects: object, provider: object) -> None:
    """Refuse what is not a list of subjects, or not a provider."""
    if (
        not isinstance(subjects, Sequence)
        or not subjects
        or not all(isinstance(subject, GitHubSubject) for subject in subjects)
    ):
        raise ValueError(
            f"subjects must be a list of GitHubSubject, at least one, got {subjects!r}: such as "
            "[GitHubSubject.environment('octo-org/octo-repo', 'production')]"
        )
    check_construct(
        "provider",
        provider,
        "aws_iam.IOidcProvider",
        "iam.OidcProviderNative.from_oidc_provider_arn(scope, id, arn)",
    )


def github_provider(scope: Construct, id: str) -> iam.IOidcProvider:
    """Create the provider, of which an account can have one."""
    return iam.OidcProviderNative(scope, id, url=f"https://{_ISSUER}", client_ids=[_AUDIENCE])


def github_principal(
    provider: iam.IOidcProvider, subjects: Sequence[GitHubSubject]
) -> iam.IPrincipal:
    """Trust the runs that the subjects name.

    Conditions of one statement hold for all of its subjects, so subjects share a statement only
    where they have the same ones.
    """
    claims: dict[tuple[tuple[str, str], ...], dict[str, None]] = {}
    for subject in subjects:
        same = claims.setdefault(tuple(sorted(subject.conditions.items())), {})
        same.update(dict.fromkeys(subject.claims))
    principals = [
        iam.OpenIdConnectPrincipal(
            provider,
            {
                "StringEquals": {f"{_ISSUER}:aud": _AUDIENCE},
                "StringLike": {
                    f"{_ISSUER}:sub": list(names),
                    **{f"{_ISSUER}:{name}": pattern for name, pattern in conditions},
                },
            },
        )
        for conditions, names in claims.items()
    ]
    return principals[0] if len(principals) == 1 else iam.CompositePrincipal(*principals)
