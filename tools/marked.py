"""Pages of which a part is worked out, between two marks."""


def put_between(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with a text of today between its marks."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"
