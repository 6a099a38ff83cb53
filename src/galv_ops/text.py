"""Words for what AWS tells."""

from datetime import MINYEAR, datetime, timezone


def moment(when: datetime | None) -> str:
    """Return a time in UTC, to the minute."""
    if when is None or when.year == MINYEAR:
        return "at an unknown time"
    return when.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def count(number: int, noun: str) -> str:
    """Return a number of things, such as `1 task` and `2 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def one_line(text: str) -> str:
    """Return the text in one line."""
    return " ".join(text.split())
