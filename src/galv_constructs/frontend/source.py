"""The source of the frontend's files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_ecs as ecs

from galv_constructs._core.release_tag import (
    LATEST,
    check_digest,
    refuse_digest_of_latest,
    release_tag,
)
from galv_constructs._core.validation import check_image_tag, check_variables, is_token
from galv_constructs.frontend._files import FetchedFiles, LocalFiles
from galv_constructs.frontend._urls import ANALYTICS_URL_VARIABLE, API_URL_VARIABLE

DEFAULT_REPOSITORY = "https://github.com/galv-team/galv-frontend"
DEFAULT_IMAGE = "ghcr.io/galv-team/galv-frontend"

RESERVED_VARIABLES = {
    API_URL_VARIABLE: "pass api_url",
    ANALYTICS_URL_VARIABLE: "pass analytics_url",
}
RESERVED_PREFIXES = ("AWS_", "CODEBUILD_", "GALV_BUILD_")

_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT_URL = re.compile(r"https://[A-Za-z0-9.:-]+/[A-Za-z0-9._~/-]+")
_IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+(?::\d+)?(?:/[a-z0-9._-]+)+")


@dataclass(frozen=True, kw_only=True)
class FrontendSource:
    """A source of the frontend: a release, git, a published image, or a folder of built files."""

    files: FetchedFiles | LocalFiles
    """The files of the source, as one of the methods returned them."""

    @staticmethod
    def release(
        tag: str = LATEST,
        *,
        repository: str = DEFAULT_REPOSITORY,
        commit: str | None = None,
    ) -> "FrontendSource":
        """Take the files that are attached to a release, or build its tag where there are none.

        The files are `frontend-build.tar.gz` of the release on GitHub. They serve any API when
        they, or the source, have an `env.template.js`; without one the tag is built.

        Args:
            tag: Tag of the release, such as `v2.2.0`; its `v` may be left out. `latest` is the
                newest tag of the form `v1.2.3` on the day of the deployment: `latest_as_of` of
                `GalvFrontend`. With the SHA-256 of the attached files, `v2.2.0@sha256:…`, the
                build fails if they are others, or if there are none. Default: `latest`.
            repository: HTTPS URL of a public repository on GitHub, which can be built as the one
                of `git_tag`. Default: Galv's own.
            commit: The commit, all 40 digits, that the tag must be; goes with a digest. An
                `env.template.js` that is in the source alone is then taken from there. Default:
                with a digest nothing is taken from the source.

        Raises:
            ValueError: If an argument is malformed, or `commit` is given without a digest.
        """
        plain, digest = _split(tag, whose="frontend-build.tar.gz")
        _check_tag(plain)
        _check_repository(repository)
        _check_commit(commit, plain)
        if commit is not None and not digest:
            raise ValueError(
                "commit is given and the tag has no digest, so that the attached files could be "
                f"any: write tag='{plain}@sha256:…', or build the source with "
                "FrontendSource.git_tag(…)"
            )
        return FrontendSource(
            files=FetchedFiles(
                kind="release",
                repository=repository,
                tag=release_tag(plain),
                commit=commit or "",
                digest=digest,
            )
        )

    @staticmethod
    def git_tag(
        tag: str = LATEST,
        *,
        repository: str = DEFAULT_REPOSITORY,
        commit: str | None = None,
    ) -> "FrontendSource":
        """Build from the source at a tag, in CodeBuild, during the deployment.

        Args:
            tag: Tag of the repository; the `v` of a release may be left out. `latest` is the
                newest tag of the form `v1.2.3` on the day of the deployment: `latest_as_of` of
                `GalvFrontend`. Default: `latest`.
            repository: HTTPS URL of a public git repository with a lockfile of pnpm, npm or Yarn,
                whose script `build` writes `dist/`. Default: Galv's own.
            commit: The commit, all 40 digits, that the tag must be; otherwise the build fails.
                Default: any.

        Raises:
            ValueError: If an argument is malformed, or `commit` is given for `latest`.
        """
        _check_tag(tag)
        _check_repository(repository)
        _check_commit(commit, tag)
        return FrontendSource(
            files=FetchedFiles(
                kind="git", repository=repository, tag=release_tag(tag), commit=commit or ""
            )
        )

    @staticmethod
    def container_image(tag: str, *, repository: str = DEFAULT_IMAGE) -> "FrontendSource":
        """Take the files of a published image, fetched in CodeBuild during the deployment.

        An image with an `env.template.js` serves any API. In others the URL of the API is fixed
        when they are built, and one that was built for another API is refused by the deployment.

        Args:
            tag: Tag of the image; the `v` of a release may be left out. `latest` is the image of
                that tag on the day of the deployment: `latest_as_of` of `GalvFrontend`. With the
                digest of the image, `v2.2.0@sha256:…`, it is that image, whatever the tag is.
            repository: Registry and name of a public image that serves `/usr/share/nginx/html`.
                Default: Galv's own on GHCR.

        Raises:
            ValueError: If an argument is malformed.
        """
        plain, digest = _split(tag, whose="the image")
        check_image_tag("tag", plain)
        _check_tag(plain)
        if not isinstance(repository, str) or not _IMAGE.fullmatch(repository):
            raise ValueError(
                f"repository must be the registry and the name of an image, such as "
                f"{DEFAULT_IMAGE!r}, got {repository!r}: leave out the scheme and the tag"
            )
        return FrontendSource(
            files=FetchedFiles(
                kind="image", repository=repository, tag=release_tag(plain), digest=digest
            )
        )

    @staticmethod
    def directory(path: str) -> "FrontendSource":
        """Publish files that are already built, uploaded with the other assets of the deployment.

        Without an `env.template.js` among them they must have been built with
        `VITE_GALV_API_BASE_URL` set to `api_url`; others are refused by the deployment.

        Args:
            path: Folder with `index.html`, such as `dist`.

        Raises:
            ValueError: If there is no such folder, or no `index.html` in it.
        """
        if not isinstance(path, str) or not Path(path).is_dir():
            raise ValueError(f"path must be a folder of built files, and {path!r} is none")
        if not (Path(path) / "index.html").is_file():
            raise ValueError(
                f"path must be a folder of built files, and {path!r} has no index.html: pass what "
                "the build wrote, such as 'dist'"
            )
        return FrontendSource(files=LocalFiles(path=path))


def _split(tag: str, *, whose: str) -> tuple[str, str]:
    """Return a tag and what stands after its `@`."""
    plain = check_digest("tag", tag, whose=whose, example="v2.2.0")
    refuse_digest_of_latest("tag", tag)
    return (str(plain), tag.partition("@")[2]) if isinstance(plain, str) else (tag, "")


def _check_commit(commit: object, tag: str) -> None:
    if commit is None:
        return
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise ValueError(
            f"commit must be all 40 digits of a commit's hash, in lower case, got {commit!r}: "
            "`git rev-list -n 1 <tag>` shows it"
        )
    if tag == LATEST:
        raise ValueError(
            "commit is given for the tag 'latest', which is another commit with each release: "
            "pass the tag of one release too"
        )


def _check_repository(repository: object) -> None:
    if not isinstance(repository, str) or not _GIT_URL.fullmatch(repository):
        raise ValueError(
            "repository must be the HTTPS URL of a public git repository, such as "
            f"{DEFAULT_REPOSITORY!r}, got {repository!r}: leave out a user name and a password"
        )


def _check_tag(tag: object) -> None:
    if is_token(tag):
        raise ValueError("tag must be known at synthesis, got a token")
    # What git allows is more; none of it is in the name of a release.
    if not isinstance(tag, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}", tag):
        raise ValueError(
            f"tag must be the tag of a release, such as 'v2.2.0' or 'latest', got {tag!r}"
        )


def check_source(
    source: FrontendSource | None,
    environment: Mapping[str, str] | None,
    secrets: Mapping[str, ecs.Secret] | None,
) -> None:
    """Check where the files come from and what their build is given."""
    if source is not None and not isinstance(source, FrontendSource):
        raise ValueError(
            f"source must be a FrontendSource, got {source!r}: use FrontendSource.release(…), "
            "git_tag(…), container_image(…) or directory(…)"
        )
    check_variables(environment or {}, secrets or {}, RESERVED_VARIABLES)
    for argument, variables in (("environment", environment), ("secrets", secrets)):
        for name in variables or {}:
            if name.startswith(RESERVED_PREFIXES):
                raise ValueError(
                    f"{argument} sets {name}, and names that start with "
                    f"{', '.join(RESERVED_PREFIXES)} are CodeBuild's and this construct's: use "
                    "another name"
                )
    files = None if source is None else source.files
    if secrets and not (files is None or (isinstance(files, FetchedFiles) and files.is_built)):
        raise ValueError(
            "secrets is given, and the files of source are built already, so that it would do "
            "nothing: use FrontendSource.release(…) or git_tag(…), or leave it out"
        )
    if environment and isinstance(files, LocalFiles) and not files.has_template:
        raise ValueError(
            "environment is given, and the files of source are built already and have no "
            "env.template.js, so that it would do nothing: use FrontendSource.release(…) or "
            "git_tag(…), or leave it out"
        )
