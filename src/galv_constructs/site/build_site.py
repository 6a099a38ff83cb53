"""Make the files of the frontend: the steps of buildspec.yml, which run in CodeBuild.

    python3 build_site.py fetch|install|build|upload

Takes what to do from variables named GALV_BUILD_*. Needs Python 3.9 (what the build image has
without asking for more), git, npm and the AWS CLI, and nothing installed.

The source may ask for variables itself: env.template.js becomes env.js when the site is published.
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
import zlib
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from time import sleep
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

WORK = Path("work")
SOURCE = WORK / "source"
TOOLS = WORK / "tools"
SITE = WORK / "site"
ARCHIVE = WORK / "site.zip"
ABOUT = WORK / "release.json"

LATEST = "latest"
RELEASE_TAG = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
INDEX = "index.html"
TEMPLATE = "env.template.js"
# Where bundlers write: Vite, and older ones.
OUTPUTS = ("dist", "build")

# The package managers and the lockfiles that they write, in the order in which they are looked for.
LOCKFILES = {
    "pnpm": ("pnpm-lock.yaml",),
    "yarn": ("yarn.lock",),
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
}
PACKAGE_MANAGER = re.compile(r"(\w+)@(\d+\.\d+\.\d+[^+]*)(\+.*)?")
# Where package.json names no version. This pnpm reads lockfiles of pnpm 8, 9 and 10.
PNPM = "9.15.9"
YARN_CLASSIC = "1.22.22"
YARN = "4.18.1"

# What Galv's release workflow attaches to a release.
RELEASE_ARCHIVE = "frontend-build.tar.gz"
LARGEST_SITE = 256 * 1024 * 1024
MAX_FILES = 20_000
PAUSES = (2, 8)

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
NOT_FOUND = 404


class BuildError(Exception):
    """The site cannot be built; the text says why."""


class MissingError(BuildError):
    """A registry does not have what was asked for."""


def setting(name: str) -> str:
    """Return the setting in an environment variable; empty when it is not set."""
    return os.environ.get(f"GALV_BUILD_{name}", "")


def run(*command: str, cwd: Path | None = None, secrets: dict[str, str] | None = None) -> str:
    """Run a program; return what it prints, which is also shown, without secrets.

    Only the AWS CLI is told where credentials are.
    """
    print("+", *command, flush=True)
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if command[0] == "aws" or not name.startswith("AWS_")
        },
        **(secrets or {}),
        "PATH": os.pathsep.join([str((TOOLS / "node_modules/.bin").resolve()), os.environ["PATH"]]),
        # Nobody is there to answer: what would ask fails.
        "CI": "true",
        "GIT_TERMINAL_PROMPT": "0",
        # The log is read as text, some of it in CloudFormation's reason for a failure.
        "NO_COLOR": "1",
        # Git hooks and a browser for tests are no part of the site.
        "HUSKY": "0",
        "CYPRESS_INSTALL_BINARY": "0",
        # Yarn has no option for it since version 2.
        "YARN_ENABLE_SCRIPTS": "0",
        "YARN_ENABLE_TELEMETRY": "0",
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
            print(masked(line, secrets), end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise BuildError(f"{' '.join(command[:3])} failed with exit code {process.returncode}")
    return "".join(lines)


def masked(line: str, secrets: dict[str, str] | None) -> str:
    """The line without the values of secrets."""
    for value in filter(None, (secrets or {}).values()):
        line = line.replace(value, "***")
    return line


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
    for name in spellings(tag):
        if name in commits:
            return name
    some = ", ".join(newest[:5]) or "none of a release"
    raise BuildError(f"{repository} has no tag {tag}; the newest are: {some}")


def spellings(tag: str) -> tuple[str, str]:
    """The tag, and what it is with or without a `v`."""
    return tag, tag[1:] if tag.startswith("v") else f"v{tag}"


def install() -> None:
    """Install what the lockfile says, with the package manager that the source names.

    No package may run scripts of its own: building the site needs none, and some do not compile on
    every Node.
    """
    if SITE.is_dir():
        print("nothing to install: the release has its files", flush=True)
        return
    manager, version = package_manager()
    package = f"{manager}@{version}"
    if manager == "yarn" and not is_classic(version):
        package = f"@yarnpkg/cli-dist@{version}"
    if version:
        options = ("--no-audit", "--no-fund", "--ignore-scripts")
        run("npm", "install", *options, f"--prefix={TOOLS}", package)
    if manager == "npm":
        run("npm", "ci", "--ignore-scripts", cwd=SOURCE)
    elif manager == "yarn" and not is_classic(version):
        run("yarn", "install", "--immutable", cwd=SOURCE)
    else:
        run(manager, "install", "--frozen-lockfile", "--ignore-scripts", cwd=SOURCE)


def package_manager() -> tuple[str, str]:
    """The package manager of the source and its version, empty for the npm that comes with Node."""
    try:
        named = json.loads((SOURCE / "package.json").read_text()).get("packageManager", "")
    except (OSError, ValueError, AttributeError) as error:
        raise BuildError(f"package.json of the source cannot be read: {error}") from error
    match = PACKAGE_MANAGER.fullmatch(named)
    if named and not (match and match.group(1) in LOCKFILES):
        raise BuildError(
            f"package.json names the package manager {named!r}: allowed are versions of "
            f"{', '.join(LOCKFILES)}, such as pnpm@{PNPM}"
        )
    if match:
        manager, version = match.group(1), match.group(2)
        if lockfile(manager) is None:
            files = " or ".join(LOCKFILES[manager])
            raise BuildError(f"package.json names {manager}, and there is no {files} in the source")
        return manager, version
    for manager in LOCKFILES:
        found = lockfile(manager)
        if found is not None:
            return manager, usual_version(manager, found)
    every = ", ".join(name for names in LOCKFILES.values() for name in names)
    raise BuildError(f"there is no lockfile in the source, which is one of: {every}")


def lockfile(manager: str) -> Path | None:
    """The lockfile of a package manager, where the source has one."""
    return next((SOURCE / n for n in LOCKFILES[manager] if (SOURCE / n).is_file()), None)


def usual_version(manager: str, found: Path) -> str:
    """The version for a lockfile where package.json names none."""
    if manager == "yarn":
        return YARN_CLASSIC if "yarn lockfile v1" in found.read_text() else YARN
    return PNPM if manager == "pnpm" else ""


def is_classic(version: str) -> bool:
    """Whether it is a Yarn with the options of its first version."""
    return version.startswith(("0.", "1."))


def build() -> None:
    """Build the site."""
    if SITE.is_dir():
        print("nothing to build: the release has its files", flush=True)
        return
    manager, _ = package_manager()
    run(manager, "run", "build", cwd=SOURCE, secrets=read_secrets())
    for name in OUTPUTS:
        if (SOURCE / name / INDEX).is_file():
            shutil.move(str(SOURCE / name), str(SITE))
            add_template()
            return
    folders = " and ".join(f"{name}/" for name in OUTPUTS)
    raise BuildError(f"the build succeeded, and wrote no {INDEX} to {folders}")


def read_secrets() -> dict[str, str]:
    """The secret variables of the build, which no other step has."""
    return {
        name: read_secret(reference)
        for name, reference in sorted(json.loads(setting("SECRETS") or "{}").items())
    }


def read_secret(reference: str) -> str:
    """The value of a secret, or of a key of it: `ARN` or `ARN:KEY:STAGE:VERSION`, as ECS has it.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    # An ARN has seven parts.
    key, stage, version = [*reference.split(":")[7:], "", "", ""][:3]
    arn = ":".join(reference.split(":")[:7])
    command = ["aws", "secretsmanager", "get-secret-value", f"--secret-id={arn}"]
    command += [f"--version-stage={stage}"] if stage else []
    command += [f"--version-id={version}"] if version else []
    text = ask(*command, "--query=SecretString", "--output=text")
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, TypeError, KeyError) as error:
        raise BuildError(f"secret {arn} has no key {key!r}") from error


