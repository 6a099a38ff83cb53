"""How gunicorn and Django take paths, and whether the WAF's rules see the same.

What a rule for a path does not match is not limited, so every spelling that reaches a view has to
match. Django's own routing and gunicorn's own parser decide; the transformations of WAF are
modelled after https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-transformation.html
"""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import pytest
from aws_cdk import Stack
from backends import new_app
from templates import Json, only, synthesize

from galv_constructs import DEFAULT_CREDENTIAL_PATHS, GalvWebAcl

SETTINGS = """
SECRET_KEY = "routes"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "config.urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
"""
# Galv's own, and a page of the admin's as Django has them: an object's key is a `path`. Those of
# people are as a `DefaultRouter` of the REST framework makes them, which has a suffix for a format:
# https://www.django-rest-framework.org/api-guide/routers/#defaultrouter
# The view checks a password as the framework does, before it looks at the method:
# https://www.django-rest-framework.org/api-guide/authentication/#how-authentication-is-determined
URLS = """
from django.http import HttpResponse
from django.urls import path, re_path

def view(request, **rest):
    if request.headers.get("Authorization", "Basic right") != "Basic right":
        return HttpResponse("wrong", status=401)
    return HttpResponse("reached")

urlpatterns = [
    path("activate/", view),
    path("admin/galv/lab/<path:object_id>/change/", view),
    path("admin/login/", view),
    path("api-auth/login/", view),
    path("create_token/", view),
    path("forgot_password/", view),
    path("login/", view),
    path("reset_password/", view),
    path("users/", view),
    re_path(r"^users\\.(?P<format>[a-z0-9]+)/?$", view),
    re_path(r"^users/(?P<pk>[^/.]+)/$", view),
    re_path(r"^users/(?P<pk>[^/.]+)\\.(?P<format>[a-z0-9]+)/?$", view),
]
"""
WSGI = """
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
TRANSFORMED: dict[str, Callable[[bytes], bytes]] = {
    "LOWERCASE": bytes.lower,
    "URL_DECODE": unquote_to_bytes,
}
PATHS = sorted({path.rpartition(" ")[2] for path in DEFAULT_CREDENTIAL_PATHS})


@dataclass(frozen=True)
class Request:
    """The parts of a request that the rules inspect."""

    target: str
    method: str = "GET"
    authorization: str = ""
    known: bool = False
    """Whether it is from an address in the ranges that are given."""


def spellings(path: str) -> list[str]:
    """Ways to write a path, some of which servers take for it."""
    first = path[1]
    return [
        path,
        f"/{path}",
        f"///{path}",
        f"/.{path}",
        f"/x/..{path}",
        f"/%2e{path}",
        f"/%2f{path}",
        f"%2f{path[1:]}",
        path.upper(),
        path.rstrip("/"),
        path[:-1] + "%2f",
        path[:-1] + "%2F",
        path[:-1] + ";x/",
        path + "#x",
        path + "?x=1",
        path + "%3fx",
        path + "%00",
        f"/%{ord(first):02x}{path[2:]}",
        f"/%{ord(first):02X}{path[2:]}",
        f"/%25{ord(first):02x}{path[2:]}",
        f"/%u00{ord(first):02x}{path[2:]}",
        "/" + "".join(f"%{ord(letter):02x}" for letter in path[1:-1]) + "/",
        f"http://api.example.com{path}",
        f"HTTPS://API.example.com:443{path}",
        f"http://{path}",
        f"foo://x{path}",
        f"a+b-c.1://x{path}",
        f"1a://x{path}",
        f"foo:{path}",
        f"foo:///{path}",
        f"http://a%2fb{path}",
        f"http://a%0ab{path}",
        f"http://a:b@c:1{path}",
        f"\x01{path}",
        f"{path[:3]}\t{path[3:]}",
        f"\t{path}",
        path.rstrip("/") + ".json",
        path.rstrip("/") + ".json/",
        path.rstrip("/") + "%2ejson",
        f"*{path}",
        path.replace("/", "\\"),
        path.replace("_", "%5f"),
    ]


def answer(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        chunks = []
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


def reaches(port: int, target: str, method: str = "GET", header: str = "X-Nothing: x") -> bool:
    """Whether a request gets to a view."""
    head = f"{method} {target} HTTP/1.1\r\nHost: api.example.com\r\n{header}\r\n"
    sent = f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
    return answer(port, sent).endswith(b"reached")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Real gunicorn with real Django."""
    folder = tmp_path_factory.mktemp("routes")
    (folder / "config").mkdir()
    for name, text in {"settings": SETTINGS, "urls": URLS, "wsgi": WSGI, "__init__": ""}.items():
        (folder / "config" / f"{name}.py").write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{number}"),
        *("--env", "DJANGO_SETTINGS_MODULE=config.settings", "config.wsgi"),
    ]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(number)
            yield number
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError):
            assert reaches(port, "/login/")
            return
        time.sleep(0.2)
    raise TimeoutError(f"gunicorn does not answer on port {port}")


