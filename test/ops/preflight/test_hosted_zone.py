"""Hosted zones as moto has them, in a world that NSD tells of."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber
from frontend_site.programs import need
from ops.preflight.conftest import REGION, session
from ops.preflight.servers import name_server

from galv_ops.preflight import dns
from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.names import is_covered, is_in
from galv_ops.preflight.unreachable import UnreachableError
from galv_ops.preflight.world import World

# Those that moto gives to each zone.
OWN = [
    "ns-2048.awsdns-64.com",
    "ns-2049.awsdns-65.net",
    "ns-2050.awsdns-66.org",
    "ns-2051.awsdns-67.co.uk",
]
SERVERS = "".join(f"@ IN NS {name}.\n" for name in OWN)
# Together more than a datagram of 512 bytes.
MANY = "".join(f'@ IN CAA 0 issue "certificates-{number:03}.example"\n' for number in range(40))
ZONES = {
    "test": "@ IN NS ns.invalid.\nhost IN A 192.0.2.1\n",
    "lab.test": SERVERS,
    "foreign.test": "@ IN NS ns1.elsewhere.example.\n@ IN NS ns2.elsewhere.example.\n",
    "mixed.test": SERVERS + "@ IN NS ns1.elsewhere.example.\n",
    "vanity.test": "@ IN NS ns1.vanity.test.\n@ IN NS ns2.vanity.test.\n",
    "forbidden.test": SERVERS
    + '@ IN CAA 0 issue "letsencrypt.org"\nfree IN CAA 0 issue "amazon.com"\n',
    "allowed.test": SERVERS + MANY + '@ IN CAA 0 issue "amazontrust.com; a=b"\n',
    "many.test": SERVERS + MANY,
    "nobody.test": SERVERS + '@ IN CAA 0 issue ";"\n',
    "wild.test": SERVERS + '@ IN CAA 0 issue "amazon.com"\n@ IN CAA 0 issuewild ";"\n',
    "iodef.test": SERVERS + '@ IN CAA 0 iodef "mailto:a@example.com"\n',
    "critical.test": SERVERS + '@ IN CAA 0 issue "amazon.com"\n@ IN CAA 128 unknown "x"\n',
}


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    (program,) = need("nsd")
    with name_server(program, tmp_path_factory.mktemp("nsd"), ZONES) as address:
        yield address


@pytest.fixture
def world(aws: None, resolver: tuple[str, int]) -> World:
    return World(region=REGION, session=session(), resolver=resolver)


def zone(name: str) -> str:
    made = boto3.client("route53").create_hosted_zone(Name=name, CallerReference="1")
    assert sorted(made["DelegationSet"]["NameServers"]) == sorted(OWN)
    return str(made["HostedZone"]["Id"].rpartition("/")[2])


def asked(
    world: World, zone_id: str, *names: str, certificate: bool = True, needed: bool = False
) -> list[Finding]:
    question = {
        "Ask": "hosted-zone",
        "HostedZoneId": zone_id,
        "DomainNames": list(names),
        "CertificateWanted": str(certificate).lower(),
        "Needed": str(needed).lower(),
    }
    return ask({"Backend/Zone": question}, world, 20)


class TestDelegation:
    @pytest.mark.parametrize("name", ["lab.test", "api.lab.test", "API.Lab.Test."])
    def test_finds_a_zone_that_the_world_asks(self, world: World, name: str) -> None:
        assert asked(world, zone("lab.test"), name) == []

    def test_tells_a_zone_that_there_is_not(self, world: World) -> None:
        (found,) = asked(world, "Z0000", "lab.test")

        assert (found.severity, found.wrong) == ("error", "the hosted zone Z0000 does not exist")

    def test_tells_an_id_that_none_has(self, world: World) -> None:
        with Stubber(world.client("route53")) as stub:
            stub.add_client_error("get_hosted_zone", "InvalidInput", "not an id")
            (found,) = asked(world, "example.com", "lab.test")

        assert (found.severity, found.found) == ("error", "not an id")

    def test_tells_a_name_outside_of_the_zone(self, world: World) -> None:
        (found,) = asked(world, zone("lab.test"), "otherlab.test")

        assert found.severity == "error"
        assert found.found == "the zone is lab.test"

    def test_tells_each_name_outside_of_the_zone(self, world: World) -> None:
        found = asked(world, zone("lab.test"), "a.test", "api.lab.test", "b.test")

        assert [one.wrong.split()[0] for one in found] == ["a.test", "b.test"]

    def test_tells_what_is_wrong_with_a_zone_once(self, world: World) -> None:
        found = asked(world, zone("foreign.test"), "a.foreign.test", "b.foreign.test")

        assert len(found) == 1

    def test_tells_a_private_zone(self, world: World) -> None:
        vpc = boto3.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = boto3.client("route53").create_hosted_zone(
            Name="lab.test",
            CallerReference="2",
            VPC={"VPCRegion": "eu-west-1", "VPCId": vpc},
            HostedZoneConfig={"PrivateZone": True},
        )

        for certificate, severity in ((True, "error"), (False, "warning")):
            (found,) = asked(world, made["HostedZone"]["Id"], "lab.test", certificate=certificate)
            assert found.wrong == "the hosted zone lab.test is private"
            assert found.severity == severity

    @pytest.mark.parametrize(
        ("name", "wrong", "said"),
        [
            (
                "foreign.test",
                "the world asks other name servers for foreign.test than those of the hosted zone",
                "it asks ns1.elsewhere.example, ns2.elsewhere.example",
            ),
            (
                "mixed.test",
                "some of the name servers that the world asks for mixed.test are not the zone's",
                "foreign are ns1.elsewhere.example",
            ),
            (
                "absent.test",
                "nobody in the world asks the hosted zone absent.test",
                "there is no such name",
            ),
            (
                "host.test",
                "nobody in the world asks the hosted zone host.test",
                "the name has no name servers",
            ),
        ],
    )
    @pytest.mark.parametrize("certificate", [True, False])
    def test_tells_a_zone_that_the_world_does_not_ask(
        self, world: World, name: str, wrong: str, said: str, certificate: bool
    ) -> None:
        (found,) = asked(world, zone(name), name, certificate=certificate)

        # Where some of the zone's own are asked, Amazon may ask those.
        is_error = certificate and name != "mixed.test"
        assert found.severity == ("error" if is_error else "warning")
        assert (found.wrong, found.found) == (wrong, said)
        assert ", ".join(sorted(OWN)) in found.fix

    def test_takes_name_servers_that_the_zone_names_itself(self, world: World) -> None:
        made = zone("vanity.test")
        names = [{"Value": f"ns{number}.vanity.test."} for number in (1, 2)]
        record = {"Name": "vanity.test", "Type": "NS", "TTL": 60, "ResourceRecords": names}
        boto3.client("route53").change_resource_record_sets(
            HostedZoneId=made,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},  # type: ignore[list-item, typeddict-item, unused-ignore]
        )

        assert asked(world, made, "vanity.test") == []


FOREIGN = "ns1.elsewhere.example"
# NSD answers SERVFAIL for a zone whose file it cannot read.
BROKEN = "@ IN A none\n"
# The resolver's view, in which the zones below are what they once were.
REMEMBERED = {
    "test": "@ IN NS ns.invalid.\n",
    "fresh.test": "@ IN NS ns.fresh.test.\nns IN A 127.0.0.1\n",
    "corrected.fresh.test": f"@ IN NS {FOREIGN}.\n",
    "foreign.fresh.test": "@ IN NS ns0.elsewhere.example.\n",
    "gone.fresh.test": f"@ IN NS {FOREIGN}.\n",
    "a.deep.fresh.test": f"@ IN NS {FOREIGN}.\n",
    # A server that is asked for a zone which it does not serve has no answer, nor has the resolver.
    "unserved.fresh.test": BROKEN,
    "lost.fresh.test": BROKEN,
}
# The view of the name server above, which knows better; it does not know what lies below `deep`.
ABOVE = {
    "fresh.test": "\n".join(
        [
            "@ IN NS ns.fresh.test.",
            "ns IN A 127.0.0.1",
            *(f"corrected IN NS {name}." for name in OWN),
            *(f"registered IN NS {name}." for name in OWN),
            f"foreign IN NS {FOREIGN}.",
            f"lost IN NS {FOREIGN}.",
            *(f"unserved IN NS {name}." for name in OWN),
            f"deep IN NS {FOREIGN}.",
        ]
    )
    + "\n"
}


class TestAResolverThatRemembers:
    @pytest.fixture
    def world(
        self,
        aws: None,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[World]:
        (program,) = need("nsd")
        folders = [tmp_path_factory.mktemp(name) for name in ("resolver", "above")]
        with (
            name_server(program, folders[0], REMEMBERED) as resolver,
            name_server(program, folders[1], ABOVE) as above,
        ):
            monkeypatch.setattr(dns, "PORT", above[1])
            yield World(region=REGION, session=session(), resolver=resolver)

    @pytest.mark.parametrize("name", ["corrected.fresh.test", "registered.fresh.test"])
    def test_is_not_believed_where_the_zone_above_knows_better(
        self, world: World, name: str
    ) -> None:
        assert asked(world, zone(name), f"api.{name}", certificate=False) == []

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("foreign.fresh.test", f"it asks {FOREIGN}"),
            ("gone.fresh.test", "there is no such name"),
        ],
    )
    def test_does_not_hide_what_the_zone_above_says(
        self, world: World, name: str, said: str
    ) -> None:
        (found,) = asked(world, zone(name), name)

        assert (found.severity, found.found) == ("error", said)

    def test_is_not_needed_where_the_zone_above_answers(self, world: World) -> None:
        """As for a zone that was created again, and whose registrar names the old servers."""
        (found,) = asked(world, zone("lost.fresh.test"), "lost.fresh.test", certificate=False)

        assert (found.severity, found.found) == ("warning", f"it asks {FOREIGN}")
        name = "unserved.fresh.test"
        assert asked(world, zone(name), name, certificate=False) == []

    def test_is_believed_where_the_zone_above_refers_to_one_between(self, world: World) -> None:
        (found,) = asked(world, zone("a.deep.fresh.test"), "a.deep.fresh.test")

        assert found.found == f"it asks {FOREIGN}"

    def test_is_believed_where_the_zone_above_does_not_answer(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dns, "PORT", 1)

        (found,) = asked(world, zone("corrected.fresh.test"), "corrected.fresh.test")

        assert found.found == f"it asks {FOREIGN}"


ADDRESSES = {
    "awsdns-64.com": "@ IN NS ns.invalid.\nns-2048 IN A 127.0.0.1\n",
    "awsdns-65.net": "@ IN NS ns.invalid.\nns-2049 IN A 127.0.0.1\n",
}
# What the resolver remembers, and what the servers of the zones say now.
CAA_BEFORE = {
    **ADDRESSES,
    "test": "@ IN NS ns.invalid.\n",
    "deleted.test": SERVERS + '@ IN CAA 0 issue "letsencrypt.org"\n',
    "created.test": SERVERS,
    "alias.test": SERVERS,
    "below.test": SERVERS,
    "above.test": "@ IN NS ns-2048.awsdns-64.com.\n",
    "lab.above.test": SERVERS,
    "target.test": '@ IN NS ns.invalid.\nweb IN CAA 0 issue "letsencrypt.org"\n',
}
CAA_NOW = {
    "deleted.test": SERVERS,
    "created.test": SERVERS + '@ IN CAA 0 issue "letsencrypt.org"\n',
    "alias.test": SERVERS + "api IN CNAME web.target.test.\n",
    # The zone `sub` has servers of its own, which the resolver asks.
    "below.test": SERVERS + 'sub IN NS ns.elsewhere.example.\n@ IN CAA 0 issue "letsencrypt.org"\n',
    "above.test": '@ IN NS ns.invalid.\n@ IN CAA 0 issue "letsencrypt.org"\n',
    "lab.above.test": SERVERS,
}


class TestAuthorityOfNow:
    """The servers of a zone know what was just changed, and a resolver remembers."""

    @pytest.fixture
    def world(
        self,
        aws: None,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[World]:
        (program,) = need("nsd")
        folders = [tmp_path_factory.mktemp(name) for name in ("resolver", "servers")]
        with (
            name_server(program, folders[0], CAA_BEFORE) as resolver,
            name_server(program, folders[1], CAA_NOW) as servers,
        ):
            monkeypatch.setattr(dns, "PORT", servers[1])
            yield World(region=REGION, session=session(), resolver=resolver)

    def test_does_not_tell_a_record_that_was_deleted(self, world: World) -> None:
        assert asked(world, zone("deleted.test"), "api.deleted.test") == []

    @pytest.mark.parametrize(
        ("domain", "name", "at"),
        [
            ("created.test", "api.created.test", "created.test"),
            ("alias.test", "api.alias.test", "api.alias.test"),
            ("below.test", "a.sub.below.test", "below.test"),
            ("lab.above.test", "lab.above.test", "above.test"),
        ],
    )
    def test_tells_a_record_that_was_created(
        self, world: World, domain: str, name: str, at: str
    ) -> None:
        (found,) = asked(world, zone(domain), name)

        assert found.severity == "error"
        assert found.found == f"{at} has CAA 0 issue letsencrypt.org"

    def test_asks_the_resolver_where_the_servers_cannot_be_reached(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dns, "PORT", 1)

        (found,) = asked(world, zone("deleted.test"), "api.deleted.test")

        assert found.found == "deleted.test has CAA 0 issue letsencrypt.org"


class TestAuthority:
    @pytest.mark.parametrize(
        ("domain", "name"),
        [
            ("lab.test", "a.b.lab.test"),
            ("allowed.test", "www.allowed.test"),
            ("forbidden.test", "free.forbidden.test"),
            ("wild.test", "wild.test"),
            ("iodef.test", "iodef.test"),
        ],
    )
    def test_finds_nothing_where_amazon_may(self, world: World, domain: str, name: str) -> None:
        assert asked(world, zone(domain), name) == []

    @pytest.mark.parametrize(
        ("domain", "name"),
        [
            ("forbidden.test", "forbidden.test"),
            ("forbidden.test", "api.lab.forbidden.test"),
            ("nobody.test", "api.nobody.test"),
            ("many.test", "many.test"),
            ("wild.test", "*.wild.test"),
            ("critical.test", "critical.test"),
        ],
    )
    def test_tells_records_that_forbid_it(self, world: World, domain: str, name: str) -> None:
        made = zone(domain)

        (found,) = asked(world, made, name)

        assert found.severity == "error"
        assert found.wrong == f"CAA records forbid Amazon to issue a certificate for {name}"
        assert found.found.startswith(f"{domain} has CAA ")
        assert found.fix == f"add a CAA record to {domain}: 0 issue amazon.com"
        assert asked(world, made, name, certificate=False) == []

    def test_tells_each_name_that_records_forbid(self, world: World) -> None:
        domain = "forbidden.test"

        found = asked(world, zone(domain), f"free.{domain}", domain, f"api.{domain}")

        assert [one.wrong.split()[-1] for one in found] == [domain, f"api.{domain}"]


@pytest.mark.slow
class TestAnotherNameServer:
    def zone_and_world(self, port: int) -> tuple[str, World]:
        return zone("lab.test"), World(
            region=REGION, session=session(), resolver=("127.0.0.1", port)
        )

    @pytest.mark.parametrize("needed", [True, False])
    def test_that_does_not_answer_counts_where_it_is_needed(
        self, world: World, needed: bool
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            made, deaf = self.zone_and_world(silent.getsockname()[1])
            question = {"Ask": "hosted-zone", "HostedZoneId": made, "DomainNames": ["lab.test"]}
            deaf.client("route53")
            (found,) = ask({"A": {**question, "Needed": str(needed).lower()}}, deaf, 1.5)

        assert found.severity == ("error" if needed else "unanswered")
        assert "could not be asked" in found.wrong or "no answer" in found.wrong

    def test_that_refuses_is_no_answer(self, world: World) -> None:
        made = zone("elsewhere.example")

        found = asked(world, made, "elsewhere.example")

        assert [finding.severity for finding in found] == ["unanswered", "unanswered"]
        assert "REFUSED" in found[0].found

    @pytest.mark.parametrize(
        "reply", [b"", b"\x00" * 3, b"\x80\x00" + b"\x00\x01" * 4 + b"\xc0\x0c"]
    )
    def test_that_answers_nonsense_is_no_answer(self, world: World, reply: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(10)

            def respond() -> None:
                for _ in range(2):
                    query, client = sock.recvfrom(512)
                    sock.sendto(query[:2] + reply, client)

            threading.Thread(target=respond, daemon=True).start()
            made, other = self.zone_and_world(sock.getsockname()[1])
            question = {"Ask": "hosted-zone", "HostedZoneId": made, "DomainNames": ["lab.test"]}
            other.client("route53")
            (found,) = ask({"A": question}, other, 2)

        assert found.severity == "unanswered"

    def test_that_nobody_else_can_answer_for(self, resolver: tuple[str, int]) -> None:
        """A datagram with another number than the question's is none of its answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(10)

            def respond() -> None:
                query, client = sock.recvfrom(512)
                number = int.from_bytes(query[:2], "big")
                for other in (number ^ 1, number):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as real:
                        real.connect(resolver)
                        real.send(other.to_bytes(2, "big") + query[2:])
                        answer = real.recv(4096)
                    # The first says that there is no such name.
                    code = b"\x81\x83" if other != number else answer[2:4]
                    sock.sendto(answer[:2] + code + answer[4:], client)

            threading.Thread(target=respond, daemon=True).start()
            found = dns.resolve("lab.test", "NS", [sock.getsockname()], 5)

        assert found.exists
        assert sorted(found.values("NS")) == sorted(OWN)


