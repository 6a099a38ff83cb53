"""A secret lacks a key, or is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from galv_ops.doctor.evidence import Diagnosis, Evidence, Reason

_NO_KEY = re.compile(r"did not contain json key '?([\w.-]+)", re.IGNORECASE)
_NO_JSON = re.compile(r"from asm.*invalid character", re.IGNORECASE)
_NO_SECRET = re.compile(r"can.t find the specified secret", re.IGNORECASE)
_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:([\w/+=.@-]+)")


def secret(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which key or secret a task asked for in vain."""
    for key, reasons in _by(_NO_KEY, evidence, lambda match, _text: match[1].rstrip(".")).items():
        name, variable = _who_asks(evidence, key)
        yield Diagnosis(
            f"The secret {name} lacks the key {key}, which a task needs for {variable}.",
            [reason.text for reason in reasons],
            f"Add {key} to the secret's JSON (aws secretsmanager put-secret-value, with all other "
            "keys), or take it out of backendSecretsKeys, and deploy again.",
            [source for reason in reasons for source in reason.sources],
        )
    for pattern, what, remedy in (
        (_NO_JSON, "is no JSON", 'Store an object in it, such as {"KEY": "value"}'),
        (_NO_SECRET, "does not exist", "Create it in this account and region, or fix its name"),
    ):
        for name, reasons in _by(pattern, evidence, lambda _match, text: _named(text)).items():
            yield Diagnosis(
                f"{name} {what}, and a task needs it to start.",
                [reason.text for reason in reasons],
                f"{remedy} (backendSecretsName, smtpSecretName in cdk.json), and deploy again.",
                [source for reason in reasons for source in reason.sources],
            )


def _by(
    pattern: re.Pattern[str], evidence: Evidence, name: Callable[[re.Match[str], str], str]
) -> dict[str, list[Reason]]:
    """Return the reasons in which a pattern is found, by what it is about."""
    found: dict[str, list[Reason]] = {}
    for reason in evidence.reasons():
        match = pattern.search(reason.text)
        if match:
            found.setdefault(name(match, reason.text), []).append(reason)
    return found


def _who_asks(evidence: Evidence, key: str) -> tuple[str, str]:
    """Return the name of the secret and the variable that a key is for."""
    asked = [stopped.task for stopped in evidence.stopped if key in stopped.reason]
    for task in asked:
        for variable, source in task.secrets.items():
            # The ARN of the secret has seven parts, and after it comes the key.
            parts = source.split(":")
            if parts[7:8] == [key]:
                return parts[6], variable
    return "that a task reads", key


def _named(text: str) -> str:
    found = _ARN.search(text)
    return f"The secret {found[1]}" if found else "A secret"
