"""The DKIM records of an identity, which MiniStack makes no attributes of."""

from typing import Any

from e2e.emulator.types import Json, Made
from ministack.services.cloudformation import provisioners

_handler = provisioners._RESOURCE_HANDLERS["AWS::SES::EmailIdentity"]
_made, _updated = _handler["create"], _handler["update"]


def _with_records(made: Made) -> Made:
    identity, attributes = made
    records: Json = {}
    for number in (1, 2, 3):
        token = f"{number}{identity.replace('.', '')}"
        records[f"DkimDNSTokenName{number}"] = f"{token}._domainkey.{identity}"
        records[f"DkimDNSTokenValue{number}"] = f"{token}.dkim.amazonses.com"
    return identity, {**records, **attributes}


def _create(*arguments: Any) -> Made:
    return _with_records(_made(*arguments))


def _update(*arguments: Any) -> Made:
    return _with_records(_updated(*arguments))


def install() -> None:
    """Add the attributes."""
    _handler.update(create=_create, update=_update)
