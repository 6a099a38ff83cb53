"""Quotas that several questions need: there is room only if there is room for all of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from .question import ArgumentError, Question
from .quotas import needs_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def summed(questions: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return questions in which the first that needs a quota asks for what all of them need.

    It says in `Askers` who they are. A question whose needs cannot be read stays as it is.
    """
    needs: dict[str, dict[str, float]] = {}
    for check, question in questions.items():
        if question.get("Ask") != "quotas":
            continue
        amounts: dict[str, float] = defaultdict(float)
        try:
            for name, amount in needs_of(Question(check, question)):
                amounts[name] += amount
        except ArgumentError:
            continue
        needs[check] = amounts
    askers: dict[str, dict[str, float]] = defaultdict(dict)
    for check, amounts in needs.items():
        for name, amount in amounts.items():
            askers[name][check] = amount
    first: dict[str, list[str]] = defaultdict(list)
    for name, by in askers.items():
        first[next(iter(by))].append(name)
    found = dict(questions)
    for check in needs:
        names = first[check]
        several = {name: _told(askers[name]) for name in names if len(askers[name]) > 1}
        found[check] = {
            **questions[check],
            "Needs": [f"{name}={sum(askers[name].values()):g}" for name in names],
            **({"Askers": several} if several else {}),
        }
    return found


def _told(by: Mapping[str, float]) -> str:
    return ", ".join(f"{amount:g} for {check}" for check, amount in by.items())
