"""Make the files of the frontend: the steps of buildspec.yml, which run in CodeBuild.

    python3 build_site.py fetch|install|build|upload

Takes what to do from variables named GALV_BUILD_*. Needs Python 3.9 (what the build image has
without asking for more), git, npm and the AWS CLI, and nothing installed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

WORK = Path("work")
SOURCE = WORK / "source"
TOOLS = WORK / "tools"
DIST = SOURCE / "dist"
ARCHIVE = WORK / "site.zip"
ABOUT = WORK / "release.json"

LATEST = "latest"
RELEASE_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
# Reads lockfiles of pnpm 8 and 9; package.json may name another version.
PNPM = "9.15.9"
PACKAGE_MANAGER = re.compile(r"pnpm@(\d+\.\d+\.\d+)(\+.*)?")

HTML = PurePosixPath("usr/share/nginx/html")
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
TIMEOUT = 60
UNAUTHORIZED = 401


class BuildError(Exception):
    """The site cannot be made; the text says why."""


def setting(name: str) -> str:
    """What to do, as a variable says it; empty when it is not set."""
    return os.environ.get(f"GALV_BUILD_{name}", "")


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a program; return what it prints, which is also shown."""
    print("+", *command, flush=True)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str((TOOLS / "node_modules/.bin").resolve()), os.environ["PATH"]]),
        # Nobody is there to answer: what would ask fails.
        "CI": "true",
        "GIT_TERMINAL_PROMPT": "0",
        # The log is read as text, some of it in CloudFormation's reason for a failure.
        "NO_COLOR": "1",
        # Git hooks and a browser for tests are no part of the site.
        "HUSKY": "0",
        "CYPRESS_INSTALL_BINARY": "0",
    }
    lines = []
    with subprocess.Popen(  # noqa: S603 - the commands are those below
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        # Line by line: the log of a build that hangs says where.
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise BuildError(f"{' '.join(command[:3])} failed with exit code {process.returncode}")
    return "".join(lines)


def note(**about: str) -> None:
    """Keep what the release is, for its upload."""
    print(json.dumps(about), flush=True)
    ABOUT.write_text(json.dumps(about))


# From git


def fetch_source() -> None:
    """Clone the source at a tag, and see that it is the commit that it should be."""
    repository, wanted = setting("Repository"), setting("Commit")
    commits = tags_of(repository)
    tag = choose(setting("Tag"), commits, repository)
    commit = commits[tag]
    if wanted and commit != wanted:
        raise BuildError(
            f"tag {tag} of {repository} is commit {commit}, and commit= asks for {wanted}: the tag "
            "was moved, or one of the two is a mistake"
        )
    clone = ("git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1")
    run(*clone, f"--branch={tag}", "--", repository, str(SOURCE))
    cloned = run("git", "rev-parse", "HEAD", cwd=SOURCE).strip()
    if cloned != commit:
        raise BuildError(f"tag {tag} of {repository} was moved from {commit} to {cloned} just now")
    note(version=tag, commit=commit)


def tags_of(repository: str) -> dict[str, str]:
    """The tags of a repository and the commits that they mean."""
    commits: dict[str, str] = {}
    for line in run("git", "ls-remote", "--tags", "--", repository).splitlines():
        commit, tab, ref = line.partition("\t")
        if not tab:  # a warning of git's
            continue
        # The second line of an annotated tag, `…^{}`, has the commit that the tag is of.
        commits[ref[len("refs/tags/") :].replace("^{}", "")] = commit
    return commits


def choose(tag: str, commits: dict[str, str], repository: str) -> str:
    """The tag that is meant: the newest release for `latest`, and with or without a `v`."""
    releases = sorted(
        (tuple(map(int, match.groups())), name)
        for name, match in ((name, RELEASE_TAG.fullmatch(name)) for name in commits)
        if match
    )
    newest = [name for _, name in reversed(releases)]
    if tag == LATEST:
        if not newest:
            raise BuildError(f"{repository} has no tag of a release, such as v2.2.0")
        return newest[0]
    other = tag[1:] if tag.startswith("v") else f"v{tag}"
    for name in (tag, other):
        if name in commits:
            return name
    some = ", ".join(newest[:5]) or "none of a release"
    raise BuildError(f"{repository} has no tag {tag}; the newest are: {some}")


def install() -> None:
    """Install what the lockfile says, with the pnpm that it is for."""
    if not (SOURCE / "pnpm-lock.yaml").is_file():
        raise BuildError("there is no pnpm-lock.yaml in the source")
    named = json.loads((SOURCE / "package.json").read_text()).get("packageManager", "")
    match = PACKAGE_MANAGER.fullmatch(named)
    version = match.group(1) if match else PNPM
    run("npm", "install", "--no-audit", "--no-fund", f"--prefix={TOOLS}", f"pnpm@{version}")
    run("pnpm", "install", "--frozen-lockfile", cwd=SOURCE)


def build() -> None:
    """Build the site."""
    run("pnpm", "build", cwd=SOURCE)


# From an image


class Registry:
    """Reads one repository of a container registry, without credentials."""

    def __init__(self, repository: str) -> None:
        """Take `host/name`, or with a scheme."""
        url = urlsplit(repository if "://" in repository else f"https://{repository}")
        self._base = f"{url.scheme}://{url.netloc}/v2{url.path}"
        self._token = ""

    def manifest(self, reference: str) -> dict[str, Any]:
        """The manifest of a tag or a digest."""
        return dict(json.loads(self._get(f"manifests/{reference}")))

    def blob(self, digest: str) -> bytes:
        """The content of a digest."""
        return self._get(f"blobs/{digest}")

    def _get(self, path: str) -> bytes:
        try:
            data = self._open(path)
        except HTTPError as error:
            if error.code != UNAUTHORIZED or self._token:
                raise BuildError(f"{self._base}/{path}: {error}") from error
            self._token = self._ask_token(error.headers.get("WWW-Authenticate", ""))
            return self._get(path)
        except OSError as error:
            raise BuildError(f"{self._base}/{path}: {error}") from error
        algorithm, _, digest = path.rpartition("/")[2].partition(":")
        if algorithm == "sha256" and digest != hashlib.sha256(data).hexdigest():
            raise BuildError(f"{self._base}/{path}: the content does not match the digest")
        return data

    def _open(self, path: str) -> bytes:
        request = Request(f"{self._base}/{path}")  # noqa: S310 - https unless a test says http
        request.add_header("Accept", ", ".join((*INDEXES, *MANIFESTS)))
        if self._token:
            # Blobs are elsewhere, where a second authorization beside the URL's is refused.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            return bytes(answer.read())

    def _ask_token(self, challenge: str) -> str:
        """Ask for an anonymous token where the registry says.

        https://distribution.github.io/distribution/spec/auth/token/
        """
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if "realm" not in fields:
            raise BuildError(f"{self._base} cannot be read without credentials")
        query = urlencode({name: fields[name] for name in ("service", "scope") if name in fields})
        try:
            with urlopen(f"{fields['realm']}?{query}", timeout=TIMEOUT) as answer:  # noqa: S310
                return str(json.load(answer)["token"])
        except (OSError, ValueError, KeyError) as error:
            raise BuildError(f"{self._base} gives no anonymous token: {error}") from error


def fetch_image() -> None:
    """Take the site out of a published image, without Docker."""
    registry, tag = Registry(setting("Repository")), setting("Tag")
    manifest = registry.manifest(tag)
    if "manifests" in manifest:
        manifest = registry.manifest(amd64(manifest["manifests"], tag))
    config = json.loads(registry.blob(manifest["config"]["digest"]))
    for layer in manifest["layers"]:
        print(f"layer {layer['digest']}, {layer.get('size')} bytes", flush=True)
        unpack(registry.blob(layer["digest"]), DIST)
    if not DIST.is_dir():
        raise BuildError(f"image {setting('Repository')}:{tag} has no files under /{HTML}")
    labels = config.get("config", {}).get("Labels") or {}
    version = labels.get("org.opencontainers.image.version", tag) if tag == LATEST else tag
    note(version=version, commit=labels.get("org.opencontainers.image.revision", ""))


def amd64(manifests: list[dict[str, Any]], tag: str) -> str:
    """The digest of the image for the common platform; the site is the same in all."""
    for manifest in manifests:
        platform = manifest.get("platform", {})
        if platform.get("os") == "linux" and platform.get("architecture") == "amd64":
            return str(manifest["digest"])
    raise BuildError(f"image {setting('Repository')}:{tag} is not for linux/amd64")


def unpack(layer: bytes, target: Path) -> None:
    """Apply what a layer says of the site: files, and deletions of what is in lower layers.

    https://github.com/opencontainers/image-spec/blob/main/layer.md
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(layer), mode="r:*") as archive:
            files = []
            for member in archive:
                path = PurePosixPath(member.name.lstrip("/"))
                if HTML not in path.parents or ".." in path.parts:
                    continue
                place = target / path.relative_to(HTML)
                if path.name == OPAQUE:
                    shutil.rmtree(place.parent, ignore_errors=True)
                elif path.name.startswith(WHITEOUT):
                    remove(place.with_name(path.name[len(WHITEOUT) :]))
                elif member.isfile():
                    files.append((place, member))
            # Deletions are of lower layers only, wherever in the layer they are written.
            for place, member in files:
                content = archive.extractfile(member)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read() if content else b"")
    except tarfile.TarError as error:
        why = str(error).partition("\n")[0]
        raise BuildError(f"a layer of the image cannot be read: {why}") from error


def remove(place: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


# What both have in common


def upload() -> None:
    """Pack the site and upload it as one object, so that a release is there whole or not at all."""
    files = sorted(path for path in DIST.rglob("*") if path.is_file()) if DIST.is_dir() else []
    if not (DIST / "index.html").is_file():
        raise BuildError(f"there is no index.html among the {len(files)} files that were built")
    with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in files:
            archive.write(path, path.relative_to(DIST).as_posix())
    print(f"{len(files)} files, {ARCHIVE.stat().st_size} bytes packed", flush=True)
    about = json.loads(ABOUT.read_text())
    metadata = ",".join(f"{name}={value}" for name, value in about.items() if value)
    target = setting("TARGET")
    run("aws", "s3", "cp", str(ARCHIVE), target, "--no-progress", "--metadata", metadata)


STEPS = {
    "git": {"fetch": fetch_source, "install": install, "build": build, "upload": upload},
    "image": {"fetch": fetch_image, "upload": upload},
}


def main(step: str) -> int:
    """Run one step, if the source has it."""
    WORK.mkdir(exist_ok=True)
    action = STEPS[setting("Type")].get(step)
    if action is None:
        print(f"nothing to {step}: the files of an image are built", flush=True)
        return 0
    try:
        action()
    except BuildError as error:
        print(f"ERROR: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
