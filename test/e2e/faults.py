"""Mistakes in releases of the application, as files of their images."""

MIGRATION_FAILS = {
    "galv/migrations/0002_again.py": """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("galv", "0001_initial")]
    operations = [migrations.RunSQL("ALTER TABLE galv_cell ADD COLUMN name text")]
"""
}
MIGRATION_SAYS = 'ProgrammingError: column "name" of relation "galv_cell" already exists'
# Every command does; it ignores the request to stop, as a program that hangs may.
COMMAND_HANGS = {
    "manage.py": """\
import signal
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("waiting for a lock")
time.sleep(3600)
"""
}
NO_SUPERUSER = {
    "galv/management/commands/create_superuser.py": """\
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--no-input", action="store_true")

    def handle(self, **options):
        raise CommandError("no")
"""
}
# gunicorn ends with 3 when a worker does not start. When a second one fails while it ends, it fails
# itself, at random, with 1 and a traceback of its own. So one fails here, when all have begun, and
# the others end in peace right after it.
SERVER_ENDS = {
    "config/wsgi.py": """\
import os
import time

try:
    os.mkdir("/tmp/galv/first")
except FileExistsError:
    time.sleep(1.5)
    os._exit(0)
time.sleep(1)
raise ImportError("no module named config.api")
"""
}
SERVER_SAYS = "ImportError: no module named config.api"
