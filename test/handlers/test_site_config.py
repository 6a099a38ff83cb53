"""Which API a site calls: the configuration that is written, and the one that is read."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from frontend_site.programs import need

from galv_constructs.handlers._site_config import ConfigError, config_problem, configure, referred

API = "https://api.example.com"
OTHER = "https://api.example.org"
VARIABLES = {"VITE_GALV_API_BASE_URL": API}
# As Galv's own.
TEMPLATE = b"""window.__ENV__ = {
    VITE_GALV_API_BASE_URL: '${VITE_GALV_API_BASE_URL}',
    VITE_GALV_ANALYTICS_URL: '${VITE_GALV_ANALYTICS_URL}',
}
"""
AT_RUN_TIME = {
    "index.html": b'<script src="/env.js"></script><script src="/assets/app-1.js"></script>',
    "assets/app-1.js": b"fetch(window.__ENV__.VITE_GALV_API_BASE_URL)",
}
BUILT = {
    "index.html": b'<script type="module" src="/assets/app-1.js"></script>',
    "assets/app-1.js": b'new Api({basePath:"https://api.example.com"})',
}


def config(template: bytes, variables: dict[str, str] | None = None) -> bytes:
    """The configuration that is made from a template."""
    files = {**AT_RUN_TIME, "env.template.js": template}
    given = {**VARIABLES, **(variables or {})}
    return configure(files, api_url=API, variables=given)["env.js"]


def refusal(files: dict[str, bytes], **options: list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        configure(files, api_url=API, variables=VARIABLES, **options)
    return str(caught.value)


class TestTemplate:
    def test_becomes_the_configuration(self) -> None:
        files = configure(
            {**AT_RUN_TIME, "env.template.js": TEMPLATE}, api_url=API, variables=VARIABLES
        )

        assert files == {
            **AT_RUN_TIME,
            "env.js": b"""window.__ENV__ = {
    VITE_GALV_API_BASE_URL: 'https://api.example.com',
    VITE_GALV_ANALYTICS_URL: '',
}
""",
        }

    def test_replaces_the_configuration_of_another_deployment(self) -> None:
        files = {**AT_RUN_TIME, "env.template.js": TEMPLATE, "env.js": OTHER.encode()}

        found = configure(files, api_url=API, variables=VARIABLES)["env.js"]
        assert config_problem(found, API) == ""

    # https://www.gnu.org/software/gettext/manual/html_node/envsubst-Invocation.html
    def test_replaces_what_envsubst_replaces(self) -> None:
        template = b"'$A ${A} $AB ${NONE}.$NONE. ${A:-x} $1 $ {A} $$A ${A'" + TEMPLATE
        expected = b"'a a  .. ${A:-x} $1 $ {A} $a ${A'"

        assert config(template, {"A": "a"}).startswith(expected)

    @pytest.mark.parametrize("quote", ["'", '"', "`"])
    @pytest.mark.parametrize(
        "value",
        [
            "https://stats.example.org/a?b=c&d=e#f",
            "'",
            '"',
            "`",
            "\\",
            "\\'; alert(1); '",
            "${alert(1)}",
            "</script>",
            "line\nline\r\u2028",
            "Größe 🔋",
        ],
    )
    def test_any_value_stays_a_value(self, quote: str, value: str) -> None:
        """Read by a JavaScript engine."""
        (program,) = need("njs")
        template = f"var window = {{}};\n{TEMPLATE.decode()}\nvar value = {quote}$VALUE{quote};"
        script = config(template.encode(), {"VALUE": value})
        done = subprocess.run(
            [program, "-"],
            input=script + b"\nconsole.log(JSON.stringify([value, window.__ENV__]))",
            capture_output=True,
            check=True,
        )

        found, environment = json.loads(done.stdout)
        assert found == value
        assert environment == {
            "VITE_GALV_API_BASE_URL": API,
            "VITE_GALV_ANALYTICS_URL": "",
        }

    def test_may_not_ask_for_a_secret(self) -> None:
        files = {**AT_RUN_TIME, "env.template.js": TEMPLATE + b"'${TOKEN}'"}

        assert refusal(files, secrets=["TOKEN"]) == (
            "env.template.js asks for TOKEN, which is given as a secret, and everyone can read "
            "env.js: pass it as a plain variable if it may be public"
        )

    def test_a_template_that_names_no_api_is_refused(self) -> None:
        files = {**AT_RUN_TIME, "env.template.js": b"window.__ENV__ = {API: '$VITE_API'}"}

        assert refusal(files) == (
            "env.js names no API, and has to set VITE_GALV_API_BASE_URL to https://api.example.com"
        )


class TestConfiguration:
    @pytest.mark.parametrize(
        "content",
        [
            "x = {VITE_GALV_API_BASE_URL: 'URL'}",
            'x = {"VITE_GALV_API_BASE_URL": "URL", "A": 1}',
            "window.__ENV__.VITE_GALV_API_BASE_URL = `URL`",
            "window.__ENV__['VITE_GALV_API_BASE_URL']='URL'",
            "// VITE_GALV_API_BASE_URL: 'http://localhost'\nx = {VITE_GALV_API_BASE_URL: 'URL'}",
            "/* VITE_GALV_API_BASE_URL: 'http://localhost' */x = {VITE_GALV_API_BASE_URL:'URL'}",
        ],
    )
    def test_that_names_the_api_is_taken(self, content: str) -> None:
        content = re.sub(r"\bURL\b", API, content)
        files = {**AT_RUN_TIME, "env.js": content.encode()}

        assert configure(files, api_url=API, variables=VARIABLES) == files

    def test_is_read_as_a_browser_reads_it(self) -> None:
        escaped = API.replace("/", "\\/").replace(":", "\\u003a").replace("p", "\\x70")

        assert config_problem(f"VITE_GALV_API_BASE_URL: '{escaped}'".encode(), API) == ""

    def test_a_value_goes_on_where_a_backslash_ends_its_line(self) -> None:
        content = f"VITE_GALV_API_BASE_URL: '{API[:9]}\\\n{API[9:]}'"

        assert config_problem(content.encode(), API) == ""

    def test_a_comment_of_several_lines_names_no_api(self) -> None:
        comment = f"/* before\n VITE_GALV_API_BASE_URL: '{OTHER}'\n*/"

        assert config_problem(f"{comment}VITE_GALV_API_BASE_URL: '{API}'".encode(), API) == ""

    @pytest.mark.parametrize(
        "url",
        [
            OTHER,
            f"{API}.au",
            f"{API}:8443",
            f"{API}/",
            "http://api.example.com",
            "",
            "${VITE_GALV_API_BASE_URL:-}",
        ],
    )
    def test_of_another_api_is_refused(self, url: str) -> None:
        files = {
            **AT_RUN_TIME,
            "env.js": f"x = {{VITE_GALV_API_BASE_URL: '{url}'}}".encode(),
            # Somewhere in the files is no proof.
            "README.md": f"It calls '{API}'".encode(),
            "assets/app-1.js": f"window.__ENV__; '{API}'".encode(),
        }

        assert f"env.js names {url or 'no API'}, and has to set" in refusal(files)

    def test_with_two_apis_is_refused(self) -> None:
        content = f"VITE_GALV_API_BASE_URL = '{API}'; VITE_GALV_API_BASE_URL = '{OTHER}'"

        assert f"names {API}, {OTHER}" in config_problem(content.encode(), API)

    def test_that_nothing_loads_is_refused(self) -> None:
        files = {**BUILT, "env.js": f"VITE_GALV_API_BASE_URL = '{API}'".encode()}

        assert "neither index.html nor a script loads it" in refusal(files)

    @pytest.mark.parametrize("reads", ["index.html", "assets/app-1.js", "assets/part-2.js"])
    def test_that_is_missing_is_refused(self, reads: str) -> None:
        """Vite may have put the URL into the files all the same."""
        files = {
            **BUILT,
            "assets/app-1.js": f'import("./part-2.js"); basePath="{API}"'.encode(),
            "assets/part-2.js": b"",
        }
        files[reads] += b"window.__ENV__"

        assert "neither env.template.js nor env.js" in refusal(files)


class TestBuilt:
    @pytest.mark.parametrize(
        "code",
        [
            'basePath:"URL"',
            "basePath:'URL'",
            "`URL/cells/${id}`",
            "`URL${path}`",
            '"URL?a=b"',
            'basePath:"URL";var e={VITE_GALV_API_BASE_URL:"URL",MODE:"production"}',
        ],
    )
    def test_for_the_api_is_taken(self, code: str) -> None:
        files = {**BUILT, "assets/app-1.js": code.replace("URL", API).encode()}

        assert configure(files, api_url=API, variables=VARIABLES) == files

    @pytest.mark.parametrize("after", [".au", ":8443", "-old", "x"])
    def test_for_a_longer_url_is_refused(self, after: str) -> None:
        files = {**BUILT, "assets/app-1.js": f'"{API}{after}"'.encode()}

        assert f"does not call the API {API}. The URL is fixed when" in refusal(files)

    def test_for_another_api_is_refused_by_name(self) -> None:
        code = f'basePath:"{API}";var e={{VITE_GALV_API_BASE_URL:"{OTHER}"}}'
        files = {**BUILT, "assets/app-1.js": code.encode()}

        assert f"They were built for {OTHER}. " in refusal(files)

    @pytest.mark.parametrize(
        "files",
        [
            {"README.md": f'"{API}"'.encode()},
            {"assets/unused-1.js": f'"{API}"'.encode()},
            {"assets/app-1.js.map": f'"{API}"'.encode()},
            {"assets/app-1.js": f"e={{VITE_GALV_API_BASE_URL:'{API}'}}".encode()},
        ],
        ids=["a document", "an unused script", "a source map", "the list of all variables"],
    )
    def test_with_the_url_where_nothing_uses_it_is_refused(self, files: dict[str, bytes]) -> None:
        site = {**BUILT, "assets/app-1.js": b"fetch(void 0)", **files}

        assert f"does not call the API {API}" in refusal(site)

    @pytest.mark.parametrize("refers", ["import('./part-2.js')", "['assets/part-2.js']"])
    def test_with_the_url_in_a_part_is_taken(self, refers: str) -> None:
        configure(
            {
                **BUILT,
                "assets/app-1.js": refers.encode(),
                "assets/part-2.js": f'"{API}"'.encode(),
            },
            api_url=API,
            variables=VARIABLES,
        )


def test_a_site_without_a_page_is_refused() -> None:
    assert refusal({"dist/index.html": b""}) == (
        "there is no index.html among the files: dist/index.html"
    )
    assert refusal({}) == "there is no index.html among the files: nothing"


def test_a_page_whose_script_is_missing_is_refused() -> None:
    page = b'<script src="/assets/gone-1.js"></script>' + BUILT["index.html"]

    assert refusal({**BUILT, "index.html": page}) == (
        "index.html loads what is not among the files: assets/gone-1.js"
    )


def test_finds_the_files_of_the_site_that_a_page_loads() -> None:
    page = b"""
        <link rel="icon" href="/icon.svg"> <link rel="manifest" href="/manifest.json">
        <link rel="stylesheet" crossorigin href="/assets/a%20b.css?1">
        <link rel="modulepreload" href="./assets/part.js"> <link rel="stylesheet">
        <script src=https://elsewhere.example.org/x.js></script> <script src=//cdn/x.js></script>
        <script src="data:text/javascript,1"></script> <script>inline()</script>
        <script src=assets/../assets/app.js></script>
    """

    assert referred(page) == ["assets/a b.css", "assets/part.js", "assets/app.js"]
