"""The last release and its files."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> str:
    """Return what git prints about this project."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def last_release() -> str | None:
    """Return the tag of the newest release that this commit came after, if there is one."""
    return next(iter(git("tag", "--merged", "HEAD", "--sort=-v:refname", "v*").splitlines()), None)


def unpack(ref: str, folder: Path) -> Path:
    """Write the files of a commit into a folder."""
    archive = subprocess.run(
        ["git", "archive", ref, "src", "examples"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def announces_a_break(since: str) -> bool:
    """Tell whether a commit since then says, in the conventional way, that it breaks something."""
    return bool(
        re.search(
            r"^(\w+(\([^)]*\))?!:|BREAKING[ -]CHANGE:)",
            git("log", "--format=%B", f"{since}..HEAD"),
            re.MULTILINE,
        )
    )
