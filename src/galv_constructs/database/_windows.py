"""The windows in which RDS does maintenance and creates backups."""

import re

from galv_constructs._core.validation import is_token

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
_DAILY = re.compile(rf"({_TIME})-({_TIME})")
_WEEKLY = re.compile(rf"({'|'.join(_DAYS)}):({_TIME})-({'|'.join(_DAYS)}):({_TIME})", re.IGNORECASE)
_DAY = 24 * 60
_WEEK = 7 * _DAY
_SHORTEST = 30


def check_windows(backup: object, maintenance: object) -> None:
    """Refuse windows of the wrong form, shorter than half an hour, or that overlap.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html gives the
    forms, says "Must be at least 30 minutes", and "Must not conflict with" the other one.
    """
    daily = _daily("preferred_backup_window", backup)
    weekly = _weekly("preferred_maintenance_window", maintenance)
    if daily is None or weekly is None:
        return
    # A week before and after, as a window may go beyond midnight of Sunday.
    for day in range(-7, 14):
        start = day * _DAY + daily[0]
        if start < weekly[0] + weekly[1] and weekly[0] < start + daily[1]:
            raise ValueError(
                f"preferred_backup_window {backup!r} and preferred_maintenance_window "
                f"{maintenance!r} overlap, which RDS refuses: move one of them"
            )


def _daily(argument: str, window: object) -> tuple[int, int] | None:
    """Return the start, in minutes of a day, and the length of a window."""
    if window is None or is_token(window):
        return None
    found = _DAILY.fullmatch(window) if isinstance(window, str) else None
    if found is None:
        raise ValueError(
            f"{argument} must be hh:mm-hh:mm in UTC, such as '02:00-02:30', got {window!r}"
        )
    start, end = (_minutes(text) for text in found.groups())
    return start, _length(argument, window, (end - start) % _DAY)


def _weekly(argument: str, window: object) -> tuple[int, int] | None:
    """Return the start, in minutes of a week, and the length of a window."""
    if window is None or is_token(window):
        return None
    found = _WEEKLY.fullmatch(window) if isinstance(window, str) else None
    if found is None:
        raise ValueError(
            f"{argument} must be ddd:hh:mm-ddd:hh:mm in UTC, such as 'sun:03:00-sun:03:30', got "
            f"{window!r}"
        )
    first, begins, last, ends = found.groups()
    start = _DAYS.index(first.lower()) * _DAY + _minutes(begins)
    end = _DAYS.index(last.lower()) * _DAY + _minutes(ends)
    length = _length(argument, window, (end - start) % _WEEK)
    if length >= _DAY:
        raise ValueError(f"{argument} must be shorter than a day, got {window!r}")
    return start, length


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _length(argument: str, window: object, minutes: int) -> int:
    if minutes < _SHORTEST:
        raise ValueError(
            f"{argument} must be at least {_SHORTEST} minutes, got {minutes} ({window!r})"
        )
    return minutes
