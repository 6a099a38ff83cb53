"""The image of the Galv backend."""

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager

from galv_constructs._release_tag import release_tag
from galv_constructs._validation import is_token
from galv_constructs.network import IGalvNetwork

_REPOSITORY = "ghcr.io/galv-team/galv-backend"


def backend_image(
    version: str | None, registry_credentials: secretsmanager.ISecret | None
) -> ecs.ContainerImage:
    """Name the published image."""
    return ecs.ContainerImage.from_registry(
        f"{_REPOSITORY}:{'latest' if version is None else release_tag(version)}",
        credentials=registry_credentials,
    )


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
        "pass image=ecs.ContainerImage.from_ecr_repository(…) (a copy of it), "
        "or choose another NetworkPreset"
    )
