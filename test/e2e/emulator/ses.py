"""The DKIM records of an identity, which MiniStack makes no attributes of, and that there is one.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateEmailIdentity.html:
AlreadyExistsException, "The resource specified in your request already exists."
"""

from typing import Any

from e2e.emulator.private import provisioners, ses_v2
from e2e.emulator.types import Json, Made

_handler = provisioners.RESOURCE_HANDLERS["AWS::SES::EmailIdentity"]
_made, _updated = _handler["create"], _handler["update"]


def _with_records(made: Made) -> Made:
    identity, attributes = made
    records: Json = {}
    for number in (1, 2, 3):
        token = f"{number}{identity.replace('.', '')}"
        records[f"DkimDNSTokenName{number}"] = f"{token}._domainkey.{identity}"
        records[f"DkimDNSTokenValue{number}"] = f"{token}.dkim.amazonses.com"
    return identity, {**records, **attributes}


def _create(logical_id: str, properties: Json, stack_name: str) -> Made:
    identity = properties["EmailIdentity"]
    if identity in ses_v2.identities:
        raise ValueError(f"AlreadyExistsException: Email identity {identity} already exists.")
    return _with_records(_made(logical_id, properties, stack_name))


def _update(*arguments: Any) -> Made:
    return _with_records(_updated(*arguments))


def install() -> None:
    """Add the attributes and the check."""
    _handler.update(create=_create, update=_update)
