"""The CloudFront Function, in njs."""

from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_certificatemanager as acm
from backends import new_app
from frontend_site.njs import Json, call
from templates import of_type, synthesize

import galv_constructs
from galv_constructs import GalvFrontend
from galv_constructs.frontend._site import routing_code

CODE = routing_code("app.example.com", [])
WITH_ALTERNATIVES = routing_code("app.example.com", ["www.example.com", "example.com"])

# Browsers send Sec-Fetch-Mode; Safari before 16.4 did not.
NAVIGATIONS = [
    {"sec-fetch-mode": "navigate", "accept": "text/html,*/*;q=0.8"},
    {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
]
OTHERS = [
    {"sec-fetch-mode": "no-cors", "accept": "*/*"},
    {"sec-fetch-mode": "cors", "accept": "text/html"},
    {"accept": "*/*"},
    {},
]
ALL = [*NAVIGATIONS, *OTHERS]


def served(uri: str, headers: dict[str, str]) -> str:
    found: str = call(CODE, uri=uri, headers={"host": "app.example.com", **headers})["uri"]
    return found


@pytest.mark.parametrize("headers", ALL)
@pytest.mark.parametrize(
    "uri",
    ["/", "/cells", "/cells/0a1b2c3d-0000-4000-8000-000000000001", "/path.with.dots/page", "/a/"],
)
def test_gives_pages_to_the_router(uri: str, headers: dict[str, str]) -> None:
    assert served(uri, headers) == "/index.html"


@pytest.mark.parametrize("headers", ALL)
@pytest.mark.parametrize(
    "uri",
    [
        "/index.html",
        "/env.js",
        "/favicon.ico",
        "/assets/app-1a2b3c.js",
        "/assets/fonts/missing.woff2",
        "/.well-known/security.txt",
    ],
)
def test_leaves_files(uri: str, headers: dict[str, str]) -> None:
    assert served(uri, headers) == uri


@pytest.mark.parametrize("uri", ["/cells/LR-2.3", "/cells/run.csv", "/assets.d/LR-2.3"])
class TestDotInTheLastPart:
    @pytest.mark.parametrize("headers", NAVIGATIONS)
    def test_is_a_page_of_the_application_in_a_navigation(
        self, uri: str, headers: dict[str, str]
    ) -> None:
        assert served(uri, headers) == "/index.html"

    @pytest.mark.parametrize("headers", OTHERS)
    def test_is_a_file_otherwise(self, uri: str, headers: dict[str, str]) -> None:
        assert served(uri, headers) == uri


@pytest.mark.parametrize("uri", ["/cells/assets/LR-2.3", "/-well-known/LR-2.3"])
def test_only_the_folders_of_files_at_the_root_have_files_in_a_navigation(uri: str) -> None:
    assert served(uri, NAVIGATIONS[0]) == "/index.html"


def test_html_may_stand_anywhere_in_what_a_browser_accepts() -> None:
    accept = {"accept": "application/xhtml+xml,text/html;q=0.9"}

    assert served("/cells/LR-2.3", accept) == "/index.html"


def test_does_not_need_a_host() -> None:
    assert call(CODE, uri="/")["uri"] == "/index.html"


def test_redirects_from_nothing_by_default() -> None:
    headers = {"host": "d111111abcdef8.cloudfront.net"}

    assert "statusCode" not in call(CODE, headers=headers)


class TestAlternatives:
    @pytest.mark.parametrize("host", ["www.example.com", "WWW.example.com", "example.com"])
    def test_redirects_with_path_and_query(self, host: str) -> None:
        query = {
            "page": {"value": "2"},
            "tag": {"value": "a", "multiValue": [{"value": "a"}, {"value": "b%20c"}]},
            "all": {"value": ""},
        }
        answer = call(WITH_ALTERNATIVES, uri="/cells/1", querystring=query, headers={"host": host})

        assert answer["statusCode"] == 301
        assert answer["headers"] == {
            "location": {"value": "https://app.example.com/cells/1?page=2&tag=a&tag=b%20c&all"}
        }

    def test_a_redirect_says_that_the_name_is_another_for_good(self) -> None:
        answer = call(WITH_ALTERNATIVES, headers={"host": "example.com"})

        # https://httpwg.org/specs/rfc9110.html#status.301
        assert (answer["statusCode"], answer["statusDescription"]) == (301, "Moved Permanently")

    def test_redirects_without_a_query(self) -> None:
        answer = call(WITH_ALTERNATIVES, headers={"host": "example.com"})

        assert answer["headers"]["location"]["value"] == "https://app.example.com/"

    def test_serves_the_name_itself(self) -> None:
        answer = call(WITH_ALTERNATIVES, uri="/cells", headers={"host": "app.example.com"})

        assert answer["uri"] == "/index.html"


def generated(alternatives: list[str] | None) -> list[str]:
    """The code of each function in the template of a frontend."""
    stack = Stack(new_app(), "Stack")
    certificate = acm.Certificate.from_certificate_arn(
        stack, "Certificate", "arn:aws:acm:us-east-1:111122223333:certificate/0a1b"
    )
    GalvFrontend(
        stack,
        "Frontend",
        domain_name="app.example.com",
        alternative_domain_names=alternatives,
        api_url="https://api.example.com",
        certificate=certificate,
    )
    functions = of_type(synthesize(stack), "AWS::CloudFront::Function").values()
    return [function["Properties"]["FunctionCode"] for function in functions]


MOST_NAMES = [f"{'a' * 50}{number}.example.com" for number in range(99)]


@pytest.mark.parametrize("alternatives", [None, [], ["example.com"], MOST_NAMES])
class TestEachVariant:
    def test_runs(self, alternatives: list[str] | None) -> None:
        codes = generated(alternatives)

        assert codes
        for code in codes:
            answer: Json = call(code, headers={"host": "app.example.com"})
            assert answer["uri"] == "/index.html"

    def test_is_small_enough(self, alternatives: list[str] | None) -> None:
        # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
        assert all(len(code.encode()) <= 10 * 1024 for code in generated(alternatives))


def test_the_engine_refuses_what_cloudfront_refuses() -> None:
    """An engine that took everything would prove nothing."""
    loop = "function handler(event) { for (const x of [1]) { } return event.request; }"

    with pytest.raises(AssertionError, match="SyntaxError"):
        call(loop)


def test_no_other_code_is_given_to_cloudfront() -> None:
    """Whoever adds a function has to run it in njs too."""
    package = Path(str(galv_constructs.__file__)).parent
    sources = [path for path in package.rglob("*.py") if "cloudfront.Function(" in path.read_text()]

    assert [path.name for path in sources] == ["_site.py"]
    assert [path.name for path in package.rglob("*.js")] == ["routing.js"]
