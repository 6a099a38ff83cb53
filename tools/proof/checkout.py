"""A checkout of galv-backend: which version it is, and a Python with what it needs."""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_CACHE = Path.home() / ".cache" / "galv-constructs"
_VERSION = re.compile(r'^API_VERSION = "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A folder with the sources of galv-backend."""

    folder: Path

    def check(self, *, is_installed: bool) -> None:
        """Refuse a folder with something else.

        Args:
            is_installed: Whether an environment has its requirements already.

        Raises:
            ValueError: If it is not a checkout of galv-backend.
        """
        needed = ["backend_django/manage.py"]
        if not is_installed:
            needed.append("requirements.txt")
        for name in needed:
            if not (self.folder / name).is_file():
                raise ValueError(f"--backend: {self.folder} is no galv-backend, it has no {name}")

    @property
    def application(self) -> Path:
        """The folder that is the image's working directory."""
        return self.folder / "backend_django"

    @property
    def version(self) -> str:
        """The version that its settings name."""
        for file in sorted(self.application.glob("config/settings*.py")):
            if match := _VERSION.search(file.read_text()):
                return match[1]
        return "unknown"

    @property
    def date(self) -> str | None:
        """The time of its newest commit, if it is a git repository."""
        if not (self.folder / ".git").exists():
            return None
        command = ["git", "-C", str(self.folder), "log", "-1", "--format=%cI"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None

    def python(self, *, interpreter: str, before: str | None) -> Path:
        """Return the Python of an environment with what `requirements.txt` names.

        It is created at its first use, and kept until the requirements change.

        Args:
            interpreter: Python to create it with.
            before: Date, as of which packages are taken that the requirements leave open, as an
                image of that day has them. Default: the date of the newest commit, if there is one.

        Raises:
            RuntimeError: If it cannot be created.
        """
        requirements = self.folder / "requirements.txt"
        before = before or self.date
        seed = f"{requirements.read_text()} {interpreter} {before}".encode()
        folder = _CACHE / f"galv-{hashlib.sha256(seed).hexdigest()[:16]}"
        python = folder / "bin" / "python"
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            print(f"Installing the requirements of {self.folder} into {folder}", flush=True)
            uv = (sys.executable, "-m", "uv")
            _run(*uv, "venv", "--quiet", f"--python={interpreter}", str(folder))
            limit = [f"--exclude-newer={before}"] if before else []
            install = ("pip", "install", "--quiet", f"--python={python}", "--link-mode=copy")
            _run(*uv, *install, *limit, f"--requirement={requirements}")
            (folder / "complete").touch()
        return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:5])} failed:\n{done.stderr[-2000:]}")
