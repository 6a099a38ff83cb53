"""The least of a DNS client: one question, over UDP, and over TCP where the answer is cut.

https://www.rfc-editor.org/rfc/rfc1035 (messages) and https://www.rfc-editor.org/rfc/rfc8659 (CAA).
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "CAA": 257}
PORT = 53
NO_SUCH_NAME = 3
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")
_RECURSION_DESIRED = 0x0100
_IS_ANSWER = 0x8000
_IS_CUT = 0x0200
# Pointers in a name, so that a loop of them ends.
_MAX_JUMPS = 64
_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True)
class Record:
    """One record."""

    name: str
    """Its name in lower case, without the last dot."""

    kind: str

    value: str
    """A name without its last dot, an address, or `FLAGS TAG VALUE` of a CAA record."""


@dataclass(frozen=True)
class Answer:
    """The answer of a name server."""

    exists: bool
    """Whether there is such a name at all."""

    records: tuple[Record, ...]
    """The records, those of other kinds that lead to them (CNAME) included."""

    authority: tuple[Record, ...] = ()
    """The name servers to ask instead, where the server refers to others (NS)."""

    def values(self, kind: str) -> list[str]:
        """Return the values of the records of a kind."""
        return [record.value for record in self.records if record.kind == kind]


def system_resolvers() -> list[tuple[str, int]]:
    """Return the name servers of `/etc/resolv.conf`.

    Raises:
        UnreachableError: If it names none.
    """
    try:
        lines = [line.split() for line in _RESOLV_CONF.read_text().splitlines()]
    except OSError as error:
        raise UnreachableError(str(_RESOLV_CONF), str(error)) from error
    found = [(line[1], PORT) for line in lines if len(line) > 1 and line[0] == "nameserver"]
    if not found:
        raise UnreachableError(str(_RESOLV_CONF), "it names no name server")
    return found


def resolve(name: str, kind: str, servers: Sequence[tuple[str, int]], seconds: float) -> Answer:
    """Ask one name server after the other, and a single one twice, because datagrams get lost.

    Raises:
        UnreachableError: If none answers in time.
    """
    tries = list(servers) if len(servers) > 1 else [*servers, *servers]
    until = time.monotonic() + seconds
    failed: list[UnreachableError] = []
    for number, server in enumerate(tries):
        left = (until - time.monotonic()) / (len(tries) - number)
        try:
            return _ask(name, kind, server, left)
        except UnreachableError as error:
            failed.append(error)
    raise failed[0]


def _ask(name: str, kind: str, server: tuple[str, int], seconds: float) -> Answer:
    whom = f"name server {server[0]}"
    number = secrets.randbelow(1 << 16)
    query = _query(number, name, kind)
    until = time.monotonic() + seconds
    try:
        reply = _udp(query, server, number, until)
        if _HEADER.unpack_from(reply)[1] & _IS_CUT:
            reply = _tcp(query, server, until)
        return _parse(reply, whom, name)
    except (OSError, struct.error, IndexError, UnicodeError) as error:
        raise UnreachableError(whom, str(error) or type(error).__name__) from error


def _query(number: int, name: str, kind: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    if any(len(label) > 63 for label in labels):
        raise UnreachableError(name, "it is no name of the DNS")
    coded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + coded + struct.pack("!HH", TYPES[kind], 1)


def _udp(query: bytes, server: tuple[str, int], number: int, until: float) -> bytes:
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(server)
        sock.send(query)
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            reply = sock.recv(65535)
            # Not a late answer to another question, nor one that somebody guessed.
            if len(reply) >= _HEADER.size and _HEADER.unpack_from(reply)[0] == number:
                return reply
    raise OSError("it does not answer")


def _tcp(query: bytes, server: tuple[str, int], until: float) -> bytes:
    with socket.create_connection(server, timeout=max(0.1, until - time.monotonic())) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)

        def read(size: int) -> bytes:
            data = b""
            while len(data) < size:
                sock.settimeout(max(0.001, until - time.monotonic()))
                part = sock.recv(size - len(data))
                if not part:
                    raise OSError("it ended the connection early")
                data += part
            return data

        return read(struct.unpack("!H", read(2))[0])


def _parse(reply: bytes, whom: str, name: str) -> Answer:
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(reply)
    code = flags & 0xF
    if not flags & _IS_ANSWER or code not in (0, NO_SUCH_NAME):
        said = _RCODES.get(code, f"code {code}")
        raise UnreachableError(whom, f"it answers {said} for {name}")
    position = _HEADER.size
    for _ in range(questions):
        _, position = _name(reply, position)
        position += 4
    kinds = {number: kind for kind, number in TYPES.items()}
    records = []
    for _ in range(answers + authorities):
        owner, position = _name(reply, position)
        number, _, _, size = _FIXED.unpack_from(reply, position)
        position += _FIXED.size
        kind = kinds.get(number, str(number))
        records.append(Record(owner, kind, _value(reply, position, size, kind)))
        position += size
    return Answer(code != NO_SUCH_NAME, tuple(records[:answers]), tuple(records[answers:]))


def _name(reply: bytes, position: int) -> tuple[str, int]:
    """Return the name at a position and the position after it."""
    labels: list[str] = []
    after = -1
    for _ in range(_MAX_JUMPS + 128):
        size = reply[position]
        if size & 0xC0 == 0xC0:
            after = position + 2 if after < 0 else after
            position = struct.unpack_from("!H", reply, position)[0] & 0x3FFF
        elif size == 0:
            return ".".join(labels).lower(), position + 1 if after < 0 else after
        else:
            labels.append(reply[position + 1 : position + 1 + size].decode("ascii", "replace"))
            position += 1 + size
    raise OSError("its answer has a name without an end")


def _value(reply: bytes, position: int, size: int, kind: str) -> str:
    data = reply[position : position + size]
    if len(data) != size:
        raise OSError("its answer is cut")
    if kind in ("NS", "CNAME"):
        return _name(reply, position)[0]
    if kind == "A":
        return str(ipaddress.ip_address(data))
    if kind == "CAA":
        end = 2 + data[1]
        tag, value = data[2:end].decode("ascii", "replace"), data[end:].decode("ascii", "replace")
        return f"{data[0]} {tag.lower()} {value}"
    return data.hex()
