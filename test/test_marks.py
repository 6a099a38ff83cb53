"""What `npm test` leaves out is marked at the test or its class."""

import ast
from pathlib import Path

HERE = Path(__file__).parent


def marks_of_file(source: str) -> list[str]:
    """What the file sets for all of its tests."""
    return [
        ast.unparse(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets)
    ]


def test_no_file_is_slow_as_a_whole() -> None:
    """A quick test in such a file would run on one Python, and with one version of CDK."""
    marks = {
        str(path.relative_to(HERE)): marks_of_file(path.read_text())
        for path in HERE.rglob("test_*.py")
    }

    assert any(marks.values())
    assert [name for name, found in marks.items() if "slow" in str(found)] == []


def test_the_mark_of_a_file_is_seen() -> None:
    assert marks_of_file("pytestmark = [pytest.mark.slow]") == ["[pytest.mark.slow]"]
