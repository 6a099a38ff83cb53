"""The program that becomes a container: `python enter.py STATUS_FD`, with its order on stdin.

It makes the namespaces, starts the command as process 1 of them, hands SIGTERM on and ends with the
command's exit code. When its standard input closes, because whoever started it wants that or is
gone, it kills the command, and with process 1 all that the command started.

It says on STATUS_FD which process it started, or why it could not. Nothing but the standard library
is imported, and none of this package, so that it starts fast and anywhere.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1 << 10, 1 << 11, 1 << 12, 1 << 14
MS_PRIVATE, MS_RELATIME, MNT_DETACH = 1 << 18, 1 << 21, 2
# By the bits of statvfs: what a mount has must be kept when it is mounted again.
_KEPT = {1 << bit: flag for bit, flag in ((1, MS_NOSUID), (2, MS_NODEV), (3, MS_NOEXEC))} | {
    1 << 10: MS_NOATIME,
    1 << 11: MS_NODIRATIME,
    1 << 12: MS_RELATIME,
}
PR_SET_PDEATHSIG, PR_CAPBSET_DROP = 1, 24
# What Docker leaves to root in a container, as numbered in linux/capability.h: chown,
# dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
# sys_chroot, mknod, audit_write, setfcap.
_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_FOLDERS = (
    *("code", "dev", "etc", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys"),
    *("tmp", "var/cache", "var/lib", "var/log", "var/tmp"),
)

Order = dict[str, Any]
libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: Any) -> None:
    """Call a function of libc; raise what it refuses."""
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        shown = ", ".join(a.decode() if isinstance(a, bytes) else str(a) for a in arguments)
        raise OSError(code, f"{name}({shown}): {os.strerror(code)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Call mount(2)."""
    texts = [text.encode() for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), options.encode())


