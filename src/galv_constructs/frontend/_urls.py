"""URLs that the site is configured with and that its content security policy allows."""

import re

from galv_constructs._core.validation import check_pattern, is_token

API_URL_VARIABLE = "VITE_GALV_API_BASE_URL"
ANALYTICS_URL_VARIABLE = "VITE_GALV_ANALYTICS_URL"

_API_URL = re.compile(r"https://[a-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?")
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d+)?"
_ANALYTICS_URL = re.compile(rf"https://{_HOST}(?:/[^\s;,'\"]*)?")
# In a policy a path that ends in a slash allows all below it, and any other only itself.
_STORAGE_URL = re.compile(rf"https://(?:\*\.)?{_HOST}(?:/(?:[A-Za-z0-9._~/-]*/)?)?")


def check_api_url(api_url: object) -> None:
    """Check the URL, which the frontend puts in front of paths."""
    if is_token(api_url):
        return
    if not isinstance(api_url, str) or not _API_URL.fullmatch(api_url):
        raise ValueError(
            "api_url must be the HTTPS URL of the API without a slash at the end, such as "
            f"'https://api.example.com' or backend.url, got {api_url!r}"
        )


def check_analytics_url(name: str, value: object) -> None:
    """Refuse what the site cannot load its analytics from."""
    if is_token(value):
        raise ValueError(f"{name} must be known at synthesis, got a token")
    check_pattern(
        name, value, _ANALYTICS_URL, "an HTTPS URL, such as 'https://stats.example.com/script.js'"
    )


def check_storage_url(name: str, value: object) -> None:
    """Refuse what is no place for files in a content security policy."""
    check_pattern(
        name,
        value,
        _STORAGE_URL,
        "an HTTPS URL of storage, such as 'https://storage.example.org' or "
        "'https://s3.eu-west-2.amazonaws.com/lab-data/'",
        ": end a path with a slash, which allows all below it",
    )


def origin(url: str) -> str:
    """Return an URL without its path, which in a policy would allow only that path."""
    return "/".join(url.split("/")[:3])
