"""Which log, since when."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from click.testing import CliRunner
from ops.recorded import Json, Recorded, log_group

from galv_ops.cli import galv_ops
from galv_ops.commands.logs import parse_since
from galv_ops.errors import OpsError
from galv_ops.query import log as query_log

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("7d", NOW - timedelta(days=7)),
        ("1 w", NOW - timedelta(weeks=1)),
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=timezone.utc)),
        ("2026-05-01T02:00", datetime(2026, 5, 1, 2, tzinfo=timezone.utc)),
        ("2026-05-01T02:00:00Z", datetime(2026, 5, 1, 2, tzinfo=timezone.utc)),
        ("2026-05-01T02:00+02:00", datetime(2026, 5, 1, tzinfo=timezone.utc)),
    ],
)
def test_parses_since(text: str, when: datetime) -> None:
    assert parse_since(text, NOW) == when


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-1h", "2h30m", "2026-13-01"])
def test_refuses_an_invalid_time(text: str) -> None:
    with pytest.raises(OpsError, match="--since must be how long ago"):
        parse_since(text, NOW)


def answer(recorded: Recorded) -> list[Json]:
    asked: list[Json] = []

    def filtered(request: Json, _region: str) -> Json:
        asked.append(request)
        return {"events": []}

    recorded.answers["cloudwatch-logs.FilterLogEvents"] = filtered
    return asked


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("web", log_group("web")),
        ("setup-db", log_group("setup-db")),
        (
            "validation-monitor-runs",
            "galv-BackendStack-ValidationMonitorRunsLogGroup54B62378-x",
        ),
    ],
)
def test_shows_a_log_by_its_name(recorded: Recorded, name: str, group: str) -> None:
    asked = answer(recorded)

    result = recorded.run("logs", name, "--filter", "ERROR")

    assert result.exit_code == 0
    assert result.stderr == f"nothing in {group} since 1h\n"
    assert (asked[0]["logGroupName"], asked[0]["filterPattern"]) == (group, "ERROR")


def test_web_unless_another_is_named(recorded: Recorded) -> None:
    asked = answer(recorded)
    recorded.run("logs")

    assert asked[0]["logGroupName"] == log_group("web")


def test_a_log_that_is_gone(recorded: Recorded) -> None:
    recorded.refuse("cloudwatch-logs.FilterLogEvents", "ResourceNotFoundException")

    result = recorded.run("logs")

    assert result.exit_code == 125
    assert "is not there any more" in result.stderr


def test_each_line_that_django_writes_is_shown(recorded: Recorded) -> None:
    written = [
        "Invalid HTTP_HOST header: '10.0.129.17:8000'. You may need to add '10.0.129.17'.",
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'KEY'",
    ]
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {
        "events": [
            {
                "timestamp": 1_777_600_800_000 + number,
                "logStreamName": "web/web/0a1b2c3d4e5f",
                "message": message,
                "eventId": str(number),
            }
            for number, message in enumerate(written)
        ]
    }

    shown = recorded.run("logs", "web").stdout

    begin = "2026-05-01 02:00:00 0a1b2c3d "
    assert shown == "".join(
        f"{begin}{one}\n".replace("\n", f"\n{' ' * len(begin)}").rstrip(" ") for one in written
    )


def test_follows_a_log_from_the_time_that_is_asked_for(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer(recorded)

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query_log, "sleep", interrupt)

    result = recorded.run("logs", "--follow", "--since", "2026-05-01T02:00", "--filter", "ERROR")

    assert (result.exit_code, result.stderr) == (130, "galv-ops: interrupted\n")
    (request,) = asked
    assert request["startTime"] == datetime(2026, 5, 1, 2, tzinfo=timezone.utc).timestamp() * 1000
    assert request["filterPattern"] == "ERROR"


def test_the_time_and_the_source_of_a_line_are_dimmed(recorded: Recorded) -> None:
    recorded.answers["cloudwatch-logs.FilterLogEvents"] = {
        "events": [
            {
                "timestamp": 1_777_600_800_000,
                "logStreamName": "web/web/0a1b2c3d4e5f",
                "message": "Started",
                "eventId": "1",
            }
        ]
    }

    # A terminal, for which click keeps the style.
    shown = CliRunner().invoke(galv_ops, ["logs"], env={"TERM": "xterm"}, color=True).stdout

    assert shown == "\x1b[2m2026-05-01 02:00:00 0a1b2c3d \x1b[0mStarted\n"
