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
# Galv's own, and a page of the admin's as Django has them: an object's key is a `path`.
URLS = """
from django.http import HttpResponse
from django.urls import path, re_path

def view(request, **rest):
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
PATHS = [path.rpartition(" ")[2] for path in DEFAULT_CREDENTIAL_PATHS]


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


def in_scope(  # noqa: PLR0911 - one for each kind
    statement: Json, target: str, method: str, *, known: bool = False
) -> bool:
    """Whether a statement holds for a request, as WAF would say, from an address in the ranges."""
    match statement:
        case {"AndStatement": {"Statements": parts}}:
            return all(in_scope(part, target, method, known=known) for part in parts)
        case {"OrStatement": {"Statements": parts}}:
            return any(in_scope(part, target, method, known=known) for part in parts)
        case {"NotStatement": {"Statement": part}}:
            return not in_scope(part, target, method, known=known)
        case {
            "ByteMatchStatement": {
                "FieldToMatch": {"Method": {}},
                "PositionalConstraint": "EXACTLY",
                "SearchString": name,
            }
        }:
            return bool(name == method)
        case {
            "ByteMatchStatement": {
                "FieldToMatch": {"UriPath": {}},
                "PositionalConstraint": "STARTS_WITH",
                "SearchString": start,
            }
        }:
            return target.startswith(start)
        case {"IPSetReferenceStatement": _}:
            return known
        case {
            "RegexMatchStatement": {
                "FieldToMatch": {"UriPath": {}},
                "RegexString": expression,
                "TextTransformations": transformations,
            }
        }:
            path = target.partition("?")[0].encode()
            for transformation in transformations:
                path = TRANSFORMED[transformation["Type"]](path)
            return re.search(expression.encode(), path) is not None
        case _:
            raise NotImplementedError(statement)


def counted(rules: Json, rule: str, target: str, method: str = "POST") -> bool:
    return in_scope(rules[rule]["RateBasedStatement"]["ScopeDownStatement"], target, method)


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
    assert [one for one in reached if not in_scope(rules["Admin"], one, "GET")] == []


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

    allowed = [one for one in reached if not in_scope(statement, one, "GET", known=True)]
    assert "/admin/login/" in allowed
    assert [one for one in allowed if not one.startswith("/admin/")] == []
    assert [one for one in reached if not in_scope(statement, one, "GET", known=False)] == []


@pytest.mark.parametrize("target", ["//login/", "/%6cogin/", "/LOGIN/", "/%2Flogin/"])
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
        ("PATCH", "/users/7/"),
    ],
)
def test_what_has_no_password_is_not_counted(rules: Json, method: str, target: str) -> None:
    assert not counted(rules, "Credentials", target, method)


def test_no_other_spelling_of_a_method_registers(port: int, rules: Json) -> None:
    for method in ("post", "Post", "POST"):
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
