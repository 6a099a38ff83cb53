"""Schedules that are never due by themselves: tests send what they send, when they want it sent.

MiniStack has a clock, by which a slow run would differ from a fast one.
"""

from e2e.emulator.private import scheduler


def _nothing_is_due() -> None:
    pass


def install() -> None:
    """Replace the start of MiniStack's clock."""
    scheduler.start_scheduler = _nothing_is_due
