"""The hours of the week in which a deployment is awake."""

from typing import Any

import pytest
from aws_cdk import TimeZone
from aws_cdk.aws_scheduler import ScheduleExpression

from galv_constructs import AwakeHours
from galv_constructs.database._windows import check_windows
from galv_constructs.sleep.awake_hours import check_time_zone


def expressions(hours: AwakeHours) -> tuple[str, str]:
    return hours.wake_schedule.expression_string, hours.sleep_schedule.expression_string


def zone(schedule: ScheduleExpression) -> str:
    assert schedule.time_zone is not None
    return schedule.time_zone.timezone_name


def test_is_awake_on_working_days_in_utc() -> None:
    hours = AwakeHours()

    assert expressions(hours) == ("cron(0 7 ? * MON,TUE,WED,THU,FRI *)", "cron(0 19 ? * * *)")
    assert zone(hours.wake_schedule) == zone(hours.sleep_schedule) == "Etc/UTC"


def test_takes_days_times_and_a_time_zone() -> None:
    hours = AwakeHours(
        days="Sat,Mon-Tue", start="08:30", end="23:59", time_zone=TimeZone.EUROPE_LONDON
    )

    assert expressions(hours) == ("cron(30 8 ? * MON,TUE,SAT *)", "cron(59 23 ? * * *)")
    assert zone(hours.wake_schedule) == zone(hours.sleep_schedule) == "Europe/London"


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ("Mon", "MON"),
        ("mon-sun", "MON,TUE,WED,THU,FRI,SAT,SUN"),
        # A week that begins on another day.
        ("Sun-Thu", "MON,TUE,WED,THU,SUN"),
        ("Fri,Mon,Fri", "MON,FRI"),
    ],
)
def test_takes_days_in_ranges_and_lists(days: str, found: str) -> None:
    assert expressions(AwakeHours(days=days))[0] == f"cron(0 7 ? * {found} *)"


def test_reads_a_text() -> None:
    new_york = TimeZone.AMERICA_NEW_YORK

    hours = AwakeHours.parse("Mon-Thu 06:00-22:15", time_zone=new_york)

    expected = AwakeHours(days="Mon-Thu", start="06:00", end="22:15", time_zone=new_york)
    assert hours == expected
    assert AwakeHours.parse("Mon-Thu 06:00-22:15").time_zone is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"days": "Monday"}, "days must be days by their first three letters.* got 'Monday'"),
        ({"days": "Mon-"}, "days must be .* got 'Mon-'"),
        ({"days": ""}, "days must be .* got ''"),
        ({"days": None}, "days must be .* got None"),
        ({"start": "7:00"}, "start must be a time such as '07:00', from 00:00 to 23:59.*'7:00'"),
        ({"end": "24:00"}, "end must be a time such as '07:00'.*'24:00'"),
        ({"end": 19}, "end must be a time"),
        ({"start": "22:00", "end": "06:00"}, "end must be later than start .*another time_zone"),
        ({"start": "07:00", "end": "07:00"}, "end must be later than start"),
        ({"time_zone": "Europe/London"}, r"must be an aws_cdk.TimeZone.* TimeZone.of\("),
    ],
)
def test_refuses_what_is_malformed(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        AwakeHours(**arguments)


@pytest.mark.parametrize("text", ["Mon-Fri", "07:00-19:00", "Mon - Fri 07:00-19:00", "", None, 5])
def test_refuses_a_text_that_is_malformed(text: Any) -> None:
    with pytest.raises(ValueError, match=r"such as 'Mon-Fri 07:00-19:00', got|first three letters"):
        AwakeHours.parse(text)


@pytest.mark.parametrize(
    ("hours", "window"),
    [
        (AwakeHours(), "12:45-13:15"),
        (AwakeHours(time_zone=TimeZone.EUROPE_BERLIN), "11:45-12:15"),
        # On the other day in UTC.
        (AwakeHours(time_zone=TimeZone.PACIFIC_AUCKLAND), "23:45-00:15"),
        (AwakeHours(start="10:00", end="10:05"), "09:47-10:17"),
    ],
)
def test_has_a_time_for_backups_in_the_day(hours: AwakeHours, window: str) -> None:
    assert hours.backup_window == window


@pytest.mark.parametrize(
    ("hours", "window"),
    [
        (AwakeHours(), "mon:13:30-mon:14:00"),
        (AwakeHours(days="Sat,Wed"), "wed:13:30-wed:14:00"),
        (AwakeHours(time_zone=TimeZone.EUROPE_BERLIN), "mon:12:30-mon:13:00"),
        # On the other day in UTC, of another week.
        (AwakeHours(time_zone=TimeZone.PACIFIC_AUCKLAND), "mon:00:30-mon:01:00"),
        (
            AwakeHours(end="17:00", time_zone=TimeZone.PACIFIC_AUCKLAND),
            "sun:23:30-mon:00:00",
        ),
    ],
)
def test_has_a_time_for_maintenance_in_the_day(hours: AwakeHours, window: str) -> None:
    assert hours.maintenance_window == window
    assert hours.has_window(window)
    check_windows(hours.backup_window, window)


@pytest.mark.parametrize(
    ("hours", "window", "is_awake"),
    [
        (AwakeHours(), "12:45-13:15", True),
        (AwakeHours(), "18:30-19:00", True),
        (AwakeHours(), "18:45-19:15", False),
        (AwakeHours(), "06:45-07:15", False),
        (AwakeHours(), "23:45-00:15", False),
        (AwakeHours(), "fri:12:00-fri:12:30", True),
        (AwakeHours(), "Sat:12:00-Sat:12:30", False),
        (AwakeHours(), "mon:02:00-mon:02:30", False),
        # Awake in summer time alone.
        (AwakeHours(time_zone=TimeZone.EUROPE_BERLIN), "05:10-05:40", True),
        (AwakeHours(time_zone=TimeZone.EUROPE_BERLIN), "04:10-04:40", False),
        # Monday there.
        (AwakeHours(time_zone=TimeZone.PACIFIC_AUCKLAND), "sun:22:00-sun:22:30", True),
        (AwakeHours(time_zone=TimeZone.of("Mars/Olympus")), "02:00-02:30", True),
    ],
)
def test_knows_whether_a_window_is_in_the_day(
    hours: AwakeHours, window: str, *, is_awake: bool
) -> None:
    assert hours.has_window(window) is is_awake


def test_has_no_time_for_backups_in_a_time_zone_that_is_not_known() -> None:
    hours = AwakeHours(time_zone=TimeZone.of("Mars/Olympus"))

    assert hours.backup_window is hours.maintenance_window is None


def test_knows_time_zones() -> None:
    check_time_zone("timeZone", "Europe/London")

    with pytest.raises(ValueError, match=r"got 'Europe/Londn'; did you mean 'Europe/London'\?"):
        check_time_zone("timeZone", "Europe/Londn")
    with pytest.raises(ValueError, match="timeZone must be the name of a time zone"):
        check_time_zone("timeZone", 1)


def test_does_not_refuse_what_a_computer_without_time_zones_cannot_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)

    check_time_zone("timeZone", "Europe/Londn")
