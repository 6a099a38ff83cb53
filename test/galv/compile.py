"""Compile what the application imports, as long as its environment can be written.

Later it is mounted read-only, and without this each process would compile it for itself.
"""

import importlib

import django
from django.conf import settings

APPS = ("admin", "auth", "contenttypes", "messages", "sessions", "staticfiles")
MODULES = (
    *("allow_cidr.middleware", "boto3.session", "corsheaders.middleware", "django.core.mail"),
    *("django.contrib.admin.sites", "django.core.mail.backends.smtp", "django.core.wsgi"),
    *("django.core.management.commands.loaddata", "django.core.management.commands.migrate"),
    *("django.contrib.staticfiles.management.commands.collectstatic", "django.test.client"),
    *("django.db.backends.postgresql.base", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "numba.core.caching", "psycopg"),
    "storages.backends.s3",
)

settings.configure(INSTALLED_APPS=[f"django.contrib.{app}" for app in APPS])
django.setup()
for module in MODULES:
    importlib.import_module(module)