@pytest.mark.parametrize("loses", [True, False])
def test_asks_the_next_server_or_once_more(resolver: tuple[str, int], loses: bool) -> None:
    """Where a server is silent, and where a datagram is lost."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)

        def respond() -> None:
            sock.recvfrom(512)
            query, client = sock.recvfrom(512)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as real:
                real.connect(resolver)
                real.send(query)
                sock.sendto(real.recv(4096), client)

        servers = [sock.getsockname()]
        if loses:
            threading.Thread(target=respond, daemon=True).start()
        else:
            servers.append(resolver)
        found = dns.resolve("lab.test", "NS", servers, 1)

    assert sorted(found.values("NS")) == sorted(OWN)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("# a\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n", ["192.0.2.1", "192.0.2.2"]),
        ("search example.com\nnameserver fd00:ec2::253\n", ["fd00:ec2::253"]),
    ],
)
def test_takes_the_resolvers_of_the_machine(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    addresses: list[str],
) -> None:
    file = tmp_path_factory.mktemp("resolv") / "resolv.conf"
    file.write_text(text)
    monkeypatch.setattr(dns, "_RESOLV_CONF", file)

    assert dns.system_resolvers() == [(address, 53) for address in addresses]

    file.write_text("")
    with pytest.raises(UnreachableError, match="names no name server"):
        dns.system_resolvers()


@pytest.mark.parametrize(
    ("name", "domain", "expected"),
    [
        ("a.example.com", "example.com.", True),
        ("Example.com", "example.com", True),
        ("notexample.com", "example.com", False),
        ("com", "example.com", False),
    ],
)
def test_knows_what_lies_in_a_domain(name: str, domain: str, expected: bool) -> None:
    assert is_in(name, domain) is expected


@pytest.mark.parametrize(
    ("name", "certificate", "expected"),
    [
        ("api.example.com", "*.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("a.b.example.com", "*.example.com", False),
        ("a.example.com", "A.example.com", True),
    ],
)
def test_knows_what_a_certificate_covers(name: str, certificate: str, expected: bool) -> None:
    assert is_covered(name, certificate) is expected
