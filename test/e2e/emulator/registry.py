"""GHCR: Debian's docker-registry, to which the proxy of `edge` leads whoever asks for ghcr.io."""

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import time
from pathlib import Path

HOST = "ghcr.io"
_FOLDER = Path("registry")
_PATIENCE = 20
_CHUNK = 1 << 16


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


_PLACE = ("127.0.0.1", _free_port())


def lead_to(client: socket.socket) -> None:
    """Pass on what a client and the registry tell each other, until one of them ends."""
    # Whoever ends may do so without a word.
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(_PLACE) as registry,
        # select.select takes no descriptor above 1023, and the emulator gets there.
        selectors.DefaultSelector() as selector,
    ):
        selector.register(client, selectors.EVENT_READ, registry)
        selector.register(registry, selectors.EVENT_READ, client)
        while True:
            for ready, _ in selector.select():
                if not (chunk := os.read(ready.fd, _CHUNK)):
                    return
                ready.data.sendall(chunk)


def install() -> None:
    """Start the registry; without the program nothing is published, and tests are skipped."""
    program = shutil.which("docker-registry")
    if program is None:
        return
    _FOLDER.mkdir()
    certificate = os.environ["SSL_CERT_FILE"]
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(_FOLDER / "storage")}},
        "http": {
            "addr": f"{_PLACE[0]}:{_PLACE[1]}",
            "host": f"https://{HOST}",
            "tls": {"certificate": certificate, "key": f"{certificate}.key"},
        },
    }
    # YAML has all of JSON.
    (_FOLDER / "settings.yml").write_text(json.dumps(settings))
    with (_FOLDER / "log").open("wb") as log:
        # In the group of the emulator, with which it ends.
        process = subprocess.Popen(
            [program, "serve", str(_FOLDER / "settings.yml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + _PATIENCE
    while not _listens():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"docker-registry: {(_FOLDER / 'log').read_text()}")
        time.sleep(0.02)


def _listens() -> bool:
    try:
        socket.create_connection(_PLACE).close()
    except OSError:
        return False
    return True
