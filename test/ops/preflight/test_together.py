"""Every kind alone, denied, throttled and late, and five faults at once."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from frontend_site.programs import need
from ops.preflight.conftest import REGION, session
from ops.preflight.servers import Handler, Identity, https_server, name_server

from galv_ops.preflight.ask import ask
from galv_ops.preflight.kinds import KINDS
from galv_ops.preflight.world import World

ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
SNAPSHOT = ARN.format("rds", "snapshot:a")
# A question of each kind that asks AWS, with what it names.
QUESTIONS: dict[str, dict[str, Any]] = {
    "certificate": {"CertificateArn": ARN.format("acm", "certificate/a"), "DomainNames": ["a"]},
    "cluster": {"Cluster": "galv", "CapacityProviders": ["FARGATE_SPOT"]},
    "database": {"InstanceIdentifier": "galv"},
    "function": {"FunctionArn": ARN.format("lambda", "function:a")},
    "hosted-zone": {"HostedZoneId": "Z1", "DomainNames": ["a.test"], "CertificateWanted": "true"},
    "image": {"Image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/galv:v1"},
    "mail-identity": {"Domain": "a.test"},
    "mail-sandbox": {},
    "quotas": {"Needs": ["vpc=1"]},
    "records": {"HostedZoneId": "Z1", "Names": ["a.test"]},
    "secret": {"SecretArn": ARN.format("secretsmanager", "secret:a"), "Keys": ["a"]},
    "service-linked-roles": {"Services": ["ecs.amazonaws.com"]},
    "snapshot": {"SnapshotArn": SNAPSHOT},
    "subnets": {"VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "Route": "nat"},
}


class Meddler(World):
    """A world in which each call to AWS first does what a test says."""

    def __init__(self, meddle: Callable[[Any], None]) -> None:
        super().__init__(region=REGION, session=session())
        self._meddle = meddle

    def client(self, service: str, region: str | None = None, **options: Any) -> Any:
        client = super().client(service, region, **options)
        client.meta.events.register_first(
            "before-call", lambda model, **_: self._meddle(model), unique_id="meddler"
        )
        return client


def refuse(code: str) -> Callable[[Any], None]:
    def meddle(model: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "Sorry."}}, model.name)

    return meddle


def questions(**more: str) -> dict[str, dict[str, Any]]:
    return {f"Of/{kind}": {"Ask": kind, **own, **more} for kind, own in QUESTIONS.items()}


def test_there_is_a_question_of_each_kind() -> None:
    asks_aws = {name for name, kind in KINDS.items() if kind.actions}

    assert set(QUESTIONS) == asks_aws
    assert set(KINDS) - asks_aws == {"site-source"}


def fail(error: Exception) -> Callable[[Any], None]:
    def meddle(model: Any) -> None:
        raise error

    return meddle


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        (refuse("AccessDenied"), "the check is not allowed to call "),
        (refuse("AccessDeniedException"), "the check is not allowed to call "),
        (refuse("UnauthorizedOperation"), "the check is not allowed to call "),
        (refuse("ThrottlingException"), "AWS throttled "),
        (refuse("RequestLimitExceeded"), "AWS throttled "),
        (refuse("TooManyRequestsException"), "AWS throttled "),
        (refuse("InternalFailure"), "AWS refused "),
        (refuse("ServiceUnavailable"), "AWS refused "),
        (fail(ConnectTimeoutError(endpoint_url="https://x")), "AWS could not be asked"),
        (fail(ReadTimeoutError(endpoint_url="https://x")), "AWS could not be asked"),
        (fail(EndpointConnectionError(endpoint_url="https://x")), "AWS could not be asked"),
        (fail(NoCredentialsError()), "AWS could not be asked"),
        (fail(KeyError("Quota")), "the check itself failed"),
    ],
)
@pytest.mark.parametrize("needed", ["true", "false"])
def test_each_kind_says_that_aws_does_not_answer(
    aws: None, fault: Callable[[Any], None], wrong: str, needed: str
) -> None:
    found = ask(questions(Needed=needed), Meddler(fault), 30)

    assert [finding.check for finding in found] == list(questions())
    # A function of one's own that is late is told as such.
    late = "the function "
    assert all(
        finding.wrong.startswith((wrong, late) if finding.check == "Of/function" else wrong)
        for finding in found
    )
    severity = "error" if needed == "true" else "unanswered"
    assert {finding.severity for finding in found} == {severity}


# What becomes of a deployment whose registry or git server does not answer.
SERVERS = {
    "image": {"closed": "unanswered", "429": "unanswered", "503": "error", "hangs": "unanswered"},
    "site-source": {"closed": "error", "429": "unanswered", "503": "error", "hangs": "error"},
}


@pytest.mark.parametrize("fault", ["closed", "429", "503", "hangs"])
def test_each_kind_that_asks_a_server_says_that_it_does_not_answer(
    world: World, identity: Identity, fault: str
) -> None:
    stop = threading.Event()

    def respond(request: Handler) -> None:
        if fault == "hangs":
            stop.wait(20)
        else:
            request.answer(int(fault))

    with contextlib.ExitStack() as stack:
        closed = fault == "closed"
        host = "127.0.0.1:1" if closed else stack.enter_context(https_server(identity, respond))
        source = {"Type": "git", "Repository": f"https://{host}/a.git", "Tag": "v1"}
        asked: dict[str, dict[str, Any]] = {
            "image": {"Ask": "image", "Image": f"{host}/a:v1"},
            "site-source": {"Ask": "site-source", "Source": source},
            "Quick": {"Ask": "nothing"},
        }
        begin = time.monotonic()
        found = ask(asked, world, 3)
        seconds = time.monotonic() - begin
        stop.set()

    assert seconds < 6
    assert {finding.check: finding.severity for finding in found} == {
        **{kind: severities[fault] for kind, severities in SERVERS.items()},
        "Quick": "error",
    }


@pytest.mark.slow
def test_each_kind_is_late_where_aws_hangs_and_delays_none(world: World) -> None:
    release = threading.Event()
    boto3.client("secretsmanager").create_secret(Name="well", SecretString="{}")
    quick = {"Ask": "secret", "SecretArn": "well", "Keys": ["missing"]}

    def meddle(model: Any) -> None:
        # What the quick one asks goes on.
        if threading.current_thread().name != "preflight Quick":
            release.wait(60)

    hung = Meddler(meddle)
    # So that loading it is not counted.
    hung.client("secretsmanager")
    begin = time.monotonic()
    found = ask({**questions(), "Quick": quick}, hung, 4)
    seconds = time.monotonic() - begin
    release.set()

    assert seconds < 6
    assert [finding.wrong for finding in found[:-1]] == [
        "the check got no answer within 4 s"
    ] * len(QUESTIONS)
    assert found[-1].wrong == "the secret well lacks missing"


# The service of botocore, where IAM calls it otherwise.
# Actions that IAM calls otherwise than the API does.
ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}
PREFIXES = {"sesv2": "ses", "service-quotas": "servicequotas", "monitoring": "cloudwatch"}


def test_each_kind_calls_what_it_names_for_iam(aws: None) -> None:
    """Also where nothing is there, so that it asks as far as it can."""
    called: dict[str, set[str]] = {}

    def meddle(model: Any) -> None:
        kind = threading.current_thread().name.rpartition("/")[2]
        service = model.service_model.service_name
        name = f"{PREFIXES.get(service, service)}:{model.name}"
        called.setdefault(kind, set()).add(ACTIONS.get(name, name))

    ask(questions(Stack="galv", RoleArn="a"), Meddler(meddle), 30)

    assert set(called) == set(QUESTIONS)
    for kind, calls in called.items():
        assert calls <= set(KINDS[kind].actions), kind


@pytest.fixture
def loopback(
    registries: dict[str, str], identity: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A registry, a git server with a tag, and a name server."""
    (program,) = need("nsd")
    tags = "1111111111111111111111111111111111111111\trefs/tags/v1.0.0\n"

    def respond(request: Handler) -> None:
        request.answer(200, tags.encode(), {"Content-Type": "text/plain"})

    own = "".join(
        f"@ IN NS ns-{2048 + n}.awsdns-{64 + n}.{end}.\n"
        for n, end in enumerate(("com", "net", "org", "co.uk"))
    )
    zones = {
        "test": "@ IN NS ns.invalid.\n",
        "lab.test": own,
        "other.test": "@ IN NS ns.elsewhere.example.\n",
    }
    with contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("nsd")
        yield {
            "registry": registries["token"],
            "git": stack.enter_context(https_server(identity, respond)),
            "dns": stack.enter_context(name_server(program, folder, zones)),
        }


