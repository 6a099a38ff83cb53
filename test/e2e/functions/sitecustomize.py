"""A function that waits for a page does not wait here: instead its clock goes on."""

import os
import time
from typing import SupportsIndex

if os.environ.get("_LAMBDA_HANDLER_MODULE", "").endswith("site_release"):
    slept: list[float] = []
    real_time = time.time

    def sleep(seconds: float | SupportsIndex, /) -> None:
        """Let time pass."""
        slept.append(float(seconds))

    time.sleep = sleep
    time.time = lambda: real_time() + sum(slept)
