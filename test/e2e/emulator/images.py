"""Images as tasks get them: asked of their registry each time, and unpacked once.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
import io
import json
import os
import shutil
import ssl
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from containers import Image
from galv.stand_in import PYTHON

_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
_INDEX = "application/vnd.oci.image.index.v1+json"
_ACCEPTED = f"{_INDEX}, application/vnd.oci.image.manifest.v1+json"
_UNPACKED = Path("unpacked")
_one_at_a_time = threading.Lock()


class PullError(Exception):
    """The registry does not give the image; the text is what a container runtime says."""


def pull(name: str, architecture: str = "X86_64") -> Image:
    """Return the image that a registry has by a name, for a platform of ECS.

    Its application is of the image, with the settings that are there. The rest, the system and
    Python, is of this machine, see `galv.oci`.
    """
    repository = _Repository(name)
    _, _, version = name.rpartition("@") if "@" in name else name.rpartition(":")
    manifest = repository.manifest(version)
    if manifest["mediaType"] == _INDEX:
        manifest = repository.manifest(_of_platform(name, manifest, architecture))
    config = json.loads(repository.blob(manifest["config"]["digest"]))
    if config["architecture"] != _ARCHITECTURES[architecture]:
        raise PullError(f"{name} is for {config['architecture']}: exec format error")
    settings = config["config"]
    root = _unpack(repository, manifest)
    return Image(
        python=PYTHON,
        application=root / settings["WorkingDir"].lstrip("/"),
        workdir=settings["WorkingDir"],
        user=settings["User"],
        environment=dict(one.split("=", 1) for one in settings["Env"]),
    )


class _Repository:
    def __init__(self, name: str) -> None:
        self.name = name
        host, _, path = name.partition("@")[0].partition("/")
        self._base = f"https://{host}/v2/{path.partition(':')[0]}"

    def manifest(self, version: str) -> Any:
        content = self._get(f"manifests/{version}")
        if ":" in version:
            _check(content, version)
        return json.loads(content)

    def blob(self, digest: str) -> bytes:
        content = self._get(f"blobs/{digest}")
        _check(content, digest)
        return content

    def _get(self, path: str) -> bytes:
        request = Request(f"{self._base}/{path}", headers={"Accept": _ACCEPTED})
        try:
            with urlopen(request, context=_trust(), timeout=60) as answer:
                content: bytes = answer.read()
        except HTTPError as error:
            # In the words of containerd, which Fargate passes on.
            why = "not found" if error.code == 404 else f"unexpected status {error.code}"
            raise PullError(f"failed to resolve reference {self.name!r}: {why}") from error
        except OSError as error:
            raise PullError(f"failed to resolve reference {self.name!r}: {error}") from error
        return content


def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def _of_platform(name: str, index: Any, architecture: str) -> str:
    platform = {"os": "linux", "architecture": _ARCHITECTURES[architecture]}
    for one in index["manifests"]:
        if one["platform"] == platform:
            return str(one["digest"])
    raise PullError(f"image Manifest of {name} does not contain descriptor matching {platform}")


def _check(content: bytes, digest: str) -> None:
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise PullError(f"the registry sent something else for {digest}")


def _unpack(repository: _Repository, manifest: Any) -> Path:
    """Return a folder with the content of layers, one above the other."""
    layers = [layer["digest"] for layer in manifest["layers"]]
    root = _UNPACKED.absolute() / hashlib.sha256(" ".join(layers).encode()).hexdigest()
    with _one_at_a_time:
        if not root.exists():
            made = Path(tempfile.mkdtemp(dir=_UNPACKED))
            for digest in layers:
                with tarfile.open(fileobj=io.BytesIO(repository.blob(digest))) as archive:
                    archive.extractall(made, filter="data")
            made.chmod(0o755)
            made.rename(root)
    return root


def install() -> None:
    """Make room for what is unpacked."""
    shutil.rmtree(_UNPACKED, ignore_errors=True)
    _UNPACKED.mkdir()
