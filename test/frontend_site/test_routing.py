"""The CloudFront Function, run in Node: only what cloudfront-js-2.0 has too."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from galv_constructs import _site

Json = dict[str, Any]

CODE = (Path(_site.__file__).parent / "site" / "routing.js").read_text()
ANSWER = "\nconsole.log(JSON.stringify(handler(JSON.parse(process.argv[1]))));"


def route(
    uri: str, query: Json | None = None, host: str = "app.example.com", code: str = ""
) -> Json:
    """What the function makes of a request: a request for the cache, or an answer."""
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "request": {
            "method": "GET",
            "uri": uri,
            "querystring": query or {},
            "headers": {"host": {"value": host}} if host else {},
            "cookies": {},
        },
    }
    done = subprocess.run(
        [os.environ.get("JSII_NODE", "node"), "-e", (code or CODE) + ANSWER, json.dumps(event)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: Json = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("uri", "served"),
    [
        ("/", "/index.html"),
        ("/cells", "/index.html"),
        ("/cells/0a1b2c3d-0000-4000-8000-000000000001", "/index.html"),
        ("/path.with.dots/page", "/index.html"),
        ("/cells/", "/index.html"),
        ("/index.html", "/index.html"),
        ("/assets/app-1a2b3c.js", "/assets/app-1a2b3c.js"),
        ("/assets/missing.js", "/assets/missing.js"),
        ("/favicon.ico", "/favicon.ico"),
        ("/.well-known/security.txt", "/.well-known/security.txt"),
    ],
)
def test_gives_pages_to_the_router_and_leaves_files(uri: str, served: str) -> None:
    assert route(uri)["uri"] == served


def test_does_not_need_a_host() -> None:
    assert route("/", host="")["uri"] == "/index.html"


def test_redirects_from_nothing_by_default() -> None:
    assert "statusCode" not in route("/", host="d111111abcdef8.cloudfront.net")


class TestAlternatives:
    CODE = _site.routing_code("app.example.com", ["www.example.com", "example.com"])

    @pytest.mark.parametrize("host", ["www.example.com", "WWW.example.com", "example.com"])
    def test_redirects_with_path_and_query(self, host: str) -> None:
        query = {
            "page": {"value": "2"},
            "tag": {"value": "a", "multiValue": [{"value": "a"}, {"value": "b%20c"}]},
            "all": {"value": ""},
        }
        answer = route("/cells/1", query, host, self.CODE)

        assert answer["statusCode"] == 301
        assert answer["headers"] == {
            "location": {"value": "https://app.example.com/cells/1?page=2&tag=a&tag=b%20c&all"}
        }

    def test_redirects_without_a_query(self) -> None:
        answer = route("/", host="example.com", code=self.CODE)

        assert answer["headers"]["location"]["value"] == "https://app.example.com/"

    def test_serves_the_name_itself(self) -> None:
        assert route("/cells", code=self.CODE)["uri"] == "/index.html"


def test_is_small_enough() -> None:
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
    assert len(TestAlternatives.CODE.encode()) < 10 * 1024
