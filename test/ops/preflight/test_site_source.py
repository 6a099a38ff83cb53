"""Sources of the site on a git server, and at a registry as Debian has it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from frontend_site.programs import need
from ops.preflight.servers import Handler, Identity, git_backend, https_server

from galv_constructs.site import build_site
from galv_ops.preflight import git
from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

ARCHIVE = b"the files of the release"
DIGEST = f"sha256:{hashlib.sha256(ARCHIVE).hexdigest()}"


@dataclass(frozen=True)
class Repository:
    url: str
    commits: dict[str, str]


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, identity: Identity
) -> Iterator[Repository]:
    """A repository with the tags v1.0.0, v1.10.0 (annotated), v1.9.0 and test."""
    (program,) = need("git")
    root = tmp_path_factory.mktemp("git")
    bare = root / "site.git"

    def run(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        done = subprocess.run(
            [program, *who, "-C", str(bare), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        )
        return done.stdout.strip()

    bare.mkdir()
    run("init", "--quiet", "--bare")
    tree = run("write-tree")
    commits = {}
    for tag in ("v1.0.0", "v1.10.0", "v1.9.0", "test"):
        commits[tag] = run("commit-tree", tree, "-m", tag)
        annotated = ("-a", "-m", tag) if tag == "v1.10.0" else ()
        run("tag", *annotated, tag, commits[tag])
    run("update-server-info")
    files = {"/site/releases/download/v1.0.0/frontend-build.tar.gz": ARCHIVE}
    with https_server(identity, git_backend(program, root, files)) as host:
        yield Repository(f"https://{host}/site.git", commits)


def asked(world: World, url: str, kind: str = "git", **source: str) -> list[Finding]:
    source = {"Type": kind, "Repository": url, "Tag": "v1.0.0", "Commit": "", **source}
    return ask({"Frontend/Source": {"Ask": "site-source", "Source": source}}, world, 20)


class TestInGit:
    @pytest.mark.parametrize("tag", ["v1.0.0", "1.0.0", "v1.10.0", "latest", "test"])
    def test_finds_a_tag(self, world: World, repository: Repository, tag: str) -> None:
        assert asked(world, repository.url, Tag=tag) == []

    @pytest.mark.parametrize("tag", ["v1.0.0", "v1.10.0"])
    def test_sees_whether_the_tag_is_the_pinned_commit(
        self, world: World, repository: Repository, tag: str
    ) -> None:
        right, other = repository.commits[tag], repository.commits["test"]

        assert asked(world, repository.url, Tag=tag, Commit=right) == []
        assert asked(world, repository.url, Tag=tag, Commit=other) == [
            Finding(
                "Frontend/Source",
                "error",
                f"the tag {tag} of {repository.url} is not the commit that is pinned",
                f"it is {right}, and pinned is {other}",
                "find out whether the tag was moved; then pin the other commit, or another tag",
            )
        ]

    def test_tells_a_tag_that_is_not_there_and_the_newest(
        self, world: World, repository: Repository
    ) -> None:
        (found,) = asked(world, repository.url, Tag="v2.0.0")

        assert found.severity == "error"
        assert found.wrong == f"{repository.url} has no tag v2.0.0"
        assert found.found == "its newest are v1.10.0, v1.9.0, v1.0.0"

    def test_tells_a_repository_that_is_not_there(
        self, world: World, repository: Repository
    ) -> None:
        url = repository.url.replace("site", "other")

        (found,) = asked(world, url)

        assert found.severity == "error"
        assert found.wrong == f"the repository {url} does not exist, or is not public"

    def test_finds_a_tag_on_a_server_that_only_has_files(
        self, world: World, repository: Repository, identity: Identity
    ) -> None:
        text = "".join(f"{commit}\trefs/tags/{tag}\n" for tag, commit in repository.commits.items())

        def respond(request: Handler) -> None:
            request.answer(200, text.encode(), {"Content-Type": "text/plain"})

        with https_server(identity, respond) as host:
            assert asked(world, f"https://{host}/a.git") == []
            (found,) = asked(world, f"https://{host}/a.git", Tag="v3.0.0")

        assert found.wrong.endswith("has no tag v3.0.0")

    def test_tells_a_page_that_is_no_repository(self, world: World, identity: Identity) -> None:
        def respond(request: Handler) -> None:
            request.answer(200, b"<html>\n", {"Content-Type": "text/html"})

        with https_server(identity, respond) as host:
            (found,) = asked(world, f"https://{host}/a.git")

        assert "does not exist" in found.wrong

    @pytest.mark.parametrize("body", [b"zzzz", b"00ff0123"])
    def test_an_answer_that_is_broken_fails_the_build_too(
        self, world: World, identity: Identity, body: bytes
    ) -> None:
        kind = "application/x-git-upload-pack-advertisement"

        def respond(request: Handler) -> None:
            request.answer(200, body, {"Content-Type": kind})

        with https_server(identity, respond) as host:
            (found,) = asked(world, f"https://{host}/a.git")

        assert found.severity == "error"

    @pytest.mark.parametrize(("status", "severity"), [(503, "error"), (429, "unanswered")])
    def test_a_server_that_fails_fails_the_build_too_unless_it_is_busy(
        self, world: World, identity: Identity, status: int, severity: str
    ) -> None:
        with https_server(identity, lambda request: request.answer(status)) as host:
            (found,) = asked(world, f"https://{host}/a.git")

        assert (found.severity, found.found) == (severity, f"it answers {status}")

    def test_a_server_that_cannot_be_reached_fails_the_build_too(self, world: World) -> None:
        (found,) = asked(world, "https://127.0.0.1:1/a.git")

        assert found.severity == "error"


class TestOfARelease:
    def test_is_built_where_it_has_no_files(self, world: World, repository: Repository) -> None:
        assert asked(world, repository.url, "release", Tag="v1.9.0") == []

    def test_has_the_pinned_files(self, world: World, repository: Repository) -> None:
        assert asked(world, repository.url, "release", Digest=DIGEST) == []

    def test_tells_other_files_than_the_pinned(self, world: World, repository: Repository) -> None:
        other = "sha256:" + "0" * 64

        (found,) = asked(world, repository.url, "release", Digest=other)

        assert found.severity == "error"
        assert found.found.endswith(f"is {DIGEST}, and pinned is {other}")

    def test_tells_that_there_are_no_files_to_pin(
        self, world: World, repository: Repository
    ) -> None:
        (found,) = asked(world, repository.url, "release", Tag="v1.9.0", Digest=DIGEST)

        assert (
            found.wrong
            == f"the release v1.9.0 of {repository.url} has no {build_site.RELEASE_ARCHIVE}"
        )

    def test_tells_a_moved_tag_and_other_files_together(
        self, world: World, repository: Repository
    ) -> None:
        found = asked(
            world,
            repository.url,
            "release",
            Commit=repository.commits["test"],
            Digest="sha256:" + "0" * 64,
        )

        assert [finding.severity for finding in found] == ["error", "error"]


class TestInAnImage:
    @pytest.mark.parametrize("tag", ["v1", "1", "docker", "amd"])
    def test_finds_a_tag(self, world: World, registries: dict[str, str], tag: str) -> None:
        assert asked(world, f"{registries['token']}/public/backend", "image", Tag=tag) == []

    def test_tells_a_tag_that_is_not_there(self, world: World, registries: dict[str, str]) -> None:
        image = f"{registries['token']}/public/backend"

        (found,) = asked(world, image, "image", Tag="v9")

        assert found.wrong == f"the image {image} has no v9"
        assert found.found == "tags that there are: v1, docker, arm, amd"

    def test_tells_a_digest_that_is_not_there(
        self, world: World, registries: dict[str, str]
    ) -> None:
        digest = "sha256:" + "0" * 64

        (found,) = asked(
            world, f"{registries['token']}/public/backend", "image", Tag="v1", Digest=digest
        )

        assert found.wrong.endswith(f"has no {digest}")

    def test_tells_an_image_that_is_not_public(
        self, world: World, registries: dict[str, str]
    ) -> None:
        (found,) = asked(world, f"{registries['basic']}/galv/backend", "image", Tag="v1")

        assert "does not show" in found.wrong
        assert "make it public" in found.fix


TAGS = ["v1.0.0", "1.2.0", "v1.10.0", "v1.9.9", "test", "v2.0.0-rc1"]


@pytest.mark.parametrize("tag", ["latest", "v1.0.0", "1.0.0", "v1.2.0", "test", "vtest", "v3"])
def test_chooses_the_tag_that_the_build_chooses(tag: str) -> None:
    commits = dict.fromkeys(TAGS, "0" * 40)
    try:
        chosen = build_site.choose(tag, commits, "repository")
    except build_site.BuildError:
        chosen = None

    assert git.choose(tag, commits) == chosen


@pytest.mark.parametrize(
    "source",
    [
        None,
        "text",
        {"Type": "folder", "Repository": "a", "Tag": "b"},
        {"Type": "git", "Tag": "b"},
    ],
)
def test_refuses_a_source_that_it_cannot_read(world: World, source: object) -> None:
    (found,) = ask({"A": {"Ask": "site-source", "Source": source}}, world, 5)

    assert found.severity == "error"
    assert found.wrong == "the question of this check cannot be asked"
