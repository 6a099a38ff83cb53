"""The pages of the documentation, and where their links lead."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("examples/*/README.md"),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page: headings, as GitHub spells them, and explicit ones."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]+)\]\([^)]*\)|<[^>]*>", r"\1", heading) for heading in headings)
    spelled = {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in plain}
    return spelled | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    for path, anchor in LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{path}#{anchor}"


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()

    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index


EXAMPLES = [*ROOT.glob("examples/*/README.md")]
OURS = "https://github.com/galv-team/galv-constructs/"


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.parent.name)
def test_a_copied_example_has_no_link_that_leads_out_of_its_folder(page: Path) -> None:
    for path, _ in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve()
        assert target.is_relative_to(page.parent), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_this_repository_leads_somewhere(page: Path) -> None:
    for path, anchor in re.findall(
        rf"\({re.escape(OURS)}(?:blob|tree)/main/([^)#\s]+)(?:#([^)\s]+))?\)", page.read_text()
    ):
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in anchors(ROOT / path), f"{path}#{anchor}"
