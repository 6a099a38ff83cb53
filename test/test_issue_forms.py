"""The forms in which GitHub takes issues."""

import subprocess
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parent.parent / ".github" / "ISSUE_TEMPLATE"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(TEMPLATES.iterdir()), ids=lambda path: path.name)
def test_github_understands_it(path: Path) -> None:
    schema = "issue-config" if path.name == "config.yml" else "issue-forms"

    done = subprocess.run(
        ["check-jsonschema", f"--builtin-schema=vendor.github-{schema}", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
