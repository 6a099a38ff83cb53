"""Whether an image exists at its registry, for the architecture of the task."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .aws_errors import AWS_ERRORS, error_code, error_message
from .question import ArgumentError
from .registry import INDEXES, MANIFESTS, PLATFORMS, AbsentError, RefusedError, Registry, parse
from .secret import absent, lacking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .registry import Reference
    from .unreachable import UnreachableError
    from .world import World

ACTIONS = (
    "ecr:BatchGetImage",
    "ecr:DescribePullThroughCacheRules",
    "ecr:GetDownloadUrlForLayer",
    "secretsmanager:GetSecretValue",
)
"""Those of ECR for an image of ECR, and that of Secrets Manager where there are credentials."""

# Both documented forms, with IPv4 and with both:
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
_ECR = re.compile(
    r"(?P<account>\d{12})\.(?:dkr\.ecr(?:-fips)?\.(?P<v4>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"|dkr-ecr(?:-fips)?\.(?P<both>[a-z0-9-]+)\.on\.aws)"
)
# What ECS reads of a secret with credentials:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
_CREDENTIALS = ("username", "password")
_NEAREST = 5
_SERVER_ERROR = 500


class _Ecr(NamedTuple):
    account: str
    region: str


def is_needed(error: UnreachableError | None) -> bool:
    """Tell whether a registry that does not answer fails the deployment.

    One that says that it fails does so for all. One that cannot be reached may be in a network that
    tasks are in, and one that is asked too often may still answer another address.
    """
    return error is not None and error.status >= _SERVER_ERROR


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `Image`, for `Architecture`, with the credentials of `CredentialsArn`."""
    image = question.text("Image")
    architecture = question.text("Architecture", "X86_64")
    if architecture not in PLATFORMS:
        raise ArgumentError(
            f"Architecture must be one of {', '.join(PLATFORMS)}, got {architecture!r}"
        )
    reference = parse(image)
    match = _ECR.fullmatch(reference.host)
    if match:
        found = _in_ecr(
            question, world, reference, _Ecr(match["account"], match["v4"] or match["both"])
        )
    else:
        found = _in_registry(question, world, reference)
    if isinstance(found, list):
        return found
    wanted = f"linux/{PLATFORMS[architecture]}"
    if not found or wanted in found:
        return []
    other = next((name for name, built in PLATFORMS.items() if f"linux/{built}" in found), None)
    fix = f"use an image that is built for {wanted}"
    if other is not None:
        fix = f"set the architecture of the task to {other}, or {fix}"
    return [
        question.error(
            f"the image {image} is not for {wanted}",
            f"it is for {', '.join(sorted(found))}",
            fix,
        )
    ]


def _in_registry(
    question: Question, world: World, reference: Reference
) -> set[str] | list[Finding]:
    """Return the platforms of an image, or what is wrong."""
    image, arn = question.text("Image"), question.text("CredentialsArn", "")
    credentials = None
    if arn:
        if not world.may_send(reference.host, arn):
            raise ArgumentError(
                f"the stack does not use the credentials {arn} for {reference.host}, so that they "
                "are not sent there"
            )
        try:
            value = world.secret(arn)
        except AWS_ERRORS as error:
            return [absent(question, arn, error)]
        wrong = list(lacking(question, arn, value, _CREDENTIALS))
        if wrong:
            return wrong
        content = json.loads(value["SecretString"])
        credentials = (str(content["username"]), str(content["password"]))
    registry = Registry(world, reference.host, reference.repository, credentials)
    try:
        manifest = registry.manifest(reference.version)
    except AbsentError as error:
        return [_no_image(question, str(error), registry.tags(), reference.version)]
    except RefusedError as error:
        if credentials is None:
            fix = (
                "correct the name; where the image is private, pass a secret with username and "
                "password as the registry's credentials"
            )
        else:
            fix = (
                f"correct the user name and the password in {arn}, and let that user read the "
                "image; or correct the image's name"
            )
        wrong_ = f"{reference.host} does not show the image {image}"
        how = "with the credentials given" if credentials else "without credentials"
        return [question.error(wrong_, f"{error} ({how})", fix)]
    return platforms(registry, manifest)


