"""The emulator ends with whoever started it, and its functions do not wait for pages."""

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from e2e.cloud import ENVIRONMENT, ROOT

STAY = """\
import sys, time
from pathlib import Path
from e2e.cloud import Cloud
with Cloud(Path(sys.argv[1])) as cloud:
    print(cloud.url, flush=True)
    time.sleep(600)
"""
LOOK = """\
from handlers._site_page import PageError, check_page
try:
    check_page("http://127.0.0.1:1", {"index.html": b""}, api_url="https://api.example.com")
except PageError as error:
    print(error)
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


def test_a_function_that_looks_for_a_page_in_vain_does_not_wait() -> None:
    """As in the emulator: its three minutes pass at once."""
    folders = ("test/e2e/functions", "src/galv_constructs")
    path = {"PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in folders)}
    command = [str(ENVIRONMENT / "bin" / "python"), "-c", LOOK]
    done = subprocess.run(
        command, env=path, capture_output=True, text=True, check=False, timeout=100
    )

    assert "its page does not load" in done.stdout, done.stderr


def answers(url: str) -> bool:
    try:
        urlopen(url, timeout=10).close()
    except OSError:
        return False
    return True
