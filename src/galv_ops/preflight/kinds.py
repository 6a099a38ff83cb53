"""The kinds of questions, by the name that `Ask` has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType

from . import image, secret
from .finding import Finding
from .question import Question
from .world import World


@dataclass(frozen=True)
class Kind:
    """A kind of question."""

    answer: Callable[[Question, World], Iterable[Finding]]
    """Asks the world, and returns what is wrong."""

    actions: tuple[str, ...] = ()
    """The least that IAM has to allow for it."""


def _kind(module: ModuleType) -> Kind:
    return Kind(answer=module.answer, actions=module.ACTIONS)


KINDS: Mapping[str, Kind] = {
    "image": _kind(image),
    "secret": _kind(secret),
}
