"""Nothing that AWS or the application says can drive the terminal that galv-ops runs in."""

from __future__ import annotations

import ast
import json
import re
import sys
import unicodedata
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from ops.recorded import ACCOUNT, Answer, Json, Recorded, event, ran, resource

from galv_ops import output
from galv_ops.cli import galv_ops
from galv_ops.output import Output, printable, table
from galv_ops.query import run as ops_run

SOURCE = Path(__file__).parents[2] / "src" / "galv_ops"
# Clears the screen, sets the window's title, hides, erases the line, turns the reading direction
# around, begins a line (five ways), and C1's two: CSI and OSC in one character each.
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07\x1b[8m\r\x1b[K\x08\x7f\u202e\u2066\u200b\u2028\u2029\x0b\x0c\x85"
    "\x9b2J\x9d0;owned\x9c\x00"
)
SHOWN = r"\x1b[2J\x1b]0;owned\x07\x1b[8m"
MARK = "hostile"
SAFE = {"\n", "\t"}
# What galv-ops itself draws with.
OWN = re.compile(r"\x1b\[(?:0|1|2|3[123])m")
# Where AWS's answers lead on: another name would be another thing.
_LEADS = re.compile(
    r"(?:Arn|Id|Type|Token|Status|State|Name|Location|Key|arn|Stage|Version|expression|"
    r"Expression|group|prefix|code|Code|value|Value|valueFrom|name|streamName)s?$"
)

# How to run each command; one that is missing here fails the first test.
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "status": ((),),
    "releases": ((),),
    "doctor": ((),),
    "check": ((),),
    "setup": ((),),
    "run": (("--", "manage.py", MARK + HOSTILE), (MARK + HOSTILE, "--", "env")),
    "logs": ((), (MARK + HOSTILE,), ("--since", MARK + HOSTILE)),
    "exec": ((), ("--", MARK + HOSTILE)),
    "rehearse": ((MARK + HOSTILE,),),
    "sleep": ((),),
    "wake": ((),),
    "open": ((),),
    "credentials": ((), ("--show",)),
    "audit": ((),),
    # No program can be given NUL in an argument.
    "preflight": ((), ("--app", MARK + HOSTILE.rstrip("\x00"))),
}
RUNS = [(name, words) for name, several in COMMANDS.items() for words in several]


def test_each_command_is_run_here() -> None:
    assert set(COMMANDS) == set(galv_ops.commands)


def test_only_one_file_prints() -> None:
    """A command that printed by itself would not be safe, however it is tested."""
    printing = {
        "echo",
        "secho",
        "print",
        "print_exc",
        "stdout",
        "stderr",
        "style",
        "echo_via_pager",
    }
    for file in SOURCE.rglob("*.py"):
        if file == SOURCE / "output.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            name = (
                node.id
                if isinstance(node, ast.Name)
                else node.attr
                if isinstance(node, ast.Attribute)
                else ""
            )
            assert name not in printing, f"{file.name} line {getattr(node, 'lineno', 0)}: {name}"


def poisoned(value: Any, key: str = "") -> Any:
    """The answer with something hostile in every text that a person reads."""
    if isinstance(value, dict):
        return {name: poisoned(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [poisoned(one, key) for one in value]
    if isinstance(value, str) and not _LEADS.search(key):
        return f"{value}{MARK}{HOSTILE}"
    return value


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an application whose questions are hostile, as CDK writes it."""
    questions = {MARK + HOSTILE: {"Ask": "x"}, "Secret": {"Ref": MARK + HOSTILE}}
    check = {"Type": "Custom::GalvPreflight", "Properties": {"Questions": questions}}
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "galv.template.json"},
    }
    folder = tmp_path / "cdk.out"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {"galv": stack}}))
    (folder / "galv.template.json").write_text(json.dumps({"Resources": {"Preflight": check}}))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hostile(recorded: Recorded, app: None, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A deployment about which AWS says nothing that is not hostile."""
    seconds = count()
    monkeypatch.setattr(ops_run, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(ops_run, "sleep", lambda _seconds: None)
    failed = ran("web", exit_code=3, id="ffff")
    done = ran("setup-db", exit_code=0)
    checked = ran("check-status", exit_code=0, id="cccc")
    recorded.tasks = [failed, done, checked]
    recorded.answers["ecs.RunTask"] = lambda request, _region: {
        "tasks": [checked if "CheckStatus" in request["taskDefinition"] else done],
        "failures": [],
    }
    recorded.answers["sts.GetCallerIdentity"] = {"Account": ACCOUNT}
    recorded.answers["secrets-manager.DescribeSecret"] = {"Name": f"{MARK}{HOSTILE}"}
    recorded.answers["secrets-manager.GetSecretValue"] = {"SecretString": f"{MARK}{HOSTILE}"}
    line = f"[release] {MARK}{HOSTILE}"
    for name, id in (("web", "ffff"), ("setup-db", "0a1b2c3d4e5f"), ("check-status", "cccc")):
        recorded.log_lines[f"{name}/{name}/{id}"] = [line, line]
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {
        "events": [
            {
                "timestamp": 1_777_600_800_000,
                "logStreamName": f"web/web/{MARK}{HOSTILE}",
                "message": f"{line}\n{line}",
                "eventId": "1",
            }
        ]
    }
    recorded.events["galv-BackendStack"] = [
        event(
            "galv-BackendStack",
            "BackendWebService",
            "AWS::ECS::Service",
            "UPDATE_FAILED",
            f"{MARK}{HOSTILE}\n{MARK}",
        )
    ]
    # Nobody gets an alarm whose name is hostile.
    recorded.resources["galv-BackendStack"].append(
        resource("BackendAlarm1234ABCD", "AWS::CloudWatch::Alarm", "alarm")
    )
    recorded.answers["cloudwatch.DescribeAlarms"] = {
        "MetricAlarms": [{"AlarmName": f"{MARK}{HOSTILE}", "AlarmActions": []}]
    }
    recorded.answers = {call: _poisons(answer) for call, answer in recorded.answers.items()}
    return recorded


def _poisons(answer: Answer) -> Answer:
    def poisons(request: Json, region: str) -> Json:
        found = answer(request, region) if callable(answer) else answer
        made: Json = poisoned(found)
        return made

    return poisons


def controls(text: str) -> set[str]:
    """Every character that a terminal obeys."""
    kinds = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    return {one for one in text if unicodedata.category(one) in kinds} - SAFE


def run_on_a_terminal(arguments: tuple[str, ...]) -> Result:
    # Without a terminal click takes colors away, and with them some of what is hostile.
    return CliRunner().invoke(galv_ops, arguments, env={"TERM": "xterm"}, color=True)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), RUNS)
def test_a_command_shows_controls_as_text(
    hostile: Recorded, name: str, words: tuple[str, ...]
) -> None:
    result = run_on_a_terminal((name, *words))

    assert controls(OWN.sub("", result.stdout + result.stderr)) == set()
    # Nothing sleeps in this deployment, so that AWS is asked for nothing that these could say.
    if name not in {"exec", "open", "sleep", "wake"}:
        assert MARK + SHOWN in result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), RUNS)
