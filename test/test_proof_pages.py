"""The results of `npm run galv` for pages that a content security policy breaks."""

import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from frontend_site.browser import Browser
from proof.pages import fetch_documentation, look, sign_in
from proof.report import Skip

from galv_constructs._core.content_policy import api_policy

SCRIPTS = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@latest/swagger-ui-bundle.js"
# As the admin's and the browsable API's pages are: a form, and a script within.
PAGE = """<form id="login-form" method="POST" action="/admin/">
  <input id="id_username" name="username"><input id="id_password" type="password" name="password">
  <input type="submit">
</form>
<script>window.works = true</script>
"""
NPM = """
import io, json, sys, tarfile
pack, _, to, package = sys.argv[1:]
name = package.replace("@", "-") + ".tgz"
with tarfile.open(to.partition("=")[2] + "/" + name, "w:gz") as archive:
    member = tarfile.TarInfo("package/of")
    member.size = len(package)
    archive.addfile(member, io.BytesIO(package.encode()))
print(json.dumps([{"filename": name}]))
"""
POLICY = api_policy("https://static.example.com/", {})


class Handler(BaseHTTPRequestHandler):
    """A page with a policy."""

    def __init__(self, policy: str, page: str, *arguments: Any) -> None:
        self.policy = policy
        self.page = page
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        self.wfile.write(self.page.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


def outcome(browser: Browser, policy: str, page: str = PAGE) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, policy, page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        look(browser, f"{url}/", "window.works")
        return sign_in(browser, url, "admin", "secret")
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proof.pages._PATIENCE", 2)


@pytest.mark.slow
def test_pages_work_under_the_policy(browser: Browser) -> None:
    assert outcome(browser, POLICY) == "/admin/"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "page"),
    [
        (POLICY.replace(" 'unsafe-inline'", ""), PAGE),
        (POLICY.replace("form-action 'self'", "form-action 'none'"), PAGE),
        (POLICY.replace("https://cdn.jsdelivr.net", "https://cdn.example.com"),
         f'{PAGE}<script src="{SCRIPTS}"></script>'),
        (POLICY, f'{PAGE}<script src="{SCRIPTS.replace("swagger-ui-dist", "evil")}"></script>'),
        (POLICY, f"{PAGE}<script>new Function('1')</script>"),
    ],
)  # fmt: skip
def test_a_page_that_the_policy_breaks_fails(browser: Browser, policy: str, page: str) -> None:
    with pytest.raises(AssertionError, match="Content Security Policy"):
        outcome(browser, policy, page)


@pytest.mark.slow
def test_a_page_whose_script_fails_fails(browser: Browser) -> None:
    with pytest.raises(AssertionError, match="nothing is not defined"):
        outcome(browser, POLICY, f"{PAGE}<script>nothing()</script>")


def test_nothing_is_fetched_for_an_application_without_such_pages(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("django==5.2\n")

    with pytest.raises(Skip, match="loads nothing"):
        fetch_documentation(requirements, tmp_path / "none")


@pytest.mark.slow
def test_swagger_and_redoc_lie_where_jsdelivr_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As npm packs them: one archive with a folder `package`."""
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(f"#!{sys.executable}\n{NPM}")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("drf-spectacular==0.25.1\n")

    folder = fetch_documentation(requirements, tmp_path / "jsdelivr")

    assert (folder / "npm/swagger-ui-dist@latest/of").read_text() == "swagger-ui-dist@latest"
    assert (folder / "npm/redoc@latest/of").read_text() == "redoc@2"

    npm.write_text("#!/bin/sh\necho no network >&2; exit 1\n")
    with pytest.raises(RuntimeError, match=r"npm gives no swagger-ui-dist:\nno network"):
        fetch_documentation(requirements, tmp_path / "again")
