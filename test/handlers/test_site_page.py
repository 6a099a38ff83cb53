"""Whether the page loads, asked of a server on this machine."""

from __future__ import annotations

import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from galv_constructs.handlers import _site_page
from galv_constructs.handlers._site_page import PageError, check_page

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "https://api.example.com"
FILES = {
    "index.html": b"<script src=/env.js></script><script src=/assets/app-1.js></script>",
    "env.js": f"window.__ENV__ = {{VITE_GALV_API_BASE_URL: '{API}'}}".encode(),
    "assets/app-1.js": b"window.__ENV__",
    "robots.txt": b"",
}


class Site:
    """Answers with the files, or with the next of the faults of a path."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.faults: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[tuple[str, str]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Accept"]))
                name = self.path.lstrip("/") or "index.html"
                faults = site.faults.get(self.path)
                if faults:
                    status, content = faults.pop(0)
                elif name in site.files:
                    status, content = 200, site.files[name]
                else:
                    status, content = 404, b"NoSuchKey"
                if not status:
                    return  # closes the connection
                self.send_response(status)
                if status == 301:
                    self.send_header("Location", "/robots.txt")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def check(self, *, has_web_acl: bool = False) -> None:
        check_page(self.url, FILES, api_url=API, has_web_acl=has_web_acl)

    def refusal(self, *, has_web_acl: bool = False) -> str:
        with pytest.raises(PageError) as caught:
            self.check(has_web_acl=has_web_acl)
        return str(caught.value).removeprefix(
            f"the site is published, but its page does not load: {self.url}"
        )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    monkeypatch.setattr(_site_page, "time", lambda: site.now)
    monkeypatch.setattr(_site_page, "sleep", site.wait)
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def test_asks_as_a_browser_does_and_once(site: Site) -> None:
    site.check()

    assert site.asked == [("/", "text/html"), ("/env.js", "*/*"), ("/assets/app-1.js", "*/*")]
    assert site.now == 0


def test_a_403_says_that_a_web_acl_may_be_the_reason(site: Site) -> None:
    site.faults["/"] = [(403, b"Request blocked")] * 99

    said = site.refusal()
    assert said.startswith("/ answers 403: Request blocked (the file is missing, or a web ACL")
    assert "web_acl_arn" in said


@pytest.mark.parametrize("status", [500, 503, 504, 403, 404, 429])
@pytest.mark.parametrize("path", ["/", "/env.js", "/assets/app-1.js"])
class TestAnswer:
    def test_is_asked_for_again(self, site: Site, path: str, status: int) -> None:
        site.faults[path] = [(status, b""), (status, b"")]

        site.check()
        assert site.now == 6

    def test_fails_in_the_end(self, site: Site, path: str, status: int) -> None:
        site.faults[path] = [(status, b"<h1>An error\noccurred</h1>")] * 99

        said = f"{path} answers {status}: <h1>An error occurred</h1>"
        assert site.refusal().partition(" (the file is missing")[0] == said
        assert _site_page.PATIENCE <= site.now < _site_page.PATIENCE + 20


def test_a_long_answer_is_cut(site: Site) -> None:
    site.faults["/"] = [(503, b"x" * 10_000)] * 99

    assert len(site.refusal()) < 200


@pytest.mark.parametrize("fault", [(0, b""), (301, b"")])
def test_a_missing_answer_or_a_redirect_is_a_failure(site: Site, fault: tuple[int, bytes]) -> None:
    site.faults["/"] = [fault] * 99

    assert site.refusal().startswith("/ fails: " if fault[0] == 0 else "/ answers 301")


def test_a_page_that_cannot_be_reached_yet_is_asked_for_again(site: Site) -> None:
    with pytest.raises(PageError, match=r"http://127\.0\.0\.1:9/ fails: .*Connection refused"):
        check_page("http://127.0.0.1:9", FILES, api_url=API)
    assert site.now >= _site_page.PATIENCE


def test_a_server_that_stays_silent_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_site_page, "TIMEOUT", 0.1)
    monkeypatch.setattr(_site_page, "PATIENCE", 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # Whoever waits for longer gets another error.
        end = threading.Timer(10, silent.close)
        end.start()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PageError, match="/ fails: timed out"):
            check_page(url, FILES, api_url=API)
        end.cancel()


def test_another_api_is_a_failure(site: Site) -> None:
    site.files["env.js"] = b"window.__ENV__ = {VITE_GALV_API_BASE_URL: 'https://api.example.org'}"

    assert "/env.js: env.js names https://api.example.org" in site.refusal()


def test_waits_for_the_invalidation(site: Site) -> None:
    site.faults["/"] = [(200, FILES["index.html"] + b"<!-- old -->")] * 3

    site.check()
    assert site.now == 14


def test_an_old_page_that_loads_is_no_failure(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Invalidations are sometimes slow: to go back would not be quicker."""
    site.files["index.html"] += b"<!-- old -->"

    with caplog.at_level(logging.WARNING):
        site.check()
    assert "/ is not yet what was published" in caplog.text


class TestWebAcl:
    def test_may_refuse(self, site: Site) -> None:
        site.faults["/"] = [(403, b"Request blocked")]

        site.check(has_web_acl=True)
        assert len(site.asked) == 1

    def test_excuses_no_other_status(self, site: Site) -> None:
        site.faults["/"] = [(503, b"")] * 99

        assert "/ answers 503" in site.refusal(has_web_acl=True)
