"""How a task starts: the entry point, run by real shells."""

import logging
import logging.config
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from templates import Json, container, environment

from galv_constructs.backend._container import DIRECTORY, entry_point
from galv_constructs.container.galv_task.logs import on_console

SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
TASKS = ["web", "setup-db", "check-status"]

FILE: Json = {"class": "logging.FileHandler", "filename": "/nowhere/own.log"}
CONSOLE: Json = {"class": "logging.StreamHandler"}

# What images up to 2.11.3 log, and where to.
FILES_ONLY = """
import os
LOGS = os.environ["LOGS"]
DEBUG = False
_hidden = lower_case = "not a setting"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "file": {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": f"{LOGS}/django.log",
            "maxBytes": 1000,
            "backupCount": 3,
            "formatter": "plain",
            "level": "INFO",
        }
    },
    "loggers": {"django": {"handlers": ["file"], "level": "INFO"}},
}
"""


class Container:
    """A directory that stands for a container's own, in which the entry point starts programs."""

    def __init__(self, directory: Path, shell: str) -> None:
        self.own = directory / "galv"
        self.code = directory / "code"
        self.code.mkdir()
        (self.code / "settings.py").write_text(FILES_ONLY)
        program, *rest = [word.replace(DIRECTORY, str(self.own)) for word in entry_point()]
        assert program == "sh"
        self.entry_point = [*(["busybox", "sh"] if shell == "busybox" else [shell]), *rest]
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": str(self.code),
            "LOGS": str(directory),
        }

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.entry_point, *command],
            cwd=self.code,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **variables: str) -> tuple[int, str, str]:
        with self.start(*command, **variables) as process:
            out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def python(self, script: str, **variables: str) -> tuple[int, str, str]:
        return self.run("python", "-c", script, **variables)


