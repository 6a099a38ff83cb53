"""Whether the account may send mail to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .finding import Finding
    from .question import Question
    from .world import World

ACTIONS = ("ses:GetAccount",)


def answer(question: Question, world: World) -> Iterable[Finding]:
    """Ask for the account's sending, in `Region` where one is given.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """
    client = world.client("sesv2", question.text("Region", "") or None)
    account, region = client.get_account(), client.meta.region_name
    if not account.get("ProductionAccessEnabled"):
        quota = account.get("SendQuota", {}).get("Max24HourSend")
        yield question.warning(
            f"Amazon SES is in its sandbox in {region}",
            "it sends to verified addresses only"
            + ("" if quota is None else f", and {quota:.0f} mails a day"),
            "request production access: "
            "https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html",
        )
    if not account.get("SendingEnabled", True):
        yield question.warning(
            f"Amazon SES sends no mail from this account in {region}",
            f"sending is off; the account is {account.get('EnforcementStatus', 'not told')}",
            "see the account's dashboard in the console of SES",
        )
