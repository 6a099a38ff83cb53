"""Content security policies: additions to them, and the one of the API's own pages."""

import re
from collections.abc import Mapping, Sequence

from galv_constructs._core.validation import is_list

_DIRECTIVE = re.compile(r"[a-z][a-z-]*-src|base-uri|form-action|frame-ancestors")
_SOURCE = re.compile(r"[^\s;,]+")
NONE = "'none'"
# drf-spectacular's pages load these, by its defaults:
# https://drf-spectacular.readthedocs.io/en/latest/settings.html
_SWAGGER = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@latest/"
_REDOC = "https://cdn.jsdelivr.net/npm/redoc@latest/"


def written(policy: Mapping[str, Sequence[str]], additions: Mapping[str, Sequence[str]]) -> str:
    """Write a policy as a header, with sources added to its directives."""
    whole = dict(policy)
    for directive, sources in additions.items():
        # Without a directive of its own a browser takes default-src.
        before = whole.get(directive, whole["default-src"])
        whole[directive] = [source for source in before if source != NONE] + list(sources)
    return "; ".join(" ".join((directive, *sources)) for directive, sources in whole.items())


def api_policy(static_url: str, additions: Mapping[str, Sequence[str]]) -> str:
    """The policy that the API's pages need: Django's admin, the browsable API, Swagger, Redoc.

    The browsable API and Swagger have scripts within their pages, with values that change, so that
    no hash can allow them alone.
    """
    policy = {
        "default-src": ["'self'"],
        "base-uri": [NONE],
        "connect-src": ["'self'"],
        "font-src": ["'self'", "data:", static_url, "https://fonts.gstatic.com"],
        "form-action": ["'self'"],
        "frame-ancestors": [NONE],
        "img-src": ["'self'", "data:", "https:"],
        "object-src": [NONE],
        "script-src": ["'self'", "'unsafe-inline'", static_url, _SWAGGER, _REDOC],
        "style-src": [
            *("'self'", "'unsafe-inline'", static_url, _SWAGGER, "https://fonts.googleapis.com")
        ],
        "worker-src": ["'self'", "blob:"],
    }
    return written(policy, additions)


def check_policy_additions(additions: Mapping[str, Sequence[str]] | None) -> None:
    """Refuse what would break the policy apart."""
    if additions is None:
        return
    if not isinstance(additions, Mapping):
        raise ValueError(
            "content_security_policy must be a mapping of directives to lists of sources, such as "
            f"{{'img-src': ['https://tiles.example.org']}}, got {additions!r}"
        )
    for directive, sources in additions.items():
        if not isinstance(directive, str) or not _DIRECTIVE.fullmatch(directive):
            raise ValueError(
                f"content_security_policy has the directive {directive!r}: allowed are those with "
                "a list of sources, such as 'connect-src', 'img-src' or 'frame-ancestors'"
            )
        if not is_list(sources) or not all(
            isinstance(source, str) and _SOURCE.fullmatch(source) for source in sources
        ):
            raise ValueError(
                f"content_security_policy[{directive!r}] must be a list of sources without spaces, "
                f"';' and ',', such as ['https://tiles.example.org'], got {sources!r}"
            )