def platforms(registry: Registry, manifest: dict[str, Any]) -> set[str]:
    """Return what an image is for; nothing where it does not say."""
    found = _platforms_of(manifest)
    if found is None:
        digest = manifest.get("config", {}).get("digest")
        found = {_platform(registry.config(digest))} if digest else set()
    return found


def _in_ecr(
    question: Question, world: World, reference: Reference, place: _Ecr
) -> set[str] | list[Finding]:
    """Return the platforms of an image in ECR, or what is wrong.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
    """
    ecr = world.client("ecr", place.region)
    which = {"registryId": place.account, "repositoryName": reference.repository}
    key = "imageDigest" if ":" in reference.version else "imageTag"
    try:
        reply = ecr.batch_get_image(
            **which, imageIds=[{key: reference.version}], acceptedMediaTypes=[*INDEXES, *MANIFESTS]
        )
    except AWS_ERRORS as error:
        if error_code(error) != "RepositoryNotFoundException":
            raise
        missing = question.error(
            f"the repository of the image {question.text('Image')} does not exist",
            error_message(error),
            "create the repository and push the image, or correct the image's name",
        )
        return [_unless_cached(question, ecr, place, reference, missing)]
    if not reply["images"]:
        failures = reply.get("failures") or [{}]
        said = f"{failures[0].get('failureCode')}: {failures[0].get('failureReason')}"
        missing = _no_image(question, said, [], reference.version)
        return [_unless_cached(question, ecr, place, reference, missing)]
    manifest = json.loads(reply["images"][0]["imageManifest"])
    found = _platforms_of(manifest)
    if found is None:
        digest = manifest.get("config", {}).get("digest")
        if not digest:
            return set()
        url = ecr.get_download_url_for_layer(**which, layerDigest=digest)["downloadUrl"]
        found = {_platform(world.get(url).json())}
    return found


def _unless_cached(
    question: Question, ecr: Any, place: _Ecr, reference: Reference, missing: Finding
) -> Finding:
    """Return an error, or a warning where ECR may take the image from another registry.

    It does so when the image is first pulled, and creates the repository then:
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
    """
    try:
        pages = ecr.get_paginator("describe_pull_through_cache_rules").paginate(
            registryId=place.account
        )
        prefixes = [
            rule["ecrRepositoryPrefix"] for page in pages for rule in page["pullThroughCacheRules"]
        ]
    except AWS_ERRORS as error:
        why = f"whether ECR takes it from another registry is not known: {error_message(error)}"
    else:
        # "ROOT" is the prefix of all repositories that no other rule is for.
        rule = next(
            (
                prefix
                for prefix in prefixes
                if prefix == "ROOT" or reference.repository.startswith(f"{prefix}/")
            ),
            None,
        )
        if rule is None:
            return missing
        why = f"the pull through cache {rule} may take it from another registry"
    return question.warning(missing.wrong, f"{missing.found}; {why}", missing.fix)


def _no_image(question: Question, said: str, tags: list[str], version: str) -> Finding:
    nearest = difflib.get_close_matches(version, tags, n=_NEAREST, cutoff=0) if tags else []
    found = f"{said}; tags that there are: {', '.join(nearest)}" if nearest else said
    return question.error(
        f"the image {question.text('Image')} does not exist",
        found,
        "push it, or correct its tag or digest",
    )


def _platforms_of(manifest: dict[str, Any]) -> set[str] | None:
    """Return the platforms of an index; None for the manifest of one image."""
    if "manifests" not in manifest:
        return None
    # What builders add beside the images, such as attestations, is for the platform "unknown".
    return {
        _platform(part["platform"])
        for part in manifest["manifests"]
        if part.get("platform", {}).get("os", "unknown") != "unknown"
    }


def _platform(described: dict[str, Any]) -> str:
    return f"{described.get('os')}/{described.get('architecture')}"
