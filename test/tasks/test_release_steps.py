"""The script that runs the steps of a release task, run by a real shell."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack, Token

from galv_constructs import DEFAULT_SETUP_STEPS, ReleaseStep
from galv_constructs.tasks.release_steps import shell_command

SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]

# Notes what it was called with; exits as FAIL says, which holds names of commands and codes.
PROGRAM = f"""\
#!{sys.executable}
import json, os, sys
with open("calls", "a") as calls:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=calls)
sys.exit(json.loads(os.environ.get("FAIL", "{{}}")).get(" ".join(sys.argv[1:]), 0))
"""


class Container:
    """A directory with fake programs, in which the steps run."""

    def __init__(self, directory: Path, shell: str) -> None:
        self.directory = directory
        self.shell = shell
        programs = directory / "bin"
        programs.mkdir()
        for name in ("python", "note it"):
            (programs / name).write_text(PROGRAM)
            (programs / name).chmod(0o755)
        self.env = {"PATH": os.pathsep.join([str(programs), os.defpath])}

    def command(self, steps: Sequence[ReleaseStep]) -> list[str]:
        _, *arguments = shell_command(steps)
        return [*([self.shell, "sh"] if self.shell == "busybox" else [self.shell]), *arguments]

    def start(self, steps: Sequence[ReleaseStep]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(steps),
            cwd=self.directory,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        steps: Sequence[ReleaseStep],
        *,
        event: str | None = "Update",
        fail: dict[str, int] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        event_variable = {} if event is None else {"GALV_RELEASE_EVENT": event}
        return subprocess.run(
            self.command(steps),
            cwd=self.directory,
            env={**self.env, "FAIL": json.dumps(fail or {}), **event_variable},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[list[str]]:
        """The programs that were called, with their arguments."""
        path = self.directory / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(params=SHELLS)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Container:
    return Container(tmp_path, request.param)


def step(name: str, *words: str, **options: Any) -> ReleaseStep:
    return ReleaseStep(name=name, command=["python", *words], **options)


def test_runs_the_steps_in_order_and_names_them(container: Container) -> None:
    done = container.run([step("one", "1"), step("two", "2", "--no-input")])

    assert done.returncode == 0
    assert container.calls == [["python", "1"], ["python", "2", "--no-input"]]
    assert done.stdout.splitlines() == [
        "[release] one: started",
        "[release] one: done",
        "[release] two: started",
        "[release] two: done",
    ]


@pytest.mark.parametrize("code", [1, 3, 137])
def test_a_failing_step_stops_the_rest_with_its_exit_code(container: Container, code: int) -> None:
    done = container.run([step("one", "1"), step("two", "2"), step("three", "3")], fail={"2": code})

    assert done.returncode == code
    assert container.calls == [["python", "1"], ["python", "2"]]
    assert done.stdout.splitlines()[-1] == f"[release] two: failed with exit code {code}"


def test_a_program_that_is_missing_fails_the_task(container: Container) -> None:
    missing = ReleaseStep(name="missing", command=["no-such-program"])

    done = container.run([missing, step("after", "1")])

    assert done.returncode == 127
    assert container.calls == []


@pytest.mark.parametrize(
    ("script", "code", "last"),
    [
        ("echo begun; exec sleep 60", 143, "[release] long: failed with exit code 143"),
        (
            "trap 'echo cleaning; exit 0' TERM; echo begun; while :; do sleep 0.1; done",
            143,
            "[release] after: not started, the task is stopped",
        ),
    ],
)
def test_a_task_that_is_stopped_lets_its_step_end(
    container: Container, script: str, code: int, last: str
) -> None:
    steps = [ReleaseStep(name="long", command=["sh", "-c", script]), step("after", "1")]

    with container.start(steps) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "[release] long: started\n"
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        lines = process.communicate(timeout=60)[0].splitlines()

    assert (process.returncode, lines[-1]) == (code, last)
    assert container.calls == []


@pytest.mark.skipif("bash" not in SHELLS, reason="only bash runs code before a command")
def test_a_task_that_is_stopped_just_as_its_step_starts_ends_it(tmp_path: Path) -> None:
    """A signal may arrive when the step runs and the shell does not know its process id yet."""
    container = Container(tmp_path, "bash")
    bash, option, script = container.command(
        [ReleaseStep(name="long", command=["sleep", "60"]), step("after", "1")]
    )
    before = """trap '[ "$BASH_COMMAND" != "child=\\$!" ] || kill -TERM $$' DEBUG\n"""

    done = subprocess.run(
        [bash, "-T", option, before + script],
        env=container.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        143,
        "[release] long: failed with exit code 143",
    )
    assert container.calls == []


def test_patterns_become_the_files_that_match(container: Container) -> None:
    fixtures = container.directory / "galv" / "fixtures"
    fixtures.mkdir(parents=True)
    for name in ("a.json", "b c.json", "d.yaml"):
        (fixtures / name).touch()

    container.run(
        [
            step("all", "galv/fixtures/*"),
            step("one", "galv/fixtures/?.json"),
            step("set", "galv/fixtures/[d-e].yaml"),
        ]
    )

    assert container.calls == [
        ["python", "galv/fixtures/a.json", "galv/fixtures/b c.json", "galv/fixtures/d.yaml"],
        ["python", "galv/fixtures/a.json"],
        ["python", "galv/fixtures/d.yaml"],
    ]


def test_words_are_passed_unchanged(container: Container) -> None:
    words = [
        "",
        "two words",
        "it's",
        '"q"',
        "$HOME",
        "`id`",
        "$(id)",
        "a;b",
        "\\",
        "~",
        "#",
        "a\nb",
    ]

    container.run([step("words", *words)])

    assert container.calls == [["python", *words]]


def test_a_program_may_have_a_space_in_its_name(container: Container) -> None:
    container.run([ReleaseStep(name="note", command=["note it", "x"])])

    assert container.calls == [["note it", "x"]]


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        ("Create", [["python", "demo"], ["python", "2"]]),
        ("Update", [["python", "2"]]),
        (None, [["python", "2"]]),
    ],
)
def test_a_step_for_the_first_release_runs_only_then(
    container: Container, event: str | None, calls: list[list[str]]
) -> None:
    done = container.run(
        [step("demo", "demo", first_release_only=True), step("two", "2")], event=event
    )

    assert done.returncode == 0
    assert container.calls == calls
    skipped = "[release] demo: skipped, only for the first release" in done.stdout
    assert skipped is (event != "Create")


def test_a_step_for_the_first_release_fails_the_task_too(container: Container) -> None:
    steps = [step("demo", "demo", first_release_only=True), step("two", "2")]

    done = container.run(steps, event="Create", fail={"demo": 5})

    assert done.returncode == 5
    assert container.calls == [["python", "demo"]]


@pytest.mark.parametrize(("event", "loads"), [("Create", True), ("Update", False)])
def test_the_default_steps_migrate_and_set_up_galv(
    container: Container, event: str, loads: bool
) -> None:
    fixtures = container.directory / "galv" / "fixtures"
    fixtures.mkdir(parents=True)
    (fixtures / "demo.json").touch()

    assert container.run(DEFAULT_SETUP_STEPS, event=event).returncode == 0

    loaddata = [["python", "manage.py", "loaddata", "galv/fixtures/demo.json"]]
    assert container.calls == [
        ["python", "-m", "galv_task.migration_plan"],
        ["python", "manage.py", "migrate", "--no-input"],
        ["python", "manage.py", "create_superuser", "--no-input"],
        *(loaddata if loads else []),
        ["python", "manage.py", "collectstatic", "--no-input"],
    ]


def test_tokens_stay_whole() -> None:
    bucket = Token.as_string({"Ref": "Bucket"})

    script = Stack().resolve(shell_command([step("copy", bucket, f"s3://{bucket}/[a]*")])[-1])

    _, (head, *rest) = script["Fn::Join"]
    assert head.endswith("step copy python '")
    assert rest == [{"Ref": "Bucket"}, "' s3://'", {"Ref": "Bucket"}, "'/[a]*"]


@pytest.mark.parametrize("name", ["", "Upper", "1st", "two words", "a;b", "ä", "a\n", "x" * 64, 7])
def test_refuses_an_invalid_name(name: Any) -> None:
    with pytest.raises(ValueError, match="lower-case letters, digits") as caught:
        ReleaseStep(name=name, command=["true"])

    assert f"got {name!r}" in str(caught.value)


@pytest.mark.parametrize("command", ["python manage.py", b"python", [], None, ["python", 7], {"a"}])
def test_refuses_a_command_that_is_not_a_list_of_words(command: Any) -> None:
    with pytest.raises(ValueError, match="command of step 'go' must be a list of words") as caught:
        ReleaseStep(name="go", command=command)

    assert f"got {command!r}" in str(caught.value)
    assert "['python', 'manage.py', 'migrate']" in str(caught.value)
