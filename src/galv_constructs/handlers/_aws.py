"""What the handlers of this folder share: AWS clients, which errors pass, reasons that fit."""

from __future__ import annotations

import functools
import logging
import re
from typing import Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config

# CloudFormation shows about 1 kB. Counted in UTF-8 bytes, so it holds for characters too.
REASON_LIMIT = 900
ELLIPSIS = "…"
SERVER_ERROR = 500
AWS_ERRORS = (aws.ClientError, aws.BotoCoreError)

_PASSES = re.compile(
    r"throttl|slow ?down|too ?many ?requests|too ?many ?invalidations|rate exceeded"
    r"|request ?limit|time-?out|timed out|service ?unavailable|internal ?(server ?)?error"
    # A role made seconds ago is not known everywhere yet.
    r"|not authorized to perform: sts:AssumeRole",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


@functools.cache
def client(service: str) -> Any:
    """The client of an AWS service, made at its first use."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=32,
    )
    # One function for several services: the stubs know a type for each name only.
    make: Any = boto3.client
    return make(service, config=config)


def passes(error: Exception) -> bool:
    """Whether the same call may work later."""
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        return True
    answer = error.response if isinstance(error, aws.ClientError) else {}
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= SERVER_ERROR:
        return True
    return bool(_PASSES.search(str(error)))


def clip(text: str, size: int, *, end: bool = False) -> str:
    """The text in at most `size` bytes of UTF-8: its beginning, or its end, and an ellipsis."""
    # A log can hold a lone surrogate, which has no UTF-8.
    data = text.encode(errors="replace")
    if len(data) <= size:
        return data.decode()
    keep = max(size - len(ELLIPSIS.encode()), 0)
    if end:
        return ELLIPSIS + data[len(data) - keep :].decode(errors="ignore")
    return data[:keep].decode(errors="ignore") + ELLIPSIS


def stack_status(stack_id: str) -> str:
    """The status of a stack; empty, with a line in the log, when AWS does not tell."""
    try:
        stacks = client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
    except AWS_ERRORS as error:
        log.warning("cannot describe the stack: %s", error)
        return ""
    return str(stacks[0]["StackStatus"])
