"""Checks of arguments that several constructs share.

Each refuses with a `ValueError` that says what is wrong, what was given, what is allowed and how to
fix it. Unresolved tokens pass, as their value is not known before the deployment, except where a
construct has to calculate with them.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeGuard

from aws_cdk import Duration, Token

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})+")
_EMAIL = re.compile(
    rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@(?P<domain>{_LABEL}(?:\.{_LABEL})+)"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# https://docs.docker.com/reference/cli/docker/image/tag/ gives the grammar of a tag.
_USER = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*|[0-9]+)(:([A-Za-z_][A-Za-z0-9_.-]*|[0-9]+))?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html: "letters,
# spaces, and numbers representable in UTF-8, and the following characters: _ . : / = + - @", and no
# `aws:` at the start.
_TAG_SIGNS = "_.:/=+-@"
_TAG_KEY_LENGTH = 128
TAG_VALUE_LENGTH = 256
"""How long the value of a tag of AWS's may be."""

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html,
# "Task size": CPU units to the memory, in MiB, that Fargate offers with them.
_FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}


def is_token(value: object) -> bool:
    """Whether a text or a number becomes known only in a deployment.

    CDK's own function fails for a value that has no form in JavaScript.
    """
    if isinstance(value, str):
        # Others cannot be tokens, and asking CDK takes a call to another process.
        return "${Token[" in value and Token.is_unresolved(value)
    return isinstance(value, int | float) and value < 0 and Token.is_unresolved(value)


def check_known(name: str, value: object) -> None:
    """Refuse a token where a construct has to calculate with the value."""
    if is_token(value):
        raise ValueError(f"{name} must be known at synthesis, got a token: pass a plain number")


def check_type(
    name: str, value: object, expected: type | tuple[type, ...], description: str
) -> None:
    """Refuse a value of the wrong Python type; tokens pass."""
    if is_token(value):
        return
    wrong_bool = isinstance(value, bool) and expected is not bool
    if wrong_bool or not isinstance(value, expected):
        raise ValueError(f"{name} must be {description}, got {value!r} ({type(value).__name__})")


def check_boolean(name: str, value: object) -> None:
    """Refuse what is not true or false."""
    check_type(name, value, bool, "true or false")


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether a value is a list or another sequence, and not a text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_list(name: str, value: object, expected: str) -> None:
    """Refuse what is not a list, a text above all, whose letters would pass for its items."""
    if not is_list(value):
        raise ValueError(f"{name} must be {expected}, got {value!r}")


def arn_pattern(service: str, resource: str, *, region: str = "[a-z0-9-]+") -> re.Pattern[str]:
    """Return the pattern of an ARN, in which the region and the account are named groups."""
    return re.compile(
        rf"arn:aws[a-z-]*:{service}:(?P<region>{region}):(?P<account>\d{{12}}):{resource}"
    )


def check_construct(name: str, value: object, expected: str, how: str) -> None:
    """Refuse plain Python data where a CDK object is wanted.

    CDK's interfaces are protocols that cannot be tested for at run time, so this catches what is
    likely: a name, an ARN or a dictionary.
    """
    if isinstance(value, str | bytes | int | float | Mapping | list | tuple | set):
        raise ValueError(f"{name} must be an {expected}, got {value!r}: use {how}")


def check_given(name: str, value: object, attribute: str, expected: str, how: str) -> None:
    """Refuse what is no CDK object of a kind, which is one with an attribute; and none at all."""
    if value is not None:
        check_construct(name, value, expected, how)
    if not hasattr(value, attribute):
        got = "None" if value is None else type(value).__name__
        raise ValueError(f"{name} must be an {expected}, got {got}: use {how}")


def check_range(name: str, value: float, low: int, high: int, unit: str = "") -> None:
    """Refuse a number that is not whole or lies outside its bounds."""
    check_type(name, value, int, "a whole number")
    if not is_token(value) and not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}{unit}, got {value}")


def check_duration(name: str, value: Duration | None, low: timedelta, high: timedelta) -> None:
    """Refuse a time that is not whole seconds or lies outside its bounds."""
    if value is None:
        return
    _check_known_duration(name, value, "seconds")
    seconds = value.to_seconds(integral=False)
    lowest, highest = low.total_seconds(), high.total_seconds()
    if not lowest <= seconds <= highest or seconds != int(seconds):
        raise ValueError(
            f"{name} must be whole seconds from {lowest:g} to {highest:g}, got {seconds:g} seconds"
        )


def check_days(name: str, value: Duration | None, low: int, high: int) -> None:
    """Refuse a time that is not whole days or lies outside its bounds."""
    if value is None:
        return
    _check_known_duration(name, value, "days")
    days = value.to_days(integral=False)
    if not low <= days <= high or days != int(days):
        raise ValueError(f"{name} must be whole days from {low} to {high}, got {days:g} days")


def _check_known_duration(name: str, value: object, unit: str) -> None:
    if not isinstance(value, Duration):
        raise ValueError(f"{name} must be a Duration, got {value!r}: use Duration.{unit}(…)")
    if value.is_unresolved():
        raise ValueError(f"{name} must be known at synthesis, got a token: pass a plain Duration")


def check_pattern(
    name: str, value: object, pattern: re.Pattern[str], expected: str, hint: str = ""
) -> None:
    """Refuse what a pattern does not match as a whole; a token may match."""
    if is_token(value):
        return
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{name} must be {expected}, got {value!r}{hint}")


