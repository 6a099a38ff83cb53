"""Whether names that a deployment creates in a hosted zone are free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AWS_ERRORS, error_code, error_message
from .names import plain
from .stack import ACTION, own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = (ACTION, "route53:ListResourceRecordSets")
# What a name that leads somewhere has.
_ADDRESSES = ("A", "AAAA")
_MOST = "50"


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask whether `Names` are free in `HostedZoneId`; those of `Stack` itself are.

    A name stands for records with addresses; `TXT name` for one of another type.
    """
    zone = question.text("HostedZoneId")
    mine = {plain(name) for name in own(question, world, "AWS::Route53::RecordSet")}
    route53 = world.client("route53")
    for entry in question.texts("Names"):
        kind, _, name = entry.rpartition(" ")
        name = plain(name)
        if name in mine:
            continue
        try:
            reply = route53.list_resource_record_sets(
                HostedZoneId=zone, StartRecordName=name, MaxItems=_MOST
            )
        except AWS_ERRORS as error:
            if error_code(error) != "NoSuchHostedZone":
                raise
            yield question.error(
                f"the hosted zone {zone} does not exist",
                error_message(error),
                "pass the hosted zone of the domain",
            )
            return
        there = [record for record in reply["ResourceRecordSets"] if plain(record["Name"]) == name]
        taken = [record for record in there if _is_in_the_way(record["Type"], kind)]
        if taken:
            yield question.error(
                f"{name} has a record in the hosted zone {zone} already",
                "; ".join(_shown(record) for record in taken),
                "delete the record where nothing needs it, or choose another name",
            )


def _is_in_the_way(there: str, wanted: str) -> bool:
    """Tell whether a record is in the way of another; beside a CNAME nothing else may be.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
    """
    return "CNAME" in (there, wanted) or there in ((wanted,) if wanted else _ADDRESSES)


def _shown(record: dict[str, object]) -> str:
    alias = record.get("AliasTarget")
    values = record.get("ResourceRecords")
    where = ""
    if isinstance(alias, dict):
        where = f"alias of {alias.get('DNSName')}"
    elif isinstance(values, list):
        where = ", ".join(str(value.get("Value")) for value in values)
    return f"{record['Type']} {where}".strip()
