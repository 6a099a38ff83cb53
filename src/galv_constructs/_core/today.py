"""The day of a synthesis, which `latest` is of."""

from datetime import date, datetime, timezone


def today() -> date:
    """Return the day in UTC, so that it is the same one wherever an application is synthesized."""
    return datetime.now(timezone.utc).date()
