"""Make the first user, if there is a password for one."""

import os

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """The command."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-input", action="store_true")

    def handle(self, **_options: object) -> None:
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "admin")
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        users = get_user_model().objects
        if not password:
            self.stdout.write("No password, no superuser")
        elif users.filter(username=name).exists():
            self.stdout.write(f"{name} is there")
        else:
            users.create_superuser(name, password=password)
            self.stdout.write(f"Created {name}")
