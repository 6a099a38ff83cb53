"""A network and names of this process's own, in which AWS's names lead to this machine.

Whoever is below cannot reach any other machine, and nobody's ports are in the way.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000


def why_not() -> str | None:
    """Return why this machine cannot do it, or None."""
    if os.geteuid() != 0:
        return "it takes root to create namespaces: run it with sudo, or in a container as root"
    missing = [name for name in ("ip", "mount") if shutil.which(name) is None]
    return f"{' and '.join(missing)} is missing (Debian: iproute2)" if missing else None


def isolate() -> None:
    """Give this process and what it starts from now on a network of their own.

    It must not have threads yet: they would stay outside.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    _run("mount", "--make-rprivate", "/")
    _run("ip", "link", "set", "lo", "up")


def add_address(address: str) -> None:
    """Have an address."""
    _run("ip", "addr", "add", f"{address}/32", "dev", "lo")


def set_hosts(names: Mapping[str, str], folder: Path) -> None:
    """Let names lead to addresses, for this process and what it starts."""
    file = folder / "hosts"
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
    file.write_text("\n".join([*lines, ""]))
    _run("mount", "--bind", str(file), "/etc/hosts")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
