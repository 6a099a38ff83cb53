"""Log groups whose name is taken, which MiniStack replaces without a word.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html:
"ResourceAlreadyExistsException: The specified resource already exists."
"""

from typing import Any

from e2e.emulator.private import cloudwatch_logs, provisioners
from e2e.emulator.types import Json, Made

_handler = provisioners.RESOURCE_HANDLERS["AWS::Logs::LogGroup"]
_made: Any = _handler["create"]


def _create(logical_id: str, properties: Json, stack: str) -> Made:
    name = properties.get("LogGroupName")
    if name in cloudwatch_logs.log_groups:
        raise ValueError(
            f"ResourceAlreadyExistsException: The specified log group already exists: {name}"
        )
    made: Made = _made(logical_id, properties, stack)
    return made


def install() -> None:
    """Wrap MiniStack's log groups."""
    _handler.update(create=_create)
