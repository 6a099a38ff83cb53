"""The mail server or the SES identity that mail is sent with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from galv_ops.parts.part import Part, told
from galv_ops.query.aws import Aws
from galv_ops.query.deployment import WEB, Deployment
from galv_ops.query.mail import MAIL_HOST, SANDBOX

_MADE_CREDENTIALS = "Custom::GalvSmtpCredentials"


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


def _given(deployment: Deployment) -> Part:
    web = deployment.tasks.get(WEB)
    host = web.environment.get(MAIL_HOST, "") if web else ""
    if not host:
        text = "not configured"
    elif deployment.resources(_MADE_CREDENTIALS):
        text = f"sent from an SES identity that another deployment owns, through {host}"
    else:
        text = f"sent by credentials that were given, through {host}"
    return Part("mail", "off", text, data={"host": host})
