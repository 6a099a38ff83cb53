"""Which tokens of GitHub's a subject matches."""

import re
from typing import Any

import pytest

from galv_constructs import GitHubSubject

REPOSITORY = "octo-org/octo-repo"
IDS: Any = {"owner_id": 123456, "repository_id": 456789}
CLASSIC = "repo:octo-org/octo-repo"
IMMUTABLE = "repo:octo-org@123456/octo-repo@456789"


def matches(subject: GitHubSubject, sub: str) -> bool:
    """Whether IAM's `StringLike` holds for one of the claims."""
    patterns = [re.escape(claim).replace(r"\*", ".*") for claim in subject.claims]
    return any(re.fullmatch(pattern, sub) for pattern in patterns)


SUBJECTS = {
    "ref:refs/heads/main": GitHubSubject.branch(REPOSITORY, "main"),
    "ref:refs/tags/v1": GitHubSubject.tag(REPOSITORY, "v1"),
    "environment:production": GitHubSubject.environment(REPOSITORY, "production"),
    "environment:Production%3AV1": GitHubSubject.environment(REPOSITORY, "Production:V1"),
    "pull_request": GitHubSubject.pull_request(REPOSITORY),
}


@pytest.mark.parametrize("context", SUBJECTS)
def test_matches_both_formats_by_name(context: str) -> None:
    subject = SUBJECTS[context]

    assert matches(subject, f"{CLASSIC}:{context}")
    assert matches(subject, f"{IMMUTABLE}:{context}")
    assert matches(subject, f"repo:octo-org@1/octo-repo@2:{context}")
    others = set(SUBJECTS) - {context}
    assert not any(matches(subject, f"{IMMUTABLE}:{other}") for other in others)
    assert not any(matches(subject, f"{CLASSIC}:{other}") for other in others)


@pytest.mark.parametrize(
    "subject",
    [
        GitHubSubject.branch(REPOSITORY, "main", **IDS),
        GitHubSubject.tag(REPOSITORY, "main", **IDS),
        GitHubSubject.environment(REPOSITORY, "main", **IDS),
        GitHubSubject.pull_request(REPOSITORY, **IDS),
    ],
    ids=lambda subject: subject.kind,
)
def test_matches_only_that_very_repository_with_ids(subject: GitHubSubject) -> None:
    (claim,) = subject.claims

    assert claim.startswith(f"{IMMUTABLE}:")
    assert not matches(subject, claim.replace("123456", "1"))
    assert not matches(subject, claim.replace(IMMUTABLE, CLASSIC))


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org/octo-repo-2:environment:production",
        "repo:octo-org-2/octo-repo:environment:production",
        "repo:octo-org@1/evil@2:environment:production",
        "repo:octo-org@1/evil@2:environment:/octo-repo@1%3Aenvironment%3Aproduction",
        "repo:octo-org@1/evil@2:ref:refs/heads/x/octo-repo@1",
        "repo:evil/octo-org@1/octo-repo@2:environment:production",
        "repo:octo-org@1/octo-repo@2:environment:production-2",
    ],
)
def test_does_not_match_what_looks_alike(sub: str) -> None:
    assert not matches(GitHubSubject.environment(REPOSITORY, "production"), sub)


def test_takes_a_pattern_of_tags_in_one_repository() -> None:
    subject = GitHubSubject.tag(REPOSITORY, "v*")

    assert matches(subject, f"{CLASSIC}:ref:refs/tags/v2.11.4")
    assert matches(subject, f"{IMMUTABLE}:ref:refs/tags/v2.11.4")
    assert not matches(subject, f"{CLASSIC}:ref:refs/heads/v2")
    assert not matches(subject, "repo:octo-org@1/evil@2:ref:refs/tags/v2")


def test_matches_every_repository_of_an_organization() -> None:
    subject = GitHubSubject.organization("octo-org")

    assert matches(subject, f"{CLASSIC}:pull_request")
    assert matches(subject, f"{IMMUTABLE}:ref:refs/heads/main")
    assert not matches(subject, "repo:octo-org-2/octo-repo:pull_request")
    with_id = GitHubSubject.organization("octo-org", owner_id=123456)
    assert matches(with_id, f"{IMMUTABLE}:ref:refs/heads/main")
    assert not matches(with_id, "repo:octo-org@1/octo-repo@2:ref:refs/heads/main")
    assert not matches(with_id, f"{CLASSIC}:ref:refs/heads/main")


