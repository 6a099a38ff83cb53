"""What runs stays in ECR, whatever the lifecycle policy of the repository drops."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_cdk import Stack
from backends import new_app
from handlers.ecr_server import TAG, Ecr, RefusedError, ecr_server
from templates import only, synthesize

from galv_constructs import MirroredImage
from galv_constructs.handlers import _aws, _deployed
from galv_constructs.handlers._deployed import NotMarkedError, mark
from galv_constructs.images import mirrored_image

KEEP = 5


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ecr]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with ecr_server() as ecr:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", ecr.url)
        _aws.client.cache_clear()
        yield ecr
        _aws.client.cache_clear()


@pytest.fixture(scope="module")
def policy() -> Any:
    """The lifecycle policy that a mirror with the fewest images has."""
    stack = Stack(new_app(), "Stack")
    MirroredImage(stack, "Image", repository="ghcr.io/a/b", tag="v1", kept_images=KEEP)
    repository = only(synthesize(stack), "AWS::ECR::Repository")
    return json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])


def arrive(ecr: Ecr, version: str) -> str:
    """Push an image, and return its digest."""
    digest = f"sha256:{hashlib.sha256(version.encode()).hexdigest()}"
    ecr.layers[digest] = 1
    content = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": digest},
        "layers": [],
    }
    put = ecr.PutImage({"imageManifest": json.dumps(content), "imageTag": version})
    return str(put["image"]["imageId"]["imageDigest"])


def deploy(ecr: Ecr, version: str) -> str:
    """Push an image, and mark it as deployed."""
    digest = arrive(ecr, version)
    mark("galv", digest, KEEP)
    return digest


def marks(ecr: Ecr, digest: str = "") -> list[str]:
    """The tags of what was deployed, of one image or of all, oldest first."""
    return sorted(
        tag
        for tag, image in ecr.images.items()
        if tag.startswith("deployed-") and image["imageId"]["imageDigest"].startswith(digest)
    )


def test_the_rule_is_for_the_tags_that_the_function_gives(policy: Any) -> None:
    assert mirrored_image.DEPLOYED == _deployed.PREFIX
    assert policy["rules"][0]["selection"]["tagPrefixList"] == [_deployed.PREFIX]


def test_an_old_image_that_runs_again_outlives_newer_ones(ecr: Ecr, policy: Any) -> None:
    old = deploy(ecr, "v1")
    deploy(ecr, "v2")
    mark("galv", old, KEEP)

    # Deployments that fail leave images too; they were never deployed to the end.
    for number in range(3, 30):
        arrive(ecr, f"v{number}")
        ecr.expire(policy)

    assert old in ecr.arrived
    # Those that were deployed, and the newest that arrived.
    assert len(ecr.arrived) == 2 + KEEP


def test_without_its_tag_it_would_be_dropped(ecr: Ecr, policy: Any) -> None:
    old = arrive(ecr, "v1")
    for number in range(2, 30):
        arrive(ecr, f"v{number}")

    ecr.expire(policy)

    assert old not in ecr.arrived


def test_what_was_deployed_long_ago_is_dropped(ecr: Ecr, policy: Any) -> None:
    digests = [deploy(ecr, f"v{number}") for number in range(12)]

    ecr.expire(policy)

    assert ecr.arrived == digests[-KEEP:]


def test_a_tag_is_valid_and_sorts_by_time(ecr: Ecr) -> None:
    for version in ("v1", "v2", "v3"):
        deploy(ecr, version)

    found = marks(ecr)
    assert all(TAG.fullmatch(tag) for tag in found)
    assert [ecr.images[tag]["imageId"]["imageDigest"] for tag in found] == ecr.arrived


def test_the_same_image_again_has_no_other_tag(ecr: Ecr) -> None:
    digest = deploy(ecr, "v1")
    mark("galv", digest, KEEP)

    assert len(marks(ecr)) == 1


def test_one_that_is_gone_back_to_all_the_time_has_few_tags(ecr: Ecr) -> None:
    images = [deploy(ecr, "v1"), deploy(ecr, "v2")]
    for number in range(30):
        mark("galv", images[number % 2], KEEP)

    assert [len(marks(ecr, digest)) for digest in images] == [_deployed.TAGS_AN_IMAGE] * 2


def test_no_image_loses_its_last_tag(ecr: Ecr) -> None:
    first = deploy(ecr, "v1")
    # By a person.
    del ecr.images["v1"]

    for number in range(2, 12):
        deploy(ecr, f"v{number}")

    assert first in ecr.arrived


def test_reads_all_pages_of_tags(ecr: Ecr) -> None:
    ecr.page = 2
    digest = deploy(ecr, "v1")
    for number in range(2, 9):
        arrive(ecr, f"v{number}")

    mark("galv", digest, KEEP)

    assert len(marks(ecr)) == 1


def test_other_tags_that_begin_alike_are_no_deployments(ecr: Ecr) -> None:
    arrive(ecr, "deployed-by-hand")

    deploy(ecr, "v1")

    assert "deployed-by-hand" in ecr.images


def raising(code: str) -> Callable[[Ecr, dict[str, Any]], None]:
    def fault(_ecr: Ecr, _asked: dict[str, Any]) -> None:
        raise RefusedError(code, f"{code} happened")

    return fault


@pytest.mark.parametrize("operation", ["ListImages", "BatchGetImage", "PutImage"])
def test_an_image_that_could_not_be_tagged(ecr: Ecr, operation: str) -> None:
    digest = arrive(ecr, "v1")
    ecr.faults[operation] = [raising("AccessDeniedException")]

    with pytest.raises(NotMarkedError, match="AccessDeniedException happened"):
        mark("galv", digest, KEEP)


def test_an_image_that_is_gone(ecr: Ecr) -> None:
    with pytest.raises(NotMarkedError, match="sha256:0: not there"):
        mark("galv", "sha256:0", KEEP)


def test_a_tag_whose_answer_was_lost_is_there(ecr: Ecr) -> None:
    digest = arrive(ecr, "v1")

    def put_and_lost(ecr: Ecr, asked: dict[str, Any]) -> None:
        with ecr.lock:
            ecr.PutImage(asked)
        raise ConnectionAbortedError

    ecr.faults["PutImage"] = [put_and_lost]
    mark("galv", digest, KEEP)

    assert len(marks(ecr)) == 1


def test_tags_that_cannot_be_taken_away_stop_nothing(
    ecr: Ecr, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for number in range(KEEP):
        deploy(ecr, f"v{number}")
    ecr.faults["BatchDeleteImage"] = [raising("AccessDeniedException")]

    deploy(ecr, "newest")

    assert len(marks(ecr)) == KEEP + 1
    assert "older tags deployed-… stay, and keep their images" in caplog.text


def test_a_tag_that_ecr_does_not_take_away_is_told(
    ecr: Ecr, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    failure = {"failureCode": "ImageReferencedByManifestList", "failureReason": "it is in a list"}
    monkeypatch.setattr(Ecr, "BatchDeleteImage", lambda *_: {"imageIds": [], "failures": [failure]})

    for number in range(KEEP + 1):
        deploy(ecr, f"v{number}")

    assert "a tag stays, and keeps its image: it is in a list" in caplog.text
