"""Names of parameters that CloudFormation chooses: without a slash, as CDK takes them to be.

https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_ssm.StringParameter.html: `simpleName`
is for names that are only known when they are created. MiniStack begins them with a slash.
"""

import secrets
from typing import Any

from e2e.emulator.types import Json, Made
from ministack.services.cloudformation import provisioners

_parameter = provisioners._RESOURCE_HANDLERS["AWS::SSM::Parameter"]
_create: Any = _parameter["create"]


def _create_named(logical_id: str, properties: Json, stack: str) -> Made:
    name = f"CFN-{logical_id}-{secrets.token_hex(6)}"
    made: Made = _create(logical_id, {"Name": name, **properties}, stack)
    return made


def install() -> None:
    """Replace how MiniStack creates them."""
    _parameter["create"] = _create_named
