"""A function that waits for a page does not wait here: instead its clock goes on.

By who waits, not by which function this is: the emulator has no variable that names the module.
"""

import sys
import time
from typing import SupportsIndex

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


time.sleep = sleep
time.time = lambda: real_time() + sum(slept)
