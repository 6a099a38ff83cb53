"""Capacity providers of ECS clusters, and the refusal of those that a cluster does not have."""

from e2e.emulator.private import ecs, provisioners
from e2e.emulator.types import Json, Records, check_before

ASSOCIATIONS = Records(
    "AWS::ECS::ClusterCapacityProviderAssociations",
    required={"CapacityProviders", "Cluster", "DefaultCapacityProviderStrategy"},
    known=set(),
    id=lambda properties: str(properties["Cluster"]),
)


def _check_service(properties: Json) -> None:
    strategy = properties.get("CapacityProviderStrategy") or []
    _check(properties["Cluster"], [each["CapacityProvider"] for each in strategy])


def _check(cluster: str, providers: list[str]) -> None:
    """Refuse a provider as ECS does."""
    name = cluster.rpartition("/")[2]
    associated = ASSOCIATIONS.all.get(name, {}).get("CapacityProviders", [])
    if not set(providers) <= set(associated):
        raise ValueError(
            "InvalidParameterException: The specified capacity provider strategy cannot contain a "
            "capacity provider that is not associated with the cluster."
        )


def install() -> None:
    """Add the type and the check."""
    ASSOCIATIONS.install()
    check_before("AWS::ECS::Service", _check_service)
    handler = provisioners.RESOURCE_HANDLERS[ASSOCIATIONS.name]
    delete = handler["delete"]

    def refuse_in_use(id: str, properties: Json) -> None:
        used = [
            service
            for service in ecs.services.values()
            if service.get("capacityProviderStrategy") and service["status"] == "ACTIVE"
        ]
        if any(service["clusterArn"].endswith(f"/{id}") for service in used):
            raise ValueError("The specified capacity provider is in use and cannot be removed.")
        delete(id, properties)

    handler["delete"] = refuse_in_use