@pytest.fixture(params=SHELLS)
def each_shell(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    return Container(tmp_path, request.param)


@pytest.fixture
def task(tmp_path: Path) -> Container:
    return Container(tmp_path, "sh")


class TestStart:
    def test_the_start_script_replaces_itself_with_the_command(self, each_shell: Container) -> None:
        code, out, err = each_shell.run(
            "sh", "-c", 'echo "$PPID" "$@"; exit 7', "name", "a b", "$x"
        )

        assert (code, out, err) == (7, f"{os.getpid()} a b $x\n", "")

    def test_a_signal_reaches_the_command(self, each_shell: Container) -> None:
        waits = "import time; print(1, flush=True); time.sleep(60)"
        with each_shell.start("python", "-c", waits) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == -signal.SIGTERM

    def test_a_command_that_is_missing_fails_the_task(self, each_shell: Container) -> None:
        code, _, err = each_shell.run("no-such-program")

        assert code == 127
        assert "no-such-program" in err

    def test_a_directory_that_cannot_be_written_fails_the_task(self, task: Container) -> None:
        task.own.write_text("")

        code, _, err = task.run("true")

        assert code != 0
        assert str(task.own) in err


class TestSettings:
    READ = "from importlib import import_module; s = import_module('galv_task.settings'); "
    APPLY = "import logging.config; logging.config.dictConfig(s.LOGGING); "
    LOG = "logging.getLogger('django.security').error('Invalid HTTP_HOST header')"

    def test_are_those_of_the_application(self, task: Container) -> None:
        show = "print(s.DEBUG, s.INSTALLED_APPS, sorted(n for n in vars(s) if 'hidden' in n))"

        assert task.python(self.READ + show)[1] == "False ['galv_task'] []\n"

    def test_may_be_named_by_the_image_or_by_nobody(self, task: Container) -> None:
        del task.environment["DJANGO_SETTINGS_MODULE"]
        (task.code / "config").mkdir()
        (task.code / "settings.py").rename(task.code / "config" / "settings.py")

        assert task.python(self.READ + "print(s.DEBUG)")[1] == "False\n"

    def test_log_to_the_console_instead_of_files(self, task: Container) -> None:
        code, out, err = task.python(self.READ + self.APPLY + self.LOG)

        assert (code, out) == (0, "")
        assert err == "ERROR django.security Invalid HTTP_HOST header\n"
        assert not list(Path(task.environment["LOGS"]).glob("*.log*"))


class TestLogs:
    @pytest.fixture(autouse=True)
    def restored(self) -> Iterator[None]:
        """Leave no handler behind."""
        root = logging.getLogger()
        before = root.handlers[:]
        yield
        root.handlers = before
        for name in ("own", "own.part"):
            logging.getLogger(name).handlers = []
            logging.getLogger(name).propagate = True

    def configure(self, handlers: Json, own: list[str], **others: Any) -> None:
        logging.config.dictConfig(
            on_console(
                {
                    "version": 1,
                    "disable_existing_loggers": False,
                    "handlers": handlers,
                    "loggers": {"own": {"handlers": own, "level": "INFO", **others}},
                }
            )
        )

    def test_a_record_for_two_files_is_written_once(self, capsys: Any) -> None:
        self.configure({"a": FILE, "b": FILE}, ["a", "b"])

        logging.getLogger("own.part").info("once")

        assert capsys.readouterr().err == "once\n"

    @pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
    def test_a_record_that_the_console_gets_is_written_once(
        self, capsys: Any, order: list[str]
    ) -> None:
        self.configure({"a": FILE, "b": CONSOLE}, order)

        logging.getLogger("own").info("once")

        assert capsys.readouterr().err == "once\n"

    @pytest.mark.parametrize("handler", [FILE, CONSOLE])
    def test_a_record_that_the_root_writes_is_written_once(
        self, capsys: Any, handler: Json
    ) -> None:
        self.configure({"a": handler}, ["a"])
        # As the harvester's package does when it is imported.
        logging.getLogger().addHandler(logging.StreamHandler())

        logging.getLogger("own.part").info("once")

        assert capsys.readouterr().err == "once\n"

    def test_a_console_that_is_off_hides_nothing(self, capsys: Any) -> None:
        off = {"class": "logging.StreamHandler", "filters": ["off"]}
        logging.config.dictConfig(
            on_console(
                {
                    "version": 1,
                    "disable_existing_loggers": False,
                    # As Django's filters for debugging.
                    "filters": {"off": {"()": lambda: lambda _: False}},
                    "handlers": {"a": FILE, "b": off},
                    "loggers": {"own": {"handlers": ["b", "a"], "level": "INFO"}},
                }
            )
        )

        logging.getLogger("own").info("shown")

        assert capsys.readouterr().err == "shown\n"

    @pytest.mark.parametrize(
        "other",
        [
            {"class": "logging.StreamHandler", "level": "ERROR"},
            {"class": "logging.NullHandler"},
        ],
    )
    def test_another_handler_that_does_not_write_it_hides_nothing(
        self, capsys: Any, other: Json
    ) -> None:
        self.configure({"a": FILE, "b": other}, ["b", "a"], propagate=False)

        logging.getLogger("own").info("shown")

        assert capsys.readouterr().err == "shown\n"

    @pytest.mark.parametrize("configuration", [{}, {"version": 1}, {"version": 1, "handlers": {}}])
    def test_a_configuration_without_handlers_stays(self, configuration: Json) -> None:
        assert on_console(configuration) == configuration


class TestTemplate:
    def test_only_what_is_in_the_task_s_own_directory_is_removed(self, default: Json) -> None:
        # The command is run by tests too, which have the machine's /tmp.
        _, _, script, *_ = container(default, "web")["Command"]
        removals = [line for line in script.splitlines() if "find " in line or "rm " in line]

        assert len(removals) == 1
        assert f"find {environment(default, 'web')['TMPDIR']} -mindepth 1 " in removals[0]
        assert environment(default, "web")["TMPDIR"] == f"{DIRECTORY}/temporary"

    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_starts_alike(self, default: Json, name: str) -> None:
        is_setup = name == "setup-db"
        expected = entry_point(
            check_status=name == "check-status", own_database=is_setup, setup=is_setup
        )

        assert container(default, name)["EntryPoint"] == expected

    @pytest.mark.parametrize("name", TASKS)
    def test_every_task_has_caches_that_it_may_write(self, default: Json, name: str) -> None:
        variables = environment(default, name)
        mounts = [mount["ContainerPath"] for mount in container(default, name)["MountPoints"]]

        for variable in ("HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TMPDIR"):
            assert any(variables[variable].startswith(f"{path}/") for path in mounts)
