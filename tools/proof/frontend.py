"""A site: built already, an archive of one, or a checkout of galv-frontend that is built."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from proof.templates import asset_file

_INDEX = "index.html"
# Where the steps of the build leave the site; older ones left it where Vite does.
_OUTPUTS = ("work/site", "work/source/dist")


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """The site that `--frontend` names."""

    path: Path

    def check(self) -> None:
        """Refuse what is no site and no source of one.

        Raises:
            ValueError: If it is neither.
        """
        if not (self._is_archive or self._is_built or self._is_source):
            raise ValueError(
                f"--frontend: {self.path} is no site: it has neither index.html nor package.json, "
                "and is no archive (.tar.gz)"
            )

    @property
    def _is_archive(self) -> bool:
        return self.path.is_file() and self.path.name.endswith((".tar.gz", ".tgz"))

    @property
    def _is_source(self) -> bool:
        return (self.path / "package.json").is_file()

    @property
    def _is_built(self) -> bool:
        return (self.path / _INDEX).is_file() and not self._is_source

    @property
    def version(self) -> str:
        """The version of its sources, or the name of the folder with the files."""
        if self._is_source:
            return str(json.loads((self.path / "package.json").read_text())["version"])
        return self.path.name.removesuffix(".tar.gz").removeprefix("frontend-")

    @property
    def how(self) -> str:
        """How its files come about."""
        if self._is_source:
            return "built by the steps of the build"
        return "unpacked from an archive" if self._is_archive else "built before"

    def files(self, assembly: Path, variables: dict[str, str], folder: Path) -> Path:
        """Return a folder with the files of the site.

        Args:
            assembly: Cloud assembly with the steps of the build.
            variables: Variables of the build.
            folder: Folder to build in.

        Raises:
            RuntimeError: If the build fails.
        """
        if self._is_built:
            return self.path
        if self._is_archive:
            with tarfile.open(self.path) as archive:
                archive.extractall(folder, filter="data")
            return min(folder.rglob(_INDEX), key=lambda file: len(file.parts)).parent
        shutil.copy(asset_file(assembly, "build_site.py"), folder)
        shutil.copytree(
            self.path,
            folder / "work" / "source",
            ignore=shutil.ignore_patterns("node_modules", "dist", ".git"),
        )
        for step in ("install", "build"):
            done = subprocess.run(
                [sys.executable, "build_site.py", step],
                cwd=folder,
                env={**os.environ, **variables, "GALV_BUILD_Type": "git"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"step {step} of the build failed:\n{done.stdout[-2000:]}")
        for output in _OUTPUTS:
            if (folder / output / _INDEX).is_file():
                return folder / output
        raise RuntimeError("the build wrote no index.html")


def pack(files: Path, archive: Path) -> None:
    """Write a site as one file, as the build uploads it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(path for path in files.rglob("*") if path.is_file()):
            packed.write(file, file.relative_to(files).as_posix())
