"""Whether an identity of Amazon SES is free, or is there as it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import AWS_ERRORS, error_code
from .question import ArgumentError
from .stack import ACTION, own

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = (ACTION, "ses:GetEmailIdentity")


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for the identity of `Domain` or `Address`.

    With `Shared` it must be there, and should be verified: mail waits for that, and the deployment
    does not. Otherwise it must be free, or of `Stack` itself.
    """
    names = [name for name in (question.text("Domain", ""), question.text("Address", "")) if name]
    if len(names) != 1:
        raise ArgumentError("give Domain or Address, one of both")
    (name,) = names
    region = question.text("Region", "") or None
    try:
        found = world.client("sesv2", region).get_email_identity(EmailIdentity=name)
    except AWS_ERRORS as error:
        if error_code(error) != "NotFoundException":
            raise
        found = None
    if question.flag("Shared"):
        if found is None:
            yield question.error(
                f"the SES identity {name} does not exist, and is to be shared",
                "SES of this account and region does not know it",
                "create it, or let this deployment create one by leaving the identity out",
            )
        elif not found.get("VerifiedForSendingStatus"):
            yield question.warning(
                f"the SES identity {name} is not verified",
                f"its status is {found.get('VerificationStatus', 'not told')}",
                "create the DNS records of its DKIM keys; for an address, follow the link in SES's "
                "mail",
            )
        return
    if found is not None and name.lower() not in own(question, world, "AWS::SES::EmailIdentity"):
        yield question.error(
            f"the SES identity {name} exists already, so that it cannot be created",
            "it belongs to the account, or to another stack of it",
            "share it by passing it as identity, or delete it where nothing needs it",
        )
