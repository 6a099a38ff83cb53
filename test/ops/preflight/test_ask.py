"""Asking at once: no question waits for another, and each that has no answer says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from ops.preflight.servers import Handler, Identity, https_server

from galv_ops.preflight import ask as asking
from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.kinds import KINDS, Kind
from galv_ops.preflight.question import Question
from galv_ops.preflight.unreachable import UnreachableError
from galv_ops.preflight.world import World


def refused(code: str, message: str = "Sorry.", status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "DescribeThings",
    )


class Kinds:
    """Kinds that behave as a test says."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.error: Exception = ValueError("wrong")
        self.kinds = {
            name: Kind(getattr(self, name)) for name in ("good", "faulty", "hung", "raises")
        }

    def good(self, question: Question, world: World) -> list[Finding]:
        return []

    def faulty(self, question: Question, world: World) -> Iterator[Finding]:
        yield question.error("it is wrong", "this", "correct it")
        yield question.warning("it is odd", "that", "look at it")

    def hung(self, question: Question, world: World) -> list[Finding]:
        self.release.wait(30)
        return []

    def raises(self, question: Question, world: World) -> NoReturn:
        raise self.error


@pytest.fixture
def kinds() -> Iterator[Kinds]:
    made = Kinds()
    yield made
    made.release.set()


def test_finds_nothing_where_nothing_is_wrong(world: World, kinds: Kinds) -> None:
    assert ask({}, world, 5) == []
    assert ask({"A": {"Ask": "good"}}, world, 5, kinds=kinds.kinds) == []


def test_returns_all_findings_in_the_order_of_the_questions(world: World, kinds: Kinds) -> None:
    questions = {
        "C/Late": {"Ask": "hung"},
        "B/Faulty": {"Ask": "faulty"},
        "A/Raises": {"Ask": "raises", "Place": "here"},
    }

    found = ask(questions, world, 0.3, kinds=kinds.kinds)

    assert [(finding.check, finding.severity) for finding in found] == [
        ("C/Late", "unanswered"),
        ("B/Faulty", "error"),
        ("B/Faulty", "warning"),
        ("A/Raises", "unanswered"),
    ]
    assert found[3].wrong == "the check itself failed"
    assert found[3].found == "ValueError: wrong; asked was raises: Place here"


def test_a_question_that_hangs_delays_no_other(world: World, kinds: Kinds) -> None:
    answered: list[float] = []
    begin = time.monotonic()

    def quick(question: Question, world: World) -> list[Finding]:
        answered.append(time.monotonic() - begin)
        return []

    questions = {f"Hung{number}": {"Ask": "hung"} for number in range(30)}
    found = ask(
        {**questions, "Quick": {"Ask": "quick"}},
        world,
        0.5,
        kinds={**kinds.kinds, "quick": Kind(quick)},
    )

    assert answered[0] < 0.4
    assert time.monotonic() - begin < 2
    assert [finding.check for finding in found] == list(questions)
    assert found[0].wrong == "the check got no answer within 0.5 s"


@pytest.mark.parametrize(("needed", "severity"), [("true", "error"), ("false", "unanswered")])
def test_no_answer_is_an_error_only_where_it_is_needed(
    world: World, kinds: Kinds, needed: str, severity: str
) -> None:
    questions = {name: {"Ask": name, "Needed": needed} for name in ("hung", "raises")}

    found = ask(questions, world, 0.2, kinds=kinds.kinds)

    assert [finding.severity for finding in found] == [severity, severity]


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (refused("AccessDenied"), "the check is not allowed to call DescribeThings"),
        (refused("AccessDeniedException"), "the check is not allowed to call DescribeThings"),
        (refused("UnauthorizedOperation"), "the check is not allowed to call DescribeThings"),
        (refused("ThrottlingException"), "AWS throttled DescribeThings, also when asked again"),
        (
            refused("TooManyRequestsException"),
            "AWS throttled DescribeThings, also when asked again",
        ),
        (refused("RequestLimitExceeded"), "AWS throttled DescribeThings, also when asked again"),
        (refused("InternalError", status=500), "AWS refused DescribeThings"),
        (ConnectTimeoutError(endpoint_url="https://x"), "AWS could not be asked"),
        (KeyError("Vpcs"), "the check itself failed"),
    ],
)
def test_says_what_an_error_means(world: World, kinds: Kinds, error: Exception, wrong: str) -> None:
    kinds.error = error

    (found,) = ask({"A": {"Ask": "raises", "Id": "x-1"}}, world, 5, kinds=kinds.kinds)

    assert found.wrong == wrong
    assert "Id x-1" in found.found
    assert "out" not in found.fix.split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"Ask": "unknown"}, "Ask must be one of faulty, good, hung, raises, got 'unknown'"),
        ({}, "Ask must be a text, got None"),
        (["image"], "Ask must be a text, got None"),
    ],
)
def test_refuses_a_kind_that_there_is_not(
    world: World, kinds: Kinds, arguments: Any, said: str
) -> None:
    (found,) = ask({"A": arguments}, world, 5, kinds=kinds.kinds)

    assert (found.severity, found.found) == ("error", said)


