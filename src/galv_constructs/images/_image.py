"""The image of the Galv backend."""

from datetime import date
from functools import lru_cache
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

from aws_cdk import LegacyStackSynthesizer, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from galv_constructs._core.placement import check_place
from galv_constructs._core.release_tag import LATEST, check_backend_tag, check_day
from galv_constructs._core.validation import check_boolean, check_construct, is_token
from galv_constructs.network import IGalvNetwork
from galv_constructs.preflight.check import PreflightCheck

Architecture = Literal["X86_64", "ARM64"]
"""A processor architecture of Fargate, as ECS spells it."""

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
_PLATFORMS = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}

# What images that were copied are for; an image itself does not say it.
_BUILT_FOR: WeakKeyDictionary[ecs.ContainerImage, tuple[Architecture, str]] = WeakKeyDictionary()

GALV_REPOSITORY = "ghcr.io/galv-team/galv-backend"
"""The image that Galv publishes, without a tag."""


def check_image(
    scope: Construct,
    version: str | None,
    image: ecs.ContainerImage | None,
    *,
    mirror_image: bool,
    latest_as_of: date | None,
    registry_credentials: secretsmanager.ISecret | None,
    network: IGalvNetwork | None,
) -> None:
    """Check that there is one image, that it is not too old, and that tasks can pull it."""
    check_boolean("mirror_image", mirror_image)
    check_construct(
        "image", image, "aws_ecs.ContainerImage", "ecs.ContainerImage.from_registry(name)"
    )
    if not isinstance(image, ecs.ContainerImage | None):
        raise ValueError(
            f"image must be an aws_ecs.ContainerImage, got {type(image).__name__}: pass "
            "ecs.ContainerImage.from_…(…), or the image of a MirroredImage, its attribute `image`"
        )
    check_registry_credentials(scope, registry_credentials)
    if image is not None:
        for name, is_given in (
            ("version", version is not None),
            ("registry_credentials", registry_credentials is not None),
            ("mirror_image", not mirror_image),
            ("latest_as_of", latest_as_of is not None),
        ):
            if is_given:
                raise ValueError(
                    f"image and {name} are both given, and {name} is only for the default image "
                    "on GHCR: drop one of them"
                )
        if network is not None:
            check_reachable(image, network)
        return
    if version is not None:
        check_backend_tag("version", version)
    check_day("latest_as_of", latest_as_of, "version", LATEST if version is None else version)
    if mirror_image:
        return
    if latest_as_of is not None:
        raise ValueError(
            "latest_as_of and mirror_image=False are both given, and tasks that pull from the "
            "registry run what 'latest' is when they start: drop one of them"
        )
    if network is not None and not network.has_internet:
        raise ValueError(
            "mirror_image is False and network has no internet, and no VPC endpoint reaches GHCR, "
            "where the image is: leave mirror_image out (mirrorImage in cdk.json), so that tasks "
            "pull a copy from Amazon ECR, or choose another NetworkPreset (networkPreset)"
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


def remember_architecture(
    image: ecs.ContainerImage, architecture: Architecture, copied_by: str
) -> ecs.ContainerImage:
    """Return an image, of which is known from now on what it is built for, and who copied it."""
    _BUILT_FOR[image] = (architecture, copied_by)
    return image


def check_architecture(image: ecs.ContainerImage | None, architecture: object) -> None:
    """Refuse what is no architecture, or another one than an image says that it is built for.

    Only the copy of a `MirroredImage` says so, and one that CDK builds for a given platform. Galv's
    is published for one.
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
    built_for, copied_by = _BUILT_FOR.get(image, (None, ""))
    if built_for is not None and built_for != architecture:
        raise ValueError(
            f"image is the copy of {copied_by} for {built_for}, and architecture is "
            f"{architecture!r}: pass architecture={built_for!r}, or to the MirroredImage "
            f"architecture={architecture!r}"
        )
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
