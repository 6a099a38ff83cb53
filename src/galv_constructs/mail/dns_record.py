"""A record that mail needs, for a domain whose zone is not given."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class DnsRecord:
    """A DNS record to create."""

    name: str
    """Whole name of the record."""

    type: Literal["CNAME", "MX", "TXT"]
    """Type of the record."""

    value: str
    """Value of the record; for MX the priority and the host, for TXT without quotes."""
