"""The runs of GitHub Actions that a role trusts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from galv_constructs._core.validation import check_known, check_range

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_REPOSITORY = re.compile(rf"{_OWNER.pattern}/[A-Za-z0-9._-]{{1,100}}")
# What git allows in a name, and `*`; IAM would read `?` and `$` in its own way.
_REF = re.compile(r"[^\s~^:?\[\\$]{1,255}")
_WORKFLOW_REF = re.compile(
    rf"{_REPOSITORY.pattern}/\.github/workflows/[A-Za-z0-9._-]+\.ya?ml@{_REF.pattern}"
)
_ENVIRONMENT = re.compile(r"[^*?$\x00-\x1f]{1,255}")


@dataclass(frozen=True, kw_only=True)
class GitHubSubject:
    """Runs of GitHub Actions: those of a branch, a tag, an environment or pull requests.

    A token of GitHub's names its run in the claim `sub`, in one of two formats:
    `repo:octo-org/octo-repo:…`, and since July 2026 `repo:octo-org@123456/octo-repo@456789:…` for
    repositories that were created, renamed or moved since, or chose it. Without ids both formats
    are trusted, by name: whoever gets the name of the repository later is trusted too. With
    `repository_id`, which `gh api repos/octo-org/octo-repo` shows, only that very repository is
    trusted, in both formats: STS checks the number as a claim of its own, as it always checks the
    name. With `owner_id` only the
    second format is trusted.

    Names are to be spelled as GitHub does, in capital and small letters. A job that names an
    environment has that environment as its subject, whatever its branch or tag is. A repository
    with a template of its own for the claim needs the default one back.

    https://docs.github.com/en/actions/reference/security/oidc
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """

    claims: Sequence[str]
    """Patterns of the claim `sub`, in which `*` stands for anything, as one of the methods
    returned them."""

    kind: Literal["branch", "tag", "environment", "pull_request", "organization"]
    """Name of the method that created it."""

    conditions: Mapping[str, str] = field(default_factory=dict)
    """Further claims that a token must have, by name, with patterns of their values: the name of
    the repository, and what was asked for. Default: none."""

    @staticmethod
    def branch(
        repository: str,
        branch: str,
        *,
        owner_id: int | None = None,
        repository_id: int | None = None,
    ) -> "GitHubSubject":
        """Runs for a branch that name no environment.

        Args:
            repository: Owner and name, such as `octo-org/octo-repo`.
            branch: Name of the branch; `*` stands for anything.
            owner_id: Number of the owner. Default: any of that name.
            repository_id: Number of the repository. Default: any of that name.

        Raises:
            ValueError: If an argument is malformed.
        """
        _check_ref("branch", branch, "refs/heads/")
        context = f"ref:refs/heads/{branch}"
        return _subject("branch", repository, context, owner_id, repository_id)

    @staticmethod
    def tag(
        repository: str,
        tag: str,
        *,
        owner_id: int | None = None,
        repository_id: int | None = None,
    ) -> "GitHubSubject":
        """Runs for a tag, releases among them, that name no environment.

        Args:
            repository: Owner and name, such as `octo-org/octo-repo`.
            tag: Name of the tag; `*` stands for anything, as in `v*`.
            owner_id: Number of the owner. Default: any of that name.
            repository_id: Number of the repository. Default: any of that name.

        Raises:
            ValueError: If an argument is malformed.
        """
        _check_ref("tag", tag, "refs/tags/")
        return _subject("tag", repository, f"ref:refs/tags/{tag}", owner_id, repository_id)

    @staticmethod
    def environment(
        repository: str,
        environment: str,
        *,
        owner_id: int | None = None,
        repository_id: int | None = None,
        ref: str | None = None,
        workflow_ref: str | None = None,
    ) -> "GitHubSubject":
        """Jobs that name an environment, whose rules say who approves and from where.

        A job that names an environment which does not exist creates it, without any rule. `ref`
        and `workflow_ref` hold whatever the rules are: STS checks them itself.

        Args:
            repository: Owner and name, such as `octo-org/octo-repo`.
            environment: Name of the environment, such as `production`.
            owner_id: Number of the owner. Default: any of that name.
            repository_id: Number of the repository. Default: any of that name.
            ref: Branch or tag that the run must be of, such as `refs/heads/main` or
                `refs/tags/v*`; `*` stands for anything. Default: any.
            workflow_ref: Workflow file that the job must be written in, with its branch or tag,
                such as `octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main`; `*`
                stands for anything. For a reusable workflow, the one that is called.
                Default: any.

        Raises:
            ValueError: If an argument is malformed.
        """
        if not isinstance(environment, str) or not _ENVIRONMENT.fullmatch(environment):
            raise ValueError(
                f"environment must be the name of one environment, got {environment!r}: it has no "
                "'*', '?' or '$'"
            )
        # As GitHub writes it, so that no name can imitate the end of another subject.
        context = f"environment:{environment.replace(':', '%3A')}"
        conditions = {}
        if ref is not None:
            _check_full_ref(ref)
            conditions["ref"] = ref
        if workflow_ref is not None:
            _check_workflow_ref(workflow_ref)
            conditions["job_workflow_ref"] = workflow_ref
        return _subject(
            "environment", repository, context, owner_id, repository_id, conditions=conditions
        )

    @staticmethod
    def pull_request(
        repository: str, *, owner_id: int | None = None, repository_id: int | None = None
    ) -> "GitHubSubject":
        """Runs for pull requests: code that nobody may have read yet, so only for looking.

        Those from forks get no token.

        Args:
            repository: Owner and name, such as `octo-org/octo-repo`.
            owner_id: Number of the owner. Default: any of that name.
            repository_id: Number of the repository. Default: any of that name.

        Raises:
            ValueError: If an argument is malformed.
        """
        return _subject("pull_request", repository, "pull_request", owner_id, repository_id)

    @staticmethod
    def organization(owner: str, *, owner_id: int | None = None) -> "GitHubSubject":
        """Every run of every repository of an owner, pull requests among them.

        Whoever can push to any of the repositories gets what the role may do.

        Args:
            owner: Name of the organization or user.
            owner_id: Its number. Default: any of that name.

        Raises:
            ValueError: If an argument is malformed.
        """
        if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
            raise ValueError(
                f"owner must be the name of an organization or user, such as 'octo-org', got "
                f"{owner!r}"
            )
        _check_id("owner_id", owner_id)
        claims = [f"repo:{owner}/*"] if owner_id is None else []
        claims.append(f"repo:{owner}@{'*' if owner_id is None else owner_id}/*")
        return GitHubSubject(claims=tuple(claims), kind="organization")


def _subject(
    kind: Literal["branch", "tag", "environment", "pull_request"],
    repository: str,
    context: str,
    owner_id: int | None,
    repository_id: int | None,
    *,
    conditions: Mapping[str, str] | None = None,
) -> GitHubSubject:
    if not isinstance(repository, str) or not _REPOSITORY.fullmatch(repository):
        raise ValueError(
            f"repository must be one repository, such as 'octo-org/octo-repo', got {repository!r}: "
            "leave out the host and '.git'; for all of an owner's use "
            "GitHubSubject.organization(owner)"
        )
    _check_id("owner_id", owner_id)
    _check_id("repository_id", repository_id)
    # A repository may write its subjects by a template of its own, in which the name of a workflow
    # can imitate the numbers and the end of another repository's.
    required = {"repository": repository, **(conditions or {})}
    if repository_id is not None:
        required["repository_id"] = str(repository_id)
    owner, _, name = repository.partition("/")
    # No name of GitHub's has an '@', so that the wildcards stand for the numbers in a subject of
    # GitHub's own template.
    numbered = f"repo:{owner}@{owner_id or '*'}/{name}@{repository_id or '*'}:{context}"
    claims = (numbered,) if owner_id is not None else (f"repo:{repository}:{context}", numbered)
    return GitHubSubject(claims=claims, kind=kind, conditions=required)


def _check_ref(name: str, ref: object, prefix: str) -> None:
    if not isinstance(ref, str) or not _REF.fullmatch(ref):
        raise ValueError(f"{name} must be the name of a {name}, or a pattern with '*', got {ref!r}")
    if ref.startswith("refs/"):
        raise ValueError(f"{name} must be a bare name, got {ref!r}: leave out {prefix!r}")


def _check_full_ref(ref: object) -> None:
    if not isinstance(ref, str) or not re.fullmatch(rf"refs/(heads|tags)/{_REF.pattern}", ref):
        raise ValueError(
            "ref must be the full name of a branch or tag, such as 'refs/heads/main' or "
            f"'refs/tags/v*', got {ref!r}"
        )


def _check_workflow_ref(ref: object) -> None:
    if not isinstance(ref, str) or not _WORKFLOW_REF.fullmatch(ref):
        raise ValueError(
            "workflow_ref must be a workflow file with its branch or tag, such as "
            f"'octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main', got {ref!r}"
        )


def _check_id(name: str, id: int | None) -> None:
    if id is not None:
        check_known(name, id)
        check_range(name, id, 1, 10**12)
