"""Options in any place, the shell's variables, signals, and what is printed where."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from ops.recorded import REGION, Recorded, stack

from galv_ops import errors
from galv_ops.cli import galv_ops
from galv_ops.query.aws import Aws

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(galv_ops.commands)
GLOBAL = ("--stack", "--project", "--region", "--profile")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A shell with two profiles, and no variable of AWS's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile lab]\nregion = eu-west-3\n"
        "[profile bare]\noutput = json\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "region", "profile", "expected"),
    [
        ({}, None, None, "eu-west-1"),
        ({"AWS_PROFILE": "lab"}, None, None, "eu-west-3"),
        ({"AWS_PROFILE": "default"}, None, "lab", "eu-west-3"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, None, "lab", "eu-north-1"),
        ({"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-north-1"}, None, "lab", "us-west-2"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-north-1"}, None, None, "eu-north-1"),
        ({"AWS_REGION": "us-west-2"}, "sa-east-1", "lab", "sa-east-1"),
    ],
)
def test_the_region_is_that_of_the_aws_cli(
    shell: pytest.MonkeyPatch,
    variables: dict[str, str],
    region: str | None,
    profile: str | None,
    expected: str,
) -> None:
    for name, value in variables.items():
        shell.setenv(name, value)

    aws = Aws.of(region, profile)

    assert aws.region == expected
    assert aws.ecs.meta.region_name == expected
    assert aws.in_region("us-east-1").acm.meta.region_name == "us-east-1"


def test_fails_if_no_region_is_set(shell: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.OpsError, match="no region is set: pass --region, or set AWS_REGION"):
        _ = Aws.of(None, "bare").region


def test_another_region_has_the_same_credentials(shell: pytest.MonkeyPatch) -> None:
    """Keys in the shell win over AWS_PROFILE, in every region."""
    shell.setenv("AWS_PROFILE", "lab")
    shell.setenv("AWS_ACCESS_KEY_ID", "AKIASHELL")
    shell.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    aws = Aws.of(None, None)

    for one in (aws, aws.in_region("us-east-1")):
        credentials = one._session.get_credentials()
        assert credentials is not None
        assert credentials.access_key == "AKIASHELL"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_takes_the_global_options_before_and_behind_it(name: str) -> None:
    taken = {option for one in galv_ops.params for option in one.opts}
    own = {option for one in galv_ops.commands[name].params for option in one.opts}

    assert {*GLOBAL, "--json"} <= taken & own


@pytest.mark.slow
def test_options_before_the_command_mean_the_same(recorded: Recorded) -> None:
    recorded.stacks["eu-north-1"] = [stack("galv-BackendStack")]

    before = recorded.run(
        "--region", "eu-north-1", "--json", "--stack", "galv-BackendStack", "status"
    )
    behind = recorded.run(
        "status", "--region", "eu-north-1", "--json", "--stack", "galv-BackendStack"
    )

    assert before.stdout == behind.stdout
    assert '"region": "eu-north-1"' in before.stdout


@pytest.mark.slow
def test_an_option_behind_the_command_wins(recorded: Recorded) -> None:
    result = recorded.run("--region", "eu-north-1", "status", "--json", "--region", REGION)

    assert f'"region": "{REGION}"' in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("behind", [False, True])
def test_an_option_wins_over_the_shell(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, *, behind: bool
) -> None:
    monkeypatch.setenv("GALV_STACK", "of-another-deployment")
    option = ("--project", "galv")

    result = recorded.run(*(("status", *option) if behind else (*option, "status")))

    assert result.exit_code == 0, result.output


def test_summaries_of_commands_are_whole() -> None:
    for columns in ("40", "80", "200"):
        done = CliRunner().invoke(galv_ops, ["--help"], env={"COLUMNS": columns})
        text = " ".join(done.stdout.partition("Commands:")[2].split())

        assert "..." not in text
        for name, command in galv_ops.commands.items():
            summary = (command.help or "").partition("\n\n")[0]
            assert f"{name} {' '.join(summary.split())}" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "colored"),
    [
        ({"NO_COLOR": "", "TERM": "xterm"}, True),
        ({"NO_COLOR": "1", "TERM": "xterm"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colors_only_where_they_are_wanted(
    recorded: Recorded, variables: dict[str, str], *, colored: bool
) -> None:
    done = CliRunner().invoke(galv_ops, ["status"], env=variables, color=True)

    assert ("\x1b[" in done.stdout) is colored


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_interrupt(recorded: Recorded, request: pytest.FixtureRequest, number: int) -> None:
    # A shell starts what it puts into the background with SIGINT ignored.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, usual))

    def answer(_request: object, _region: str) -> dict[str, object]:
        os.kill(os.getpid(), number)
        return {"Stacks": []}

    before = signal.getsignal(signal.SIGTERM)
    recorded.answers["cloudformation.DescribeStacks"] = answer

    result = recorded.run("status")

    assert (result.exit_code, result.stderr) == (130, "galv-ops: interrupted\n")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_an_internal_error_has_its_own_exit_code(recorded: Recorded) -> None:
    """Python would exit with 1, which says that the deployment fails."""
    del recorded.answers["cloudformation.DescribeStacks"]

    result = recorded.run("status")

    assert result.exit_code == 125
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1] == (
        "galv-ops: this is a fault of galv-ops: please report it at "
        "https://github.com/galv-team/galv-constructs/issues"
    )


def test_exit_codes_are_in_the_help_and_on_the_page() -> None:
    page = (ROOT / "docs" / "galv-ops.md").read_text()
    help_ = " ".join(CliRunner().invoke(galv_ops, ["--help"]).stdout.split())
    rows = dict(re.findall(r"^\| (\d+|other) \| (.+) \|$", page, re.MULTILINE))

    assert rows == {str(code): meaning for code, meaning in errors.EXIT_CODES.items()}
    for code, meaning in rows.items():
        assert f"{code} {meaning}" in help_


def test_the_pages_that_messages_name_can_be_opened() -> None:
    """A user of pip has no folder docs/: an address, and a heading that is there."""
    source = ROOT / "src" / "galv_ops"
    named: list[tuple[str, str]] = []
    for file in source.rglob("*.py"):
        text = file.read_text()
        assert not re.search(r"(?<![/\w])docs/\w", text), file
        named += re.findall(r"page\(['\"]([\w.-]+)['\"], ['\"]([\w-]+)['\"]\)", text)

    assert named
    for name, heading in named:
        headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / name).read_text(), re.MULTILINE)
        ids = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert heading in ids, f"{name}#{heading}"
    assert errors.page("galv-ops.md", "permissions") == (
        "https://github.com/galv-team/galv-constructs/blob/main/docs/galv-ops.md#permissions"
    )


@pytest.mark.parametrize("command", [[], ["run"]])
def test_lines_of_help_are_lines(command: list[str]) -> None:
    output = CliRunner().invoke(galv_ops, command).output

    assert "Usage: galv-ops" in output
    assert r"\n" not in output
