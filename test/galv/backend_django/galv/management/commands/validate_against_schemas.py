"""Validate what was not validated yet; the exit code tells nothing, as with Galv."""

import logging
import os

from django.core.management.base import BaseCommand

from galv.models import SchemaValidation

log = logging.getLogger("galv.validation")


class Command(BaseCommand):
    """The command."""

    def handle(self, **_options: object) -> None:
        new = SchemaValidation.objects.filter(status="UNCHECKED")
        self.stdout.write(f"{new.count()} to validate")
        for one in new:
            try:
                os.environ["VIRTUAL_HOST"]
                with one.file.file.open() as file:
                    one.status = "VALID" if file.read(1) else "INVALID"
            except Exception:
                log.exception("validation %s", one.id)
                one.status = "ERROR"
            one.save()
