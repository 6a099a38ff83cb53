"""What is otherwise for a function than on AWS.

One that waits for a page does not wait here: instead its clock goes on. By who waits, not by which
function this is: the emulator has no variable that names the module. And all name servers of the
world are the one of ../name_servers.py.
"""

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any, SupportsIndex

WHO_WAITS = {"_site_page", "site_release"}

slept: list[float] = []
real_time = time.time
real_sleep = time.sleep


def sleep(seconds: float | SupportsIndex, /) -> None:
    """Let time pass."""
    caller = sys._getframe(1).f_globals.get("__name__", "")
    if caller.rpartition(".")[2] in WHO_WAITS:
        slept.append(float(seconds))
    else:
        real_sleep(seconds)


DNS = 53
real_connect = socket.socket.connect


def connect(sock: socket.socket, address: Any, /) -> None:
    """Lead to the name server whoever asks one."""
    if isinstance(address, tuple) and address[1] == DNS:
        try:
            address = ("127.0.0.1", int(Path(os.environ["E2E_NAME_SERVERS"]).read_text()))
        except (KeyError, FileNotFoundError):
            raise ConnectionRefusedError("the world has no name servers") from None
    real_connect(sock, address)


socket.socket.connect = connect  # type: ignore[assignment]
time.sleep = sleep
time.time = lambda: real_time() + sum(slept)
