"""The region of Amazon SES that sends the mail."""

from __future__ import annotations

import re

from galv_ops.errors import page
from galv_ops.query.task import Task

SANDBOX = (
    "the account is in the sandbox of SES: only verified addresses get mail, so nobody else can "
    f"activate an account. The way out: {page('operations.md', 'out-of-the-sandbox')}"
)
MAIL_HOST = "DJANGO_EMAIL_HOST"
_SES_HOST = re.compile(r"email-smtp\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


def ses_region(task: Task) -> str | None:
    """Return the region whose SES a task sends mail by; none if it is another mail server."""
    match = _SES_HOST.fullmatch(task.environment.get(MAIL_HOST, ""))
    return match[1] if match else None
