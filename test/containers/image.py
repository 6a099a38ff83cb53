"""The content of an image: files of this machine that a container sees read-only."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# Programs and libraries of the machine, on which every Python environment stands.
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    *("alternatives", "ca-certificates", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "mime.types", "nsswitch.conf", "protocols", "services", "ssl"),
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """The files that `docker build` would have put into an image, and the image's settings.

    Attributes:
        python: Interpreter of the environment that has the application's dependencies.
        application: Folder of the application.
        workdir: Path of that folder in the container, in which commands run.
        files: More files and folders, by their path in the container.
        user: User who runs the command if the task definition names none: a name or `uid[:gid]`.
        entry_point: Entry point if the task definition has none.
        command: Command if the task definition has none.
        environment: Variables that the image sets.
    """

    python: Path
    application: Path
    workdir: str = "/code/backend_django"
    files: Mapping[str, Path] = field(default_factory=dict)
    user: str = "root"
    entry_point: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The variable PATH."""
        system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return f"{self.python.parent}:{system}"

    def layers(self) -> dict[str, str]:
        """Return folders and files of this machine by where a container sees them."""
        layers = {
            f"/{name}": f"/{name}"
            for name in _SYSTEM
            if (path := Path("/") / name).is_dir() and not path.is_symlink()
        }
        layers |= {
            f"/etc/{name}": f"/etc/{name}" for name in _ETC if (Path("/etc") / name).exists()
        }
        # Scripts name their interpreter by its path, so the environment stays where it is.
        for prefix in _prefixes(self.python):
            if not any(Path(prefix).is_relative_to(layer) for layer in layers):
                layers[prefix] = prefix
        layers[self.workdir] = str(self.application.resolve())
        return layers | {path: str(file.resolve()) for path, file in self.files.items()}

    def links(self) -> dict[str, str]:
        """Return symbolic links of the root: `/bin` leads to `usr/bin` on most systems."""
        return {
            f"/{name}": str(path.readlink())
            for name in _SYSTEM
            if (path := Path("/") / name).is_symlink()
        }


@cache
def _prefixes(python: Path) -> list[str]:
    """Return the folders that an interpreter loads modules from, outermost first."""
    ask = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.executable]))"
    done = subprocess.run(
        [python, "-I", "-c", ask], check=True, capture_output=True, text=True, timeout=60
    )
    prefix, base, executable = json.loads(done.stdout)
    # An environment made of another's interpreter leads to that one by links.
    real = Path(executable).resolve().parent.parent
    found = {str(Path(path).absolute()) for path in (prefix, base, real)}
    return sorted(found, key=len)
