"""The cloud assembly of an application: the folder `cdk.out`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galv_ops.errors import USAGE, OpsError

_STACK, _NESTED = "aws:cloudformation:stack", "cdk:cloud-assembly"
_VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")


class UnknownValueError(Exception):
    """A value of a template is known only in a deployment; the text is the reason."""


@dataclass(frozen=True)
class Template:
    """The template of one stack, and where it is to be deployed."""

    stack: str
    """Name of the stack."""

    account: str
    """Account; empty for whichever deploys it."""

    region: str
    """Region; empty for whichever it is deployed to."""

    content: Mapping[str, Any]

    def resources(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the properties of the resources of a type."""
        found = self.content.get("Resources", {}).values()
        return [one.get("Properties", {}) for one in found if one.get("Type") == kind]

    def value(self, value: Any, *, account: str, region: str, stack_id: str = "") -> Any:
        """Return a value of the template as CloudFormation will see it.

        Args:
            value: It, with functions of CloudFormation's.
            account: The account that the stack is deployed to.
            region: The region.
            stack_id: Id of the stack. Default: there is no stack yet, so nobody knows it.

        Raises:
            UnknownValueError: If only a deployment knows it.
        """
        names = {
            "AWS::AccountId": account,
            "AWS::Partition": _partition(region),
            "AWS::Region": region,
            **({"AWS::StackId": stack_id} if stack_id else {}),
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com",
            **{
                name: str(parameter["Default"])
                for name, parameter in self.content.get("Parameters", {}).items()
                # Others have the name of what holds the value.
                if "Default" in parameter and "::SSM::" not in parameter.get("Type", "")
            },
        }
        return _resolved(value, names)


def templates(folder: Path) -> Iterator[Template]:
    """Return the templates in a folder that CDK synthesized into, those of stages too.

    Raises:
        OpsError: If it is no such folder.
    """
    manifest = _json(folder / "manifest.json")
    for id, artifact in manifest.get("artifacts", {}).items():
        properties = artifact.get("properties", {})
        if artifact.get("type") == _NESTED:
            yield from templates(folder / properties["directoryName"])
        elif artifact.get("type") == _STACK:
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            yield Template(
                # CDK writes the name only where it is not the id of the artifact.
                stack=properties.get("stackName", id),
                account="" if account == "unknown-account" else account,
                region="" if region == "unknown-region" else region,
                content=_json(folder / properties["templateFile"]),
            )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise OpsError(
            f"{path.parent} is no folder that CDK synthesized into: run `cdk synth` in the folder "
            f"of the application, or pass --app ({error})",
            USAGE,
        ) from error


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _resolved(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return _called(value, names)
    if isinstance(value, list):
        return [_resolved(part, names) for part in value]
    # As CloudFormation passes them to a custom resource.
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None else str(value)


def _called(value: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """Return what a function of CloudFormation's returns, or what an object holds."""
    match value:
        case {"Ref": str(name)}:
            if name not in names:
                raise UnknownValueError(f"{name} is known only in a deployment")
            return names[name]
        case {"Fn::Join": [str(separator), parts]}:
            return separator.join(_resolved(parts, names))
        case {"Fn::Sub": str(text)}:
            return _VARIABLE.sub(lambda found: str(_called({"Ref": found[1]}, names)), text)
        case {"Fn::Split": [str(separator), text]}:
            return str(_resolved(text, names)).split(separator)
        case {"Fn::Select": [index, parts]}:
            return _resolved(parts, names)[int(index)]
    functions = [key for key in value if key.startswith("Fn::")]
    if functions:
        raise UnknownValueError(f"{functions[0]} is known only in a deployment")
    return {key: _resolved(part, names) for key, part in value.items()}
