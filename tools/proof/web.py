"""Checks of the web service, behind a load balancer."""

import base64
import http.client
import re
import threading
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from containers import Container

from proof.api import GALV, STAND_IN
from proof.client import Client, multipart
from proof.pages import check_pages
from proof.report import Report, Skip
from proof.world import World

_START = 120
_MEBIBYTE = 1 << 20
_LARGE = 50 * _MEBIBYTE
_GIBIBYTE = 1 << 30
# At a time, on the smallest task.
_SLOW_UPLOADS = 4
# Requests that are under way when the task is stopped.
_AT_ONCE, _PAUSE = 4, 0.3


class Web:
    """The running service, and what one check leaves for the next."""

    def __init__(self, world: World, container: Container) -> None:
        """Take a started container."""
        self.world = world
        self.container = container
        authority = world.certificates.authority
        self.api = Client(f"https://{world.api}", authority)
        # As the load balancer's health check asks: past the load balancer, by address.
        self.direct = Client(f"http://{world.task_address}")
        self.authority = authority
        group = next(world.assembly.of_type("AWS::ElasticLoadBalancingV2::TargetGroup"))[1]
        self.health_path = str(group["HealthCheckPath"])
        self.health_timeout = float(group["HealthCheckTimeoutSeconds"])
        self.shape = GALV
        self.me = ""
        self.team = ""
        self.uploaded = ""
        self.lab: dict[str, object] = {}

        self.user = world.user
        self.password = world.password

    def basic(self) -> dict[str, str]:
        """The header with which the superuser signs in."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def healthy(self) -> bool:
        """Whether the health check is answered as it should be."""
        try:
            return (
                self.direct.ask("GET", self.health_path, timeout=self.health_timeout).status == 200
            )
        except (OSError, http.client.HTTPException):
            return False

    def last_lines(self, count: int = 6) -> str:
        """The end of its log."""
        return "\n".join(self.container.output().rstrip().splitlines()[-count:])


def check_web(
    world: World, report: Report, *, slow_seconds: int, while_it_runs: Callable[[], None]
) -> None:
    """Start the web service, look at it from all sides, and stop it."""
    with world.container("web") as container:
        web = Web(world, container)
        _check_start(web, report)
        _check_hosts(web, report)
        _check_browser(web, report)
        _check_session(web, report)
        _check_static(web, report)
        check_pages(world, report, is_browsable=_is_browsable(web))
        _check_mail(web, report)
        _check_uploads(web, report, slow_seconds)
        while_it_runs()
        _check_stop(web, report)


def _check_start(web: Web, report: Report) -> None:
    with report.check("web", "the load balancer's health check is answered 200") as fact:
        deadline = time.monotonic() + _START
        while not web.healthy():
            if not web.container.running:
                raise AssertionError(f"ended with {web.container.wait()}:\n{web.last_lines()}")
            if time.monotonic() > deadline:
                status = web.direct.ask("GET", web.health_path, timeout=5).status
                raise AssertionError(f"answers {status} after {_START} s:\n{web.last_lines()}")
            time.sleep(0.3)
        fact.detail = f"Host: {web.world.task_address}"


def _check_hosts(web: Web, report: Report) -> None:
    with report.check("web", "the API's name is answered"):
        web.api.get(web.health_path).expect(200)
    if web.api.get("/").status == 404:
        web.shape = STAND_IN
    with report.check("web", "links in answers are https") as fact:
        if not web.shape.has_labs:
            raise Skip("this application names no links")
        found = web.api.get("/", Accept="application/json").expect(200).json()
        links = [link for link in found.values() if str(link).startswith("http")]
        if not links or not all(link.startswith(f"https://{web.world.api}/") for link in links):
            raise AssertionError(str(found)[:300])
        fact.detail = f"{len(links)} links"
    with report.check("web", "another Host is refused, and the log says so") as fact:
        web.direct.get("/", Host="elsewhere.example.org").expect(400)
        time.sleep(0.5)
        lines = [
            line for line in web.container.output().splitlines() if "Invalid HTTP_HOST" in line
        ]
        if not lines:
            raise AssertionError("no line of the container's output has 'Invalid HTTP_HOST'")
        fact.detail = lines[0]


def _check_browser(web: Web, report: Report) -> None:
    with report.check("web", "CORS lets the site in, and nobody else"):
        for origin, expected in ((web.world.site, True), ("https://evil.example.org", False)):
            answer = web.api.ask(
                "OPTIONS",
                "/login/",
                headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
            )
            allowed = answer.headers.get("access-control-allow-origin") == origin
            if allowed != expected:
                raise AssertionError(f"{origin}: {answer.status} {dict(answer.headers)}")
    with report.check("web", "CSRF: a form with its token passes, without it is refused") as fact:
        page = web.api.get("/admin/login/").expect(200)
        cookies = SimpleCookie(page.headers.get("set-cookie", ""))
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        if token is None or "csrftoken" not in cookies:
            raise AssertionError("the form has no token, or no cookie came with it")
        cookie = cookies["csrftoken"]
        if not cookie["secure"]:
            raise AssertionError("the cookie may travel without TLS")
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"https://{web.world.api}",
            "Referer": f"https://{web.world.api}/admin/login/",
            "Cookie": f"csrftoken={cookie.value}",
        }
        form = {"username": web.user, "password": web.password}
        without = urlencode(form).encode()
        web.api.ask("POST", "/admin/login/", without, headers=headers).expect(403)
        with_token = urlencode({**form, "csrfmiddlewaretoken": token[1].decode()}).encode()
        web.api.ask("POST", "/admin/login/", with_token, headers=headers).expect(302)
        fact.detail = f"{web.user} signed in to the administration"


def _check_session(web: Web, report: Report) -> None:
    with report.check("web", "the superuser signs in to the API"):
        if not web.shape.has_labs:
            web.api.headers.update(web.basic())
            web.team = "-"
            raise Skip("this application takes a password with each request")
        answer = web.api.post("/login/", {}, **web.basic()).expect(200)
        found = answer.json()
        web.api.headers["Authorization"] = f"Bearer {found['token']}"
        web.me = str(found["url"])
        web.api.get("/users/").expect(200)
    with report.check("web", "a laboratory and a team can be created") as fact:
        if not web.me:
            raise Skip("nobody is signed in")
        lab = web.api.post("/labs/", {"name": "Proof", "admin_group": [web.me]}).expect(201).json()
        team = {"name": "Proof", "lab": lab["url"], "admin_group": [web.me], "member_group": []}
        web.team = str(web.api.post("/teams/", team).expect(201).json()["url"])
        web.lab = lab
        fact.detail = str(lab["url"])
    with report.check("web", "a laboratory may store 5 GiB or what the templates say") as fact:
        storages = web.lab.get("storages") or []
        if not isinstance(storages, list) or not storages:
            raise Skip("the laboratory names no storage")
        found = web.api.get(urlsplit(str(storages[0])).path).expect(200).json()
        quota = int(found["quota_bytes"])
        told = web.world.assembly.variable("web", "DJANGO_LAB_STORAGE_QUOTA_BYTES")
        fact.detail = f"{quota} bytes"
        if quota != int(told or 5 * _GIBIBYTE):
            raise AssertionError(f"{quota} bytes; the templates say {told}")


def _check_static(web: Web, report: Report) -> None:
    with report.check("web", "static files come from the CDN's name") as fact:
        page = web.api.get("/admin/login/").expect(200)
        links = re.findall(r'(?:href|src)="([^"]+\.(?:css|js))"', page.body.decode())
        told = web.world.assembly.variable("web", "DJANGO_STATIC_FILES_CDN_DOMAIN")
        wrong = [link for link in links if told and urlsplit(link).hostname != told]
        if not links or wrong:
            raise AssertionError(f"the page names {links}, and the CDN is {told}")
        for link in links:
            there = Client(link, web.authority)
            there.get(urlsplit(link).path).expect(200)
        fact.detail = f"{len(links)} files from {told}"


def _is_browsable(web: Web) -> bool:
    """Whether the API answers a browser with pages."""
    kind = web.api.get("/", Accept="text/html").headers.get("content-type", "")
    return kind.startswith("text/html")


def _check_mail(web: Web, report: Report) -> None:
    with report.check("mail", "someone new gets a mail from the configured sender") as fact:
        if "DJANGO_EMAIL_HOST_USER" not in web.world.secrets:
            raise Skip("the templates send no mail")
        before = len(web.world.mail.messages)
        web.api.ask(
            "POST",
            web.shape.mails,
            urlencode(web.shape.mail_form).encode(),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": "",
            },
        ).expect(200, 201)
        messages = web.world.mail.messages[before:]
        if not messages:
            raise AssertionError(f"no mail arrived; refused: {web.world.mail.refused}")
        sender = web.world.assembly.variable("web", "DJANGO_DEFAULT_FROM_EMAIL")
        fact.detail = f"{messages[0].subject!r} from {messages[0].sender}, STARTTLS and a password"
        if messages[0].sender != sender:
            raise AssertionError(f"from {messages[0].sender}, not from {sender}")


def _check_uploads(web: Web, report: Report, slow_seconds: int) -> None:
    with report.check("uploads", "50 MB arrive in the bucket") as fact:
        _need_team(web)
        fields = {"name": "large", "team": web.team, "description": "-"}
        kind, body = multipart(fields, "large.bin", bytes(_LARGE))
        answer = web.api.ask(
            "POST", web.shape.uploads, body, headers={"Content-Type": kind}, timeout=300
        ).expect(201)
        sizes = [
            one["Size"]
            for page in web.world.s3.get_paginator("list_objects_v2").paginate(
                Bucket=web.world.media_bucket
            )
            for one in page.get("Contents", [])
        ]
        if _LARGE not in sizes:
            raise AssertionError(f"no object of {_LARGE} bytes among {len(sizes)}")
        web.uploaded = str(answer.json()["url"])
    with report.check("uploads", "and come back by a presigned URL") as fact:
        if not web.uploaded:
            raise Skip("nothing was uploaded")
        found = web.api.get(f"{urlsplit(web.uploaded).path}{web.shape.file}")
        where = found.expect(301, 302, 303, 307).headers["location"]
        there = Client(where, web.authority)
        parts = urlsplit(where)
        got = there.get(f"{parts.path}?{parts.query}").expect(200)
        fact.detail = str(parts.hostname)
        if len(got.body) != _LARGE:
            raise AssertionError(f"{len(got.body)} bytes from {where}")
    with report.check("uploads", f"{_SLOW_UPLOADS} slow ones do not hold health checks") as fact:
        _need_team(web)
        statuses, checks = _upload_slowly(web, slow_seconds)
        failed = checks.count(False)
        fact.detail = (
            f"{slow_seconds} s each: answered {statuses}, {len(checks) - failed} of "
            f"{len(checks)} health checks 200"
        )
        if failed or statuses != [201] * _SLOW_UPLOADS:
            raise AssertionError(fact.detail)


def _need_team(web: Web) -> None:
    if not web.team:
        raise Skip("there is no team to upload for")


def _upload_slowly(web: Web, seconds: int) -> tuple[list[int | str], list[bool]]:
    """Upload several files at a time, a piece a second; return statuses and health checks."""
    statuses: list[int | str] = []

    def upload(number: int) -> None:
        fields = {"name": f"slow-{number}", "team": web.team, "description": "-"}
        kind, body = multipart(fields, f"slow-{number}.bin", bytes(_MEBIBYTE))
        connection = web.api.connect(timeout=seconds + 60)
        try:
            connection.putrequest("POST", web.shape.uploads)
            headers = {**web.api.headers, "Content-Type": kind, "Content-Length": str(len(body))}
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            pieces = max(seconds, 1)
            size = -(-len(body) // pieces)
            for piece in range(pieces):
                connection.send(body[piece * size : (piece + 1) * size])
                time.sleep(1)
            statuses.append(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            statuses.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=upload, args=(n,)) for n in range(_SLOW_UPLOADS)]
    for thread in threads:
        thread.start()
    checks = []
    time.sleep(1)
    while any(thread.is_alive() for thread in threads):
        checks.append(web.healthy())
        time.sleep(1)
    return statuses, checks


def _check_stop(web: Web, report: Report) -> None:
    with report.check("web", "stops within its deadline, and answers what it has begun") as fact:
        if not web.healthy():
            raise AssertionError("the health check is not answered any more")
        statuses: list[int | str] = []
        # Checking a password takes the application longer than the pause below.
        asking = [threading.Thread(target=_sign_in, args=(web, statuses)) for _ in range(_AT_ONCE)]
        for thread in asking:
            thread.start()
        time.sleep(_PAUSE)
        began = time.monotonic()
        code = web.container.stop()
        took = time.monotonic() - began
        for thread in asking:
            thread.join()
        fact.detail = f"exit code {code} after {took:.1f} s, of {web.container.stop_timeout:.0f} s"
        if code != 0 or len(statuses) != _AT_ONCE or not set(statuses) <= {200, 302}:
            raise AssertionError(f"{fact.detail}; requests were answered {statuses}")


def _sign_in(web: Web, statuses: list[int | str]) -> None:
    try:
        method, path = "POST", "/login/"
        if not web.shape.has_labs:
            method, path = "GET", urlsplit(web.uploaded).path
        statuses.append(web.api.ask(method, path, headers=web.basic()).status)
    except (OSError, http.client.HTTPException) as error:
        statuses.append(type(error).__name__)
