"""A function of one's own that is asked, at a server that speaks Lambda's protocol to boto3."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from ops.preflight.conftest import REGION, session

from galv_ops.preflight.ask import ask
from galv_ops.preflight.finding import Finding
from galv_ops.preflight.world import World

ARN = f"arn:aws:lambda:{REGION}:123456789012:function:licences"
WELL: dict[str, Any] = {"findings": []}


@dataclass
class Lambda:
    """What the function was asked, and what it answers.

    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    """

    asked: list[tuple[str, Any]] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = field(default_factory=lambda: WELL)
    seconds: float = 0

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        said = request.rfile.read(int(request.headers["Content-Length"]))
        self.asked.append((unquote(request.path), json.loads(said)))
        time.sleep(self.seconds)
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        # Who was not waited for has gone.
        with contextlib.suppress(OSError):
            request.send_response(self.status)
            for name, value in {**self.headers, "Content-Length": str(len(body))}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    made = Lambda()

    class Request(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.respond(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.server_port}")
    yield made
    server.shutdown()
    server.server_close()


def found(seconds: float = 20, *, needed: bool = False, **question: str) -> list[Finding]:
    """The findings of a question to the function."""
    asked = {"Ask": "function", "FunctionArn": ARN, "Needed": str(needed).lower(), **question}
    return ask({"Licence": asked}, World(region=REGION, session=session()), seconds)


def test_is_asked_once_with_the_check_and_the_question(function: Lambda) -> None:
    assert found(Question='{"seats": 5}') == []

    ((path, said),) = function.asked
    assert path == f"/2015-03-31/functions/{ARN}/invocations"
    assert said == {"version": 1, "check": "Licence", "question": {"seats": 5}}


def test_may_be_asked_nothing_in_particular_and_by_its_name(function: Lambda) -> None:
    assert found(FunctionArn="licences") == []

    assert function.asked == [
        (
            "/2015-03-31/functions/licences/invocations",
            {"version": 1, "check": "Licence", "question": {}},
        )
    ]


def test_is_asked_in_its_own_region(function: Lambda) -> None:
    assert found(FunctionArn=ARN.replace(REGION, "us-east-1")) == []

    assert ":us-east-1:" in function.asked[0][0]


def test_answers_with_errors_and_warnings(function: Lambda) -> None:
    one = {"wrong": "the licence is\nfor 3 seats.", "found": "3 of 5.", "fix": "buy two more."}
    late = {"severity": "warning", "wrong": "it ends soon", "fix": "renew it", "more": 1}
    function.body = {"findings": [one, late], "more": 1}

    assert found() == [
        Finding("Licence", "error", "the licence is for 3 seats", "3 of 5", "buy two more"),
        Finding("Licence", "warning", "it ends soon", "", "renew it"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        {"result": "fine"},
        {"findings": None},
        {"findings": "none"},
        {"findings": ["wrong"]},
        {"findings": [{"wrong": "it", "fix": ""}]},
        {"findings": [{"wrong": " ", "fix": "that"}]},
        {"findings": [{"wrong": "it", "fix": "that", "severity": "fatal"}]},
        {"findings": [{"wrong": "it", "fix": "that", "found": 3}]},
        {"findings": [{"wrong": 1, "fix": "that"}]},
    ],
)
@pytest.mark.parametrize("needed", [False, True])
def test_that_answers_nonsense_is_told(function: Lambda, body: Any, *, needed: bool) -> None:
    function.body = body

    (one,) = found(needed=needed)

    assert one.wrong == f"the function {ARN} answers what preflight does not understand"
    assert one.found.startswith("it answers")
    assert (one.severity == "error") == needed


def test_nonsense_takes_no_other_finding_with_it(function: Lambda) -> None:
    function.body = {"findings": [7, {"wrong": "it", "fix": "that"}]}

    assert [one.severity == "error" for one in found()] == [False, True]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            {"errorMessage": "No licence.", "errorType": "KeyError"},
            "KeyError: No licence",
        ),
        (
            {"errorMessage": "2026-11-27T10:00:00Z 0a1b Task timed out after 3.00 seconds"},
            "2026-11-27T10:00:00Z 0a1b Task timed out after 3.00 seconds",
        ),
        (b"out of memory", "out of memory"),
        ({"errorMessage": None}, '{"errorMessage": null}'),
        (["x"], '["x"]'),
    ],
)
@pytest.mark.parametrize("needed", [False, True])
def test_that_fails_is_told(function: Lambda, body: Any, says: str, *, needed: bool) -> None:
    function.headers = {"X-Amz-Function-Error": "Unhandled"}
    function.body = body

    (one,) = found(needed=needed)

    assert one.wrong == f"the function {ARN} failed"
    assert one.found == says
    assert (one.severity == "error") == needed


@pytest.mark.slow
def test_that_does_not_answer_is_asked_once_and_told(function: Lambda) -> None:
    function.seconds = 5

    (one,) = found(3)

    assert one.wrong == f"the function {ARN} did not answer within 1 s"
    assert one.severity != "error"
    time.sleep(1)
    assert len(function.asked) == 1


def test_that_does_not_exist_is_an_error(function: Lambda) -> None:
    function.status = 404
    function.headers = {"X-Amzn-ErrorType": "ResourceNotFoundException"}
    function.body = {"Message": f"Function not found: {ARN}", "Type": "User"}

    (one,) = found()

    assert (one.severity, one.wrong) == ("error", f"the function {ARN} does not exist")
    assert one.found == f"Function not found: {ARN}"


def test_that_may_not_be_invoked_is_told(function: Lambda) -> None:
    function.status = 403
    function.headers = {"X-Amzn-ErrorType": "AccessDeniedException"}
    function.body = {"Message": "no"}

    (one,) = found()

    assert one.wrong == "the check is not allowed to call Invoke"
    assert one.severity != "error"


def test_refuses_a_question_that_is_no_json(function: Lambda) -> None:
    (one,) = found(Question="{")

    assert one.found.startswith("Question must be JSON, got ")
    assert function.asked == []
