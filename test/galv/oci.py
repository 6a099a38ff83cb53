"""The image of the application that stands in for Galv, as an image of OCI for two platforms.

https://github.com/opencontainers/image-spec/blob/main/spec.md

Its layers have what `make_image` makes. What lies below, the system and Python, is that of the
machine, whose programs would be gigabytes.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from galv.stand_in import APPLICATION, image_in
from ops.preflight.servers import Pusher

_KIND = "application/vnd.oci.image"


def push_image(pusher: Pusher, repository: str, tag: str, folder: Path) -> str:
    """Push the image whose application is in a folder; return the digest of its index."""
    layers = [
        {
            "mediaType": f"{_KIND}.layer.v1.tar+gzip",
            **pusher.blob(repository, gzip.compress(layer, mtime=0)),
        }
        for layer in _layers(folder)
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}.index.v1+json",
        "manifests": [
            _push_for(pusher, repository, folder, architecture, layers)
            for architecture in ("amd64", "arm64")
        ],
    }
    return str(pusher.manifest(repository, tag, index)["digest"])


def _push_for(
    pusher: Pusher, repository: str, folder: Path, architecture: str, layers: list[Any]
) -> dict[str, Any]:
    image = image_in(folder)
    config = {
        "os": "linux",
        "architecture": architecture,
        "config": {
            "WorkingDir": image.workdir,
            "Env": [f"{name}={value}" for name, value in image.environment.items()],
            "User": image.user,
        },
    }
    described = pusher.blob(repository, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_KIND}.manifest.v1+json",
        "config": {"mediaType": f"{_KIND}.config.v1+json", **described},
        "layers": layers,
    }
    platform = {"os": "linux", "architecture": architecture}
    return {**pusher.manifest(repository, "", manifest), "platform": platform}


def _layers(folder: Path) -> list[bytes]:
    """Return what all releases share, and what this one has of its own."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    shared = {file for file in files if _is_shared(file, folder)}
    own = [file for file in files if file not in shared]
    return [_archive(folder, files) for files in (sorted(shared), own)]


def _is_shared(file: Path, folder: Path) -> bool:
    original = APPLICATION / file.relative_to(folder)
    return original.is_file() and original.read_bytes() == file.read_bytes()


def _archive(folder: Path, files: Iterable[Path]) -> bytes:
    """Pack files at the image's path of the folder, the same bytes each time."""
    place = image_in(folder).workdir.lstrip("/")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for file in files:
            member = tarfile.TarInfo(f"{place}/{file.relative_to(folder)}")
            member.mode = file.stat().st_mode & 0o777
            member.size = file.stat().st_size
            with file.open("rb") as opened:
                archive.addfile(member, opened)
    return content.getvalue()
