"""Kinds of values of context keys: how each is read, and how an editor checks it."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from galv_constructs._core.ip_ranges import ranges_by_version
from galv_constructs._core.policy import DeploymentPolicy
from galv_constructs._core.release_tag import check_backend_tag, check_frontend_tag, release_tag
from galv_constructs._core.validation import (
    TAG_VALUE_LENGTH,
    arn_pattern,
    check_domain_name,
    check_email,
    check_tag_value,
)
from galv_constructs.backend._environment import RESERVED_VARIABLES
from galv_constructs.backend._migrations import MIGRATION_PATTERN, PLAN_STEP, check_destructive
from galv_constructs.database._authority import read_authority
from galv_constructs.database._checks import (
    LEAST_STORAGE,
    MOST_STORAGE,
    NEWEST,
    OLDEST,
    check_instance_class,
    check_snapshot,
    is_of_cluster,
)
from galv_constructs.frontend._urls import (
    ANALYTICS_URL_VARIABLE,
    check_analytics_url,
    check_storage_url,
)
from galv_constructs.frontend.source import RESERVED_PREFIXES
from galv_constructs.frontend.source import RESERVED_VARIABLES as FRONTEND_RESERVED_VARIABLES
from galv_constructs.load_balancer._access import check_ranges
from galv_constructs.network import NetworkPreset
from galv_constructs.preflight._needs import ID_PATTERN, check_preflight
from galv_constructs.preflight.check import KINDS
from galv_constructs.sleep.awake_hours import AwakeHours, check_time_zone
from galv_constructs.web_acl._credential_rules import check_credential_paths
from galv_constructs.web_acl._managed_rules import MANAGED_GROUPS
from galv_constructs.web_acl.web_acl import check_counted_rules

Json = Mapping[str, Any]
Read = Callable[[Any], Any]

CERTIFICATE_ARN = arn_pattern("acm", "certificate/[0-9a-f-]{36}")
VAULT_ARN = arn_pattern("backup", "backup-vault:(?P<name>[A-Za-z0-9_-]{2,50})")
# https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html and its Vault Lock:
# a hundred years.
_MAX_BACKUP_DAYS = 36500

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_LABELS = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_LIKE = re.compile(
    r"(?i)(?:PASSWORDS?|PASSWD|PASSPHRASE|SECRETS?|(?:SECRET|ACCESS|PRIVATE|API)_?KEY|CREDENTIALS?"
    r"|TOKEN|(?:^|_)(?:PASS|PW|PWD|CREDS?|(?:AUTH|ENCRYPTION|MASTER|SIGNING)_?KEY))$"
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html, "Partial ARNs"
_GENERATED_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_SECRET_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_NOT_IN_SECRET_NAME = re.compile(r"[^A-Za-z0-9/_+=.@-]+")
_ZONE_ID = re.compile(r"Z[A-Z0-9]{1,31}")
_VPC_ID = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]{8,17}")
# The parts of a network, each with the number of subnets that it needs: the load balancer and the
# database want two Availability Zones.
_SUBNETS_OF = {"loadBalancer": 2, "tasks": 1, "database": 2}
_PRESETS = [preset.value for preset in NetworkPreset]
# EventBridge Scheduler's longest rate would be years; a month is as good as off.
_LONGEST_INTERVAL = 44640
_LARGEST_QUOTA = 1024**2
# The maximum of autoscaling, unless `GalvBackend` is told otherwise.
_MAX_TASKS = 4
_LAST_ROTATION = 1_000_000
_DATABASE_VERSIONS = [str(major) for major in range(OLDEST, NEWEST + 1)]
_MAX_LOG_DAYS = DeploymentPolicy.of(production=True).log_expiration_days
# The argument, and the place in a list, that a message of the constructs' checks starts with.
_ARGUMENT = re.compile(r"^[a-z_]*(?:\[\d+\])?(?: are)? ?")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value: how it is read, and how an editor checks it."""

    read: Read
    """Turns a value of the context into ours, or raises a `ValueError` that starts with "must"."""

    schema: Json
    """JSON Schema of the value."""

    expected: str = "set"
    """The values allowed, as they follow "must be" where a required key of this kind is missing."""

    empty_is_unset: bool = True
    """Whether an empty text means the same as no value."""


