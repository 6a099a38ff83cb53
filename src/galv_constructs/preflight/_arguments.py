"""Checks of the arguments of questions, which would fail only in the deployment that asks them."""

import math
from collections.abc import Collection, Mapping, Sequence

from galv_constructs._core.validation import check_list, check_type, is_token


def check_text(name: str, value: object, expected: str) -> None:
    """Refuse what is no text, and an empty one."""
    check_type(name, value, str, expected)
    if value == "":
        raise ValueError(f"{name} must be {expected}, got an empty text")


def check_optional_text(name: str, value: object, expected: str) -> None:
    """Refuse an empty text, and what is neither text nor nothing."""
    if value is not None:
        check_text(name, value, expected)


def check_texts(
    name: str, values: Sequence[object], expected: str, *, may_be_empty: bool = False
) -> None:
    """Refuse what is no list of texts, and unless it may be, an empty one."""
    check_list(name, values, f"a list of {expected}")
    if not values and not may_be_empty:
        raise ValueError(
            f"{name} must be a list of {expected}, got an empty one: name one at least"
        )
    for index, value in enumerate(values):
        check_text(f"{name}[{index}]", value, f"one of the {expected}")


def check_one_of(name: str, value: object, allowed: Collection[str]) -> None:
    """Refuse what is not one of some texts."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def check_amount(name: str, value: object) -> None:
    """Refuse what is no number above nothing."""
    check_type(name, value, (int, float), "a number above 0")
    if isinstance(value, int | float) and not is_token(value) and not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number above 0, got {value}")


def check_json(name: str, value: object) -> None:
    """Refuse what JSON has no form for; tokens of CDK's have one when it is deployed.

    JSON has one for nothing, but CDK leaves that out of a dictionary and fails for it in a list.
    """
    if isinstance(value, bool | int | str) or hasattr(type(value), "creation_stack"):
        return
    if isinstance(value, float) and math.isfinite(value):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_json(f"{name}[{index}]", item)
        return
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        for key, item in value.items():
            check_json(f"{name}[{key!r}]", item)
        return
    raise ValueError(
        f"{name} must be as JSON has it, which is text, a number, true, false, a list or a "
        f"dictionary with texts for keys, got {value!r}"
    )
