"""Whether the release, the tag or the image is there that the site is made of."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from .git import LATEST, NoRepositoryError, choose, newest, spellings, tags_of
from .image import platforms
from .question import ArgumentError, Question
from .registry import AbsentError, RefusedError, Registry, parse
from .unreachable import UnreachableError
from .world import LARGEST_REPLY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .finding import Finding
    from .world import World

ACTIONS: tuple[str, ...] = ()

ARCHIVE = "frontend-build.tar.gz"
# What the build takes of an image for several.
_PLATFORM = "linux/amd64"
_FEW = 5
_OK, _NOT_FOUND, _TOO_MANY = 200, 404, 429


def is_needed(error: UnreachableError | None) -> bool:
    """Tell whether a server that does not answer fails the deployment.

    The function that publishes the site, and its build, ask the same servers from the internet too.
    They may get the answer that is refused to an address that asks too often.
    """
    return error is None or error.status != _TOO_MANY


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `Source`, which has `Type`, `Repository`, `Tag`, `Commit` and perhaps `Digest`.

    It is what `Custom::GalvSiteRelease` has as `Inputs.Source`.
    """
    source = question.arguments.get("Source")
    if not isinstance(source, dict):
        raise ArgumentError(f"Source must be what the site is made of, got {source!r}")
    inner = Question(question.check, source)
    kind = inner.text("Type")
    if kind not in ("release", "git", "image"):
        raise ArgumentError(f"Type must be release, git or image, got {kind!r}")
    repository, tag = inner.text("Repository"), inner.text("Tag")
    commit, digest = inner.text("Commit", ""), inner.text("Digest", "")
    if kind == "image":
        yield from _image(question, world, repository, tag, digest)
        return
    try:
        commits = tags_of(world, repository)
    except NoRepositoryError as error:
        yield question.error(
            f"the repository {repository} does not exist, or is not public",
            str(error),
            "correct its URL, or make it public",
        )
        return
    name = choose(tag, commits)
    if name is None:
        some = ", ".join(newest(commits)[:_FEW]) or "none of a release"
        yield question.error(
            f"{repository} has no tag of a release"
            if tag == LATEST
            else f"{repository} has no tag {tag}",
            f"its newest are {some}",
            "push the tag, or correct the version of the frontend",
        )
        return
    if commit and commits[name] != commit:
        yield question.error(
            f"the tag {name} of {repository} is not the commit that is pinned",
            f"it is {commits[name]}, and pinned is {commit}",
            "find out whether the tag was moved; then pin the other commit, or another tag",
        )
    # Without a digest the tag is built where a release has no files.
    if kind == "release" and digest:
        yield from _archive(question, world, repository, name, digest)


def _archive(
    question: Question, world: World, repository: str, tag: str, digest: str
) -> Iterator[Finding]:
    """Ask for the files of a release, and see whether they are the pinned ones."""
    pages = re.sub(r"(\.git)?/*$", "", repository)
    url = f"{pages}/releases/download/{tag}/{ARCHIVE}"
    head = world.get(url, method="HEAD")
    if head.status == _NOT_FOUND:
        yield question.error(
            f"the release {tag} of {repository} has no {ARCHIVE}",
            f"{url} answers {head.status}, and pinned is {digest}",
            "attach the file to the release, or leave the digest out, so that the tag is built",
        )
        return
    if head.status != _OK:
        raise UnreachableError(url, f"it answers {head.status}", head.status)
    # More than that the build finds out.
    if int(head.headers.get("content-length", "0")) > LARGEST_REPLY:
        return
    reply = world.get(url)
    found = f"sha256:{hashlib.sha256(reply.body).hexdigest()}"
    if reply.status == _OK and found != digest:
        yield question.error(
            f"the files of the release {tag} of {repository} are not the pinned ones",
            f"{url} is {found}, and pinned is {digest}",
            "find out who replaced the file; then pin the other digest, or another release",
        )


def _image(
    question: Question, world: World, repository: str, tag: str, digest: str
) -> Iterator[Finding]:
    reference = parse(repository)
    registry = Registry(world, reference.host, reference.repository)
    for version in (digest,) if digest else spellings(tag):
        try:
            manifest = registry.manifest(version)
        except AbsentError:
            continue
        except RefusedError as error:
            yield question.error(
                f"{reference.host} does not show the image {repository}",
                str(error),
                "correct its name, or make it public: the build has no credentials",
            )
            return
        found = platforms(registry, manifest)
        if "manifests" in manifest and _PLATFORM not in found:
            yield question.error(
                f"the image {repository} is not for {_PLATFORM}",
                f"it is for {', '.join(sorted(found))}",
                f"use one that is built for {_PLATFORM}",
            )
        return
    tags = ", ".join(sorted(registry.tags(), reverse=True)[:_FEW])
    yield question.error(
        f"the image {repository} has no {digest or tag}",
        f"tags that there are: {tags}" if tags else "the registry names no tags",
        "push it, or correct the version of the frontend",
    )
