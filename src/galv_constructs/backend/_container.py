"""The files of `container/`, which run around Galv in its containers."""

from collections.abc import Sequence

from galv_constructs.backend._sources import source
from galv_constructs.tasks._task import LONGEST_STOP
from galv_constructs.web_acl.web_acl import DEFAULT_UPLOAD_PATHS

_START = ("galv_task/__init__.py", "galv_task/logs.py", "galv_task/settings.py")
_SIGN_INS = "galv_task/apps.py"
_CHECK_STATUS = "galv_task/management/commands/check_status.py"
_OWN_DATABASE = "galv_task/own_database.py"
_REHEARSAL = "galv_task/rehearsal.py"
_SETUP = "galv_task/migration_plan.py"
_END = "END_OF_FILE"

DIRECTORY = "/tmp/galv"  # noqa: S108 - in the container
"""Directory that tasks write their own files below."""
GRACE = LONGEST_STOP - 10
"""Seconds that requests have to end when a container is stopped."""


def entry_point(
    *,
    check_status: bool = False,
    own_database: bool = False,
    rehearsal: bool = False,
    setup: bool = False,
    sign_ins: bool = False,
) -> list[str]:
    """Make the entry point that prepares a task and then becomes its command.

    The image's own starts a whole server, whatever the command is.

    Args:
        check_status: Whether Django gets a command `check_status` where the application has none.
            Django takes the application's own before that of an app that is listed later.
        own_database: Whether Python gets the module `galv_task.own_database`.
        rehearsal: Whether Python gets the module `galv_task.rehearsal`.
        setup: Whether Python gets the module `galv_task.migration_plan`.
        sign_ins: Whether the log tells of each sign-in of a superuser.
    """
    more = {
        _CHECK_STATUS: check_status,
        _OWN_DATABASE: own_database,
        _REHEARSAL: rehearsal,
        _SETUP: setup,
        _SIGN_INS: sign_ins,
    }
    names = (*_START, *(name for name, is_wanted in more.items() if is_wanted))
    files = "\n".join(_write(name) for name in names)
    return ["sh", "-c", source("start.sh").replace("FILES", files), "start"]


def serve_command(server: Sequence[str], *, port: int, timeout: int) -> list[str]:
    """Make the command that serves the API with gunicorn, behind nginx where the image has it.

    Args:
        server: gunicorn and its arguments, without an address.
        port: Port that is answered.
        timeout: How long, in seconds, an answer may take, and a client may be silent.
    """
    script = source("serve.sh").replace("NGINX_CONF", _write("nginx.conf", "nginx/nginx.conf"))
    # Files that are older belong to no request.
    minutes = timeout // 60 + 15
    values = {
        "PORT": port,
        "TIMEOUT": timeout,
        "GRACE": GRACE,
        "MINUTES": minutes,
        "UPLOADS": "|".join(DEFAULT_UPLOAD_PATHS),
    }
    for name, value in values.items():
        script = script.replace(name, str(value))
    return ["sh", "-c", script, "serve", *server]


def _write(name: str, path: str | None = None) -> str:
    """Make the shell command that writes a source into the container."""
    return f"cat > {DIRECTORY}/{path or name} <<'{_END}'\n{source(name)}{_END}"