@pytest.fixture(scope="module")
def rules() -> Json:
    stack = Stack(new_app(), "Stack")
    GalvWebAcl(stack, "WebAcl", admin_cidrs=[])
    acl = only(synthesize(stack), "AWS::WAFv2::WebACL")
    return {rule["Name"]: rule["Statement"] for rule in acl["Rules"]}


def in_scope(statement: Json, request: Request) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether a statement holds for a request, as WAF would say.

    A header that is not there matches no size, and this is how AWS tells that it is there:
    https://docs.aws.amazon.com/waf/latest/developerguide/waf-rate-based-example-limit-missing-header.html
    """
    match statement:
        case {"AndStatement": {"Statements": parts}}:
            return all(in_scope(part, request) for part in parts)
        case {"OrStatement": {"Statements": parts}}:
            return any(in_scope(part, request) for part in parts)
        case {"NotStatement": {"Statement": part}}:
            return not in_scope(part, request)
        case {
            "RegexMatchStatement": {
                "FieldToMatch": {"Method": {}},
                "RegexString": expression,
                "TextTransformations": [{"Type": "NONE"}],
            }
        }:
            return re.search(expression, request.method) is not None
        case {
            "ByteMatchStatement": {
                "FieldToMatch": {"UriPath": {}},
                "PositionalConstraint": "STARTS_WITH",
                "SearchString": start,
            }
        }:
            return request.target.startswith(start)
        case {
            "SizeConstraintStatement": {
                "FieldToMatch": {"SingleHeader": {"Name": "authorization"}},
                "ComparisonOperator": "GT",
                "Size": 0,
            }
        }:
            return request.authorization != ""
        case {"IPSetReferenceStatement": _}:
            return request.known
        case {
            "RegexMatchStatement": {
                "FieldToMatch": {"UriPath": {}},
                "RegexString": expression,
                "TextTransformations": transformations,
            }
        }:
            path = request.target.partition("?")[0].encode()
            for transformation in transformations:
                path = TRANSFORMED[transformation["Type"]](path)
            return re.search(expression.encode(), path) is not None
        case _:
            raise NotImplementedError(statement)


def counted(
    rules: Json, rule: str, target: str, method: str = "POST", authorization: str = ""
) -> bool:
    return in_scope(
        rules[rule]["RateBasedStatement"]["ScopeDownStatement"],
        Request(target, method, authorization),
    )


@pytest.mark.parametrize("path", PATHS)
def test_every_spelling_that_reaches_a_view_is_counted(port: int, rules: Json, path: str) -> None:
    reached = [one for one in spellings(path) if reaches(port, one, "POST")]

    assert path in reached
    # Others than the plain one do reach it: this is what an exact rule would miss.
    assert len(reached) >= 8
    assert [one for one in reached if not counted(rules, "Credentials", one)] == []


@pytest.mark.parametrize("path", ["/forgot_password/", "/reset_password/"])
def test_the_total_counts_every_spelling(port: int, rules: Json, path: str) -> None:
    reached = [one for one in spellings(path) if reaches(port, one, "POST")]

    assert [one for one in reached if not counted(rules, "ResetTotal", one)] == []


@pytest.mark.parametrize(
    "path", ["/admin/login/", "/admin/galv/lab/1/change/", "/admin/galv/lab/1/../../../change/"]
)
def test_every_spelling_of_the_admin_is_closed(port: int, rules: Json, path: str) -> None:
    reached = [one for one in spellings(path) if reaches(port, one)]

    assert path in reached
    assert [one for one in reached if not in_scope(rules["Admin"], Request(one))] == []


def test_people_from_the_given_ranges_spell_the_admin_in_one_way(port: int) -> None:
    """A load balancer that asks them to sign in first compares the path as it was sent."""
    stack = Stack(new_app(), "Stack")
    GalvWebAcl(stack, "WebAcl", admin_cidrs=["192.0.2.0/24"])
    statement = next(
        rule["Statement"]
        for rule in only(synthesize(stack), "AWS::WAFv2::WebACL")["Rules"]
        if rule["Name"] == "Admin"
    )
    reached = [one for one in spellings("/admin/login/") if reaches(port, one)]

    allowed = [one for one in reached if not in_scope(statement, Request(one, known=True))]
    assert "/admin/login/" in allowed
    assert [one for one in allowed if not one.startswith("/admin/")] == []
    assert [one for one in reached if not in_scope(statement, Request(one))] == []


@pytest.mark.parametrize(
    "target",
    [
        "//login/",
        "/%6cogin/",
        "/LOGIN/",
        "/%2Flogin/",
        "/login.json",
        "/login.json/",
        "/forgot_password.json",
        "/reset_password.api",
        "/create_token%2ejson",
    ],
)
def test_other_servers_spellings_are_counted_too(rules: Json, target: str) -> None:
    assert counted(rules, "Credentials", target)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", "/login/"),
        ("GET", "/users/"),
        ("GET", "/users/?username=a"),
        ("GET", "/cells/login/"),
        ("GET", "/logins/"),
        ("GET", "/logout/"),
        ("POST", "/files/"),
        ("GET", "/users.json"),
        ("GET", "/users/7/"),
        ("POST", "/users_of_labs/"),
    ],
)
def test_requests_without_a_password_are_not_counted(rules: Json, method: str, target: str) -> None:
    assert not counted(rules, "Credentials", target, method)


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/users/"])
def test_options_with_a_password_count(port: int, rules: Json, path: str) -> None:
    """A browser asks without: https://fetch.spec.whatwg.org/#cors-protocol-and-credentials."""
    right, wrong = "Basic right", "Basic wrong"

    # The answer tells whether the password is right.
    assert reaches(port, path, "OPTIONS", f"Authorization: {right}")
    assert not reaches(port, path, "OPTIONS", f"Authorization: {wrong}")
    assert counted(rules, "Credentials", path, "OPTIONS", right)
    assert counted(rules, "Credentials", path, "OPTIONS", wrong)
    assert not counted(rules, "Credentials", path, "OPTIONS")


