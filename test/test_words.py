"""The words of the field: docstrings, comments and messages of the library, and its documents."""

import ast
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(ROOT.glob("src/**/*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# Words of our own, each with that of AWS, CDK or plain English.
WORDS: Mapping[str, str] = {
    r"web firewall": "WAF",
    r"mend(s|ed|ing)?": "fix",
    r"(two|three|both|each|every|per|2|3) zones?": "Availability Zone, or AZ",
    r"zones? of (a|the) (VPC|network)": "Availability Zone, or AZ",
    r"(is|are) (not )?well": "works, fails, healthy",
    r"when the template is made": "at synthesis",
    r"(fewest|most) (web )?tasks": "minimum or maximum number of tasks",
    r"made anew": "created again",
}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The comments and texts of a module, with their lines."""
    lines = iter(source.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, its classes and functions, and those behind attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def foreign(text: str) -> list[str]:
    """Our own words in a text, each with the word to use."""
    return [
        f"{found[0]!r}: say {word}"
        for pattern, word in WORDS.items()
        for found in re.finditer(rf"\b{pattern}\b", " ".join(text.split()), re.IGNORECASE)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "The web firewall blocks it.",
        "Mend the key.",
        "A VPC in two\n    zones.",
        "the deployment is not well",
        "must be known when the template is made",
    ],
)
def test_finds_a_word_of_our_own(text: str) -> None:
    assert len(foreign(text)) == 1


@pytest.mark.parametrize(
    "text",
    ["two Availability Zones", "the top of one hosted zone", "Recommended", "/.well-known/x"],
)
def test_accepts_the_words_of_the_field(text: str) -> None:
    assert foreign(text) == []


def test_finds_comments_texts_and_docstrings() -> None:
    source = 'x = 1  # first\n"""Second."""\ny = f"third {x}"\n'

    assert [text for _, text in texts(source)] == ["# first", "Second.", "third "]
    assert list(docstrings(source)) == [(2, "Second.")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_uses_the_words_of_the_field(path: Path) -> None:
    found = [f"{line}: {word}" for line, text in texts(path.read_text()) for word in foreign(text)]

    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_name_the_thing(path: Path) -> None:
    """A reader of "What a run finds" has to go on to learn what it is."""
    found = [line for line, text in docstrings(path.read_text()) if re.match(r"What\b", text)]

    assert found == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_the_words_of_the_field(path: Path) -> None:
    assert foreign(path.read_text()) == []