def test_five_questions_at_once(
    aws: None,
    loopback: dict[str, Any],
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    """All well, and then all wrong: each reason is told, in a moment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(identity.certificate))
    route53 = boto3.client("route53")
    zones = {
        name: route53.create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"]
        for name in ("lab.test", "other.test")
    }
    arn = boto3.client("secretsmanager").create_secret(
        Name="a", SecretString=json.dumps({"user": "a-user-1"})
    )["ARN"]

    def five(image: str, tag: str, zone: str, key: str, domain: str) -> dict[str, Any]:
        source = {
            "Type": "git",
            "Repository": f"https://{loopback['git']}/site.git",
            "Tag": tag,
            "Commit": "",
        }
        return {
            "Backend/Image": {
                "Ask": "image",
                "Image": f"{loopback['registry']}/public/backend:{image}",
                "Architecture": "X86_64",
            },
            "Frontend/Source": {"Ask": "site-source", "Source": source},
            "Backend/Zone": {
                "Ask": "hosted-zone",
                "HostedZoneId": zones[zone],
                "DomainNames": [f"api.{zone}"],
                "CertificateWanted": "true",
            },
            "Backend/Secret": {"Ask": "secret", "SecretArn": arn, "Keys": [key]},
            "Mail/Identity": {"Ask": "mail-identity", "Domain": domain},
        }

    boto3.client("sesv2").create_email_identity(EmailIdentity="taken.test")
    world = World(region=REGION, session=session(), resolver=loopback["dns"])
    begin = time.monotonic()
    well = ask(five("v1", "v1.0.0", "lab.test", "user", "free.test"), world, 20)
    between = time.monotonic()
    wrong = ask(five("v9", "v9.0.0", "other.test", "password", "taken.test"), world, 20)
    end = time.monotonic()

    assert well == []
    assert [(finding.check, finding.severity) for finding in wrong] == [
        (check, "error")
        for check in (
            "Backend/Image",
            "Frontend/Source",
            "Backend/Zone",
            "Backend/Secret",
            "Mail/Identity",
        )
    ]
    assert "a-user-1" not in str(wrong)
    record_property("seconds", (between - begin, end - between))
    print(f"five at once: {between - begin:.2f} s well, {end - between:.2f} s wrong")  # noqa: T201 - to be read with -s
    assert end - between < 10
