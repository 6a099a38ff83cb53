"""The image that a backend runs: Galv's, copied or from its registry, or another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.release_tag import LATEST, release_tag
from galv_constructs.images._image import GALV_REPOSITORY
from galv_constructs.images.mirrored_image import MirroredImage

# Tags of task definitions, which `galv_ops` reads.
_VERSION_TAG = "galv-version"
_DIGEST_TAG = "galv-image-digest"


@dataclass(frozen=True, kw_only=True)
class GalvImage:
    """The image, and what is known of it."""

    image: ecs.ContainerImage
    mirrored: MirroredImage | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The version; `image` of one that was given, whose version nobody tells."""
        return self.tags.get(_VERSION_TAG, "image")

    @property
    def digest(self) -> str | None:
        """The digest, where it is known."""
        return self.tags.get(_DIGEST_TAG)


def galv_image(
    scope: Construct,
    *,
    version: str | None,
    image: ecs.ContainerImage | None,
    mirror_image: bool,
    latest_as_of: date | None,
    registry_credentials: secretsmanager.ISecret | None,
    encryption_key: kms.IKey | None,
    production: bool,
    removal_protection: bool | None,
    preflight: bool | Sequence[str],
) -> GalvImage:
    """Return the given image, or Galv's by its version; define its copy unless told otherwise."""
    if image is not None:
        return GalvImage(image=image)
    tag = LATEST if version is None else release_tag(version)
    plain, _, digest = tag.partition("@")
    tags = {_VERSION_TAG: plain}
    if not mirror_image:
        # ECS documents names with either, and none with both:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
        name = f"{GALV_REPOSITORY}@{digest}" if digest else f"{GALV_REPOSITORY}:{tag}"
        return GalvImage(
            image=ecs.ContainerImage.from_registry(name, credentials=registry_credentials),
            tags={**tags, _DIGEST_TAG: digest} if digest else tags,
        )
    mirrored = MirroredImage(
        scope,
        "Image",
        repository=GALV_REPOSITORY,
        tag=tag,
        as_of=latest_as_of,
        registry_credentials=registry_credentials,
        encryption_key=encryption_key,
        production=production,
        removal_protection=removal_protection,
        preflight=preflight,
    )
    return GalvImage(
        image=mirrored.image, mirrored=mirrored, tags={**tags, _DIGEST_TAG: mirrored.digest}
    )
