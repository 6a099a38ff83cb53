"""Asking all questions at once, so that the slowest one decides how long it takes."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import aws_errors
from .kinds import KINDS
from .question import ArgumentError, Question
from .shared_quotas import summed
from .unreachable import UnreachableError

if TYPE_CHECKING:
    from .finding import Finding
    from .kinds import Kind
    from .world import World

# Seconds before a server is asked again that a deployment needs: it may be busy for a moment.
PAUSES = (2.0, 6.0)
# Arguments that say nothing of what was asked.
_NOT_TOLD = ("Ask", "Needed", "Own")


def ask(
    questions: Mapping[str, Mapping[str, Any]],
    world: World,
    seconds: float,
    *,
    kinds: Mapping[str, Kind] = KINDS,
) -> list[Finding]:
    """Ask all questions at the same time, and return what is wrong.

    Each question has a thread of its own, so that none waits for another. A question that has no
    answer after the time, or raises an error, is a finding of its own: `unanswered`, because nobody
    knows whether the deployment would fail, or an error where the question says `Needed` or its
    kind does.

    Args:
        questions: The arguments of each question by its id; `Ask` is its kind.
        world: Where to ask.
        seconds: How long to wait for all of them.
        kinds: The kinds of questions. Default: those of this package.

    Returns:
        The findings in the order of the questions, without any value of a secret that was read.
    """
    world.start(seconds)
    end = time.monotonic() + seconds
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    readable = {check: _readable(arguments) for check, arguments in questions.items()}
    asked = {check: Question(check, one) for check, one in summed(readable).items()}

    def answer(question: Question) -> None:
        answers.put((question.check, _answer(question, world, kinds)))

    for question in asked.values():
        # A daemon, because nothing can end a thread that hangs, and the program must end.
        threading.Thread(
            target=answer, args=(question,), name=f"preflight {question.check}", daemon=True
        ).start()
    found: dict[str, list[Finding]] = {}
    while len(found) < len(asked):
        try:
            check, findings = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[check] = findings
    for check, question in asked.items():
        if check not in found:
            found[check] = [_late(question, seconds, kinds)]
    return [_without_secrets(finding, world) for check in asked for finding in found[check]]


def leave_out(questions: Mapping[str, Mapping[str, Any]], found: Iterable[Finding]) -> str:
    """Return how to deploy without questions that have findings.

    Those that the application asks by itself are its own to remove; empty where all are.
    """
    asked = {finding.check: questions.get(finding.check) for finding in found}
    checks = [
        check
        for check, question in asked.items()
        if isinstance(question, Mapping) and question.get("Own") != "true"
    ]
    if not checks:
        return ""
    said = json.dumps(sorted(checks))
    return f'To leave such checks out, pass preflight={said}, or set "preflight" to it in cdk.json.'


def _readable(arguments: Any) -> Mapping[str, Any]:
    """Return the arguments of a question, which may have been written by hand; none if wrong."""
    return arguments if isinstance(arguments, Mapping) else {}


def _answer(question: Question, world: World, kinds: Mapping[str, Kind]) -> list[Finding]:
    """Return the findings of one question, whatever becomes of it."""
    found: list[Finding] = []
    try:
        _answer_again(question, world, _kind(question, kinds), found)
    except ArgumentError as error:
        found.append(
            question.error(
                "the question of this check cannot be asked",
                str(error),
                "correct the arguments of the check",
            )
        )
    except Exception as error:  # noqa: BLE001 - no check may take the others with it
        found.append(_refused(question, error))
    return found


def _answer_again(question: Question, world: World, kind: Kind, found: list[Finding]) -> None:
    """Add the findings of one question, which is asked again where its answer is needed."""
    for pause in (*PAUSES, None):
        found.clear()
        try:
            # One at a time, so that an error does not take those before it.
            found.extend(kind.answer(question, world))
        except UnreachableError as error:
            is_needed = question.is_needed or kind.is_needed(error)
            if is_needed and pause is not None and world.seconds_left > pause:
                time.sleep(pause)
                continue
            found.append(_unreachable(question, error, is_needed=is_needed))
        return


def _kind(question: Question, kinds: Mapping[str, Kind]) -> Kind:
    name = question.text("Ask")
    if name not in kinds:
        raise ArgumentError(f"Ask must be one of {', '.join(sorted(kinds))}, got {name!r}")
    return kinds[name]


def _late(question: Question, seconds: float, kinds: Mapping[str, Kind]) -> Finding:
    kind = kinds.get(str(question.arguments.get("Ask")))
    say = question.error if kind is not None and kind.is_needed(None) else question.unanswered
    return say(
        f"the check got no answer within {seconds:.3g} s",
        _about(question),
        "see whether the service answers, and deploy again",
    )


def _unreachable(question: Question, error: UnreachableError, *, is_needed: bool) -> Finding:
    say = question.error if is_needed else question.unanswered
    return say(
        f"{error.whom} could not be asked",
        error.why,
        "see whether it can be reached, and deploy again",
    )


def _refused(question: Question, error: Exception) -> Finding:
    """Say what an error means that a kind did not expect."""
    call = getattr(error, "operation_name", "") or "AWS"
    code = aws_errors.error_code(error)
    said = f"{aws_errors.error_message(error)} ({code})" if code else str(error)
    about = f"{said}; asked was {_about(question)}"
    if aws_errors.is_denied(error):
        return question.unanswered(
            f"the check is not allowed to call {call}",
            about,
            "allow the call to who runs the preflight",
        )
    if aws_errors.is_throttled(error):
        return question.unanswered(
            f"AWS throttled {call}, also when asked again",
            about,
            "deploy again in a minute",
        )
    if aws_errors.is_unreachable(error):
        return question.unanswered(
            "AWS could not be asked",
            about,
            "see whether the endpoint can be reached, and deploy again",
        )
    if isinstance(error, aws_errors.AWS_ERRORS):
        return question.unanswered(
            f"AWS refused {call}",
            about,
            "read what AWS says, and deploy again",
        )
    return question.unanswered(
        "the check itself failed",
        f"{type(error).__name__}: {about}",
        "report it",
    )


def _about(question: Question) -> str:
    """Return a question in one line."""
    arguments = (
        f"{name} {value}" for name, value in question.arguments.items() if name not in _NOT_TOLD
    )
    return f"{question.arguments.get('Ask')}: {', '.join(arguments)}".rstrip(": ")


def _without_secrets(finding: Finding, world: World) -> Finding:
    return replace(
        finding,
        wrong=world.redact(finding.wrong),
        found=world.redact(finding.found),
        fix=world.redact(finding.fix),
    )
