"""Records in a hosted zone as moto has them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

TEXT = '"v=spf1 -all"'


@pytest.fixture
def zone(world: World) -> str:
    """A zone with a record of each kind that is of interest."""
    route53 = boto3.client("route53")
    made = route53.create_hosted_zone(Name="example.com", CallerReference="1")
    records: list[dict[str, Any]] = [
        {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        for name, kind, value in (
            ("api.example.com", "A", "192.0.2.1"),
            ("api.example.com", "AAAA", "2001:db8::1"),
            ("www.example.com", "CNAME", "host.example.net"),
            ("text.example.com", "TXT", TEXT),
            ("*.wild.example.com", "A", "192.0.2.2"),
        )
    ]
    alias = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net"}
    records.append(
        {
            "Name": "site.example.com",
            "Type": "A",
            "AliasTarget": {**alias, "EvaluateTargetHealth": False},
        }
    )
    changes: Any = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    zone_id = made["HostedZone"]["Id"].rpartition("/")[2]
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
    return str(zone_id)


def asked(world: World, zone: str, *names: str, **more: str) -> list[Finding]:
    question = {"Ask": "records", "HostedZoneId": zone, "Names": list(names), **more}
    return ask({"Backend/Records": question}, world, 20)


@pytest.mark.parametrize(
    "name",
    [
        "new.example.com",
        "example.com",
        "text.example.com",
        "TXT api.example.com",
        "wild.example.com",
    ],
)
def test_finds_a_name_that_is_free(world: World, zone: str, name: str) -> None:
    assert asked(world, zone, name) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("api.example.com", "A 192.0.2.1; AAAA 2001:db8::1"),
        ("API.example.com.", "A 192.0.2.1; AAAA 2001:db8::1"),
        ("www.example.com", "CNAME host.example.net"),
        ("TXT www.example.com", "CNAME host.example.net"),
        ("TXT text.example.com", f"TXT {TEXT}"),
        ("CNAME text.example.com", f"TXT {TEXT}"),
        ("site.example.com", "A alias of d1.cloudfront.net"),
        ("*.wild.example.com", "A 192.0.2.2"),
    ],
)
def test_tells_a_name_that_is_taken(world: World, zone: str, name: str, said: str) -> None:
    (found,) = asked(world, zone, "new.example.com", name)

    assert found.severity == "error"
    assert found.wrong.endswith(f"has a record in the hosted zone {zone} already")
    assert found.found.replace(".net.", ".net") == said


def test_tells_each_name_that_is_taken(world: World, zone: str) -> None:
    found = asked(world, zone, "api.example.com", "free.example.com", "www.example.com")

    assert [finding.wrong.partition(" ")[0] for finding in found] == [
        "api.example.com",
        "www.example.com",
    ]


def test_tells_a_zone_that_is_not_there(world: World) -> None:
    (found,) = asked(world, "Z0000", "a.example.com", "b.example.com")

    assert found.wrong == "the hosted zone Z0000 does not exist"


def test_records_of_the_same_stack_are_not_in_the_way(world: World, zone: str) -> None:
    record = {
        "Type": "AWS::Route53::RecordSet",
        "Properties": {
            "HostedZoneId": zone,
            "Name": "own.example.com",
            "Type": "A",
            "TTL": "60",
            "ResourceRecords": ["192.0.2.3"],
        },
    }
    boto3.client("cloudformation").create_stack(
        StackName="galv", TemplateBody=json.dumps({"Resources": {"Record": record}})
    )

    assert asked(world, zone, "own.example.com", Stack="galv") == []
    assert len(asked(world, zone, "own.example.com", Stack="other")) == 1
    assert len(asked(world, zone, "own.example.com", "api.example.com", Stack="galv")) == 1
