"""A tag that was moved in a repository of git's own server since the site was made of it."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from frontend_site.programs import need
from ops.preflight.servers import Identity, git_backend, https_server

from galv_constructs.handlers._site_tag import tell_if_moved


class Repository:
    """A repository with the tag v1.0.0."""

    def __init__(self, folder: Path) -> None:
        (self.git,) = need("git")
        self.bare = folder / "site.git"
        self.bare.mkdir()
        self.url = ""
        self.run("init", "--quiet", "--bare")
        self.first = self.commit("first")
        self.run("tag", "-a", "-m", "first", "v1.0.0", self.first)

    def run(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        done = subprocess.run(
            [self.git, *who, "-C", str(self.bare), *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        return self.run("commit-tree", self.run("write-tree"), "-m", message)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    identity = Identity.create(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    found = Repository(tmp_path)
    with https_server(identity, git_backend(found.git, tmp_path, {})) as host:
        found.url = f"https://{host}/site.git"
        yield found


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[..., str]:
    """What is said of a repository whose tag was a commit."""
    caplog.set_level(logging.WARNING)

    def tell(repository: str, commit: str, version: str = "v1.0.0") -> str:
        tell_if_moved({"Repository": repository}, version=version, commit=commit)
        return caplog.text

    return tell


def test_a_tag_that_stayed_is_not_told(repository: Repository, told: Callable[..., str]) -> None:
    assert told(repository.url, repository.first) == ""


def test_a_tag_that_was_moved_is_told(repository: Repository, told: Callable[..., str]) -> None:
    second = repository.commit("second")
    repository.run("tag", "--force", "v1.0.0", second)

    said = told(repository.url, repository.first)

    assert (
        f"v1.0.0 of {repository.url} is {second} by now, and {repository.first} is published"
        in said
    )


def test_a_tag_that_is_gone_is_not_told(repository: Repository, told: Callable[..., str]) -> None:
    assert told(repository.url, repository.first, version="v0.9.0") == ""


@pytest.mark.parametrize("name", ["other.git", ""])
def test_a_repository_that_does_not_answer_is_told(
    repository: Repository, told: Callable[..., str], name: str
) -> None:
    # Without a name: nobody listens at the port.
    url = repository.url.replace("site.git", name) if name else "https://127.0.0.1:1/site.git"

    assert "whether the tag v1.0.0 was moved is not known" in told(url, repository.first)
