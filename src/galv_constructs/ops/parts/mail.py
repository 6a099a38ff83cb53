"""How mail is sent."""

from __future__ import annotations

from collections.abc import Iterator

from galv_constructs.ops.deployment import WEB, Deployment
from galv_constructs.ops.parts.part import Part


def mail(deployment: Deployment) -> Iterator[Part]:
    """Tell whether the identity is verified, and whether SES lets the account send to anyone."""
    found = deployment.resources("AWS::SES::EmailIdentity")
    if not found:
        yield _given(deployment)
    for stack, resource in found:
        identity = stack.aws.sesv2.get_email_identity(EmailIdentity=resource.id)
        account = stack.aws.sesv2.get_account()
        verified = identity.get("VerifiedForSendingStatus", False)
        dkim = str(identity.get("DkimAttributes", {}).get("Status", "unknown"))
        production = account.get("ProductionAccessEnabled", False)
        sending = account.get("SendingEnabled", True)
        more = []
        if not verified:
            more.append("SES looks for the DKIM records for 72 hours after the deployment")
        if not production:
            more.append("the account is in the sandbox of SES: mail to verified addresses only")
        if not sending:
            more.append("AWS has stopped sending for this account")
        yield Part(
            "mail",
            "ok" if verified and sending else "bad",
            f"{resource.id} {'verified' if verified else 'not verified'}, DKIM {dkim}",
            more,
            {
                "identity": resource.id,
                "verified": verified,
                "dkim": dkim,
                "productionAccess": production,
                "sendingEnabled": sending,
            },
        )


def _given(deployment: Deployment) -> Part:
    web = deployment.tasks.get(WEB)
    host = web.environment.get("DJANGO_EMAIL_HOST", "") if web else ""
    text = f"sent by credentials that were given, through {host}" if host else "not configured"
    return Part("mail", "off", text, data={"host": host})
