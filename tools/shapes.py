"""The example application in each of its shapes, for tools that work something out from it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Before jsii loads CDK: the templates are only read here.
os.environ["CDK_VALIDATION"] = "false"

from aws_cdk import App
from example import CONTEXT

Json = Mapping[str, Any]

SHAPES: dict[str, dict[str, object]] = {
    f"{preset}, {'production' if production else 'not production'}": {
        "networkPreset": preset,
        "isProduction": production,
    }
    for production in (True, False)
    for preset in ("natGateway", "natInstance", "public")
}


@dataclass(frozen=True)
class StackTemplate:
    """A stack of a cloud assembly: its template, and the stacks that are deployed before it."""

    name: str
    template: Json
    dependencies: tuple[str, ...] = ()


def synthesize(
    context: Mapping[str, object], *, environment: Mapping[str, str] | None = None
) -> list[StackTemplate]:
    """Return the stacks of the example application with some context keys changed.

    Args:
        context: The keys.
        environment: Variables that the CDK CLI sets, CDK_DEFAULT_ACCOUNT and CDK_DEFAULT_REGION.
            Default: none of its variables, for which the example takes us-east-1.
    """
    from galv_app.stacks import add_stacks  # noqa: PLC0415 - needs the path

    app = App(context={"aws:cdk:bundling-stacks": [], **CONTEXT, **context})
    with patch.dict(os.environ, environment or {}):
        add_stacks(app)
        return read_stacks(Path(app.synth().directory))


def read_stacks(assembly: Path) -> list[StackTemplate]:
    """Return the stacks of a cloud assembly."""
    manifest = json.loads((assembly / "manifest.json").read_text())
    stacks = {
        name: artifact
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    return [
        StackTemplate(
            name,
            json.loads((assembly / artifact["properties"]["templateFile"]).read_text()),
            # Assets are dependencies too.
            tuple(other for other in artifact.get("dependencies", []) if other in stacks),
        )
        for name, artifact in stacks.items()
    ]
