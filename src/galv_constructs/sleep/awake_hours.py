"""The hours of the week in which a deployment is awake."""

import difflib
import re
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta

from aws_cdk import TimeZone
from aws_cdk import aws_scheduler as scheduler

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_TEXT = re.compile(r"(\S+) (\S+)-(\S+)")
_EXAMPLE = "'Mon-Fri 07:00-19:00'"
_UTC = "Etc/UTC"
_DAY = 24 * 60
_WEEK = 7 * _DAY


@dataclass(frozen=True, kw_only=True)
class AwakeHours:
    """Days of the week, and from when to when on each of them.

    A time is that of the clock in the time zone, whether it is summer or winter there. In the hour
    that a clock skips in spring nothing happens until it has, and one that it shows twice counts
    once: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time

    Example:
        ```python
        AwakeHours(days="Mon-Fri", start="07:00", end="19:00", time_zone=TimeZone.EUROPE_LONDON)
        ```
    """

    days: str = "Mon-Fri"
    """Days on which it wakes: their first three letters in English, ranges and lists of them, such
    as `Mon-Thu,Sat`. Default: from Monday to Friday."""

    start: str = "07:00"
    """When it wakes on these days, in 24 hours. It is awake about ten minutes later, as that is how
    long a database takes. Default: `07:00`."""

    end: str = "19:00"
    """When it goes to sleep, on every day: also on others when somebody woke it. Default:
    `19:00`."""

    time_zone: TimeZone | None = None
    """Time zone of both. Default: UTC."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If a value is malformed, or `end` is not later than `start`.
        """
        _days(self.days)
        start, end = _time("start", self.start), _time("end", self.end)
        if end <= start:
            raise ValueError(
                f"end must be later than start on the same day, got start={self.start!r} and "
                f"end={self.end!r}: where it is night in between, pass another time_zone"
            )
        if self.time_zone is not None and not isinstance(self.time_zone, TimeZone):
            raise ValueError(
                f"time_zone must be an aws_cdk.TimeZone, got {self.time_zone!r}: use "
                "TimeZone.EUROPE_LONDON or TimeZone.of('Europe/London')"
            )

    @classmethod
    def parse(cls, text: str, *, time_zone: TimeZone | None = None) -> "AwakeHours":
        """Read days and hours as they stand in `cdk.json`.

        Args:
            text: Days, a space, and from when to when: `Mon-Fri 07:00-19:00`.
            time_zone: Time zone of both. Default: UTC.

        Raises:
            ValueError: If the text is malformed.
        """
        found = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(
                f"awake hours must be days and from when to when, such as {_EXAMPLE}, got {text!r}"
            )
        days, start, end = found.groups()
        return cls(days=days, start=start, end=end, time_zone=time_zone)

    @property
    def wake_schedule(self) -> scheduler.ScheduleExpression:
        """When it wakes."""
        return self._schedule(self.start, ",".join(_days(self.days)))

    @property
    def sleep_schedule(self) -> scheduler.ScheduleExpression:
        """When it goes to sleep."""
        return self._schedule(self.end, "*")

    @property
    def backup_window(self) -> str | None:
        """Half an hour in the middle of the day, in UTC, for `preferred_backup_window`.

        RDS creates no backup of a database that is stopped, and chooses a time at night by itself.
        None where this computer does not know the time zone.
        """
        # In winter, or south of the equator in summer: an hour off is still in the day.
        offset = self._offset(1)
        if offset is None:
            return None
        start = (self._middle - 15 - offset) % _DAY
        return "-".join(map(_time_of, (start, start + 30)))

    @property
    def maintenance_window(self) -> str | None:
        """Half an hour on the first day, in UTC, for `preferred_maintenance_window`.

        It begins a quarter of an hour after `backup_window`. RDS does no maintenance of a database
        that is stopped, and chooses a time at night by itself. None where this computer does not
        know the time zone.
        """
        offset = self._offset(1)
        if offset is None:
            return None
        first = _DAYS.index(_days(self.days)[0])
        start = first * _DAY + self._middle + 30 - offset
        moments = (start % _WEEK, (start + 30) % _WEEK)
        return "-".join(f"{_DAYS[m // _DAY].lower()}:{_time_of(m)}" for m in moments)

    def has_window(self, window: str) -> bool:
        """Tell whether it is awake all the time of a window of RDS.

        In winter or in summer time: an hour off may be at night. True where this computer does not
        know the time zone.

        Args:
            window: The window, in UTC: `hh:mm-hh:mm` of each day, or `ddd:hh:mm-ddd:hh:mm`.
        """
        offsets = [offset for month in (1, 7) if (offset := self._offset(month)) is not None]
        return not offsets or any(self._has(window, offset) for offset in offsets)

    def _has(self, window: str, offset: int) -> bool:
        texts = window.split("-")
        start, end = (_minute(text[-5:]) for text in texts)
        length = (end - start) % _DAY
        name = texts[0][:3].upper()
        day = _DAYS.index(name) if name in _DAYS else None
        local = start + offset
        awake_from, awake_to = self._minutes
        if not (awake_from <= local % _DAY and local % _DAY + length <= awake_to):
            return False
        if day is None:
            return True
        return _DAYS[(day + local // _DAY) % 7] in _days(self.days)

    @property
    def _middle(self) -> int:
        """The minute in the middle of a day."""
        return sum(self._minutes) // 2

    @property
    def _minutes(self) -> tuple[int, int]:
        """The minutes of a day in which it begins and ends."""
        return _minute(self.start), _minute(self.end)

    def _offset(self, month: int) -> int | None:
        """How many minutes the clock is ahead of UTC; none where that is not known."""
        name = _UTC if self.time_zone is None else self.time_zone.timezone_name
        try:
            zone = zoneinfo.ZoneInfo(name)
        except zoneinfo.ZoneInfoNotFoundError:
            return None
        offset = datetime(2026, month, 15, tzinfo=zone).utcoffset() or timedelta(0)
        return round(offset.total_seconds() / 60)

    def _schedule(self, time: str, days: str) -> scheduler.ScheduleExpression:
        hour, minute = _clock(time)
        return scheduler.ScheduleExpression.cron(
            minute=str(minute),
            hour=str(hour),
            week_day=days,
            time_zone=self.time_zone or TimeZone.ETC_UTC,
        )


def check_time_zone(name: str, value: object) -> None:
    """Refuse what is not the name of a time zone, as far as this computer knows them."""
    known = zoneinfo.available_timezones()
    if not isinstance(value, str) or (known and value not in known):
        near = difflib.get_close_matches(str(value), known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name} must be the name of a time zone, such as 'Europe/London' or {_UTC!r}, got "
            f"{value!r}{meant}"
        )


def _days(text: object) -> list[str]:
    """Return the days that are meant, from Monday on."""
    found = set()
    for part in text.upper().split(",") if isinstance(text, str) else [""]:
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in _DAYS or last not in _DAYS:
            raise ValueError(
                "days must be days by their first three letters, ranges and lists of them, such as "
                f"'Mon-Fri' or 'Mon-Thu,Sat', got {text!r}"
            )
        start, count = _DAYS.index(first), (_DAYS.index(last) - _DAYS.index(first)) % 7 + 1
        found |= {(start + step) % 7 for step in range(count)}
    return [_DAYS[number] for number in sorted(found)]


def _minute(text: str) -> int:
    hour, minute = _clock(text)
    return 60 * hour + minute


def _time_of(minute: int) -> str:
    return f"{minute % _DAY // 60:02}:{minute % 60:02}"


def _clock(time: str) -> tuple[int, int]:
    hour, minute = time.split(":")
    return int(hour), int(minute)


def _time(name: str, value: object) -> tuple[int, int]:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            f"{name} must be a time such as '07:00', from 00:00 to 23:59, got {value!r}"
        )
    return _clock(found[0])
