"""The kinds of questions, by the name that `Ask` has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType

from . import (
    certificate,
    cluster,
    database,
    function,
    hosted_zone,
    image,
    mail_identity,
    mail_sandbox,
    quotas,
    records,
    secret,
    service_linked_roles,
    site_source,
    snapshot,
    subnets,
)
from .finding import Finding
from .question import Question
from .unreachable import UnreachableError
from .world import World


def _never(_: UnreachableError | None) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """A kind of question."""

    answer: Callable[[Question, World], Iterable[Finding]]
    """Asks the world, and returns what is wrong."""

    actions: tuple[str, ...] = ()
    """The least that IAM has to allow for it."""

    is_needed: Callable[[UnreachableError | None], bool] = _never
    """Whether a server outside of AWS that does not answer fails the deployment too, which asks it
    for the same a moment later. It is given the error; None where nothing came in time."""


def _kind(module: ModuleType) -> Kind:
    return Kind(module.answer, module.ACTIONS, getattr(module, "is_needed", _never))


KINDS: Mapping[str, Kind] = {
    "certificate": _kind(certificate),
    "cluster": _kind(cluster),
    "database": _kind(database),
    "function": _kind(function),
    "hosted-zone": _kind(hosted_zone),
    "image": _kind(image),
    "mail-identity": _kind(mail_identity),
    "mail-sandbox": _kind(mail_sandbox),
    "quotas": _kind(quotas),
    "records": _kind(records),
    "secret": _kind(secret),
    "service-linked-roles": _kind(service_linked_roles),
    "site-source": _kind(site_source),
    "snapshot": _kind(snapshot),
    "subnets": _kind(subnets),
}