def ask(*command: str) -> str:
    """Return the output of a program, which is not shown."""
    try:
        done = subprocess.run(  # noqa: S603 - the commands are those here
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{' '.join(command[:3])} failed: {error}") from error
    if done.returncode:
        raise BuildError(f"{' '.join(command[:3])} failed: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")


def add_template() -> None:
    """Add the template of the configuration, which the build leaves where it is in the source."""
    for place in (SOURCE, SOURCE / "public"):
        if not (SITE / TEMPLATE).exists() and (place / TEMPLATE).is_file():
            shutil.copyfile(place / TEMPLATE, SITE / TEMPLATE)


# From a release


def fetch_release() -> None:
    """Take the files that are attached to a release, or else its source, to be built."""
    fetch_source()
    tag = json.loads(ABOUT.read_text())["version"]
    url = f"{repository_url()}/releases/download/{tag}/{RELEASE_ARCHIVE}"
    wanted = setting("Digest")
    archive = download(url)
    if archive is None:
        why = f"there is no {url}"
    else:
        found = f"sha256:{hashlib.sha256(archive).hexdigest()}"
        print(f"{url}: {len(archive)} bytes, {found}", flush=True)
        if wanted not in ("", found):
            raise BuildError(
                f"{url} is {found}, and the deployment asks for {wanted}: the file was replaced "
                "after somebody took its digest, or one of the two is a mistake. Ask who published "
                "the release why; then put the new digest after the '@' of the version, or go back "
                "to an older release"
            )
        unpack_archive(archive, SITE)
        # What the source has is no part of the digest.
        if setting("Commit") or not wanted:
            add_template()
        if (SITE / INDEX).is_file() and (SITE / TEMPLATE).is_file():
            return
        missing = INDEX if (SITE / TEMPLATE).is_file() else TEMPLATE
        why = f"there is no {missing} for the files of {url}"
        if SITE.is_dir():
            shutil.rmtree(SITE)
    if wanted:
        raise BuildError(
            f"{why}, and the deployment asks for {wanted}: what is built from the source would be "
            "something else. Leave the digest out, or pin the source: "
            "FrontendSource.release(…, commit=…) where only the template is missing, "
            "FrontendSource.git_tag(…, commit=…) to build"
        )
    print(f"{why}: the tag is built", flush=True)


def repository_url() -> str:
    """The URL of the repository's pages."""
    return re.sub(r"(\.git)?/*$", "", setting("Repository"))


def download(url: str) -> bytes | None:
    """Return the content of an address, or None if there is none."""
    pauses = iter(PAUSES)
    while True:
        try:
            with urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - HTTPS, or a test's
                return bytes(answer.read(LARGEST_SITE))
        except HTTPError as error:
            if error.code == NOT_FOUND:
                return None
            failure: Exception = error
        except (OSError, HTTPException) as error:
            failure = error
        pause = next(pauses, None)
        if pause is None:
            raise BuildError(f"{url}: {failure}") from failure
        print(f"{url}: {failure}; once more in {pause} s", flush=True)
        sleep(pause)


def checked_path(member: tarfile.TarInfo) -> PurePosixPath:
    """Return the path that a file or a folder of an archive belongs to."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise BuildError(f"the archive has a file outside of it: {member.name!r}")
    if not member.isfile() and not member.isdir():
        raise BuildError(f"the archive has a link or a device: {member.name!r}")
    return path


def unpack_archive(data: bytes, target: Path) -> None:
    """Write the files of an archive, without the folders that all of them are in."""
    files: dict[PurePosixPath, bytes] = {}
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for member in archive:
                path = checked_path(member)
                size += member.size
                if size > LARGEST_SITE or len(files) >= MAX_FILES:
                    raise BuildError(
                        f"the archive has more than {LARGEST_SITE} bytes or {MAX_FILES} files"
                    )
                content = archive.extractfile(member)
                if content is not None:  # not a folder
                    files[path] = content.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        why = str(error).partition("\n")[0]
        raise BuildError(f"the archive of the release cannot be read: {why}") from error
    while files and all(len(path.parts) > 1 for path in files):
        first = {path.parts[0] for path in files}
        if len(first) > 1:
            break
        files = {PurePosixPath(*path.parts[1:]): content for path, content in files.items()}
    for path, written in files.items():
        place = target / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(written)
        except OSError as error:
            raise BuildError(f"{path} of the archive cannot be written: {error}") from error


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

    def tags(self) -> str:
        """Some of the tags that there are, the last of a list that is sorted by name."""
        try:
            tags = json.loads(self._get("tags/list?n=1000"))["tags"] or []
        except (BuildError, ValueError, KeyError):
            return "unknown"
        return ", ".join(map(str, tags[-10:])) or "none"

    def _get(self, path: str) -> bytes:
        try:
            data = self._open(path)
        except HTTPError as error:
            if error.code == NOT_FOUND:
                raise MissingError(f"{self._base}/{path}: {error}") from error
            if error.code != UNAUTHORIZED or self._token:
                raise BuildError(f"{self._base}/{path}: {error}") from error
            self._token = self._ask_token(error.headers.get("WWW-Authenticate", ""))
            return self._get(path)
        except OSError as error:
            raise BuildError(f"{self._base}/{path}: {error}") from error
        algorithm, _, digest = path.rpartition("/")[2].partition(":")
        if digest and algorithm != "sha256":
            raise BuildError(f"{self._base}/{path}: has a digest that is no sha256")
        if digest and digest != hashlib.sha256(data).hexdigest():
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
    registry = Registry(setting("Repository"))
    tag, manifest = find_image(registry, setting("Tag"))
    if "manifests" in manifest:
        manifest = registry.manifest(amd64(manifest["manifests"], tag))
    config = json.loads(registry.blob(manifest["config"]["digest"]))
    for layer in manifest["layers"]:
        print(f"layer {layer['digest']}, {layer.get('size')} bytes", flush=True)
        unpack(registry.blob(layer["digest"]), SITE)
    if not SITE.is_dir():
        raise BuildError(f"image {setting('Repository')}:{tag} has no files under /{HTML}")
    labels = config.get("config", {}).get("Labels") or {}
    version = labels.get("org.opencontainers.image.version", tag) if tag == LATEST else tag
    note(version=version, commit=labels.get("org.opencontainers.image.revision", ""))


def find_image(registry: Registry, tag: str) -> tuple[str, dict[str, Any]]:
    """The tag, with or without a `v`, and its manifest; with a digest, that of the digest."""
    if digest := setting("Digest"):
        try:
            return tag, registry.manifest(digest)
        except MissingError as error:
            raise BuildError(
                f"{error}, and the deployment asks for {digest}: the image was deleted, or is in "
                "another repository"
            ) from error
    try:
        return tag, registry.manifest(tag)
    except MissingError as error:
        missing = error
    other = spellings(tag)[1]
    try:
        return other, registry.manifest(other)
    except MissingError:
        raise BuildError(f"{missing}; its tags: {registry.tags()}") from missing


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
    files = sorted(path for path in SITE.rglob("*") if path.is_file()) if SITE.is_dir() else []
    if not (SITE / INDEX).is_file():
        raise BuildError(f"there is no {INDEX} among the {len(files)} files of the site")
    with zipfile.ZipFile(ARCHIVE, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in files:
            archive.write(path, path.relative_to(SITE).as_posix())
    print(f"{len(files)} files, {ARCHIVE.stat().st_size} bytes packed", flush=True)
    about = json.loads(ABOUT.read_text())
    metadata = ",".join(f"{name}={value}" for name, value in about.items() if value)
    # The only folder that this build may write to.
    folder = ask("aws", "sts", "get-caller-identity", "--query=UserId", "--output=text")
    name = os.environ["CODEBUILD_BUILD_ID"].rpartition(":")[2]
    target = f"{setting('TARGET')}{folder}/{name}.zip"
    run("aws", "s3", "cp", str(ARCHIVE), target, "--no-progress", "--metadata", metadata)


SOURCE_STEPS = {"install": install, "build": build, "upload": upload}
STEPS = {
    "release": {"fetch": fetch_release, **SOURCE_STEPS},
    "git": {"fetch": fetch_source, **SOURCE_STEPS},
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
