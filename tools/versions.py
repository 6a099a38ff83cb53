"""Run the tests with the lowest or the newest versions that the library declares.

    python tools/versions.py lowest | newest [argument of pytest ...]

Lowest: what both pyproject.toml declare at their lower bounds, and cdk-nag, whose ids of findings
the library spells; everything else as locked. Newest: all of it as new as the declarations allow.
Each is an environment of its own, which is created anew.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from setup import ROOT, locked

COMPILE = ["uv", "pip", "compile", "--quiet"]
# Both distributions of this repository.
OPS = "src/galv_ops"


def lower_bounds() -> set[str]:
    """Return the lowest versions that both pyproject.toml allow, with what these need."""
    resolved = subprocess.run(
        [*COMPILE, "--resolution", "lowest-direct", "pyproject.toml", f"{OPS}/pyproject.toml"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {line for line in resolved.stdout.splitlines() if line[:1].isalnum()}


def package(requirement: str) -> str:
    """Return the name in a line of a lock, or of what is asked for."""
    return re.split(r"[\[=<>]", requirement)[0]


def lowest_cdk_nag() -> str:
    """Return the lowest version that the group of the tests allows."""
    (lowest,) = set(re.findall(r'"cdk-nag>=([^",]+)', (ROOT / "pyproject.toml").read_text()))
    return f"cdk-nag=={lowest}"


def install(python: Path, *, lowest: bool) -> None:
    """Install the library, galv-ops, and what their tests need."""
    # Programs that tests start, such as ruff, are those of .venv.
    command = ["uv", "pip", "install", "--quiet", "--python", str(python)]
    command += ["--editable", ".", "--editable", OPS, "--group", "test"]
    with tempfile.TemporaryDirectory() as folder:
        if lowest:
            bounds = lower_bounds() | {lowest_cdk_nag()}
            decided = {package(line) for line in bounds}
            rest = [text for name, text in locked().items() if name not in decided]
            # Whatever the tools of the tests, such as cdk-nag, ask for.
            for option, lines in (("--overrides", sorted(bounds)), ("--constraints", rest)):
                file = Path(folder, option)
                file.write_text("\n".join(lines))
                command += [option, str(file)]
        subprocess.run(command, cwd=ROOT, check=True)


def main() -> int:
    """Make the environment, say what is in it, and run the tests in it."""
    which, *arguments = sys.argv[1:]
    venv = ROOT / f".venv-{which}"
    python = venv / "bin" / "python"
    subprocess.run(
        ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, venv], check=True
    )
    install(python, lowest=which == "lowest")
    subprocess.run(["uv", "pip", "list", "--python", python], cwd=ROOT, check=True)
    env = os.environ | {
        "VIRTUAL_ENV": str(venv),
        "PATH": os.pathsep.join([str(venv / "bin"), os.environ["PATH"]]),
    }
    tests = [str(venv / "bin" / "pytest"), *arguments]
    return subprocess.run(tests, cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
