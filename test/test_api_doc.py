"""API.md against the code, and what keeps it from being written."""

import textwrap
from pathlib import Path

import api_doc
import griffe
import pytest

HEAD = """\
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

import jsii
from aws_cdk import aws_iam as iam
from constructs import Construct

"""
INITIALIZER = '''
    def __init__(self, scope, id, *, size: int = 1, colour: str | None = None):
        """Make it.

        Args:
            scope: Its parent.
            id: Its id.
            size: How big. Default: 1.
            colour: Which colour.
        """
'''
CONSTRUCT = f'''
class Thing(Construct):
    """A thing."""
{INITIALIZER}'''


def package(folder: Path, source: str) -> griffe.Module:
    """A package with one public name, `Thing`."""
    root = folder / api_doc.PACKAGE
    root.mkdir()
    (root / "__init__.py").write_text(
        f"from {api_doc.PACKAGE}.thing import Thing\n__all__ = ['Thing']\n"
    )
    (root / "thing.py").write_text(HEAD + textwrap.dedent(source))
    return api_doc.load(folder)


@pytest.fixture(scope="module")
def module() -> griffe.Module:
    return api_doc.load()


def test_is_up_to_date(module: griffe.Module) -> None:
    assert api_doc.mistakes(module) == []
    assert api_doc.PAGE.read_text() == api_doc.Reference(module).page()


def test_says_of_no_name_which_module_it_is_in() -> None:
    assert f"{api_doc.PACKAGE}." not in api_doc.PAGE.read_text()


def test_has_every_public_name(module: griffe.Module) -> None:
    headings = [
        line.split()[1] for line in api_doc.PAGE.read_text().splitlines() if line[:4] == "### "
    ]

    assert sorted(headings) == sorted(api_doc.public(module))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('    """A thing."""\n', "", "Thing: has no docstring"),
        ("Construct)", "object)", "Thing: must be a construct, a dataclass, an Enum or a Protocol"),
        ('        """Make it.', '        x = """Make it.', "Thing.__init__: has no docstring"),
        ("            id: Its id.\n", "", "Thing.__init__: Args: lacks id"),
        ("id: Its", "ident: Its", "Args: has ident, which the signature lacks"),
        ("scope, id,", "id, scope,", "Args: must be in the order of the signature: id, scope"),
        (" Default: 1.", "", "size: must end with what its default does, after `Default: `"),
    ],
)
def test_refuses(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CONSTRUCT
    found = api_doc.mistakes(package(tmp_path, CONSTRUCT.replace(old, new)))

    assert any(says in mistake for mistake in found)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("    @property\n    def url(self) -> str: ...\n", "Thing.url: has no docstring"),
        ("    def grow(self) -> None: ...\n", "Thing.grow: has no docstring"),
        (
            '    def grow(self, by: int) -> None:\n        """Grow."""\n',
            "Thing.grow: Args: lacks by",
        ),
    ],
)
def test_refuses_members(tmp_path: Path, source: str, says: str) -> None:
    assert api_doc.mistakes(package(tmp_path, CONSTRUCT + source)) == [says]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('class Thing(Enum):\n    """It."""\n    RED = 1\n', "Thing.RED: has no docstring"),
        (
            '@dataclass(frozen=True)\nclass Thing:\n    """It."""\n\n    size: int\n',
            "Thing.size: has no docstring",
        ),
        ("Thing: Sequence[int] = ()\n", "Thing: has no docstring"),
    ],
)
def test_refuses_an_undocumented_value(tmp_path: Path, source: str, says: str) -> None:
    assert says in api_doc.mistakes(package(tmp_path, source))


def test_private_names_need_no_documentation(tmp_path: Path) -> None:
    source = CONSTRUCT + "    def _grow(self, by): ...\n\nclass _Other: ...\n"

    assert api_doc.mistakes(package(tmp_path, source)) == []


def page(folder: Path, source: str) -> str:
    module = package(folder, source)
    assert api_doc.mistakes(module) == []
    return api_doc.Reference(module).page()


def test_says_what_a_construct_takes_and_is(tmp_path: Path) -> None:
    text = page(tmp_path, CONSTRUCT.replace("class", "@jsii.implements(iam.IGrantable)\nclass"))

    assert "- *Implements:* <code>aws_cdk.aws_iam.IGrantable</code>" in text
    assert "| `id`<sup>Required</sup> |" in text
    assert "| `size` | <code>int</code> | 1 | How big. |" in text
    # Optional, so that None needs no mention.
    assert "| `colour` | <code>str</code> |  | Which colour. |" in text


def test_shows_what_a_private_name_stands_for(tmp_path: Path) -> None:
    source = '''
    Colour = Literal["red", "blue"]
    USUAL = "red"

    @dataclass(frozen=True)
    class Thing:
        """A thing."""

        colour: Colour = USUAL
        """Its colour. Default: red."""

        @staticmethod
        def blue() -> "Thing":
            """A blue one."""
    '''
    text = page(tmp_path, source)

    assert "colour: Literal['red', 'blue'] = 'red'" in text
    assert "##### blue" in text
    assert '- *Returns:* <code><a href="#Thing">Thing</a></code>' in text


def test_check_refuses_a_stale_page(
    module: griffe.Module,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(api_doc, "load", lambda: module)
    monkeypatch.setattr(api_doc, "PAGE", tmp_path / "API.md")
    monkeypatch.setattr("sys.argv", ["api_doc", "--check"])

    assert api_doc.main() == 1
    assert "npm run generate" in capsys.readouterr().out

    monkeypatch.setattr("sys.argv", ["api_doc"])
    assert api_doc.main() == 0
    monkeypatch.setattr("sys.argv", ["api_doc", "--check"])
    assert api_doc.main() == 0
