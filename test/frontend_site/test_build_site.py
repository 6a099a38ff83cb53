"""The steps of the build: with a real git, and a registry that answers as GHCR does."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from galv_constructs.site import build_site

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("GALV_BUILD_", "GIT_")):
            monkeypatch.delenv(name)
    return tmp_path / "work"


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"GALV_BUILD_{name}", value)


def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, code: str) -> None:
    """Put a program of this name first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet")

    def git(self, *command: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        done = subprocess.run(
            ["git", *identity, *command],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def release(self, tag: str, *, annotated: bool = False) -> str:
        """Commit something under a tag, and return the commit."""
        (self.path / "version.txt").write_text(tag)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", *(["--annotate", "--message", tag] if annotated else []), tag)
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return f"file://{self.path}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


class TestGit:
    @pytest.fixture(autouse=True)
    def source(self, monkeypatch: pytest.MonkeyPatch, repository: Repository) -> None:
        settings(monkeypatch, Type="git", Repository=repository.url)

    @pytest.mark.parametrize(
        ("asked", "annotated"), [("v1.0.0", False), ("v1.0.0", True), ("1.0.0", False)]
    )
    def test_fetches_a_tag(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, asked: str, annotated: bool
    ) -> None:
        commit = repository.release("v1.0.0", annotated=annotated)
        repository.release("v1.1.0")
        work = Path("work")
        settings(monkeypatch, Tag=asked, Commit=commit)

        assert build_site.main("fetch") == 0
        assert (work / "source/version.txt").read_text() == "v1.0.0"
        assert json.loads((work / "release.json").read_text()) == {
            "version": "v1.0.0",
            "commit": commit,
        }

    def test_finds_a_tag_without_the_v(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, work: Path
    ) -> None:
        repository.release("1.0.0")
        settings(monkeypatch, Tag="v1.0.0")

        assert build_site.main("fetch") == 0
        assert (work / "source/version.txt").read_text() == "1.0.0"

    def test_latest_is_the_newest_release(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch, work: Path
    ) -> None:
        for tag in ("v2.10.0", "v2.9.0", "v3.0.0-rc.1", "nightly"):
            repository.release(tag)
        settings(monkeypatch, Tag="latest")

        assert build_site.main("fetch") == 0
        assert (work / "source/version.txt").read_text() == "v2.10.0"

    def test_refuses_a_commit_that_is_another(
        self,
        repository: Repository,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        commit = repository.release("v1.0.0")
        settings(monkeypatch, Tag="v1.0.0", Commit="0" * 40)

        assert build_site.main("fetch") == 1
        said = capsys.readouterr().out
        assert f"is commit {commit}, and commit= asks for {'0' * 40}: the tag was moved, " in said
        assert not Path("work/source").exists()

    def test_refuses_a_tag_that_moves_meanwhile(
        self,
        repository: Repository,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        repository.release("v1.0.0")
        settings(monkeypatch, Tag="v1.0.0")
        monkeypatch.setattr(build_site, "tags_of", lambda _: {"v1.0.0": "0" * 40})

        assert build_site.main("fetch") == 1
        assert f"was moved from {'0' * 40} to" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("releases", "tag", "said"),
        [
            (["v1.0.0", "v1.1.0"], "v9.9.9", "has no tag v9.9.9; the newest are: v1.1.0, v1.0.0"),
            (["nightly"], "v9.9.9", "the newest are: none of a release"),
            (["nightly"], "latest", "has no tag of a release, such as v2.2.0"),
        ],
    )
    def test_says_which_tags_there_are(
        self, repository: Repository, releases: list[str], tag: str, said: str
    ) -> None:
        for name in releases:
            repository.release(name)
        commits = build_site.tags_of(repository.url)

        with pytest.raises(build_site.BuildError) as caught:
            build_site.choose(tag, commits, repository.url)

        assert said in str(caught.value)

    def test_does_not_mistake_a_warning_for_a_tag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said = "warning: redirecting to elsewhere\n0a1b\trefs/tags/v1.0.0\n"
        monkeypatch.setattr(build_site, "run", lambda *_: said)

        assert build_site.tags_of("https://example.com/r") == {"v1.0.0": "0a1b"}

    def test_fails_where_there_is_no_repository(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings(monkeypatch, Tag="v1.0.0", Repository=f"file://{tmp_path}/none")

        assert build_site.main("fetch") == 1
        assert "ERROR: git ls-remote --tags failed with exit code 128" in capsys.readouterr().out


TREE = {"index.html": b"<p>", "env.template.js": b"e", "assets/app-1.js": b"1"}


def archive(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
        for member in others:
            packed.addfile(member)
    return data.getvalue()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def below(prefix: str) -> dict[str, bytes]:
    return {f"{prefix}{name}": content for name, content in TREE.items()}


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Downloads:
    """Answers as GitHub does for what is attached to releases."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: list[int] = []
        self.asked: list[str] = []
        downloads = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                downloads.asked.append(self.path)
                fault = downloads.faults.pop(0) if downloads.faults else 0
                found = downloads.files.get(self.path)
                self.send_response(fault or (404 if found is None else 200))
                self.end_headers()
                self.wfile.write(found or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/lab/site"


class TestRelease:
    @pytest.fixture(autouse=True)
    def source(self, monkeypatch: pytest.MonkeyPatch, repository: Repository) -> None:
        repository.release("v1.0.0")
        settings(monkeypatch, Type="release", Repository=repository.url, Tag="v1.0.0")
        monkeypatch.setattr(build_site, "PAUSES", (0, 0))

    @pytest.fixture(autouse=True)
    def downloads(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Downloads]:
        found = Downloads()
        thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setattr(build_site, "repository_url", lambda: found.url)
        yield found
        found.server.shutdown()
        found.server.server_close()
        thread.join()

    ARCHIVE = "/lab/site/releases/download/v1.0.0/frontend-build.tar.gz"

    @pytest.mark.parametrize("prefix", ["", "./", "dist/", "build/dist/", "./dist/"])
    def test_takes_the_attached_files(self, downloads: Downloads, work: Path, prefix: str) -> None:
        downloads.files[self.ARCHIVE] = archive(below(prefix))

        assert [build_site.main(step) for step in ("fetch", "install", "build")] == [0, 0, 0]
        assert files_in(work / "site") == TREE

    def test_names_the_release_that_it_took(self, downloads: Downloads, work: Path) -> None:
        downloads.files[self.ARCHIVE] = archive(TREE)

        assert build_site.main("fetch") == 0
        about = json.loads((work / "release.json").read_text())
        assert about["version"] == "v1.0.0"
        assert len(about["commit"]) == 40

    @pytest.mark.parametrize(("asked", "tag"), [("1.0.0", "v1.0.0"), ("latest", "v1.1.0")])
    def test_finds_the_release_that_is_meant(
        self,
        downloads: Downloads,
        repository: Repository,
        monkeypatch: pytest.MonkeyPatch,
        asked: str,
        tag: str,
    ) -> None:
        repository.release("v1.1.0")
        settings(monkeypatch, Tag=asked)

        assert build_site.main("fetch") == 0
        assert downloads.asked == [self.ARCHIVE.replace("v1.0.0", tag)]

    @pytest.mark.parametrize("folder", ["", "public"])
    def test_takes_the_template_from_the_source(
        self, downloads: Downloads, repository: Repository, work: Path, folder: str
    ) -> None:
        (repository.path / folder).mkdir(exist_ok=True)
        (repository.path / folder / "env.template.js").write_text("from the source")
        repository.release("v1.1.0")
        repository.git("tag", "--force", "v1.0.0", "v1.1.0")
        downloads.files[self.ARCHIVE] = archive({"index.html": b"<p>"})

        assert build_site.main("fetch") == 0
        assert (work / "site/env.template.js").read_text() == "from the source"

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            (None, "there is no http"),
            ({}, "there is no env.template.js"),
            ({"index.html": b"<p>"}, "there is no env.template.js"),
            ({"env.template.js": b"e"}, "there is no index.html"),
            ({"a/index.html": b"<p>", "b/env.template.js": b"e"}, "there is no env.template.js"),
        ],
    )
    def test_builds_the_tag_without_files_for_any_api(
        self,
        downloads: Downloads,
        work: Path,
        capsys: pytest.CaptureFixture[str],
        files: dict[str, bytes] | None,
        why: str,
    ) -> None:
        if files is not None:
            downloads.files[self.ARCHIVE] = archive(files)

        assert build_site.main("fetch") == 0
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith(why)
        assert said.endswith(": the tag is built")
        assert not (work / "site").exists()
        assert (work / "source/version.txt").exists()

    def test_takes_files_with_the_given_digest(
        self, downloads: Downloads, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        downloads.files[self.ARCHIVE] = archive(TREE)
        settings(monkeypatch, Digest=digest_of(archive(TREE)))

        assert build_site.main("fetch") == 0
        assert files_in(work / "site") == TREE

    def test_refuses_files_with_another_digest(
        self,
        downloads: Downloads,
        work: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        wanted, found = digest_of(archive(TREE)), archive({**TREE, "assets/evil.js": b"x"})
        downloads.files[self.ARCHIVE] = found
        settings(monkeypatch, Digest=wanted)

        assert build_site.main("fetch") == 1
        said = capsys.readouterr().out.splitlines()[-1]
        assert f"is {digest_of(found)}, and the deployment asks for {wanted}" in said
        assert "put the new digest after the '@' of the version" in said
        assert not (work / "site").exists()

    @pytest.mark.parametrize("files", [None, {"index.html": b"<p>"}])
    def test_builds_nothing_in_place_of_files_with_a_digest(
        self,
        downloads: Downloads,
        repository: Repository,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        files: dict[str, bytes] | None,
    ) -> None:
        (repository.path / "env.template.js").write_text("no part of the digest")
        repository.release("v1.1.0")
        settings(monkeypatch, Tag="v1.1.0", Digest=digest_of(archive(files or {})))
        if files is not None:
            downloads.files[self.ARCHIVE.replace("v1.0.0", "v1.1.0")] = archive(files)

        assert build_site.main("fetch") == 1
        said = capsys.readouterr().out.splitlines()[-1]
        assert "what is built from the source would be something else" in said

    def test_takes_the_template_of_a_given_commit_to_files_with_a_digest(
        self,
        downloads: Downloads,
        repository: Repository,
        work: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (repository.path / "env.template.js").write_text("from the source")
        commit, files = repository.release("v1.1.0"), archive({"index.html": b"<p>"})
        settings(monkeypatch, Tag="v1.1.0", Digest=digest_of(files), Commit=commit)
        downloads.files[self.ARCHIVE.replace("v1.0.0", "v1.1.0")] = files

        assert build_site.main("fetch") == 0
        assert (work / "site/env.template.js").read_text() == "from the source"

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
    def test_refuses_links_and_devices(
        self, downloads: Downloads, work: Path, capsys: pytest.CaptureFixture[str], kind: bytes
    ) -> None:
        link = tarfile.TarInfo("assets/passwd")
        link.type, link.linkname = kind, "/etc/passwd"
        downloads.files[self.ARCHIVE] = archive(TREE, link)

        assert build_site.main("fetch") == 1
        assert "ERROR: the archive has a link or a device" in capsys.readouterr().out
        assert not (work / "site").exists()

    @pytest.mark.parametrize("name", ["../x.js", "/x.js", "assets/../../x.js", "./../x.js"])
    def test_refuses_files_outside(
        self, downloads: Downloads, work: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        downloads.files[self.ARCHIVE] = archive({**TREE, name: b"x"})

        assert build_site.main("fetch") == 1
        assert "ERROR: the archive has a file outside of it" in capsys.readouterr().out
        assert not (work / "site").exists()

    def test_refuses_an_archive_that_is_too_large(
        self,
        downloads: Downloads,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        downloads.files[self.ARCHIVE] = archive({"index.html": b"0" * 1_000_000})
        monkeypatch.setattr(build_site, "LARGEST_SITE", 999_999)

        assert build_site.main("fetch") == 1
        assert "more than 999999 bytes" in capsys.readouterr().out

    def test_refuses_a_file_where_a_folder_is(
        self, downloads: Downloads, capsys: pytest.CaptureFixture[str]
    ) -> None:
        downloads.files[self.ARCHIVE] = archive({**TREE, "assets": b"x"})

        assert build_site.main("fetch") == 1
        assert "of the archive cannot be written" in capsys.readouterr().out

    @pytest.mark.parametrize("data", [b"<html>Sign in", archive(TREE)[:80], b""])
    def test_refuses_a_file_that_is_no_archive(
        self, downloads: Downloads, capsys: pytest.CaptureFixture[str], data: bytes
    ) -> None:
        downloads.files[self.ARCHIVE] = data

        assert build_site.main("fetch") == 1
        assert "the archive of the release cannot be read" in capsys.readouterr().out

    def test_asks_again_after_a_transient_error(self, downloads: Downloads, work: Path) -> None:
        downloads.faults = [503, 429]
        downloads.files[self.ARCHIVE] = archive(TREE)

        assert build_site.main("fetch") == 0
        assert (work / "site").exists()

    def test_does_not_build_if_the_release_cannot_be_looked_up(
        self, downloads: Downloads, capsys: pytest.CaptureFixture[str]
    ) -> None:
        downloads.faults = [503, 503, 503]

        assert build_site.main("fetch") == 1
        assert "HTTP Error 503" in capsys.readouterr().out


@pytest.mark.parametrize("end", ["", "/", ".git", ".git/"])
def test_a_release_is_below_the_pages_of_its_repository(
    monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    settings(monkeypatch, Repository=f"https://github.com/galv-team/galv-frontend{end}")

    assert build_site.repository_url() == "https://github.com/galv-team/galv-frontend"


class TestInstallAndBuild:
    """With package managers that only say how they are called."""

    SAY = """
names = ("HUSKY", "CYPRESS_INSTALL_BINARY", "CI", "YARN_ENABLE_SCRIPTS")
call = {
    "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    "cwd": os.path.basename(os.getcwd()),
    "env": {name: os.environ.get(name) for name in names},
}
print(json.dumps(call))
"""
    CLASSIC = "# yarn lockfile v1\n"
    TOOL = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix=work/tools")

    @pytest.fixture(autouse=True)
    def source(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        settings(monkeypatch, Type="git")
        source = tmp_path / "work/source"
        source.mkdir(parents=True)
        (source / "pnpm-lock.yaml").write_text("lockfileVersion: '6.0'\n")
        (source / "package.json").write_text("{}")
        for name in ("npm", "pnpm", "yarn"):
            fake(monkeypatch, tmp_path, name, self.SAY)
        return source

    def calls(self, capsys: pytest.CaptureFixture[str]) -> list[Json]:
        lines = capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def test_runs_the_manager_that_it_installed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not another version, which the build's image may have."""
        program = tmp_path / "work/tools/node_modules/.bin/pnpm"
        program.parent.mkdir(parents=True)
        program.write_text('#!/bin/sh\necho \'{"command": "installed"}\'\n')
        program.chmod(0o755)

        assert build_site.main("install") == 0
        assert self.calls(capsys)[1] == {"command": "installed"}

    def test_installs_the_versions_of_the_lockfile(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main("install") == 0
        npm, pnpm = self.calls(capsys)
        assert npm["command"][-1] == f"pnpm@{build_site.PNPM}"
        assert pnpm["command"] == ["pnpm", "install", "--frozen-lockfile", "--ignore-scripts"]
        assert pnpm["cwd"] == "source"
        assert pnpm["env"] == {
            "HUSKY": "0",
            "CYPRESS_INSTALL_BINARY": "0",
            "CI": "true",
            "YARN_ENABLE_SCRIPTS": "0",
        }

    @pytest.mark.parametrize(
        ("named", "locks", "tool", "installs"),
        [
            (None, {"pnpm-lock.yaml": ""}, f"pnpm@{build_site.PNPM}", "pnpm install"),
            ("pnpm@8.15.9", {"pnpm-lock.yaml": ""}, "pnpm@8.15.9", "pnpm install"),
            ("pnpm@10.1.0+sha512.0a1b", {"pnpm-lock.yaml": ""}, "pnpm@10.1.0", "pnpm install"),
            (None, {"package-lock.json": ""}, None, "npm ci"),
            (None, {"npm-shrinkwrap.json": ""}, None, "npm ci"),
            ("npm@10.9.2", {"package-lock.json": ""}, "npm@10.9.2", "npm ci"),
            (None, {"yarn.lock": CLASSIC}, "yarn@1.22.22", "yarn install"),
            ("yarn@1.22.19", {"yarn.lock": CLASSIC}, "yarn@1.22.19", "yarn install"),
            (
                None,
                {"yarn.lock": "__metadata:\n"},
                f"@yarnpkg/cli-dist@{build_site.YARN}",
                "yarn install --immutable",
            ),
            (
                "yarn@4.0.0",
                {"yarn.lock": "__metadata:\n"},
                "@yarnpkg/cli-dist@4.0.0",
                "yarn install --immutable",
            ),
            # What is named counts, whatever else is there.
            (
                "npm@10.9.2",
                {"pnpm-lock.yaml": "", "package-lock.json": ""},
                "npm@10.9.2",
                "npm ci",
            ),
            (
                None,
                {"pnpm-lock.yaml": "", "package-lock.json": ""},
                f"pnpm@{build_site.PNPM}",
                "pnpm install",
            ),
        ],
    )
    def test_uses_the_package_manager_that_the_source_names(
        self,
        capsys: pytest.CaptureFixture[str],
        named: str | None,
        locks: dict[str, str],
        tool: str | None,
        installs: str,
    ) -> None:
        source = Path("work/source")
        (source / "pnpm-lock.yaml").unlink()
        for name, content in locks.items():
            (source / name).write_text(content)
        if named:
            (source / "package.json").write_text(json.dumps({"packageManager": named}))
        manager = installs.split(maxsplit=1)[0]

        assert build_site.main("install") == 0
        commands = [call["command"] for call in self.calls(capsys)]
        if tool:
            *first, package = commands.pop(0)
            assert package == tool
            assert tuple(first) == self.TOOL
        (command,) = commands
        assert " ".join(command).startswith(installs)
        # Yarn has a variable for it since its version 2.
        assert "--ignore-scripts" in command or "--immutable" in command
        (source / "dist").mkdir()
        (source / "dist/index.html").write_text("<p>")
        assert build_site.main("build") == 0
        assert self.calls(capsys)[0]["command"] == [manager, "run", "build"]

    @pytest.mark.parametrize("named", ["bun@1.2.0", "pnpm", "pnpm@latest"])
    def test_refuses_another_package_manager(
        self, source: Path, capsys: pytest.CaptureFixture[str], named: str
    ) -> None:
        (source / "package.json").write_text(json.dumps({"packageManager": named}))

        assert build_site.main("install") == 1
        assert f"package.json names the package manager {named!r}" in capsys.readouterr().out

    def test_refuses_a_source_without_a_lockfile(
        self, source: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (source / "pnpm-lock.yaml").unlink()

        assert build_site.main("install") == 1
        assert "ERROR: there is no lockfile in the source" in capsys.readouterr().out

    def test_refuses_a_source_without_the_lockfile_of_what_it_names(
        self, source: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (source / "package.json").write_text('{"packageManager": "npm@10.9.2"}')

        assert build_site.main("install") == 1
        assert "names npm, and there is no package-lock.json or" in capsys.readouterr().out

    @pytest.mark.parametrize("content", [None, "", "[]", "{"])
    def test_refuses_a_source_that_is_no_package(
        self, source: Path, capsys: pytest.CaptureFixture[str], content: str | None
    ) -> None:
        (source / "package.json").unlink()
        if content is not None:
            (source / "package.json").write_text(content)

        assert build_site.main("install") == 1
        assert "ERROR: package.json of the source cannot be read" in capsys.readouterr().out

    @pytest.mark.parametrize("output", ["dist", "build"])
    def test_builds(self, source: Path, work: Path, output: str) -> None:
        (source / output).mkdir()
        (source / output / "index.html").write_text("<p>")

        assert build_site.main("build") == 0
        assert files_in(work / "site") == {"index.html": b"<p>"}

    def test_adds_the_template_of_the_configuration(self, source: Path, work: Path) -> None:
        (source / "env.template.js").write_text("e")
        (source / "dist").mkdir()
        (source / "dist/index.html").write_text("<p>")

        assert build_site.main("build") == 0
        assert files_in(work / "site") == {"index.html": b"<p>", "env.template.js": b"e"}

    def test_refuses_a_build_that_wrote_no_page(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert build_site.main("build") == 1
        assert "wrote no index.html to dist/ and build/" in capsys.readouterr().out

    def test_a_build_that_fails_shows_its_output(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fake(monkeypatch, tmp_path, "pnpm", "sys.exit('src/app.ts: no such name')")

        assert build_site.main("build") == 1
        said = capsys.readouterr().out
        assert said.index("no such name") < said.index(
            "ERROR: pnpm run build failed with exit code 1"
        )


class TestSecrets:
    ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:galv-a1b2c3"
    # What the AWS CLI is asked, and what it answers.
    AWS = """
with open("asked", "a") as asked:
    asked.write(" ".join(sys.argv[1:]) + "\\n")
assert os.environ["AWS_SESSION_TOKEN"] == "session"
print('{"KEY": "hidden-value"}')
"""
    ENVIRONMENT = "print({name: value for name, value in os.environ.items()})"

    @pytest.fixture(autouse=True)
    def source(self, work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A source whose package manager shows its environment."""
        source = work / "source"
        (source / "dist").mkdir(parents=True)
        (source / "dist/index.html").write_text("<p>")
        (source / "package.json").write_text('{"packageManager": "pnpm@9.15.9"}')
        (source / "pnpm-lock.yaml").write_text("")
        settings(monkeypatch, Type="git", SECRETS=json.dumps({"VITE_KEY": f"{self.ARN}:KEY::"}))
        monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
        fake(monkeypatch, tmp_path, "aws", self.AWS)
        for name in ("npm", "pnpm"):
            fake(monkeypatch, tmp_path, name, self.ENVIRONMENT)

    def test_are_given_to_the_build_and_not_shown(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main("build") == 0

        said = capsys.readouterr().out
        assert "'VITE_KEY': '***'" in said
        assert "hidden-value" not in said
        assert (tmp_path / "asked").read_text() == (
            f"secretsmanager get-secret-value --secret-id={self.ARN} "
            "--query=SecretString --output=text\n"
        )

    def test_are_not_given_to_the_installation(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main("install") == 0

        assert "'VITE_KEY':" not in capsys.readouterr().out
        assert not (tmp_path / "asked").exists()

    @pytest.mark.parametrize("step", ["install", "build"])
    def test_no_package_is_told_where_credentials_are(
        self, step: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main(step) == 0
        assert "AWS_SESSION_TOKEN" not in capsys.readouterr().out

    def test_may_be_whole_and_of_one_version(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = json.dumps(
            {"A": self.ARN, "B": f"{self.ARN}:KEY:AWSPREVIOUS:", "C": f"{self.ARN}:KEY::v1"}
        )
        settings(monkeypatch, SECRETS=reference)

        assert build_site.read_secrets() == {
            "A": '{"KEY": "hidden-value"}',
            "B": "hidden-value",
            "C": "hidden-value",
        }
        asked = (tmp_path / "asked").read_text()
        assert f"--secret-id={self.ARN} --version-stage=AWSPREVIOUS --query" in asked
        assert f"--secret-id={self.ARN} --version-id=v1 --query" in asked

    def test_a_key_that_is_missing_fails(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings(monkeypatch, SECRETS=json.dumps({"A": f"{self.ARN}:OTHER::"}))

        assert build_site.main("build") == 1
        said = capsys.readouterr().out
        assert f"ERROR: secret {self.ARN} has no key 'OTHER'" in said
        assert "hidden-value" not in said

    @pytest.mark.parametrize(
        ("code", "why"),
        [("sys.exit('AccessDenied')", "AccessDenied"), (None, "No such file")],
        ids=["denied", "missing"],
    )
    def test_one_that_cannot_be_read_fails(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        code: str | None,
        why: str,
    ) -> None:
        if code is None:
            (tmp_path / "bin/aws").unlink()
            monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        else:
            fake(monkeypatch, tmp_path, "aws", code)

        assert build_site.main("build") == 1
        assert "ERROR: aws secretsmanager get-secret-value failed: " in (
            said := capsys.readouterr().out
        )
        assert why in said


class TestUpload:
    @pytest.fixture(autouse=True)
    def built(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        settings(monkeypatch, Type="git", TARGET="s3://bucket/incoming/")
        monkeypatch.setenv("CODEBUILD_BUILD_ID", "project:0a1b")
        site = tmp_path / "work/site"
        (site / "assets").mkdir(parents=True)
        (site / "index.html").write_text("<p>")
        (site / "assets/app-1.js").write_text("1")
        # Older than the ZIP format.
        os.utime(site / "index.html", (0, 0))
        (tmp_path / "work/release.json").write_text('{"version": "v1.0.0", "commit": ""}')
        user = "AROA123:AWSCodeBuild-0a1b"
        fake(
            monkeypatch,
            tmp_path,
            "aws",
            f"print({user!r} if sys.argv[1] == 'sts' else json.dumps(sys.argv[1:]))",
        )
        return site

    def test_uploads_the_site_as_one_object(
        self, work: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main("upload") == 0
        with zipfile.ZipFile(work / "site.zip") as archive:
            assert archive.namelist() == ["assets/app-1.js", "index.html"]
        command = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert command == [
            "s3",
            "cp",
            "work/site.zip",
            "s3://bucket/incoming/AROA123:AWSCodeBuild-0a1b/0a1b.zip",
            "--no-progress",
            "--metadata",
            "version=v1.0.0",
        ]

    @pytest.mark.parametrize("left", ["assets", "nothing"])
    def test_refuses_a_build_without_a_page(
        self, built: Path, capsys: pytest.CaptureFixture[str], left: str
    ) -> None:
        (built / "index.html").unlink()
        if left == "nothing":
            (built / "assets/app-1.js").unlink()
            (built / "assets").rmdir()
            built.rmdir()

        assert build_site.main("upload") == 1
        assert "there is no index.html among the" in capsys.readouterr().out


def layer(files: dict[str, bytes | None], *, compressed: bool = True) -> bytes:
    """A layer of an image; None is a folder."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type = tarfile.DIRTYPE
            member.size = len(content or b"")
            archive.addfile(member, io.BytesIO(content or b""))
    return gzip.compress(data.getvalue()) if compressed else data.getvalue()


class FakeRegistry:
    """Answers as GHCR does: a token first, and blobs from another place by redirection."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Json] = {}
        self.token: str | None = "anonymous"
        self.lists = True
        self.challenge = 'Bearer realm="{url}/token",service="registry",scope="repository:x:pull"'
        self.asked: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                status, headers, body = registry.answer(
                    self.path, self.headers.get("Authorization")
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.name = f"{self.url}/galv/frontend"

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/token"):
            assert path == "/token?service=registry&scope=repository%3Ax%3Apull"
            return 200, {}, json.dumps({"token": self.token} if self.token else {}).encode()
        if path.startswith("/storage/"):
            # Such a storage refuses a second authorization beside the one in its URL.
            assert authorization is None
            return 200, {}, self.blobs[path.removeprefix("/storage/")]
        if authorization != "Bearer anonymous":
            return 401, {"WWW-Authenticate": self.challenge.format(url=self.url)}, b""
        return self.content(*path.removeprefix("/v2/galv/frontend/").split("/"))

    def content(self, kind: str, reference: str) -> tuple[int, dict[str, str], bytes]:
        if kind == "tags" and self.lists:
            assert reference.startswith("list?")
            return 200, {}, json.dumps({"tags": sorted(self.manifests)}).encode()
        if kind == "manifests" and reference in self.manifests:
            return 200, {}, json.dumps(self.manifests[reference]).encode()
        if kind == "blobs" and reference in self.blobs:
            return 307, {"Location": f"{self.url}/storage/{reference}"}, b""
        return 404, {}, b""

    def add(self, content: bytes) -> Json:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        return {"digest": digest, "size": len(content)}

    def image(self, tag: str, layers: list[bytes], labels: Json | None = None) -> Json:
        config = {"config": {"Labels": labels}}
        manifest = {
            "config": self.add(json.dumps(config).encode()),
            "layers": [self.add(content) for content in layers],
        }
        self.manifests[tag] = manifest
        return manifest

    def index(self, tag: str, platforms: list[tuple[str, str, Json]]) -> None:
        entries = []
        for system, architecture, manifest in platforms:
            text = json.dumps(manifest).encode()
            digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
            self.manifests[digest] = manifest
            platform = {"os": system, "architecture": architecture}
            entries.append({"digest": digest, "platform": platform})
        self.manifests[tag] = {"manifests": entries}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    found = FakeRegistry()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    settings(monkeypatch, Type="image", Repository=found.name, Tag="2.2.0")
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


HTML = "usr/share/nginx/html"


class TestImage:
    def site(self, work: Path) -> dict[str, str]:
        dist = work / "site"
        return {
            path.relative_to(dist).as_posix(): path.read_text()
            for path in dist.rglob("*")
            if path.is_file()
        }

    def test_takes_the_files_that_nginx_serves(self, registry: FakeRegistry, work: Path) -> None:
        registry.image(
            "2.2.0",
            [
                layer({"etc/passwd": b"root", f"{HTML}/50x.html": b"error"}),
                layer(
                    {
                        HTML: None,
                        f"{HTML}/assets": None,
                        f"{HTML}/index.html": b"page",
                        f"/{HTML}/assets/app-1.js": b"app",
                        f"{HTML}/../../../../outside": b"no",
                    },
                    compressed=False,
                ),
            ],
            {"org.opencontainers.image.revision": "0a1b"},
        )

        assert build_site.main("fetch") == 0
        assert self.site(work) == {
            "50x.html": "error",
            "index.html": "page",
            "assets/app-1.js": "app",
        }
        assert json.loads((work / "release.json").read_text()) == {
            "version": "2.2.0",
            "commit": "0a1b",
        }

    def test_applies_deletions_of_upper_layers(self, registry: FakeRegistry, work: Path) -> None:
        registry.image(
            "2.2.0",
            [
                layer({f"{HTML}/{name}": b"old" for name in ("a.js", "b/c.js", "d/e.js", "f.js")}),
                layer(
                    {
                        f"{HTML}/.wh.a.js": b"",
                        f"{HTML}/.wh.b": b"",
                        f"{HTML}/.wh.never": b"",
                        # In any order, and of lower layers only.
                        f"{HTML}/d/new.js": b"new",
                        f"{HTML}/d/.wh..wh..opq": b"",
                    }
                ),
            ],
        )

        assert build_site.main("fetch") == 0
        assert self.site(work) == {"d/new.js": "new", "f.js": "old"}

    def test_takes_the_image_for_the_common_platform(
        self, registry: FakeRegistry, work: Path
    ) -> None:
        manifests = [
            registry.image("x", [layer({f"{HTML}/index.html": name})]) for name in (b"arm", b"amd")
        ]
        registry.index(
            "2.2.0",
            [
                ("linux", "arm64", manifests[0]),
                ("unknown", "unknown", manifests[0]),
                ("linux", "amd64", manifests[1]),
            ],
        )

        assert build_site.main("fetch") == 0
        assert self.site(work) == {"index.html": "amd"}

    def test_takes_the_image_with_the_given_digest(
        self, registry: FakeRegistry, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tagged = registry.image("2.2.0", [layer({f"{HTML}/index.html": b"tagged"})])
        other = registry.image("x", [layer({f"{HTML}/index.html": b"given"})])
        registry.index("2.2.0", [("linux", "amd64", tagged), ("linux", "arm64", other)])
        settings(monkeypatch, Digest=digest_of(json.dumps(other).encode()))

        assert build_site.main("fetch") == 0
        assert self.site(work) == {"index.html": "given"}

    def test_refuses_a_digest_that_is_not_there(
        self,
        registry: FakeRegistry,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        registry.image("2.2.0", [layer({f"{HTML}/index.html": b"tagged"})])
        settings(monkeypatch, Digest=digest_of(b"deleted"))

        said = self.refusal(capsys)
        assert f"the deployment asks for {digest_of(b'deleted')}: the image was deleted" in said

    def test_latest_names_the_tag_that_it_took(
        self, registry: FakeRegistry, work: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings(monkeypatch, Tag="latest")
        labels = {"org.opencontainers.image.version": "2.3.0"}
        registry.image("latest", [layer({f"{HTML}/index.html": b""})], labels)

        assert build_site.main("fetch") == 0
        assert json.loads((work / "release.json").read_text())["version"] == "2.3.0"

    def test_an_image_is_neither_installed_nor_built(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert build_site.main("install") == build_site.main("build") == 0
        assert "nothing to build" in capsys.readouterr().out
        assert registry.asked == []

    def refusal(self, capsys: pytest.CaptureFixture[str]) -> str:
        assert build_site.main("fetch") == 1
        return capsys.readouterr().out.splitlines()[-1]

    def test_refuses_a_tag_that_is_not_there(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.image("v2.1.0", [])

        said = self.refusal(capsys)
        assert "manifests/2.2.0: HTTP Error 404" in said
        assert said.endswith("; its tags: v2.1.0")

    def test_refuses_it_where_tags_are_not_listed_too(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.lists = False

        assert self.refusal(capsys).endswith("; its tags: unknown")

    def test_finds_a_tag_with_the_v(self, registry: FakeRegistry, work: Path) -> None:
        registry.image("v2.2.0", [layer({"usr/share/nginx/html/index.html": b"<p>"})])

        assert build_site.main("fetch") == 0
        assert json.loads((work / "release.json").read_text())["version"] == "v2.2.0"

    def test_refuses_a_registry_that_is_not_there(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings(monkeypatch, Type="image", Repository="http://127.0.0.1:9/x/y", Tag="1")

        assert "Connection refused" in self.refusal(capsys)

    def test_refuses_a_registry_that_needs_credentials(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.challenge = 'Basic charset="UTF-8"'
        assert "cannot be read without credentials" in self.refusal(capsys)

        registry.challenge = (
            'Bearer realm="{url}/token",service="registry",scope="repository:x:pull"'
        )
        registry.token = None
        assert "gives no anonymous token" in self.refusal(capsys)

        registry.token = "of somebody else"
        assert "HTTP Error 401" in self.refusal(capsys)

    def test_refuses_content_with_another_digest(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = registry.image("2.2.0", [layer({f"{HTML}/index.html": b"page"})])
        registry.blobs[manifest["layers"][0]["digest"]] = b"something else"

        digest = manifest["layers"][0]["digest"]
        said = self.refusal(capsys)
        assert f"/blobs/{digest}: the content does not match the digest" in said

    def test_refuses_a_digest_that_it_does_not_check(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = registry.image("2.2.0", [layer({f"{HTML}/index.html": b"page"})])
        digest = f"sha512:{'0' * 128}"
        registry.blobs[digest] = b"anything"
        manifest["layers"][0]["digest"] = digest

        assert f"/blobs/{digest}: has a digest that is no sha256" in self.refusal(capsys)

    def test_refuses_a_layer_that_it_cannot_read(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.image("2.2.0", [b"(\xb5/\xfd zstd"])

        assert "a layer of the image cannot be read" in self.refusal(capsys)

    def test_refuses_an_image_for_something_else(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.index("2.2.0", [("windows", "amd64", {})])

        assert "is not for linux/amd64" in self.refusal(capsys)

    def test_refuses_an_image_without_a_site(
        self, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry.image("2.2.0", [layer({"etc/passwd": b"root"})])

        assert f"has no files under /{HTML}" in self.refusal(capsys)
