"""Logs go to the console, where CloudWatch takes them from, and to no file."""

import logging
import sys
from collections.abc import Mapping
from typing import Any


def on_console(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with `Console` for every handler of a file or of the console."""
    handlers = {
        name: _console(handler) for name, handler in configuration.get("handlers", {}).items()
    }
    return {**configuration, "handlers": handlers} if handlers else dict(configuration)


def _console(handler: Mapping[str, Any]) -> dict[str, Any]:
    if "filename" in handler:
        kept = {key: handler[key] for key in ("level", "filters", "formatter") if key in handler}
    elif handler.get("class") == "logging.StreamHandler":
        kept = dict(handler)
    else:
        return dict(handler)
    return {**kept, "class": f"{__name__}.Console"}


class Console(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the console what no other handler writes there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, once however many loggers pass it on."""
        if not getattr(record, "on_console", False) and not _is_written_by_another(record):
            record.on_console = True
            super().emit(record)


def _is_written_by_another(record: logging.LogRecord) -> bool:
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        if any(_writes(handler, record) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _writes(handler: logging.Handler, record: logging.LogRecord) -> bool:
    return (
        isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, Console)
        and handler.stream in (sys.stdout, sys.stderr)
        and record.levelno >= handler.level
        and bool(handler.filter(record))
    )