def test_shows_no_value_of_a_secret_that_was_read(world: World, kinds: Kinds) -> None:
    client = boto3.client("secretsmanager")
    client.create_secret(Name="a", SecretString='{"pin": "hugo", "key": ["hunter22", 1234567]}')
    client.create_secret(Name="b", SecretString="a plain one")

    def tells(question: Question, world: World) -> Iterator[Finding]:
        texts = [world.secret(name)["SecretString"] for name in ("a", "b")]
        yield question.error(f"hunter22 1234567 {texts[0]}", f"{texts[1]}: hugo", "hunter22")

    (found,) = ask({"A": {"Ask": "tells"}}, world, 5, kinds={"tells": Kind(tells)})

    assert found.wrong == "[redacted] [redacted] [redacted]"
    assert found.found == "[redacted]: [redacted]"
    assert found.fix == "[redacted]"


class TestAnAnswerThatIsNeeded:
    """Where a server outside of AWS fails, the deployment that asks it next fails too."""

    def asked(self, world: World, error: UnreachableError, *, times: int) -> tuple[Finding, int]:
        """Ask what fails so many times: what is found, and how often it was asked."""
        calls: list[float] = []

        def answer(question: Question, world: World) -> Iterator[Finding]:
            calls.append(time.monotonic())
            yield question.warning("it is odd", "", "look at it")
            if len(calls) <= times:
                raise error

        kind = Kind(answer, is_needed=lambda error: error is not None and error.status == 503)
        *odd, last = ask({"A": {"Ask": "a"}}, world, 5, kinds={"a": kind})
        assert len(odd) <= 1
        return last, len(calls)

    def test_is_asked_for_again_and_is_an_error_then(self, world: World) -> None:
        found, calls = self.asked(world, UnreachableError("host", "503", 503), times=9)

        assert (found.severity, found.wrong, calls) == ("error", "host could not be asked", 3)

    def test_may_come_the_second_time(self, world: World) -> None:
        found, calls = self.asked(world, UnreachableError("host", "503", 503), times=1)

        assert (found.wrong, calls) == ("it is odd", 2)

    def test_is_not_asked_for_again_where_it_is_not_needed(self, world: World) -> None:
        found, calls = self.asked(world, UnreachableError("host", "429", 429), times=9)

        assert (found.severity, calls) == ("unanswered", 1)

    def test_is_not_waited_for_longer_than_there_is_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "PAUSES", (60.0,))

        found, calls = self.asked(world, UnreachableError("host", "503", 503), times=9)

        assert (found.severity, calls) == ("error", 1)

    @pytest.mark.parametrize(("is_needed", "severity"), [(True, "error"), (False, "unanswered")])
    def test_can_be_late(self, world: World, kinds: Kinds, is_needed: bool, severity: str) -> None:
        kind = Kind(kinds.hung, is_needed=lambda error: is_needed and error is None)

        (found,) = ask({"A": {"Ask": "a"}}, world, 0.2, kinds={"a": kind})

        assert found.severity == severity


class TestAServer:
    """A server that hangs, or sends for ever, is a finding in time."""

    @pytest.mark.parametrize("behaviour", ["hangs", "drips"])
    def test_that_never_ends_delays_no_other(
        self, world: World, identity: Identity, behaviour: str
    ) -> None:
        stop = threading.Event()

        def respond(request: Handler) -> None:
            if behaviour == "drips":
                request.send_response(200)
                request.send_header("Content-Length", "1000000")
                request.end_headers()
                while not stop.wait(0.05):
                    request.wfile.write(b"x")
            stop.wait(20)

        def answered(request: Handler) -> None:
            request.answer(404)

        with https_server(identity, respond) as hung, https_server(identity, answered) as well:
            begin = time.monotonic()
            found = ask(
                {
                    "Hung": {"Ask": "image", "Image": f"{hung}/a:v1"},
                    "Well": {"Ask": "image", "Image": f"{well}/a:v1"},
                },
                world,
                1,
            )
            seconds = time.monotonic() - begin
            stop.set()

        assert seconds < 2
        assert [(one.check, one.severity) for one in found] == [
            ("Hung", "unanswered"),
            ("Well", "error"),
        ]


def test_a_body_that_never_ends_is_not_read_for_ever(world: World, identity: Identity) -> None:
    stop = threading.Event()

    def drip(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not stop.wait(0.05):
            request.wfile.write(b"x")

    with https_server(identity, drip) as host:
        world.start(0.5)
        # It ends by itself where nobody stops reading.
        threading.Timer(4, stop.set).start()
        begin = time.monotonic()
        with pytest.raises(UnreachableError, match="s and more"):
            world.get(f"https://{host}/")
        seconds = time.monotonic() - begin
        stop.set()

    assert seconds < 3


def test_every_kind_names_what_iam_must_allow() -> None:
    for name, kind in KINDS.items():
        assert list(kind.actions) == sorted(set(kind.actions)), name
        assert all(action.count(":") == 1 and "*" not in action for action in kind.actions), name
