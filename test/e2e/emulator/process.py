"""A local process that stands in for a build, with all that it starts."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

RUNNING: set["Process"] = set()


class Process:
    """A process in a group of its own: what it started ends with it, as in a container."""

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self._command = " ".join(command)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - read as long as anyone wants
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            preexec_fn=os.setpgrp,  # noqa: PLW1509 - process_group= came with Python 3.11
        )
        RUNNING.add(self)
        self.ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        # Its id is another's as soon as it is waited for, so the group is ended before.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self._kill(signal.SIGKILL)
        self._process.wait()
        RUNNING.discard(self)
        self.ended.set()

    def code(self, timeout: float) -> int:
        """Wait for the end; return the exit code as a shell tells it."""
        if not self.ended.wait(timeout):
            self.end()
            raise TimeoutError(f"{self._command} did not end within {timeout} s")
        code = self._process.returncode
        return code if code >= 0 else 128 - code

    def output(self, start: int = 0) -> bytes:
        """Return what was written so far, from a position on."""
        return os.pread(self._output.fileno(), 1 << 20, start)

    def end(self, patience: float = 1) -> None:
        """Ask it to end, and after a while make it."""
        if not self.ended.is_set():
            self._kill(signal.SIGTERM)
            if not self.ended.wait(patience):
                self._kill(signal.SIGKILL)
                if not self.ended.wait(60):
                    raise TimeoutError(f"{self._command} was killed and is still there")

    def _kill(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)


def end_all() -> None:
    """End all that run."""
    for process in list(RUNNING):
        process.end(patience=0)
