"""The API that a site calls: written into its configuration, or read from its files.

Newer sites read `window.__ENV__`, which `/env.js` sets; that file is generated from
`env.template.js`. In the files of older ones the variables were replaced by their values when they
were built.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from posixpath import basename, normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

INDEX = "index.html"
TEMPLATE = "env.template.js"
CONFIG = "env.js"
API_URL = "VITE_GALV_API_BASE_URL"

# As envsubst has it; anything else that starts with a dollar sign stays.
_PLACEHOLDER = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", re.ASCII)
# What means itself in each of JavaScript's kinds of text, and ends none of them.
_PLAIN = re.compile(r"[A-Za-z0-9 !#%&()*+,./:;=?@\[\]^_{|}~-]")
_TEXT = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
_COMMENT = re.compile(rf"({_TEXT})|//[^\n]*|/\*.*?\*/", re.DOTALL)
# `name: "…"`, `"name": "…"`, `x.name = "…"` and `x["name"] = "…"`.
_API_VALUE = re.compile(rf"\b{API_URL}[\"'`]?\]?\s*[:=]\s*({_TEXT})", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SCRIPT = (".js", ".mjs")


class ConfigError(Exception):
    """The site would not work, or not with this API; the text says why."""


def configure(
    files: Mapping[str, bytes],
    *,
    api_url: str,
    variables: Mapping[str, str],
    secrets: Collection[str] = (),
) -> dict[str, bytes]:
    """Write the configuration where the files have a template of it, and see that it is right.

    Args:
        files: Files of the site by their paths.
        api_url: The API that the site has to call.
        variables: Variables that a template may name; anything else is empty, as with envsubst.
        secrets: Names of what a template may not ask for.

    Raises:
        ConfigError: If the site would not work, or would call another API.
    """
    if INDEX not in files:
        some = ", ".join(sorted(files)[:5]) or "nothing"
        raise ConfigError(f"there is no {INDEX} among the files: {some}")
    configured = dict(files)
    template = configured.pop(TEMPLATE, None)
    if template is not None:
        configured[CONFIG] = _substitute(_text(template), variables, secrets).encode()
    if CONFIG in configured:
        problem = config_problem(configured[CONFIG], api_url)
        if problem:
            raise ConfigError(problem)
        if not any(CONFIG in _text(content) for content in _code(configured)):
            raise ConfigError(
                f"{CONFIG} is there, but neither {INDEX} nor a script loads it: the site would not "
                "know its API"
            )
    elif any("__ENV__" in _text(content) for content in _code(configured)):
        raise ConfigError(
            f"the site reads its configuration from window.__ENV__, and its files have neither "
            f"{TEMPLATE} nor {CONFIG}: its pages would be blank. Add {TEMPLATE} of the source to "
            "the files"
        )
    else:
        _check_inlined(configured, api_url)
    missing = [name for name in referred(configured[INDEX]) if name not in configured]
    if missing:
        raise ConfigError(f"{INDEX} loads what is not among the files: {', '.join(missing)}")
    return configured


def config_problem(content: bytes, api_url: str) -> str:
    """Say what is wrong with a configuration; nothing if it names the API."""
    code = _COMMENT.sub(lambda match: match.group(1) or " ", _text(content))
    found = {_value(match.group(1)) for match in _API_VALUE.finditer(code)}
    if found == {api_url}:
        return ""
    named = ", ".join(sorted(found)) or "no API"
    return f"{CONFIG} names {named}, and has to set {API_URL} to {api_url}"


def _substitute(template: str, variables: Mapping[str, str], secrets: Collection[str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        if name in secrets:
            raise ConfigError(
                f"{TEMPLATE} asks for {name}, which is given as a secret, and everyone can read "
                f"{CONFIG}: pass it as a plain variable if it may be public"
            )
        return "".join(map(_escaped, variables.get(name, "")))

    return _PLACEHOLDER.sub(value, template)


def _escaped(character: str) -> str:
    """A character for a text of JavaScript in any quotation marks."""
    if _PLAIN.fullmatch(character):
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _value(literal: str) -> str:
    """Return the content of a text in quotation marks."""

    def character(match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2)
        # An escaped line end is none.
        return chr(int(code, 16)) if code else match.group(3).strip("\n")

    return _ESCAPE.sub(character, literal[1:-1])


def _check_inlined(files: Mapping[str, bytes], api_url: str) -> None:
    """See that code which the page loads has the URL in a place where it is used."""
    # A text that starts with it, and not with a longer host name or another port. The list of all
    # variables is left out, which Vite may put into files that never read it.
    ours = re.compile(rf"[\"'`]{re.escape(api_url)}(?=[\"'`/?$])")
    others = set()
    is_used = False
    for content in _code(files):
        code = _text(content)
        others |= {_value(match.group(1)) for match in _API_VALUE.finditer(code)} - {api_url}
        is_used = is_used or ours.search(_API_VALUE.sub("", code)) is not None
    if is_used and not others:
        return
    why = f"They were built for {', '.join(sorted(others))}. " if others else ""
    raise ConfigError(
        f"the code that {INDEX} loads does not call the API {api_url}. {why}The URL is fixed when "
        f"such a frontend is built: build it with {API_URL}={api_url}, or use "
        "FrontendSource.release(…), which does"
    )


def _code(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """The page, and the scripts that it leads to."""
    page = files[INDEX]
    yield page
    scripts = {name for name in files if name.endswith(_SCRIPT)}
    waiting = [name for name in referred(page) if name in scripts]
    seen = set(waiting)
    while waiting:
        content = files[waiting.pop()]
        yield content
        # Bundlers name a part by its path from here or from the root; its last part is enough.
        reached = {n for n in scripts - seen if basename(n).encode() in content}
        seen |= reached
        waiting += sorted(reached)


def referred(page: bytes) -> list[str]:
    """The files of the site that a page loads: scripts, parts loaded ahead, and style sheets."""
    parser = _References()
    parser.feed(_text(page))
    parts = [urlsplit(url) for url in parser.urls]
    paths = [normpath(f"/{part.path}") for part in parts if not (part.scheme or part.netloc)]
    return [unquote(path).lstrip("/") for path in paths]


class _References(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("src"):
            self.urls.append(str(given["src"]))
        loads = {"modulepreload", "stylesheet"} & set((given.get("rel") or "").split())
        if tag == "link" and loads and given.get("href"):
            self.urls.append(str(given["href"]))


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
