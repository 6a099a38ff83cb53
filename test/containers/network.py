"""A network of containers, in a namespace that the network of this machine knows nothing of.

Containers hang on one bridge and have addresses in one range. Nothing leads out or in but what is
named here: a service of this machine gets an address within, a container gets a port on loopback.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path
from types import TracebackType
from typing import Any

_CLONE_NEWNET = 0x40000000
_BRIDGE = "br0"
# It makes a namespace, says so, and keeps it until its standard input closes.
_HUB = """\
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x40000000):
    sys.exit(os.strerror(ctypes.get_errno()))
print("ready", flush=True)
sys.stdin.read()
"""
_libc = ctypes.CDLL(None, use_errno=True)


class Network:
    """A bridge with addresses for containers. Needs root, and `ip` of iproute2."""

    def __init__(self, cidr: str = "10.0.0.0/16") -> None:
        """Prepare a network.

        Args:
            cidr: Range of its addresses, such as the range of a VPC. It may be in use outside.
        """
        network = ip_network(cidr)
        assert isinstance(network, IPv4Network)
        self.cidr = network
        self.gateway = str(network[1])
        self._ip = shutil.which("ip") or "ip"
        self._taken: set[str] = {self.gateway}
        self._lock = threading.Lock()
        self._listeners: list[socket.socket] = []

    def __enter__(self) -> "Network":  # noqa: PYI034 - typing.Self came with Python 3.11
        self._hub = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _HUB],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._hub.stdout is not None
        if self._hub.stdout.readline() != b"ready\n":
            raise OSError("a network namespace could not be made: only root can")
        self._run(
            f"link add {_BRIDGE} type bridge forward_delay 0",
            f"addr add {self.gateway}/{self.cidr.prefixlen} dev {_BRIDGE}",
            f"link set {_BRIDGE} up",
            "link set lo up",
        )
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; the namespace goes with its last container."""
        for listener in self._listeners:
            listener.close()
        assert self._hub.stdin is not None
        self._hub.stdin.close()
        self._hub.wait(60)

    def free_address(self, cidr: str | None = None) -> str:
        """Return an address that nobody has yet, in a part of the network if one is given."""
        hosts = (ip_network(cidr) if cidr else self.cidr).hosts()
        with self._lock:
            # AWS keeps the first four addresses of a subnet for itself.
            free = (str(host) for number, host in enumerate(hosts) if number > 2)
            found = next(address for address in free if address not in self._taken)
            self._taken.add(found)
        return found

    def release(self, address: str) -> None:
        """Let another have an address."""
        with self._lock:
            self._taken.discard(address)

    def cable(self, address: str) -> dict[str, Any]:
        """Return what a container needs to connect itself."""
        return {
            "ip": self._ip,
            "hub": self._hub.pid,
            "bridge": _BRIDGE,
            "address": address,
            "prefix": self.cidr.prefixlen,
            "gateway": self.gateway,
        }

    def serve(self, port: int, to: tuple[str, int], address: str | None = None) -> str:
        """Give a service of this machine an address in the network, and return it.

        Args:
            port: Port in the network.
            to: Host and port on this machine.
            address: The address, which may lie outside of the range (169.254.170.2).
                Default: a free one.
        """
        address = address or self.free_address()
        if address != self.gateway:
            inside = ip_address(address) in self.cidr
            prefix = self.cidr.prefixlen if inside else 32
            self._run(f"addr replace {address}/{prefix} dev {_BRIDGE}")
        with self._inside():
            listener = socket.create_server((address, port))
        self._forward(listener, lambda: socket.create_connection(to, timeout=60))
        return address

    def publish(self, address: str, port: int) -> int:
        """Give a port of a container a port on loopback of this machine, and return that."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._forward(listener, lambda: self.connect(address, port))
        published: int = listener.getsockname()[1]
        return published

    def connect(self, address: str, port: int, timeout: float = 60) -> socket.socket:
        """Return a connection to a container."""
        with self._inside():
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Be in the network: only this thread, and only for sockets that are made meanwhile."""
        with (
            Path("/proc/thread-self/ns/net").open("rb") as outside,
            Path(f"/proc/{self._hub.pid}/ns/net").open("rb") as inside,
        ):
            _set_network(inside.fileno())
            try:
                yield
            finally:
                _set_network(outside.fileno())

    def _run(self, *lines: str) -> None:
        """Run commands of `ip` in the network."""
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self._hub.pid}/ns/net", self._ip, "-batch", "-"],
            input="\n".join([*lines, ""]),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise OSError(f"ip: {done.stderr.strip()}")

    def _forward(self, listener: socket.socket, connect: Any) -> None:
        self._listeners.append(listener)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    threading.Thread(target=_join, args=(caller, connect), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()


def _set_network(file: int) -> None:
    if _libc.setns(file, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def _join(caller: socket.socket, connect: Any) -> None:
    """Copy between two connections until both sides have said all."""
    with caller, contextlib.suppress(OSError), connect() as called:
        for one in (caller, called):
            one.settimeout(None)
        back = threading.Thread(target=_copy, args=(called, caller), daemon=True)
        back.start()
        _copy(caller, called)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