@pytest.mark.parametrize("target", ["/users", "/users/7"])
@pytest.mark.parametrize("method", ["PATCH", "POST", "PUT"])
@pytest.mark.parametrize("end", ["/", ".json", ".json/", ".api"])
def test_whoever_registers_or_changes_a_password_is_counted(
    port: int, rules: Json, method: str, target: str, end: str
) -> None:
    """The one that a person has is sent with the new one, and compared."""
    assert reaches(port, target + end, method)
    assert counted(rules, "Credentials", target + end, method)


def test_a_path_with_and_without_methods_is_counted_for_both() -> None:
    stack = Stack(new_app(), "Stack")
    GalvWebAcl(stack, "WebAcl", credential_paths=["/a/", "PUT /a/", "PUT /b/", "PUT /b/"])
    acl = only(synthesize(stack), "AWS::WAFv2::WebACL")
    rules = {rule["Name"]: rule["Statement"] for rule in acl["Rules"]}

    assert counted(rules, "Credentials", "/a/", "PUT")
    assert counted(rules, "Credentials", "/a/", "GET")
    assert not counted(rules, "Credentials", "/a/", "OPTIONS")
    assert counted(rules, "Credentials", "/b/", "PUT")
    assert not counted(rules, "Credentials", "/b/", "GET")


def test_no_other_spelling_of_a_method_registers(port: int, rules: Json) -> None:
    for method in ("post", "Post", "POST", "put", "PUT", "patch", "PATCH"):
        if reaches(port, "/users/", method):
            assert counted(rules, "Credentials", "/users/", method), method


def test_no_header_moves_a_path(port: int, default: Json) -> None:
    """gunicorn takes the start of a path away that a header `SCRIPT_NAME` names, of whom it trusts.

    No rule could see that. A load balancer drops headers with an underscore, as nginx does:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
    """
    listed = only(default, "AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]

    assert not reaches(port, "/x/login/")
    assert not reaches(port, "/x/login/", header="SCRIPT-NAME: /x")
    assert {
        "Key": "routing.http.drop_invalid_header_fields.enabled",
        "Value": "true",
    } in listed
