"""The numbers of a listener's rules, of which each may be given once."""

import hashlib

from aws_cdk import aws_elasticloadbalancingv2 as elbv2

from galv_constructs._core.stage_records import name_of, record, records
from galv_constructs._core.validation import is_token

HIGHEST_PRIORITY = 50_000
"""Of a rule; the lowest is 1."""
# Rules at a shared one, which others number too: the number of a name stays when names are added.
_FIRST, _LAST = 1_000, 49_999
# Kind of the records that say which construct has which number at which listener.
_TAKEN = "galv-constructs:rulePriority"


def worked_out_priority(domain_name: str) -> int:
    """Return the priority that the rule of a name has at a shared listener, unless one is given."""
    return _FIRST + hashed(domain_name) % (_LAST - _FIRST + 1)


def hashed(text: str) -> int:
    """Return a number that follows from a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def check_priority(
    argument: str, priority: int, listener: elbv2.IApplicationListener, *, worked_out_from: str = ""
) -> None:
    """Refuse a priority that a rule of this application has at the listener already.

    "Error code: PriorityInUse":
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateRule.html

    Args:
        argument: The argument that gives it.
        priority: The number.
        listener: The listener.
        worked_out_from: How to call what it follows from, where it was not given.

    Raises:
        ValueError: If it is taken.
    """
    if is_token(priority):
        return
    taken = _taken(listener)
    if priority not in taken:
        return
    after, before = range(priority + 1, HIGHEST_PRIORITY + 1), range(1, priority)
    free = next(number for number in (*after, *before) if number not in taken)
    got = f"{priority}, which follows from {worked_out_from}," if worked_out_from else f"{priority}"
    raise ValueError(
        f"{argument} is {got} and {taken[priority]} has a rule with that priority at the same "
        f"listener already: pass another one, such as {argument}={free}"
    )


def record_priority(priority: int, listener: elbv2.IApplicationListener, of: str) -> None:
    """Remember that a construct has a rule with a priority at a listener."""
    if not is_token(priority):
        name = name_of(listener, listener.listener_arn)
        record(listener, _TAKEN, {"listener": name, "priority": priority, "path": of})


def _taken(listener: elbv2.IApplicationListener) -> dict[int, str]:
    name = name_of(listener, listener.listener_arn)
    return {
        int(one["priority"]): str(one["path"])
        for one in records(listener, _TAKEN)
        if one["listener"] == name
    }
