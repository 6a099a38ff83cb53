"""Whether a secret exists, and has the keys that tasks read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .aws_errors import AWS_ERRORS, error_code, error_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("secretsmanager:GetSecretValue",)
"""A secret with a KMS key of its own also needs `kms:Decrypt` on that key."""


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `SecretArn`, which is a JSON with all `Keys`, where there are any."""
    arn, keys = question.text("SecretArn"), question.texts("Keys")
    try:
        value = world.secret(arn)
    except AWS_ERRORS as error:
        yield absent(question, arn, error)
        return
    yield from lacking(question, arn, value, keys)


def absent(question: Question, arn: str, error: Exception) -> Finding:
    """Return what is wrong with a secret that could not be read.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html

    Raises:
        Exception: The error, where it says nothing of the secret.
    """
    code, said = error_code(error), error_message(error)
    if code == "ResourceNotFoundException":
        return question.error(
            f"the secret {arn} cannot be read: it does not exist, or has no value",
            said,
            "create it in this account and region and give it a value, or correct its name",
        )
    if code == "InvalidRequestException":
        return question.error(
            f"the secret {arn} cannot be read in the state that it is in",
            said,
            "restore it where it is scheduled for deletion (`aws secretsmanager restore-secret`), "
            "or use another one",
        )
    if code == "DecryptionFailure":
        return question.error(
            f"the secret {arn} cannot be decrypted",
            said,
            "enable its KMS key, and allow kms:Decrypt on it",
        )
    raise error


def lacking(
    question: Question, arn: str, value: dict[str, Any], keys: Iterable[str]
) -> Iterable[Finding]:
    """Return what a secret lacks; its values are never told."""
    keys = list(keys)
    if not keys:
        return
    wanted = ", ".join(keys)
    text = value.get("SecretString")
    try:
        content = json.loads(text) if text is not None else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        yield question.error(
            f"the secret {arn} is no JSON with keys",
            "it holds bytes" if text is None else "it holds another text",
            f"give it a value such as {json.dumps(dict.fromkeys(keys, '…'), ensure_ascii=False)}",
        )
        return
    missing = [key for key in keys if key not in content]
    if missing:
        yield question.error(
            f"the secret {arn} lacks {', '.join(missing)}",
            f"its keys are {', '.join(sorted(content)) or 'none'}",
            f"add the missing to its JSON, which needs {wanted}",
        )
    empty = [key for key in keys if key in content and content[key] in ("", None)]
    if empty:
        yield question.warning(
            f"the secret {arn} has nothing under {', '.join(empty)}",
            "the value is empty",
            "give it a value",
        )
