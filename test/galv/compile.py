"""Compile what the application imports, as long as its environment can be written.

Later it is mounted read-only, and without this each process would compile it for itself.
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path

import django
from django.core.management import call_command

MODULES = (
    *("boto3.session", "config.wsgi", "django.core.mail.backends.smtp", "django.test.client"),
    *("django.contrib.staticfiles.management.commands.collectstatic", "galv.views"),
    *("django.core.management.commands.loaddata", "django.core.management.commands.migrate"),
    *("django.db.backends.postgresql.base", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "storages.backends.s3"),
)

with tempfile.TemporaryDirectory() as folder:
    os.environ |= {
        "DJANGO_LOG_DIR": folder,
        "DJANGO_SECRET_KEY": "secret",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "FRONTEND_VIRTUAL_HOST": "https://app.example.com",
        "MPLCONFIGDIR": folder,
        "NUMBA_CACHE_DIR": folder,
        **{f"POSTGRES_{name}": "0" for name in ("HOST", "PASSWORD", "PORT", "USER")},
        "VIRTUAL_HOST": "api.example.com",
    }
    sys.path.insert(0, str(Path(__file__).with_name("backend_django")))
    django.setup()
    call_command("check")
    for module in MODULES:
        importlib.import_module(module)
