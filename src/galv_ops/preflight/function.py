"""Whether a function of the application's own finds anything wrong.

It is invoked with JSON:

    {"version": 1, "check": "Licence", "question": {"seats": 5}}

`check` is the id of the check, and `question` what the application asks. It answers with JSON:

    {"findings": [{"severity": "error", "wrong": "…", "found": "…", "fix": "…"}]}

`wrong` and `fix` are texts, `found` is one where there is evidence, and `severity` is `error`, the
default, or `warning`. No findings mean that nothing is wrong. Other keys are for later versions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore import exceptions as aws

from .aws_errors import AWS_ERRORS, error_code, error_message
from .question import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("lambda:InvokeFunction",)

VERSION = 1
# Seconds that are left for what else a deployment has to do with the answers.
_RESERVE = 2
# Characters of an answer that says nothing.
_EXCERPT = 200
_ANSWER = 'let it return {"findings": [{"wrong": "…", "found": "…", "fix": "…"}]}'


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask the function `FunctionArn` what is in `Question`, a JSON."""
    function = question.text("FunctionArn")
    request = {"version": VERSION, "check": question.check, "question": _asked(question)}
    region = function.split(":")[3] if function.startswith("arn:") else None
    # Asked once: nobody knows whether one that did not answer would like to be asked again.
    patience = max(1.0, world.seconds_left - _RESERVE)
    client = world.client("lambda", region, patience=patience, attempts=1)
    try:
        reply = client.invoke(FunctionName=function, Payload=json.dumps(request).encode())
        said = reply["Payload"].read().decode(errors="replace")
    except aws.ReadTimeoutError:
        yield question.unanswered(
            f"the function {function} did not answer within {patience:.3g} s",
            "it may still run",
            "let it answer faster, and deploy again",
        )
        return
    except AWS_ERRORS as error:
        # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
        if error_code(error) != "ResourceNotFoundException":
            raise
        yield question.error(
            f"the function {function} does not exist",
            error_message(error),
            "create it first, or correct its ARN",
        )
        return
    if "FunctionError" in reply:
        yield question.unanswered(
            f"the function {function} failed", _failure(said), "read its log, and correct it"
        )
        return
    yield from _findings(question, function, said)


def _asked(question: Question) -> Any:
    try:
        return json.loads(question.text("Question", "{}"))
    except ValueError as error:
        raise ArgumentError(f"Question must be JSON, got {error}") from error


def _failure(said: str) -> str:
    """Return what Lambda says of an error, which a function's own text may be part of.

    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
    """
    try:
        error = json.loads(said)
        kind = f"{error['errorType']}: " if "errorType" in error else ""
        return _line(kind + error["errorMessage"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return _line(said)[:_EXCERPT]


def _findings(question: Question, function: str, said: str) -> Iterable[Finding]:
    """Return what the function found, and what of its answer says nothing."""
    try:
        found = json.loads(said)["findings"]
    except (KeyError, TypeError, ValueError):
        found = None
    if not isinstance(found, list):
        yield _nonsense(question, function, said)
        return
    for one in found:
        match one:
            case {"wrong": str(wrong), "fix": str(fix)} if wrong.strip() and fix.strip():
                evidence, severity = one.get("found") or "", one.get("severity", "error")
            case _:
                evidence = severity = None
        if not isinstance(evidence, str) or severity not in ("error", "warning"):
            yield _nonsense(question, function, json.dumps(one, ensure_ascii=False))
            continue
        say = question.error if severity == "error" else question.warning
        yield say(*map(_line, (wrong, evidence, fix)))


def _nonsense(question: Question, function: str, said: str) -> Finding:
    return question.unanswered(
        f"the function {function} answers what preflight does not understand",
        f"it answers {_line(said)[:_EXCERPT]}",
        _ANSWER,
    )


def _line(text: str) -> str:
    """Return a text as a part of one line, without a full stop."""
    return " ".join(text.split()).rstrip(".")
