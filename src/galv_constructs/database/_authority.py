"""Certificates of the authority that a database's own certificate has to come from."""

import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)
# Each task definition has them, and may have 64 KiB in all:
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
# The bundle of a region has about 5 KB, that of all regions 160 KB.
_LONGEST = 16 * 1024
_HOW = (
    "for Amazon RDS take the bundle of the region, such as "
    "https://truststore.pki.rds.amazonaws.com/eu-west-2/eu-west-2-bundle.pem"
)

# https://www.postgresql.org/docs/current/libpq-ssl.html: those that look at the certificate.
_CHECKING = ("verify-full", "verify-ca")


def read_authority(path: object) -> str:
    """Return the certificates in a file, and nothing else of it.

    Raises:
        ValueError: If there is no such file, or no certificate of an authority in it.
    """
    if not isinstance(path, str) or not Path(path).is_file():
        raise ValueError(f"must be a file with certificates, and {path!r} is none: {_HOW}")
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    if "PRIVATE KEY" in text:
        raise ValueError(f"must have certificates alone, and {path!r} has a private key: {_HOW}")
    certificates = "\n".join(_CERTIFICATE.findall(text))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=certificates)
    except (ValueError, ssl.SSLError) as error:
        raise ValueError(f"must have certificates, and {path!r} has none: {_HOW}") from error
    if not context.get_ca_certs():
        raise ValueError(
            f"must have certificates of an authority, and {path!r} has none that may sign: {_HOW}"
        )
    if len(certificates) > _LONGEST:
        raise ValueError(
            f"must have at most {_LONGEST} bytes of certificates, which each task definition holds,"
            f" and {path!r} has {len(certificates)}: {_HOW}"
        )
    return certificates


def check_authority(
    *, has_certificates: bool, environment: Mapping[str, str], secrets: Iterable[str]
) -> None:
    """Refuse variables that contradict the certificates that tasks check their database by."""
    if not has_certificates:
        return
    mode = environment.get("PGSSLMODE", "verify-full")
    if mode not in _CHECKING:
        raise ValueError(
            f"environment sets PGSSLMODE to {mode!r}, with which tasks check no certificate by "
            f"the ca_file of database: set {' or '.join(_CHECKING)}, or drop one of them"
        )
    for name in ("PGSSLMODE", "PGSSLROOTCERT"):
        if name in secrets or (name == "PGSSLROOTCERT" and name in environment):
            raise ValueError(
                f"{name} is set by the ca_file of database: remove it from environment and "
                "secrets, or drop ca_file"
            )
