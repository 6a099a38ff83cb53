"""How mail is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from galv_ops.aws import Aws
from galv_ops.deployment import WEB, Deployment
from galv_ops.errors import page
from galv_ops.parts.part import Part, told
from galv_ops.task import Task

SANDBOX = (
    "the account is in the sandbox of SES: only verified addresses get mail, so nobody else can "
    f"activate an account. The way out: {page('operations.md', 'out-of-the-sandbox')}"
)
_MADE_CREDENTIALS = "Custom::GalvSmtpCredentials"
_HOST = "DJANGO_EMAIL_HOST"
_SES_HOST = re.compile(r"email-smtp\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


def mail(deployment: Deployment) -> Iterator[Part]:
    """Tell whether the identity is verified, and whether SES lets the account send to anyone."""
    found = deployment.resources("AWS::SES::EmailIdentity")
    if not found:
        yield _given(deployment)
    for stack, resource in found:
        yield told("mail", partial(_identity, stack.aws, resource.id))


def _identity(aws: Aws, name: str) -> Part:
    identity = aws.sesv2.get_email_identity(EmailIdentity=name)
    account = aws.sesv2.get_account()
    verified = identity.get("VerifiedForSendingStatus", False)
    dkim = str(identity.get("DkimAttributes", {}).get("Status", "unknown"))
    production = account.get("ProductionAccessEnabled", False)
    sending = account.get("SendingEnabled", True)
    # SES has not given up looking for the records.
    waits = not verified and dkim == "PENDING"
    more = []
    if waits:
        more.append("SES looks for the DKIM records for 72 hours after the deployment")
    elif not verified:
        more.append("SES does not find the DKIM records, and has stopped looking for them")
    if not production:
        more.append(SANDBOX)
    if not sending:
        more.append("AWS has stopped sending for this account")
    return Part(
        "mail",
        "bad" if not sending else "ok" if verified else "busy" if waits else "bad",
        f"{name} {'verified' if verified else 'not verified'}, DKIM {dkim}",
        more,
        {
            "identity": name,
            "verified": verified,
            "dkim": dkim,
            "productionAccess": production,
            "sendingEnabled": sending,
        },
    )


def ses_region(task: Task) -> str | None:
    """Return the region whose SES a task sends mail by; none if it is another mail server."""
    match = _SES_HOST.fullmatch(task.environment.get(_HOST, ""))
    return match[1] if match else None


def _given(deployment: Deployment) -> Part:
    web = deployment.tasks.get(WEB)
    host = web.environment.get(_HOST, "") if web else ""
    if not host:
        text = "not configured"
    elif deployment.resources(_MADE_CREDENTIALS):
        text = f"sent from an SES identity that another deployment owns, through {host}"
    else:
        text = f"sent by credentials that were given, through {host}"
    return Part("mail", "off", text, data={"host": host})
