"""The image of the Galv backend."""

from functools import lru_cache
from typing import Any, Literal, get_args

from aws_cdk import LegacyStackSynthesizer, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.placement import check_place
from galv_constructs._core.release_tag import check_backend_tag, release_tag
from galv_constructs._core.validation import check_construct, is_token
from galv_constructs.network import IGalvNetwork
from galv_constructs.preflight.check import PreflightCheck

Architecture = Literal["X86_64", "ARM64"]
"""A processor architecture of Fargate, as ECS spells it."""

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
_PLATFORMS = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}
_REPOSITORY = "ghcr.io/galv-team/galv-backend"


def backend_image(
    version: str | None, registry_credentials: secretsmanager.ISecret | None
) -> ecs.ContainerImage:
    """Name the published image: by its digest, where that is given, and else by its tag.

    ECS documents names with either, and none with both:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
    """
    tag = "latest" if version is None else release_tag(version)
    digest = tag.partition("@")[2]
    return ecs.ContainerImage.from_registry(
        f"{_REPOSITORY}@{digest}" if digest else f"{_REPOSITORY}:{tag}",
        credentials=registry_credentials,
    )


def check_image(
    scope: Construct,
    version: str | None,
    image: ecs.ContainerImage | None,
    *,
    registry_credentials: secretsmanager.ISecret | None,
    network: IGalvNetwork | None,
) -> None:
    """Check that there is one image, that it is not too old, and that tasks can pull it."""
    check_construct(
        "image", image, "aws_ecs.ContainerImage", "ecs.ContainerImage.from_registry(name)"
    )
    check_registry_credentials(scope, registry_credentials)
    if image is not None:
        for name, value in (("version", version), ("registry_credentials", registry_credentials)):
            if value is not None:
                raise ValueError(
                    f"image and {name} are both given, and {name} is only for the default image "
                    "on GHCR: drop one of them"
                )
        if network is not None:
            check_reachable(image, network)
        return
    if version is not None:
        check_backend_tag("version", version)
    if network is not None and not network.has_internet:
        raise ValueError(
            "network has no internet, and the default image is on GHCR, which no VPC endpoint "
            f"reaches: pass image=MirroredImage(self, 'Image', repository='{_REPOSITORY}', "
            f"tag={version or 'latest'!r}).image, or choose another NetworkPreset"
        )


def check_registry_credentials(scope: Construct, given: secretsmanager.ISecret | None) -> None:
    """Refuse what is no secret, and one that the stack cannot read."""
    check_construct(
        "registry_credentials",
        given,
        "aws_secretsmanager.ISecret",
        "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
    )
    check_place(scope, "registry_credentials", given)


def check_reachable(image: ecs.ContainerImage, network: IGalvNetwork) -> None:
    """Refuse an image that tasks without the internet cannot pull."""
    if network.has_internet or not isinstance(image, ecs.RepositoryImage):
        return
    # Only a container knows the name of an image that was given as an object.
    probe = ecs.FargateTaskDefinition(Stack(), "Probe").add_container("Image", image=image)
    name = probe.image_name
    if is_token(name) or ".dkr.ecr." in name:
        return
    raise ValueError(
        f"network has no internet, and no VPC endpoint reaches the registry of image {name!r}: "
        "pass image=MirroredImage(self, 'Image', repository=…, tag=…).image, or choose another "
        "NetworkPreset"
    )


def check_architecture(image: ecs.ContainerImage | None, architecture: object) -> None:
    """Refuse what is no architecture, or another one than an image says that it is built for.

    Only an image that CDK builds for a given platform says so. Galv's is published for one.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture must be one of {', '.join(ARCHITECTURES)}, got {architecture!r}"
        )
    if image is None:
        if architecture != "X86_64":
            raise ValueError(
                f"architecture is {architecture!r}, and Galv publishes its image for X86_64 only: "
                "pass image=…, one that is built for it, or leave architecture out"
            )
        return
    platform = _platform(image) if isinstance(image, ecs.AssetImage) else None
    if platform is not None and _PLATFORMS.get(platform) != architecture:
        raise ValueError(
            f"image is built for {platform}, and architecture is {architecture!r}: pass "
            "architecture='ARM64' for linux/arm64, 'X86_64' for linux/amd64, or build it with "
            "another platform=ecr_assets.Platform.…"
        )


def image_check(container: ecs.ContainerDefinition, architecture: Architecture) -> PreflightCheck:
    """Return the question whether the image of a container exists.

    Only a container knows the name of an image that was given as an object, and its credentials.
    """
    rendered = container.render_container_definition()
    given = rendered.repository_credentials
    credentials = (
        given.credentials_parameter
        if isinstance(given, ecs.CfnTaskDefinition.RepositoryCredentialsProperty)
        else None
    )
    return PreflightCheck.image(rendered.image, architecture=architecture, credentials=credentials)


@lru_cache(maxsize=8)
def _platform(image: ecs.AssetImage) -> str | None:
    """The platform that an image is built for, if that was given."""
    # Only this synthesizer tells it, and only of an image that is in use.
    probe = Stack(synthesizer=LegacyStackSynthesizer())
    ecs.FargateTaskDefinition(probe, "Probe").add_container("Image", image=image)
    assets: list[Any] = [
        entry.data for entry in probe.node.metadata if entry.type == "aws:cdk:asset"
    ]
    return next((asset["platform"] for asset in assets if "platform" in asset), None)
