"""The errors of boto3, and what each means for a question."""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as aws

AWS_ERRORS = (aws.ClientError, aws.BotoCoreError)

_DENIED = re.compile(r"access ?denied|unauthorized|not ?authorized|^AuthorizationE", re.IGNORECASE)
_THROTTLED = re.compile(
    r"throttl|too ?many ?requests|request ?limit|rate ?exceeded|slow ?down", re.IGNORECASE
)


def error_code(error: object) -> str:
    """Return AWS's code of an error; empty if it is none of AWS's."""
    answer: Any = error.response if isinstance(error, aws.ClientError) else {}
    return str(answer.get("Error", {}).get("Code", ""))


def error_message(error: object) -> str:
    """Return AWS's sentence of an error without a full stop, or the error as a text."""
    answer: Any = error.response if isinstance(error, aws.ClientError) else {}
    return str(answer.get("Error", {}).get("Message", "") or error).rstrip(".")


def is_denied(error: object) -> bool:
    """Tell whether AWS refused a call for lack of permission."""
    return bool(_DENIED.search(error_code(error)))


def is_throttled(error: object) -> bool:
    """Tell whether AWS refused a call because there were too many."""
    return bool(_THROTTLED.search(error_code(error)))


def is_unreachable(error: object) -> bool:
    """Tell whether AWS gave no answer at all, or was not asked, such as without credentials."""
    return isinstance(error, aws.BotoCoreError)