def test_a_command_is_json_without_controls(
    hostile: Recorded, name: str, words: tuple[str, ...]
) -> None:
    result = run_on_a_terminal((name, "--json", *words))

    assert controls(result.stdout + OWN.sub("", result.stderr)) == set()
    if result.stdout and name != "logs":
        json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_an_error_of_aws_shows_controls_as_text(recorded: Recorded, app: None, name: str) -> None:
    for call in ("cloudformation.DescribeStacks", "sts.GetCallerIdentity"):
        recorded.refuse(call, "ServerException", MARK + HOSTILE)

    needed = {"run": ("--", "env"), "rehearse": ("v3.0.0",)}
    result = run_on_a_terminal((name, *needed.get(name, ())))

    assert result.exit_code == 125
    assert controls(result.stdout + result.stderr) == set()
    assert MARK + SHOWN in result.stderr


@pytest.mark.slow
def test_an_internal_error_shows_controls_as_text(recorded: Recorded) -> None:
    def answer(_request: Json, _region: str) -> Json:
        raise ValueError(MARK + HOSTILE)

    recorded.answers["cloudformation.DescribeStacks"] = answer

    result = run_on_a_terminal(("status",))

    assert "Traceback" in result.stderr
    assert controls(result.stderr) == set()


@pytest.mark.parametrize(
    "arguments",
    [(HOSTILE,), (f"--{HOSTILE}",), ("status", HOSTILE), ("setup", "--timeout", HOSTILE)],
)
def test_a_wrong_use_shows_controls_as_text(arguments: tuple[str, ...]) -> None:
    result = run_on_a_terminal(arguments)

    assert result.exit_code == 2
    assert controls(result.output) == set()
    assert r"\x1b[2J" in result.stderr


@pytest.mark.parametrize("code", range(0x20))
def test_escapes_c0_controls(code: int) -> None:
    assert printable(chr(code)) == {9: "\t", 10: r"\n", 13: r"\r"}.get(code, f"\\x{code:02x}")


@pytest.mark.parametrize("code", range(0x7F, 0xA0))
def test_escapes_del_and_c1_controls(code: int) -> None:
    assert printable(chr(code)) == f"\\x{code:02x}"


@pytest.mark.parametrize(
    "code",
    [
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0x200E,
        0x200F,
        0x061C,
        0x2028,
        0x2029,
        0xD800,
    ],
)
def test_escapes_bidirectional_controls_line_separators_and_surrogates(code: int) -> None:
    assert printable(chr(code)) == f"\\u{code:04x}"


def test_keeps_letters_of_every_language() -> None:
    text = "Zelle 4: 3,7 V · Ωμέγα · 電池 · 🔋 · été"

    assert printable(text) == text


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table([["a\x1b", "x"], ["bbbbb", "y"]]) == [r"a\x1b  x", "bbbbb  y"]


def test_progress_on_a_terminal_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal:
        def __init__(self) -> None:
            self.text = ""

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(output.sys, "stderr", Terminal())  # type: ignore[attr-defined]
    written: list[str] = []
    monkeypatch.setattr(click, "echo", lambda text, **_: written.append(text))

    Output(as_json=False).progress(HOSTILE)

    assert controls("".join(written)) == set()


def test_a_result_takes_the_place_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    out = Output(as_json=False)

    out.progress("reading: web")
    out.progress("wait", passing=True)
    out.result({}, ["ok"])
    out.line("and on")

    assert terminal.getvalue() == (
        f"reading: web\r{' ' * len('reading: web')}\rwait\r{' ' * len('wait')}\rok\nand on\n"
    )