def check_domain_name(name: str, value: object) -> None:
    """Refuse what is not a bare, lower-case host name of at least two labels."""
    check_pattern(
        name,
        value,
        _DOMAIN,
        "a bare host name in lower case such as 'api.example.com'",
        ": leave out the scheme, the port, the path and a dot at the end",
    )


def is_in_domain(name: str, domain: str) -> bool:
    """Return whether a host name is a domain, or one below it."""
    return name == domain or name.endswith(f".{domain}")


def check_email(name: str, value: object) -> None:
    """Refuse what is not a plain e-mail address."""
    check_pattern(name, value, _EMAIL, "an address such as 'galv-no-reply@mail.example.com'")


def check_image_tag(name: str, value: object) -> None:
    """Refuse what a registry would not take as a tag."""
    check_pattern(
        name,
        value,
        _TAG,
        "the tag of an image, such as 'v2.11.4' or 'latest'",
        ": letters, digits, '_', '.' and '-', at most 128",
    )


def check_tag_value(name: str, value: object) -> None:
    """Refuse what AWS would not take as the value of a tag."""
    _check_tag_text(name, value, TAG_VALUE_LENGTH)


def check_tags(name: str, tags: Mapping[str, Any]) -> None:
    """Refuse what AWS would not take as tags."""
    for key, value in tags.items():
        _check_tag_text(f"the key of {name}[{key!r}]", key, _TAG_KEY_LENGTH)
        check_tag_value(f"{name}[{key!r}]", value)


def _check_tag_text(name: str, value: object, longest: int) -> None:
    if is_token(value):
        return
    if not (
        isinstance(value, str)
        and 1 <= len(value) <= longest
        and value == value.strip()
        and not value.lower().startswith("aws:")
        and all(c in _TAG_SIGNS or unicodedata.category(c)[0] in "LNZ" for c in value)
    ):
        expected = f"letters, digits, spaces and any of '{_TAG_SIGNS}', at most {longest}"
        raise ValueError(f"{name} must be {expected}, got {value!r}")


def check_user(name: str, value: object) -> None:
    """Refuse what ECS would not take as the user of a container."""
    if value is not None:
        check_pattern(name, value, _USER, "a user such as 'galv', '1000' or '1000:1000'")


def check_fargate_size(cpu: float, memory: float, prefix: str = "") -> None:
    """Refuse a pair of CPU and memory that Fargate does not offer.

    The names of both arguments start with the prefix.
    """
    if is_token(cpu) or is_token(memory):
        return
    sizes = _FARGATE_SIZES.get(cpu) if isinstance(cpu, int) else None
    if sizes is None:
        allowed = ", ".join(map(str, _FARGATE_SIZES))
        raise ValueError(f"{prefix}cpu must be one of {allowed} (1024 is one vCPU), got {cpu!r}")
    if memory not in sizes:
        raise ValueError(
            f"{prefix}memory_limit_mib must be one of {_listed(sizes)} with {prefix}cpu={cpu}, got "
            f"{memory!r}"
        )


def check_variables(
    environment: Mapping[str, Any],
    secrets: Mapping[str, Any],
    reserved: Mapping[str, str],
) -> None:
    """Refuse names and values that a task definition cannot carry, or that are not the user's.

    Args:
        environment: Plain variables.
        secrets: Variables that come from a secret.
        reserved: Names that the construct sets itself, each with what to use instead.

    Raises:
        ValueError: On a malformed or reserved name, a value that is not text, an empty value, or
            a name in both mappings, which ECS refuses at deployment.
    """
    _check_variable_names("environment", environment, reserved)
    _check_variable_names("secrets", secrets, reserved)
    for name, value in environment.items():
        if not isinstance(value, str):
            raise ValueError(
                f"environment[{name!r}] must be text, got {value!r} ({type(value).__name__}): "
                "write it as the container should read it, in quotes"
            )
        if value == "":
            raise ValueError(
                f"environment[{name!r}] is empty, and some variables stop the application when "
                "they are: leave the name out to leave it unset"
            )
    for name, value in secrets.items():
        # A secret of Secrets Manager has an ARN, and one of ECS says which key of it is meant.
        if hasattr(value, "secret_arn"):
            raise ValueError(
                f"secrets[{name!r}] must be an aws_ecs.Secret, got the secret itself "
                f"({type(value).__name__}): wrap it in ecs.Secret.from_secrets_manager(secret, "
                "'KEY')"
            )
        check_construct(
            f"secrets[{name!r}]",
            value,
            "aws_ecs.Secret",
            "ecs.Secret.from_secrets_manager(secret, 'KEY'), so that no value enters the template",
        )
    both = sorted(set(environment) & set(secrets))
    if both:
        raise ValueError(
            f"{', '.join(both)} in both environment and secrets: keep each name in one of them"
        )


def _check_variable_names(
    argument: str, variables: Mapping[str, Any], reserved: Mapping[str, str]
) -> None:
    if not isinstance(variables, Mapping):
        raise ValueError(f"{argument} must be a mapping of names to values, got {variables!r}")
    for name in variables:
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(
                f"{argument} has the name {name!r}: a variable's name is letters, digits "
                "and '_', and does not start with a digit"
            )
        if name in reserved:
            raise ValueError(
                f"{argument} sets {name}, which is set from other arguments: "
                f"{reserved[name]}. Reserved names: {', '.join(sorted(reserved))}"
            )


def _listed(values: Iterable[int]) -> str:
    numbers = list(values)
    if len(numbers) <= 4:
        return ", ".join(map(str, numbers))
    return f"{numbers[0]}, {numbers[1]}, … {numbers[-1]} (steps of {numbers[1] - numbers[0]})"
