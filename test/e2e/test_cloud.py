"""The emulator ends with whoever started it."""

import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

STAY = """\
import sys, time
from pathlib import Path
from e2e.cloud import Cloud
with Cloud(Path(sys.argv[1])) as cloud:
    print(cloud.url, flush=True)
    time.sleep(600)
"""


def test_ends_although_whoever_started_it_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STAY, str(tmp_path)]
    path = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip()
        assert answers(url)
        starter.kill()

    deadline = time.monotonic() + 20
    while answers(url):
        assert time.monotonic() < deadline, "the emulator is still there"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=10).close()
    except OSError:
        return False
    return True
