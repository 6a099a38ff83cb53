"""Names of what `cdk bootstrap` creates in an account."""

import re

from aws_cdk import Stack

from galv_constructs._core.validation import is_list, is_token

QUALIFIER = re.compile(r"[A-Za-z0-9_-]{1,10}")
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


def qualifier_of(stack: Stack) -> str:
    """Return the qualifier of the bootstrap that a stack is deployed through."""
    qualifier = stack.synthesizer.bootstrap_qualifier
    if qualifier is None:
        # One that was given in Python is copied on its way, and the copy does not know it.
        raise ValueError(
            f"qualifiers are not given, and the synthesizer of the stack {stack.stack_name} does "
            "not tell its own: pass them, such as qualifiers=['hnb659fds']"
        )
    return qualifier


def check_names(
    name: str,
    values: object,
    form: re.Pattern[str],
    example: str,
    *,
    wildcard: str = "no wildcards",
) -> None:
    """Refuse what is not a list of names."""
    if values is None:
        return
    if not is_list(values) or not values:
        raise ValueError(f"{name} must be a list such as [{example!r}], got {values!r}")
    for value in values:
        if not is_token(value) and not (isinstance(value, str) and form.fullmatch(value)):
            raise ValueError(
                f"{name} must be names such as {example!r}, with {wildcard}, got {value!r}"
            )
