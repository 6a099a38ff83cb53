"""How `npm run galv` finds out which API a site talks to that asks for nothing before sign-in."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from frontend_site.browser import Browser
from proof.site import _SignIn

FORM = """
<button onclick="box.hidden = false">Login</button><button>Sign up</button>
<div id="box" hidden onkeydown="event.key == 'Enter' && signIn()">
  <input id="user"><input id="password" type="password">
</div>
<script>
  const given = {}
  for (const field of [user, password])
    field.addEventListener("input", () => { given[field.id] = field.value })
  const signIn = () => fetch("//API/login/", {
    method: "POST", headers: { Authorization: "Basic " + btoa(given.user + ":" + given.password) },
  })
</script>
"""
# What the API takes: admin and secret.
SIGNED_IN = "Basic YWRtaW46c2VjcmV0"


class Handler(BaseHTTPRequestHandler):
    """A site, and an API beside it."""

    def __init__(self, page: str, *arguments: Any) -> None:
        self.page = page
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.answer(200, self.page)

    def do_OPTIONS(self) -> None:
        self.answer(200, "")

    def do_POST(self) -> None:
        self.answer(200 if self.headers["Authorization"] == SIGNED_IN else 401, "{}")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "authorization")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    yield from serve("")


def serve(page: str) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def sign_in(browser: Browser, api: str, page: str, password: str = "secret") -> str:
    """The result of the check for a site with this page."""
    for host in serve(page):
        world: Any = SimpleNamespace(site=f"http://{host}", user="admin", password=password)
        return _SignIn(browser, world).outcome(api)
    raise AssertionError


@pytest.mark.slow
def test_signs_in_through_the_page(browser: Browser, api: str) -> None:
    said = sign_in(browser, api, FORM.replace("API", api))

    assert said == "signed in through the page; 1 paths"


@pytest.mark.slow
def test_a_page_that_waits_for_a_network_asks_all_the_same(browser: Browser, api: str) -> None:
    """React Query does; a network namespace has no way to the internet, so Chromium says no."""
    offline = """<script>try {
        Object.defineProperty(Navigator.prototype, "onLine", { get: () => false })
    } catch (refused) {}</script>"""
    waits = FORM.replace("=> fetch", "=> navigator.onLine && fetch").replace("API", api)

    assert sign_in(browser, api, offline + waits).startswith("signed in")


@pytest.mark.slow
def test_a_site_of_another_api_fails(browser: Browser, api: str) -> None:
    for other in serve(""):
        with pytest.raises(AssertionError, match=f"signing in asks .*{other}.*, and not {api}"):
            sign_in(browser, api, FORM.replace("API", other))


@pytest.mark.slow
def test_a_refused_sign_in_fails(browser: Browser, api: str) -> None:
    with pytest.raises(AssertionError, match=r"after signing in: .*401"):
        sign_in(browser, api, FORM.replace("API", api), password="wrong")


@pytest.mark.slow
def test_a_page_that_asks_nothing_and_has_no_form_fails(
    browser: Browser, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proof.site._SETTLE", 2)
    with pytest.raises(AssertionError, match="has no form to sign in"):
        sign_in(browser, api, "<h1>Galv</h1>")
