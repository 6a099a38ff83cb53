"""A stack that asks before it creates what is costly, deployed without the CLI."""

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App, CfnOutput, Environment
from aws_cdk import Stack as CdkStack
from aws_cdk import aws_ec2 as ec2
from botocore.exceptions import ClientError
from e2e.cloud import ACCOUNT, REGION, Cloud
from e2e.stack import Json, Stack
from e2e.world_faults import Fault

from galv_constructs import GalvPreflight, PreflightCheck

NAME = "asking-all"
COSTLY = "AWS::EC2::VPC"


class Asking(Stack):
    """A stack with a question for each fault, and one about the sandbox of mail."""

    def __init__(self, cloud: Cloud, folder: Path, faults: Mapping[str, Fault]) -> None:
        """Synthesize it, and put the code of its functions where its template looks for it."""
        super().__init__(cloud, NAME)
        app = App(outdir=str(folder), analytics_reporting=False)
        stack = CdkStack(app, NAME, env=Environment(account=ACCOUNT, region=REGION))
        preflight = GalvPreflight.of(stack)
        for id, fault in faults.items():
            preflight.add_check(id, fault.check(stack))
        preflight.add_check("Sandbox", PreflightCheck.mail_sandbox())
        preflight.hold(ec2.CfnVPC(stack, "Costly", cidr_block="10.0.0.0/16"))
        CfnOutput(stack, "Warnings", value=preflight.warnings)
        app.synth()
        self.template = (folder / f"{NAME}.template.json").read_text()
        self._faults = faults
        self._upload(folder)

    def deploy(self) -> str:
        """Create the stack; return its status when nothing is under way any more."""
        self.cloudformation.create_stack(**self._with(self.template))
        return self.wait(120)

    def update(self, template: Json) -> str:
        """Update it with another template; return its status as `deploy` does."""
        self.cloudformation.update_stack(**self._with(json.dumps(template)))
        return self.wait(120)

    def _with(self, template: str) -> Json:
        parameters = {key: v for one in self._faults.values() for key, v in one.parameters.items()}
        return {
            "StackName": self.name,
            "TemplateBody": template,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        }

    def delete(self) -> None:
        """Delete it, as `cdk deploy` does with one that could not be created."""
        self.cloudformation.delete_stack(StackName=self.name)
        with contextlib.suppress(ClientError):
            self.wait(120)

    def log(self) -> list[str]:
        """Return the lines of the log of preflight."""
        group = self.id_of("AWS::Logs::LogGroup")
        events = self.cloud.client("logs").filter_log_events(logGroupName=group)["events"]
        return [event["message"].strip() for event in events]

    def _upload(self, folder: Path) -> None:
        for asset in json.loads((folder / f"{NAME}.assets.json").read_text())["files"].values():
            (place,) = asset["destinations"].values()
            if asset["source"]["packaging"] == "zip":
                self.cloud.client("s3").put_object(
                    Bucket=place["bucketName"],
                    Key=place["objectKey"],
                    Body=_zipped(folder / asset["source"]["path"]),
                )


def begun(stack: Stack) -> set[str]:
    """Return the types of all resources whose creation began."""
    return {one["ResourceType"] for one in stack.events() if "CREATE" in one["ResourceStatus"]}


def seconds_asked(stack: Stack) -> float:
    """Return how long the first deployment of a stack asked before it failed."""
    times = {
        one["ResourceStatus"]: one["Timestamp"]
        for one in stack.events()
        if one["ResourceType"] == "Custom::GalvPreflight"
    }
    passed = times["CREATE_FAILED"] - times["CREATE_IN_PROGRESS"]
    return float(passed.total_seconds())


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()
