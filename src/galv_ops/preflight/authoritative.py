"""Name servers that tell what a zone has now, where a resolver remembers what it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import dns
from .names import is_in
from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .world import World

# Name servers of a zone that are asked.
_ENOUGH = 2


def addresses(world: World, names: Iterable[str]) -> list[tuple[str, int]]:
    """Return addresses and ports of the first of some name servers.

    Raises:
        UnreachableError: If the resolver does not tell.
    """
    found = [address for name in [*names][:_ENOUGH] for address in world.dns(name, "A").values("A")]
    return [(address, dns.PORT) for address in found]


class Servers:
    """The name servers of a zone, and of the zones above it.

    Args:
        world: Where the resolver is.
        zone: The zone.
        names: The names of its own name servers.
    """

    def __init__(self, world: World, zone: str, names: Iterable[str]) -> None:
        self._world = world
        self._zone = zone
        self._names = sorted(names)
        self._known: dict[str, list[tuple[str, int]]] = {}

    def caa(self, name: str) -> list[str]:
        """Return the CAA records of a name, or of what it is an alias of.

        Those who issue certificates follow an alias, but do not climb from what it leads to:
        https://www.rfc-editor.org/rfc/rfc8659#section-3

        Raises:
            UnreachableError: If no server answers.
        """
        told = self._told(name)
        if told is None:
            return self._world.dns(name, "CAA").values("CAA")
        aliases = told.values("CNAME")
        records = told.values("CAA")
        # A server follows an alias within its own zones only.
        return (
            self._world.dns(aliases[-1], "CAA").values("CAA")
            if aliases and not records
            else records
        )

    def _told(self, name: str) -> dns.Answer | None:
        """Return what the servers of the name's zone say; None where they do not know."""
        at = self._zone if is_in(name, self._zone) else name
        if at not in self._known:
            self._known[at] = self._of(at)
        if not self._known[at]:
            return None
        try:
            told = self._world.dns(name, "CAA", servers=self._known[at])
        except UnreachableError:
            # Such as in a network that lets nobody ask but its own resolver.
            self._known[at] = []
            return None
        # It refers to the servers of a zone below.
        is_referral = not told.records and any(one.kind == "NS" for one in told.authority)
        return None if is_referral else told

    def _of(self, at: str) -> list[tuple[str, int]]:
        try:
            names = self._names if at == self._zone else self._world.dns(at, "NS").values("NS")
            return addresses(self._world, names)
        except UnreachableError:
            return []
