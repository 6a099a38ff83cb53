"""Images of the application that stands in for Galv, as releases of Galv differ."""

import shutil
from pathlib import Path

from containers import Image

_ROOT = Path(__file__).parents[2]
PYTHON = _ROOT / ".venv-galv" / "bin" / "python"
APPLICATION = Path(__file__).parent / "backend_django"
_SETTINGS = {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONUNBUFFERED": "1"}


def make_image(
    folder: Path,
    *,
    version: str = "v2.11.4",
    logs_to_console: bool = False,
    reads_database_name: bool = True,
    has_check_status: bool = True,
    has_all_static_files: bool = True,
    files: dict[str, str] | None = None,
) -> Image:
    """Make an image of a release.

    Args:
        folder: Folder for the application, which must not exist.
        version: Version that it names.
        logs_to_console: Whether logs go to the console, as since 3.0.0, or only to files.
        reads_database_name: Whether it uses `POSTGRES_DB`.
        has_check_status: Whether it has the command.
        has_all_static_files: Whether it has those of the administration, or a few of them.
        files: Texts of more files by their path in the application, or of changed ones.
    """
    shutil.copytree(APPLICATION, folder, ignore=shutil.ignore_patterns("__pycache__"))
    release = {
        "VERSION": version,
        "LOGS_TO_CONSOLE": logs_to_console,
        "READS_DATABASE_NAME": reads_database_name,
        "HAS_ALL_STATIC_FILES": has_all_static_files,
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in release.items())
    commands = "galv/management/commands"
    for path, content in {"config/release.py": text, **(files or {})}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    if not has_check_status:
        (folder / commands / "check_status.py").unlink()
    return image_in(folder)


def image_in(folder: Path) -> Image:
    """Return the image whose application is in a folder."""
    return Image(python=PYTHON, application=folder, environment=_SETTINGS)
