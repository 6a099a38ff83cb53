"""Running the example application, in this process or in one of its own."""

import json
import runpy
from pathlib import Path
from typing import Any

import aws_cdk
import pytest
from backends import validation
from example import CONTEXT
from templates import Json

APP = Path(__file__).parent.parent / "examples" / "galv-app"
ACCOUNT = "111122223333"
DOCUMENTED: Json = json.loads((APP / "cdk.json").read_text())["context"]
CREDENTIALS = ("CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION")


def certificate_arn(region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:aws:acm:{region}:{account}:certificate/0a1b2c3d-0000-4000-8000-000000000000"


class Assembly:
    """The output of the application's synthesis."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.manifest: Json = json.loads((directory / "manifest.json").read_text())

    @property
    def stacks(self) -> dict[str, Json]:
        """The manifest's entries of the stacks, by name."""
        return {
            name: artifact
            for name, artifact in self.manifest["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        }

    def template(self, stack: str = "galv-BackendStack") -> Json:
        template: Json = json.loads((self.directory / f"{stack}.template.json").read_text())
        return template

    @property
    def warnings(self) -> str:
        return "\n".join(path.read_text() for path in self.directory.glob("*.metadata.json"))


def run_example(app: aws_cdk.App, region: str | None = None) -> Assembly:
    """Run app.py in this process with an app of ours, and with credentials if there is a region."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in zip(CREDENTIALS, (ACCOUNT, region), strict=True):
            if region is None:
                patch.delenv(variable, raising=False)
            else:
                patch.setenv(variable, str(value))
        patch.setattr(aws_cdk, "App", lambda *, context, stack_traces: app)
        runpy.run_path(str(APP / "app.py"))
    return Assembly(Path(app.outdir))


def example_app(outdir: Path, **context: Any) -> aws_cdk.App:
    """An app with the example's flags and cdk.json, and other values; `...` drops a key."""
    values = {**CONTEXT, **context}
    return aws_cdk.App(
        context={key: value for key, value in values.items() if value is not ...},
        outdir=str(outdir),
        tree_metadata=False,
        **validation(on=False),
    )
