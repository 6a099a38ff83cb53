"""The folder works by itself, wherever a link to it is."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from galv_ops import preflight

FOLDER = Path(preflight.__path__[0])
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
# What Lambda has.
ALLOWED = {"boto3", "botocore"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_the_standard_library_boto3_and_itself(module: str) -> None:
    tree = ast.parse((FOLDER / f"{module}.py").read_text())
    absolute = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom) and node.level == 0
            else []
        )
    }

    assert absolute <= set(sys.stdlib_module_names) | ALLOWED


def test_asks_as_a_package_of_another_name(tmp_path: Path) -> None:
    """As a handler has it: a folder in a package in which nothing else is."""
    shutil.copytree(FOLDER, tmp_path / "handlers" / "_preflight")
    code = (
        "import sys\n"
        "from handlers._preflight.ask import ask\n"
        "from handlers._preflight.world import World\n"
        "(found,) = ask({'A': {'Ask': 'image', 'Image': '127.0.0.1:1/a:1'}}, World(), 5)\n"
        "assert found.severity == 'unanswered', found\n"
        "assert '127.0.0.1:1' in found.wrong, found\n"
        "assert not {'galv_ops', 'galv_constructs'} & sys.modules.keys()\n"
    )

    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
