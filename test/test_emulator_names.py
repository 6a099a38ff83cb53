"""A new version of MiniStack is the work of one file: it alone names what is private there."""

import re
from pathlib import Path

E2E = Path(__file__).parent / "e2e"
PRIVATE = E2E / "emulator" / "private.py"
NAMES = set(re.findall(r'"(_\w+)"', PRIVATE.read_text()))
OTHERS = [file for file in sorted(E2E.rglob("*.py")) if file != PRIVATE]
EMULATOR = [file for file in OTHERS if file.parent == PRIVATE.parent]


def test_one_file_imports_it() -> None:
    importing = [
        f.name
        for f in OTHERS
        if re.search(r"^ *(from|import) ministack", f.read_text(), re.MULTILINE)
    ]

    assert importing == []


def test_no_other_file_names_what_is_private() -> None:
    found = {
        f"{file.name}: {name}"
        for file in EMULATOR
        for name in re.findall(r"(?:(?<!self)\.|[\"'])(_[A-Za-z]\w*)", file.read_text())
        if name in NAMES
    }

    assert len(NAMES) > 50
    assert found == set()