def secret_name_from(tag: str, fallback: str) -> str:
    """Return the start of a secret's name for a tag; its letters, as far as they go."""
    plain = unicodedata.normalize("NFKD", tag).encode("ascii", "ignore").decode()
    return _NOT_IN_SECRET_NAME.sub("-", plain).strip("-") or fallback


def _from_text(value: object) -> object:
    """Read JSON text as what it means: `--context` passes everything as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _refuse(mistakes: Sequence[str]) -> None:
    if mistakes:
        raise ValueError("; ".join(mistakes))


def _accepted(check: Callable[..., object], *arguments: object) -> None:
    """Refuse what a check of the constructs refuses, without the argument that it names."""
    try:
        check(*arguments)
    except ValueError as error:
        raise ValueError(_ARGUMENT.sub("", str(error), count=1)) from None


def _checked(check: Callable[[str, object], None]) -> Callable[[object], str]:
    """Read a text that a check of the constructs takes."""

    def read(value: object) -> str:
        _accepted(check, "", value)
        return str(value)

    return read


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {expected}, got {value!r}")
        return value

    return read


def _text(pattern: re.Pattern[str], expected: str) -> Kind:
    """Text of a pattern."""
    return Kind(
        expected=expected,
        read=_matching(pattern, expected),
        schema={"type": "string", "pattern": f"^{pattern.pattern}$"},
    )


def _number(
    lowest: int, highest: int, *, of: str = "", span: str = "", empty_is_unset: bool = True
) -> Kind:
    """A whole number within bounds.

    Args:
        lowest: The lowest allowed.
        highest: The highest allowed.
        of: The thing that is counted, to follow "a whole number".
        span: The bounds in words. Default: `from … to …`.
        empty_is_unset: Whether an empty text means the same as no value. Default: it does.
    """

    def read(value: object) -> int:
        number = _from_text(value)
        if not isinstance(number, int | float) or isinstance(number, bool) or number % 1 != 0:
            raise ValueError(f"must be a whole number{of}, got {value!r}")
        if not lowest <= number <= highest:
            raise ValueError(f"must be {span or f'from {lowest} to {highest}'}, got {value!r}")
        return int(number)

    return Kind(
        read=read,
        schema={"type": "integer", "minimum": lowest, "maximum": highest},
        empty_is_unset=empty_is_unset,
    )


def _list(read: Callable[[object], Sequence[str]], *, pattern: str | None = None) -> Kind:
    """A list of different texts."""
    items = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return Kind(read=read, schema={"type": "array", "items": items, "uniqueItems": True})


def _boolean(value: object) -> bool:
    value = _from_text(value.lower() if isinstance(value, str) else value)
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r}")
    return value


def _subdomain(value: object) -> str:
    return "" if value == "" else _matching(_LABELS, "a name such as 'api'")(value)


def _tag(check: Callable[[str, object], None]) -> Kind:
    """A tag; `2.11.4` is the release that is tagged `v2.11.4`."""
    read = _checked(check)
    return Kind(read=lambda value: release_tag(read(value)), schema={"type": "string"})


def _mail_user(value: object) -> str:
    expected = "the part of an address before the @, such as 'galv-no-reply'"
    try:
        check_email("", f"{value}@example.com")
    except ValueError:
        raise ValueError(f"must be {expected}, got {value!r}") from None
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {value!r}")
    return value


def _authority_file(value: object) -> str:
    read_authority(value)
    return str(value)


def _database_instance_type(value: object) -> str:
    # RDS's console shows it with the prefix.
    size = _matching(re.compile(r"\S+"), "a size such as 't4g.medium'")(value).removeprefix("db.")
    _accepted(check_instance_class, "", size)
    return size


def _database_version(value: object) -> str:
    if not isinstance(value, str | int) or str(value) not in _DATABASE_VERSIONS:
        raise ValueError(
            f"must be a major version of PostgreSQL, one of {', '.join(_DATABASE_VERSIONS)}, got "
            f"{value!r}: RDS installs minor ones itself"
        )
    return str(value)


def _database_snapshot(value: object) -> str:
    _accepted(partial(check_snapshot, of_instance=False), "", value)
    if is_of_cluster(str(value)):
        raise ValueError(
            f"must be the snapshot of an instance, got that of a cluster, {value!r}: the database "
            "here is an instance"
        )
    return str(value)


def _preset(value: object) -> NetworkPreset:
    if value not in _PRESETS:
        raise ValueError(f"must be one of {', '.join(_PRESETS)}, got {value!r}")
    return NetworkPreset(value)


def _awake_hours(value: Any) -> str:
    try:
        AwakeHours.parse(value)
    except ValueError as error:
        why = str(error)
        more = "" if why.startswith("awake hours") else f": {why}"
        raise ValueError(
            "must be days and from when to when, such as 'Mon-Fri 07:00-19:00', got "
            f"{value!r}{more}"
        ) from None
    return str(value)


def _day(value: object) -> date:
    text = _matching(re.compile(r"\d{4}-\d{2}-\d{2}"), "a day such as '2026-11-23'")(value)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"must be a day of the calendar, got {value!r}") from None


def _is_created(value: object) -> bool:
    expected = "'create' or 'existing'"
    return _matching(re.compile("create|existing"), expected)(value) == "create"


def _secret_name(value: object) -> str:
    name = _matching(_SECRET_NAME, "the name of a secret in Secrets Manager")(value)
    if _GENERATED_SUFFIX.search(name):
        raise ValueError(
            f"must not end in a dash and six characters, got {value!r}: that is the suffix that "
            "Secrets Manager adds in ARNs. Leave it out if it is one; otherwise the secret cannot "
            "be found by its name, and needs another one"
        )
    return name


def _subnets(value: object) -> dict[str, list[str]]:
    chosen = _from_text(value)
    parts = ", ".join(_SUBNETS_OF)
    if not isinstance(chosen, Mapping) or not set(chosen) <= set(_SUBNETS_OF):
        raise ValueError(f"must be an object with any of {parts}, got {value!r}")
    mistakes = []
    for part, ids in chosen.items():
        if not ids or not isinstance(ids, list) or not all(map(_is_subnet, ids)):
            mistakes.append(
                f"must have a list of ids of subnets such as subnet-0123456789abcdef0 for {part}, "
                f"got {ids!r}"
            )
        elif len(set(ids)) < _SUBNETS_OF[part]:
            mistakes.append(f"must have two subnets in two Availability Zones for {part}")
    _refuse(mistakes)
    return dict(chosen)


def _is_subnet(value: object) -> bool:
    return isinstance(value, str) and _SUBNET_ID.fullmatch(value) is not None


def _is_set_by_backend(name: str) -> bool:
    return name in RESERVED_VARIABLES


def _is_set_by_build(name: str) -> bool:
    return name in FRONTEND_RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES)


def _name_mistakes(name: object, is_reserved: Callable[[str], bool]) -> list[str]:
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        expected = "letters, digits and '_' that do not start with a digit"
        return [f"must have names of {expected}, got {name!r}"]
    if is_reserved(name):
        return [f"must not set {name}, which the deployment sets itself"]
    return []


def _secret_keys(is_reserved: Callable[[str], bool]) -> Kind:
    """Names of the values in a secret, which become variables."""

    def read(value: object) -> list[str]:
        keys = _from_text(value)
        if not isinstance(keys, list):
            raise ValueError(f'must be a list of names such as ["SENTRY_DSN"], got {value!r}')
        mistakes = [mistake for key in keys for mistake in _name_mistakes(key, is_reserved)]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            mistakes.append(f"must name each key once, got {', '.join(twice)} more than once")
        _refuse(mistakes)
        return keys

    return _list(read, pattern=f"^{_VARIABLE.pattern}$")


def _variables(
    is_reserved: Callable[[str], bool], secret: str, secret_keys: str
) -> Callable[[object], dict[str, str]]:
    def read(value: object) -> dict[str, str]:
        variables = _from_text(value)
        if not isinstance(variables, Mapping):
            raise ValueError(f"must be an object of names and values, got {value!r}")
        # Null and empty mean "not set".
        given = {name: text for name, text in variables.items() if text not in (None, "")}
        mistakes = [mistake for name in variables for mistake in _name_mistakes(name, is_reserved)]
        mistakes += [
            f"must not hold secrets, and {name} looks like one: put it in the secret that {secret} "
            f"names, and its name in {secret_keys}"
            for name, text in given.items()
            if (_SECRET_LIKE.search(str(name)) or _PASSWORD_IN_URL.search(str(text)))
            and not is_reserved(str(name))
        ]
        mistakes += [
            f"must hold text, got {text!r} for {name}: put the value in quotes"
            for name, text in given.items()
            if not isinstance(text, str)
        ]
        _refuse(mistakes)
        return given

    return read


def _frontend_variables(value: object) -> dict[str, str]:
    variables = _from_text(value)
    if isinstance(variables, Mapping) and variables.get(ANALYTICS_URL_VARIABLE):
        raise ValueError(
            f"must not set {ANALYTICS_URL_VARIABLE}: set frontendAnalyticsUrl, which the content "
            "security policy needs too"
        )
    return _variables(_is_set_by_build, "frontendSecretsName", "frontendSecretsKeys")(value)


def _storage_urls(value: object) -> list[str]:
    urls = _from_text(value)
    if not isinstance(urls, list):
        raise ValueError(
            f'must be a list of URLs such as ["https://storage.example.org"], got {value!r}'
        )
    return [_checked(check_storage_url)(url) for url in urls]


def _counted_rules(value: object) -> Mapping[str, Sequence[str]]:
    rules: Any = _from_text(value)
    _accepted(check_counted_rules, rules)
    return dict(rules)


def _credential_paths(value: object) -> list[str]:
    paths: Any = _from_text(value)
    _accepted(check_credential_paths, paths)
    return list(paths)


def _ip_ranges(value: object) -> list[str]:
    ranges: Any = _from_text(value)
    _accepted(ranges_by_version, "", ranges)
    return list(ranges)


def _allowed_ranges(value: object) -> list[str]:
    ranges: Any = _from_text(value)
    _accepted(check_ranges, "", ranges)
    return list(ranges)


def _switch_or_list(check: Callable[..., None], *more: object) -> Callable[[object], Any]:
    """Return the reader of a key that is true, false, or a list, which `check` looks at."""

    def read(value: object) -> bool | list[str]:
        switch = value.strip().lower() if isinstance(value, str) else ""
        # What a list names may have capital letters.
        found: Any = _from_text(switch if switch in ("true", "false") else value)
        _accepted(check, found, *more)
        return found if isinstance(found, bool) else list(found)

    return read


_SCHEMA_OF_VARIABLES: Json = {
    "type": "object",
    "propertyNames": {"pattern": f"^{_VARIABLE.pattern}$"},
    "additionalProperties": {"type": ["string", "null"]},
}

DESTRUCTIVE = Kind(
    read=_switch_or_list(check_destructive, (PLAN_STEP,)),
    schema={
        "oneOf": [
            {"type": "boolean"},
            {
                "type": "array",
                "items": {"type": "string", "pattern": f"^{MIGRATION_PATTERN}$"},
                "minItems": 1,
                "uniqueItems": True,
            },
        ]
    },
)
BOOLEAN = Kind(read=_boolean, schema={"type": "boolean"}, empty_is_unset=False)
PREFLIGHT = Kind(
    read=_switch_or_list(check_preflight),
    schema={
        "oneOf": [
            {"type": "boolean"},
            {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"enum": list(KINDS)},
                        {"type": "string", "pattern": f"^({ID_PATTERN})$"},
                    ]
                },
                "uniqueItems": True,
            },
        ]
    },
)
STACK_NAME = _text(_NAME, "letters, digits and '-', starting with a letter, at most 32")
TAG_VALUE = Kind(
    read=_checked(check_tag_value), schema={"type": "string", "maxLength": TAG_VALUE_LENGTH}
)
BACKEND_TAG = _tag(check_backend_tag)
FRONTEND_TAG = _tag(check_frontend_tag)
DOMAIN = Kind(
    expected="a bare host name in lower case",
    read=_checked(check_domain_name),
    schema={"type": "string"},
)
SUBDOMAIN = Kind(
    read=_subdomain,
    schema={"type": "string", "pattern": f"^({_LABELS.pattern})?$"},
    empty_is_unset=False,
)
ZONE_ID = _text(_ZONE_ID, "the id of a hosted zone, such as 'Z0123456789ABCDEFGHIJ'")
CERTIFICATE = Kind(
    read=_matching(
        CERTIFICATE_ARN,
        "the ARN of a certificate in ACM, such as "
        "'arn:aws:acm:us-east-1:123456789012:certificate/<uuid>'",
    ),
    schema={"type": "string", "pattern": "^arn:aws[a-z-]*:acm:"},
)
EMAIL = Kind(read=_checked(check_email), schema={"type": "string"})
MAIL_USER = Kind(read=_mail_user, schema={"type": "string"})
MAIL_IDENTITY = Kind(read=_is_created, schema={"enum": ["create", "existing"]})
SECRET_NAME = Kind(read=_secret_name, schema={"type": "string"})
BACKEND_SECRET_KEYS = _secret_keys(_is_set_by_backend)
FRONTEND_SECRET_KEYS = _secret_keys(_is_set_by_build)
BACKEND_VARIABLES = Kind(
    read=_variables(_is_set_by_backend, "backendSecretsName", "backendSecretsKeys"),
    schema=_SCHEMA_OF_VARIABLES,
)
FRONTEND_VARIABLES = Kind(read=_frontend_variables, schema=_SCHEMA_OF_VARIABLES)
ANALYTICS_URL = Kind(read=_checked(check_analytics_url), schema={"type": "string"})
STORAGE_URLS = _list(_storage_urls)
MINUTES = _number(
    0,
    _LONGEST_INTERVAL,
    of=" of minutes",
    span=f"from 0 (off) to {_LONGEST_INTERVAL} (31 days)",
    empty_is_unset=False,
)
GIBIBYTES = _number(
    0,
    _LARGEST_QUOTA,
    of=" of GiB",
    span=f"from 0 (none) to {_LARGEST_QUOTA} (1 PiB)",
    empty_is_unset=False,
)
TASKS = _number(
    1,
    _MAX_TASKS,
    of=" of tasks",
    span=f"from 1 to {_MAX_TASKS}, which is the maximum of autoscaling",
)
ROTATION = _number(1, _LAST_ROTATION)
LOCK_DAYS = _number(1, _MAX_LOG_DAYS, of=" of days")
BACKUP_DAYS = _number(1, _MAX_BACKUP_DAYS, of=" of days")
BACKUP_VAULT = Kind(
    read=_matching(
        VAULT_ARN,
        "the ARN of a vault of AWS Backup, such as "
        "'arn:aws:backup:eu-central-1:123456789012:backup-vault:galv'",
    ),
    schema={"type": "string", "pattern": "^arn:aws[a-z-]*:backup:"},
)
NETWORK_PRESET = Kind(read=_preset, schema={"enum": _PRESETS})
AWAKE_HOURS = Kind(read=_awake_hours, schema={"type": "string"})
TIME_ZONE = Kind(read=_checked(check_time_zone), schema={"type": "string"})
DAY = Kind(read=_day, schema={"type": "string", "format": "date"})
VPC_ID = _text(_VPC_ID, "the id of a VPC, such as 'vpc-0123456789abcdef0'")
SUBNETS = Kind(
    read=_subnets,
    schema={
        "type": "object",
        "properties": {
            part: {
                "type": "array",
                "items": {"type": "string", "pattern": f"^{_SUBNET_ID.pattern}$"},
                "minItems": needed,
            }
            for part, needed in _SUBNETS_OF.items()
        },
        "additionalProperties": False,
    },
)
DATABASE_INSTANCE_TYPE = Kind(
    read=_database_instance_type,
    schema={
        "anyOf": [
            {"enum": ["t4g.micro", "t4g.small", "t4g.medium", "t4g.large", "m7g.large"]},
            {"type": "string"},
        ]
    },
)
DATABASE_VERSION = Kind(
    read=_database_version,
    schema={"enum": [*_DATABASE_VERSIONS, *map(int, _DATABASE_VERSIONS)]},
)
DATABASE_STORAGE = _number(LEAST_STORAGE, MOST_STORAGE, of=" of GiB")
DATABASE_SNAPSHOT = Kind(read=_database_snapshot, schema={"type": "string"})
AUTHORITY_FILE = Kind(read=_authority_file, schema={"type": "string"})
COUNTED_RULES = Kind(
    read=_counted_rules,
    schema={
        "type": "object",
        "propertyNames": {"enum": list(MANAGED_GROUPS.values())},
        "additionalProperties": {
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        },
    },
)
CREDENTIAL_PATHS = _list(_credential_paths, pattern="^([A-Z]+ )?/.+/$")
IP_RANGES = _list(_ip_ranges)
ALLOWED_RANGES = _list(_allowed_ranges)
