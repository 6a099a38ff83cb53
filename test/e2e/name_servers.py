"""The name servers that functions ask: NSD, with what Route 53 of a cloud has."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ops.preflight.servers import name_server

_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "TXT")
# Where the name servers of Route 53 have their names; any address leads to NSD.
_ABOVE = dict.fromkeys(("com", "net", "org", "uk"), "@ IN NS ns.invalid.\n* IN A 192.0.2.53\n")


class NameServers:
    """One server for all zones of the world, which stands still between two calls of `publish`."""

    def __init__(self, route53: Any, folder: Path) -> None:
        self._route53 = route53
        self._folder = folder
        self._server = contextlib.ExitStack()
        # The port, once there is one: functions read it whenever they ask.
        self.address = folder / "port"

    def publish(self) -> None:
        """Tell the world what is in the public hosted zones that somebody delegates to.

        A domain is delegated by who registered it; a part of one by the records in its zone.
        """
        self.stop()
        program = shutil.which("nsd")
        if program is None:
            # Nobody answers, which is a warning for a preflight.
            return
        self._folder.mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        zones = _ABOVE | {name: _text(records) for name, records in self._zones()}
        _, port = self._server.enter_context(name_server(program, folder, zones))
        self.address.write_text(str(port))

    def stop(self) -> None:
        """Answer nobody."""
        self.address.unlink(missing_ok=True)
        self._server.close()

    def _zones(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the zones that the world asks, with their records."""
        zones: dict[str, list[Any]] = {}
        for zone in self._route53.list_hosted_zones()["HostedZones"]:
            if not zone["Config"]["PrivateZone"]:
                pages = self._route53.get_paginator("list_resource_record_sets")
                found = pages.paginate(HostedZoneId=zone["Id"])
                records = [record for page in found for record in page["ResourceRecordSets"]]
                zones[zone["Name"].rstrip(".")] = records
        for name, records in zones.items():
            above = [other for other in zones if name.endswith(f".{other}")]
            if not above or _servers(zones[max(above, key=len)], name) == _servers(records, name):
                yield name, records


def _servers(records: list[Mapping[str, Any]], name: str) -> set[str]:
    return {
        one["Value"]
        for record in records
        if record["Type"] == "NS" and record["Name"].rstrip(".") == name
        for one in record["ResourceRecords"]
    }


def _text(records: list[Mapping[str, Any]]) -> str:
    """Return records as in a zone file; an alias has no values that the world could be told."""
    lines = [
        f"{record['Name'].rstrip('.')}. 60 IN {record['Type']} {one['Value']}\n"
        for record in records
        if record["Type"] in _TYPES
        for one in record.get("ResourceRecords", [])
    ]
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    return "".join(lines).replace("\\052", "*")
