"""A secret lacks a key, or is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from galv_constructs.ops.diagnoses.evidence import Diagnosis, Evidence

_NO_KEY = re.compile(r"did not contain json key '?([\w.-]+)", re.IGNORECASE)
_NO_JSON = re.compile(r"from asm.*invalid character", re.IGNORECASE)
_NO_SECRET = re.compile(r"can.t find the specified secret", re.IGNORECASE)
_ARN = re.compile(r"arn:[\w-]+:secretsmanager:[\w-]+:\d+:secret:([\w/+=.@-]+)")


def secret(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tell which key or secret a task asked for in vain."""
    reasons = list(evidence.reasons())
    for key in dict.fromkeys(m[1].rstrip(".") for one in reasons for m in _NO_KEY.finditer(one)):
        shown = [one for one in reasons if key in one and _NO_KEY.search(one)]
        name, variable = _who_asks(evidence, key)
        yield Diagnosis(
            f"The secret {name} lacks the key {key}, which a task needs for {variable}.",
            shown,
            f"Add {key} to the secret's JSON (aws secretsmanager put-secret-value, with all other "
            "keys), or take it out of backendSecretsKeys, and deploy again.",
        )
    for pattern, what, remedy in (
        (_NO_JSON, "is no JSON", 'Store an object in it, such as {"KEY": "value"}'),
        (_NO_SECRET, "does not exist", "Create it in this account and region, or mend its name"),
    ):
        shown = [one for one in reasons if pattern.search(one)]
        if shown:
            yield Diagnosis(
                f"{_named(shown)} {what}, and a task needs it to start.",
                shown,
                f"{remedy} (backendSecretsName, smtpSecretName in cdk.json), and deploy again.",
            )


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


def _named(shown: list[str]) -> str:
    found = _ARN.search(" ".join(shown))
    return f"The secret {found[1]}" if found else "A secret"
