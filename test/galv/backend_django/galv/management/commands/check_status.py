"""Say whether what the deployment provides can be reached."""

import json
import sys
from collections.abc import Callable

import boto3
from django.conf import settings
from django.core.mail import get_connection
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def _s3() -> None:
    boto3.client("s3", region_name=settings.AWS_REGION_NAME).list_buckets()


def _smtp() -> None:
    get_connection().open()


CHECKS: dict[str, Callable[[], object]] = {
    "django": lambda: call_command("check"),
    "database": _database,
    "s3": _s3,
    "smtp": _smtp,
}


def _result(name: str, check: Callable[[], object]) -> dict[str, str]:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - it is what is asked for
        return {"check": name, "status": "ERROR", "message": str(error)}
    return {"check": name, "status": "OK", "message": ""}


class Command(BaseCommand):
    """The command."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: object) -> None:
        results = [_result(name, check) for name, check in CHECKS.items()]
        if options["json"]:
            self.stdout.write(json.dumps(results))
        else:
            for one in results:
                self.stdout.write(f"{one['check']}: {one['status']} {one['message']}")
        if any(one["status"] == "ERROR" for one in results):
            sys.exit(1)
