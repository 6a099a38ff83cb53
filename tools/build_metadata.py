"""Name galv-ops in the version that is built: hatch asks when it builds galv-constructs."""

from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


# hatch is only where a distribution is built, so that mypy does not know its class.
class OpsOfTheSameVersion(MetadataHookInterface):  # type: ignore[misc]
    """Add the extra `ops`: both are released together."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the extra to what pyproject.toml says."""
        metadata["optional-dependencies"] = {"ops": [f"galv-ops=={metadata['version']}"]}