class Root:
    """The root file system of a container, made in the mount namespace of this process."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.path = order["root"]
        self.read_only = order["readOnly"]
        # A user who is root only in a namespace must take along what is mounted below a folder.
        self.recursive = 0 if order["realRoot"] else MS_REC
        self._number = 0

    def enter(self) -> None:
        """Make it, and make it the root of this process."""
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
        # Beside the root lie the upper halves of folders that may be written to.
        mount("tmpfs", self.order["scratch"], "tmpfs", MS_NOSUID, "mode=0755")
        Path(self.path).mkdir()
        mount("tmpfs", self.path, "tmpfs", 0, "mode=0755")
        for folder in _FOLDERS:
            (Path(self.path) / folder).mkdir(parents=True, exist_ok=True)
        for folder in ("tmp", "var/tmp"):
            (Path(self.path) / folder).chmod(0o1777)
        for link, target in self.order["links"].items():
            self._inside(link).symlink_to(target)
        for path, text in self.order["texts"].items():
            self._inside(path).write_text(text)
        self._devices()
        # Outer ones first, so that what lies within them is seen.
        for one in sorted(self.order["mounts"], key=lambda one: len(one["path"])):
            self._mount(one)
        mount("proc", f"{self.path}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        if self.read_only:
            self._again(self.path, MS_RDONLY)
        os.chdir(self.path)
        _call("pivot_root", b".", b".")
        _call("umount2", b".", MNT_DETACH)
        os.chdir("/")

    def _inside(self, path: str) -> Path:
        """Return a path of the container, whose folder there is."""
        inside = Path(self.path) / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        return inside

    def _target(self, path: str, *, folder: bool) -> str:
        """Make something that can be mounted on."""
        inside = self._inside(path)
        if not inside.exists():
            if folder:
                inside.mkdir()
            else:
                inside.touch()
        return str(inside)

    def _bind(self, source: str, target: str) -> None:
        mount(source, target, flags=MS_BIND | self.recursive)

    def _again(self, target: str, flags: int) -> None:
        """Mount what is mounted again, with other flags."""
        has = os.statvfs(target).f_flag
        kept = sum(flag for bit, flag in _KEPT.items() if has & bit)
        mount("none", target, flags=MS_REMOUNT | MS_BIND | kept | flags)

    def _mount(self, one: Order) -> None:
        if one["kind"] == "layer":
            self._layer(one["source"], one["path"])
            return
        target = self._target(one["path"], folder=True)
        flags = MS_RDONLY if one["readOnly"] else 0
        if one["kind"] == "volume":
            self._bind(one["source"], target)
            self._again(target, flags)
        else:
            mount("tmpfs", target, "tmpfs", flags | one["flags"], one["options"])

    def _layer(self, source: str, path: str) -> None:
        is_folder = Path(source).is_dir()
        target = self._target(path, folder=is_folder)
        if self.read_only or not is_folder:
            self._bind(source, target)
            self._again(target, MS_RDONLY)
            return
        # What a container writes into its image is its own, and gone with it.
        self._number += 1
        upper, work = (f"{self.order['scratch']}/{name}-{self._number}" for name in ("up", "work"))
        for folder in (upper, work):
            Path(folder).mkdir()
        Path(upper).chmod(Path(source).stat().st_mode & 0o7777)
        options = f"lowerdir={source},upperdir={upper},workdir={work}"
        mount("overlay", target, "overlay", 0, options)

    def _devices(self) -> None:
        dev = f"{self.path}/dev"
        mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=0755,size=65536k")
        for name in _DEVICES:
            self._bind(f"/dev/{name}", self._target(f"/dev/{name}", folder=False))
        for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
            Path(f"{dev}/{name}").symlink_to(f"/proc/self/fd{target}")
        Path(f"{dev}/shm").mkdir()
        mount("tmpfs", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=65536k")


def _connect(order: Order) -> None:
    """Give this process a network of its own, with a cable to the container's subnet."""
    network = order["network"]
    _call("unshare", CLONE_NEWNET)
    ip = network["ip"]
    cable, me = f"v{os.getpid()}", os.getpid()
    hub = ["nsenter", f"--net=/proc/{network['hub']}/ns/net"]
    outside = [
        f"link add {cable} type veth peer name eth0 netns {me}",
        f"link set {cable} master {network['bridge']} up",
    ]
    inside = [
        "link set lo up",
        f"addr add {network['address']}/{network['prefix']} dev eth0",
        "link set eth0 up",
        f"route add default via {network['gateway']}",
    ]
    for where, lines in ((hub, outside), ([], inside)):
        done = subprocess.run(
            [*where, ip, "-batch", "-"],
            input="\n".join([*lines, ""]),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise OSError(f"ip: {done.stderr.strip()}")


def _separate(order: Order) -> None:
    """Make the namespaces that need no root file system yet."""
    if not order["realRoot"]:
        me = f"0 {os.geteuid()} 1", f"0 {os.getegid()} 1"
        _call("unshare", CLONE_NEWUSER)
        for file, text in zip(("setgroups", "uid_map", "gid_map"), ("deny", *me), strict=True):
            Path(f"/proc/self/{file}").write_text(text)
    if order["network"]:
        _connect(order)
    _call("unshare", CLONE_NEWPID)


def _become(order: Order) -> None:
    """Be process 1: enter the root, give up what a container may not, and run the command."""
    os.setsid()
    os.umask(0o022)
    for file in order["cgroups"]:
        Path(file).write_text("0")
    _call("unshare", CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)
    hostname = order["hostname"].encode()
    _call("sethostname", hostname, len(hostname))
    Root(order).enter()
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in set(range(last + 1)) - _CAPABILITIES:
        _call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    if order["realRoot"]:
        os.setgroups([])
        os.setgid(order["gid"])
        os.setuid(order["uid"])
    # After the change of user, which would forget it.
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.chdir(order["workdir"])
    for which in (signal.SIGTERM, signal.SIGPIPE, signal.SIGINT):
        signal.signal(which, signal.SIG_DFL)
    os.execvpe(order["command"][0], order["command"], order["environment"])


def _watch(child: int) -> int:
    """Wait for the command; return its exit code as a shell tells it."""

    def hand_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    signal.signal(signal.SIGTERM, hand_on)
    ended = os.pidfd_open(child)
    watched = select.poll()
    watched.register(ended, select.POLLIN)
    watched.register(0, select.POLLIN | select.POLLHUP)
    while not any(file == ended for file, _ in watched.poll()):
        if not os.read(0, 1024):
            os.kill(child, signal.SIGKILL)
            break
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _told(status: int) -> Iterator[None]:
    """Tell whoever waits what went wrong, and end."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - it is handed on
        os.write(status, json.dumps({"error": str(error)}).encode() + b"\n")
        os._exit(125)


def main() -> None:
    """Read the order and be the container."""
    status = int(sys.argv[1])
    os.set_inheritable(status, False)
    with _told(status):
        line = b""
        while not line.endswith(b"\n"):
            read = os.read(0, 1 << 16)
            if not read:
                raise EOFError("there is no order")
            line += read
        order = json.loads(line)
        _separate(order)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            _become(order)
        os.write(status, json.dumps({"pid": child}).encode() + b"\n")
        os.close(status)
    sys.exit(_watch(child))


if __name__ == "__main__":
    main()
