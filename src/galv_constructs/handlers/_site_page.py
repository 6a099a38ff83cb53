"""Whether the page loads: the site is asked for as a browser asks, through CloudFront."""

from __future__ import annotations

import logging
from http.client import HTTPException
from time import sleep, time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ._site_config import CONFIG, INDEX, config_problem, referred

if TYPE_CHECKING:
    from collections.abc import Mapping

# A distribution that was just created is not known everywhere at once, errors stay in its caches
# for ten seconds, and an invalidation is most often done within a minute or two.
PATIENCE = 180
PAUSES = (2, 4, 8, 15)
TIMEOUT = 10
OK = 200
FORBIDDEN = 403
SNIPPET = 160
_REFUSED = (
    "the file is missing, or a web ACL refuses this request; one that was associated outside of "
    "the template has to be passed as web_acl_arn, and then this is no failure"
)

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class PageError(Exception):
    """The page does not load; the text says why."""


class _Problem(NamedTuple):
    text: str
    is_stale: bool = False


class _NoRedirects(HTTPRedirectHandler):
    """A page that is elsewhere is not here: urllib raises what it does not follow."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def check_page(
    url: str, files: Mapping[str, bytes], *, api_url: str, has_web_acl: bool = False
) -> None:
    """Ask for the page, its configuration, and what else it starts with, until all is there.

    Args:
        url: Where the site is, without a slash at the end: under CloudFront's own name, as the
            site's may have no DNS record yet.
        files: Files that were published, by their paths.
        api_url: The API that the configuration has to name.
        has_web_acl: Whether a web ACL may refuse requests, of which then nothing is known.

    Raises:
        PageError: If something is missing, fails or names another API in the end.
    """
    started = time()
    tries = 0
    while True:
        problem = _problem(url, files, api_url=api_url, has_web_acl=has_web_acl)
        if problem is None:
            return
        log.info("%s", problem.text)
        if time() - started >= PATIENCE:
            break
        sleep(PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1
    if not problem.is_stale:
        raise PageError(f"the site is published, but its page does not load: {problem.text}")
    # It loads, and calls our API.
    log.warning("%s", problem.text)


def _problem(
    url: str, files: Mapping[str, bytes], *, api_url: str, has_web_acl: bool
) -> _Problem | None:
    """The first thing that is wrong, with what is merely old last."""
    stale = None
    configuration = [CONFIG] if CONFIG in files else []
    for name in dict.fromkeys([INDEX, *configuration, *referred(files[INDEX])]):
        path = "/" if name == INDEX else f"/{name}"
        status, content = _get(f"{url}{path}")
        if status == FORBIDDEN and has_web_acl:
            log.warning("%s%s: the web ACL lets nobody look from here", url, path)
            return None
        if status != OK:
            said = " ".join(content.decode(errors="replace").split())[:SNIPPET]
            outcome = f"answers {status}" if status else "fails"
            # CloudFront says the same of both.
            why = f" ({_REFUSED})" if status == FORBIDDEN else ""
            return _Problem(f"{url}{path} {outcome}: {said}{why}")
        if name == CONFIG and (problem := config_problem(content, api_url)):
            return _Problem(f"{url}{path}: {problem}")
        if content != files[name]:
            stale = _Problem(f"{url}{path} is not yet what was published", is_stale=True)
    return stale


def _get(url: str) -> tuple[int, bytes]:
    """Status and content of an answer; 0 and the reason without one."""
    request = Request(url)  # noqa: S310 - the construct creates the URL
    request.add_header("Accept", "text/html" if url.endswith("/") else "*/*")
    try:
        with build_opener(_NoRedirects).open(request, timeout=TIMEOUT) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, HTTPException) as error:
        return 0, str(getattr(error, "reason", error)).encode()