@pytest.mark.parametrize(
    "repository",
    ["octo-repo", "octo-org/*", "*/octo-repo", "https://github.com/octo-org/octo-repo", "", None],
)
def test_refuses_an_invalid_repository(repository: Any) -> None:
    with pytest.raises(ValueError, match=r"repository must be one repository, such as 'octo-org/"):
        GitHubSubject.branch(repository, "main")


@pytest.mark.parametrize("ref", ["", "a b", "a?", "${aws:username}", None])
def test_refuses_an_invalid_branch_or_tag(ref: Any) -> None:
    with pytest.raises(ValueError, match="branch must be the name of a branch"):
        GitHubSubject.branch(REPOSITORY, ref)
    with pytest.raises(ValueError, match="tag must be the name of a tag"):
        GitHubSubject.tag(REPOSITORY, ref)


def test_refuses_a_whole_ref() -> None:
    with pytest.raises(ValueError, match="'refs/heads/main': leave out 'refs/heads/'"):
        GitHubSubject.branch(REPOSITORY, "refs/heads/main")
    with pytest.raises(ValueError, match="'refs/tags/v1': leave out 'refs/tags/'"):
        GitHubSubject.tag(REPOSITORY, "refs/tags/v1")


@pytest.mark.parametrize("environment", ["", "*", "prod*", "prod?", "${x}", None])
def test_refuses_an_invalid_environment(environment: Any) -> None:
    with pytest.raises(ValueError, match="environment must be the name of one environment"):
        GitHubSubject.environment(REPOSITORY, environment)


@pytest.mark.parametrize("owner", ["*", "octo-org/octo-repo", "", None])
def test_refuses_an_invalid_owner(owner: Any) -> None:
    with pytest.raises(ValueError, match="owner must be the name of an organization or user"):
        GitHubSubject.organization(owner)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"owner_id": "1", "repository_id": 2}, "owner_id must be a whole number, got '1'"),
        ({"owner_id": 1, "repository_id": 0}, "repository_id must be from 1 to"),
    ],
)
def test_refuses_invalid_ids(ids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GitHubSubject.pull_request(REPOSITORY, **ids)


class TestConditions:
    def test_the_name_of_the_repository_is_checked_by_itself(self) -> None:
        subject = GitHubSubject.environment(REPOSITORY, "production")

        assert subject.conditions == {"repository": REPOSITORY}

    def test_a_repository_id_is_checked_by_itself_in_both_formats(self) -> None:
        subject = GitHubSubject.branch(REPOSITORY, "main", repository_id=456789)

        assert subject.conditions == {"repository": REPOSITORY, "repository_id": "456789"}
        assert matches(subject, f"{CLASSIC}:ref:refs/heads/main")
        assert matches(subject, f"{IMMUTABLE}:ref:refs/heads/main")
        assert not matches(subject, "repo:octo-org@1/octo-repo@2:ref:refs/heads/main")

    def test_an_owner_id_alone_is_part_of_the_name(self) -> None:
        subject = GitHubSubject.branch(REPOSITORY, "main", owner_id=123456)

        assert subject.conditions == {"repository": REPOSITORY}
        assert matches(subject, f"{IMMUTABLE}:ref:refs/heads/main")
        assert not matches(subject, "repo:octo-org@1/octo-repo@2:ref:refs/heads/main")
        assert not matches(subject, f"{CLASSIC}:ref:refs/heads/main")

    def test_an_environment_may_demand_a_ref_and_a_workflow(self) -> None:
        workflow = "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"
        subject = GitHubSubject.environment(
            REPOSITORY, "production", ref="refs/tags/v*", workflow_ref=workflow
        )

        assert subject.conditions == {
            "repository": REPOSITORY,
            "ref": "refs/tags/v*",
            "job_workflow_ref": workflow,
        }

    @pytest.mark.parametrize(
        "ref", ["main", "refs/pull/1/merge", "refs/heads/", "refs/heads/a?", 1]
    )
    def test_refuses_an_incomplete_ref(self, ref: Any) -> None:
        with pytest.raises(ValueError, match="ref must be the full name of a branch or tag"):
            GitHubSubject.environment(REPOSITORY, "production", ref=ref)

    @pytest.mark.parametrize(
        "ref",
        [
            "deploy.yml",
            "octo-org/octo-repo/deploy.yml@refs/heads/main",
            "octo-org/octo-repo/.github/workflows/deploy.yml",
            "*/.github/workflows/deploy.yml@refs/heads/main",
            7,
        ],
    )
    def test_refuses_an_invalid_workflow(self, ref: Any) -> None:
        with pytest.raises(ValueError, match="workflow_ref must be a workflow file"):
            GitHubSubject.environment(REPOSITORY, "production", workflow_ref=ref)
