"""Galv's own settings, with the console in place of log files."""

import importlib
import os

from .logs import on_console

_own = importlib.import_module(os.environ["GALV_SETTINGS_MODULE"])
globals().update({name: getattr(_own, name) for name in dir(_own) if name.isupper()})

INSTALLED_APPS = [*getattr(_own, "INSTALLED_APPS", ()), "galv_task"]
LOGGING = on_console(getattr(_own, "LOGGING", {}))
