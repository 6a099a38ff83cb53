"""A certification authority for the names that lead to this machine."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files of an authority and of one certificate that it signed."""

    authority: Path
    certificate: Path
    key: Path


def create(folder: Path, names: Sequence[str]) -> Certificates:
    """Create an authority and a certificate for names."""
    folder.mkdir()
    created = Certificates(
        authority=folder / "ca.pem", certificate=folder / "cert.pem", key=folder / "key.pem"
    )
    key = folder / "ca.key"
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    _openssl(
        *(*new, "-x509", "-days", "2", "-subj", "/CN=Authority of this run"),
        *("-keyout", str(key), "-out", str(created.authority)),
        *("-addext", "keyUsage=critical,keyCertSign"),
    )
    request, extensions = folder / "request.pem", folder / "extensions"
    _openssl(
        *(*new, "-subj", f"/CN={names[0][:64]}"),
        *("-keyout", str(created.key), "-out", str(request)),
    )
    extensions.write_text(f"subjectAltName={','.join(f'DNS:{name}' for name in names)}\n")
    _openssl(
        *("x509", "-req", "-days", "2", "-in", str(request), "-out", str(created.certificate)),
        *("-CA", str(created.authority), "-CAkey", str(key), "-CAcreateserial"),
        *("-extfile", str(extensions)),
    )
    return created


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
