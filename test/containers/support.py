"""Capabilities of this machine, found out by trying."""

import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from containers.container import CGROUPS, Container, ContainerError
from containers.image import Image


@cache
def why_not() -> str | None:
    """Return why containers cannot run here, or None where they can."""
    if sys.platform != "linux":
        return f"mount namespaces are Linux's, and this is {sys.platform}"
    if shutil.which("tini") is None:
        return "tini is not installed (Debian: tini)"
    with tempfile.TemporaryDirectory() as folder:
        image = Image(python=Path(sys.executable), application=Path(folder))
        definition = {"name": "probe", "command": ["true"], "readonlyRootFilesystem": True}
        try:
            with Container(image, definition) as container:
                code = container.wait(timeout=30)
        except ContainerError as error:
            return f"the kernel does not let this user make namespaces ({error})"
    return None if code == 0 else f"a command that does nothing ended with {code}"


@cache
def why_no_network() -> str | None:
    """Return why containers cannot have addresses of their own here, or None where they can."""
    if reason := why_not():
        return reason
    if os.geteuid() != 0:
        return "only root can connect network namespaces"
    missing = [name for name in ("ip", "nsenter") if shutil.which(name) is None]
    return f"{' and '.join(missing)} is not installed (Debian: iproute2)" if missing else None


@cache
def cannot_limit() -> str | None:
    """Return why CPU and memory cannot be limited here, or None where they can."""
    if os.geteuid() != 0:
        return "only root can make control groups"
    if all(os.access(CGROUPS / name, os.W_OK) for name in ("cpu", "memory")):
        return None
    try:
        enabled = (CGROUPS / "cgroup.subtree_control").read_text().split()
    except OSError as error:
        return f"there are no control groups at {CGROUPS} ({error})"
    missing = {"cpu", "memory"} - set(enabled)
    return f"the control groups have no {' and '.join(sorted(missing))}" if missing else None
