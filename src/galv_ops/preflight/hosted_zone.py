"""Whether the world asks a hosted zone, and whether Amazon may issue certificates for its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import dns
from .authoritative import Servers, addresses
from .aws_errors import AWS_ERRORS, error_code, error_message
from .names import is_in, plain
from .unreachable import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("route53:GetHostedZone", "route53:ListResourceRecordSets")

# https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
AMAZON = ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com")
_KNOWN_TAGS = (
    "issue",
    "issuewild",
    "iodef",
    "issuemail",
    "issuevmc",
    "contactemail",
    "contactphone",
)
_CRITICAL = 128


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for `HostedZoneId`, in which `DomainNames` are, and with `CertificateWanted` for CAA."""
    zone_id = question.text("HostedZoneId")
    names = [plain(name) for name in question.texts("DomainNames")]
    route53 = world.client("route53")
    try:
        reply = route53.get_hosted_zone(Id=zone_id)
    except AWS_ERRORS as error:
        # The second where the id has another form than ids have:
        # https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html
        if error_code(error) not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        yield question.error(
            f"the hosted zone {zone_id} does not exist",
            error_message(error),
            "pass the hosted zone of the domain; `aws route53 list-hosted-zones` lists them",
        )
        return
    zone = plain(reply["HostedZone"]["Name"])
    outside = [name for name in names if not is_in(name, zone)]
    for name in outside:
        yield question.error(
            f"{name} does not lie in the hosted zone {zone_id}",
            f"the zone is {zone}",
            "pass the hosted zone of the domain, or correct the domain name",
        )
    if outside:
        return
    if reply["HostedZone"].get("Config", {}).get("PrivateZone"):
        # With a certificate of one's own the name may be meant for these VPCs.
        say = question.error if question.flag("CertificateWanted") else question.warning
        yield say(
            f"the hosted zone {zone} is private",
            f"{zone_id} answers in {len(reply.get('VPCs', []))} VPCs only",
            "pass the public hosted zone of the domain",
        )
        return
    own = {plain(server) for server in reply.get("DelegationSet", {}).get("NameServers", [])}
    records = route53.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=zone, StartRecordType="NS", MaxItems="1"
    )
    # A zone may name its servers after itself:
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/white-label-name-servers.html
    for record in records["ResourceRecordSets"]:
        if plain(record["Name"]) == zone and record["Type"] == "NS":
            own |= {plain(value["Value"]) for value in record["ResourceRecords"]}
    yield from _delegation(question, world, zone, own)
    if question.flag("CertificateWanted"):
        servers = Servers(world, zone, own)
        for name in names:
            yield from _authority(question, servers, name)


def _delegation(question: Question, world: World, zone: str, own: set[str]) -> Iterator[Finding]:
    """Tell where the world does not ask the servers of the zone."""
    told: dns.Answer | None = None
    failure: UnreachableError | None = None
    try:
        told = world.dns(zone, "NS")
    except UnreachableError as error:
        # It may be that the servers that it was sent to do not serve the zone.
        failure = error
    found = _names(told)
    if found and found <= own:
        return
    # The resolver may remember for days what was corrected since.
    told = _told_above(world, zone) or told
    if told is None:
        if failure is not None:
            yield _untold(question, zone, failure)
        return
    found = _names(told)
    if found and found <= own:
        return
    servers = ", ".join(sorted(own))
    # Without a certificate the deployment succeeds, and only the name leads nowhere.
    say = question.error if question.flag("CertificateWanted") else question.warning
    if found & own:
        # Those that are the zone's own can be enough.
        yield question.warning(
            f"some of the name servers that the world asks for {zone} are not the zone's",
            f"foreign are {', '.join(sorted(found - own))}",
            f"let the registrar, or the zone above, name these only: {servers}",
        )
    elif found:
        yield say(
            f"the world asks other name servers for {zone} than those of the hosted zone",
            f"it asks {', '.join(sorted(found))}",
            f"let the registrar, or the zone above, name these: {servers}; or pass the hosted zone "
            "that is asked",
        )
    else:
        yield say(
            f"nobody in the world asks the hosted zone {zone}",
            "there is no such name" if not told.exists else "the name has no name servers",
            f"register the domain, and let the registrar, or the zone above, name these: {servers}",
        )


def _names(told: dns.Answer | None) -> set[str]:
    return set() if told is None else {plain(server) for server in told.values("NS")}


def _told_above(world: World, zone: str) -> dns.Answer | None:
    """Return what the name servers of the zone above tell of a zone; None where none tells.

    They do not answer, but refer to the name servers of the zone:
    https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2
    """
    try:
        servers = _servers_above(world, zone)
        told = world.dns(zone, "NS", servers=servers) if servers else None
    except UnreachableError:
        return None
    if told is None:
        return None
    referred = [record for record in told.authority if record.kind == "NS"]
    if not referred:
        return told
    named = tuple(record for record in referred if record.name == zone)
    # A zone between the two is not known to the resolver yet.
    return dns.Answer(exists=True, records=named) if named else None


def _servers_above(world: World, zone: str) -> list[tuple[str, int]]:
    """Return addresses of name servers of the nearest zone above; none where there is none."""
    labels = zone.split(".")
    for number in range(1, len(labels)):
        names = world.dns(".".join(labels[number:]), "NS").values("NS")
        if names:
            return addresses(world, names)
    return []


def _authority(question: Question, servers: Servers, name: str) -> Iterator[Finding]:
    """Tell which CAA records forbid Amazon to issue a certificate.

    The first records count that are found on the way up from the name:
    https://www.rfc-editor.org/rfc/rfc8659#section-3
    """
    is_wild = name.startswith("*.")
    labels = name.removeprefix("*.").split(".")
    for number in range(len(labels)):
        at = ".".join(labels[number:])
        try:
            records = servers.caa(at)
        except UnreachableError as error:
            yield _untold(question, at, error)
            return
        if records:
            if not _is_allowed([record.split(" ", 2) for record in records], is_wild=is_wild):
                yield question.error(
                    f"CAA records forbid Amazon to issue a certificate for {name}",
                    f"{at} has CAA {'; '.join(sorted(records))}",
                    f"add a CAA record to {at}: 0 issue {AMAZON[0]}",
                )
            return


def _is_allowed(records: list[list[str]], *, is_wild: bool) -> bool:
    """Tell whether records allow one of Amazon's names."""
    for flags, tag, _ in records:
        if int(flags) & _CRITICAL and tag not in _KNOWN_TAGS:
            return False
    tags = {tag for _, tag, _ in records}
    decides = "issuewild" if is_wild and "issuewild" in tags else "issue"
    allowed = [
        value.partition(";")[0].strip().lower() for _, tag, value in records if tag == decides
    ]
    # Records of other tags alone restrict nothing.
    return not allowed or any(value in AMAZON for value in allowed)


def _untold(question: Question, name: str, error: UnreachableError) -> Finding:
    return question.unanswered(
        f"the DNS could not be asked about {name}",
        str(error),
        "see whether the name resolves, such as with `dig`, and deploy again",
    )
