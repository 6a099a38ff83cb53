"""Checks what Galv needs, for images whose own check_status Django does not find.

It answers in the form of Galv's own: a list of checks, each with a status.
"""

import json
import os
import smtplib
import ssl
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import boto3
from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

# Takes any message, and counts as no bounce:
# https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
SIMULATOR = "success@simulator.amazonses.com"
TIMEOUT = 15
SKIPPED = "SKIPPED"


def check_django() -> str:
    """Run Django's own checks; warnings are told, and no error."""
    found = run_checks()
    if errors := [str(message) for message in found if message.level >= ERROR]:
        raise RuntimeError("; ".join(errors))
    return "; ".join(str(message) for message in found)


def check_database() -> str:
    """Ask the database for something, and whether migrations are missing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    executor = MigrationExecutor(connection)
    if missing := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError(f"{len(missing)} migrations have not run: run the setup task")
    version = ".".join(str(number) for number in connection.get_database_version())
    return f"{connection.display_name} {version}"


def check_s3() -> str:
    """Look into the bucket for uploads."""
    bucket = os.environ.get("DJANGO_AWS_STORAGE_BUCKET_NAME")
    if not bucket:
        return SKIPPED
    boto3.client("s3").list_objects_v2(Bucket=bucket, MaxKeys=1)
    return bucket


def check_smtp() -> str:
    """Sign in to the mail server, and let it take a message from the configured sender."""
    if not os.environ.get("DJANGO_EMAIL_HOST"):
        return SKIPPED
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    with _connect(host, port) as server:
        if settings.EMAIL_HOST_USER:
            server.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
        if not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return f"signed in to {host}; no message was sent, as it is not Amazon SES"
        message = EmailMessage()
        message["From"] = settings.DEFAULT_FROM_EMAIL
        message["To"] = SIMULATOR
        message["Subject"] = "check_status"
        message.set_content("Galv can send mail.")
        server.send_message(message, parseaddr(settings.DEFAULT_FROM_EMAIL)[1], [SIMULATOR])
    return f"{host} took a message from {settings.DEFAULT_FROM_EMAIL}"


def _connect(host: str, port: int) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if settings.EMAIL_USE_SSL:
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    if settings.EMAIL_USE_TLS:
        server.starttls(context=context)
    return server


CHECKS: dict[str, Callable[[], str]] = {
    "Django config": check_django,
    "Database": check_database,
    "S3": check_s3,
    "SMTP": check_smtp,
}


def result_of(name: str, check: Callable[[], str]) -> dict[str, str]:
    """Run one check, whatever it raises."""
    try:
        detail = check()
    except Exception as error:  # noqa: BLE001 - each kind is a result
        return {"check": name, "status": "ERROR", "error": f"{type(error).__name__}: {error}"}
    if detail == SKIPPED:
        return {"check": name, "status": SKIPPED}
    return {"check": name, "status": "OK", **({"detail": detail} if detail else {})}


class Command(BaseCommand):  # type: ignore[misc]
    """The command `check_status`."""

    help = "Check that what Galv needs is there and works."
    # They are one of the checks, and must not be the end of the others.
    requires_system_checks: list[Any] = []  # noqa: RUF012 - Django's way

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of the command line."""
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, **options: Any) -> None:
        """Run all checks, and end with 1 if one failed."""
        results = [result_of(name, check) for name, check in CHECKS.items()]
        if options["json"]:
            self.stdout.write(json.dumps(results))
        else:
            width = max(len(name) for name in CHECKS)
            for result in results:
                more = result.get("error") or result.get("detail", "")
                line = f"{result['check']:{width}}  {result['status']:7}  {more}"
                self.stdout.write(line.rstrip())
        if any(result["status"] == "ERROR" for result in results):
            sys.exit(1)
