"""The context keys of the documented deployment: one table for checks, schema and documentation."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from galv_constructs._core.release_tag import check_backend_tag, check_frontend_tag, release_tag
from galv_constructs._core.validation import check_domain_name, check_email
from galv_constructs.backend._environment import RESERVED_VARIABLES
from galv_constructs.database._authority import read_authority
from galv_constructs.frontend._urls import (
    ANALYTICS_URL_VARIABLE,
    check_analytics_url,
    check_storage_url,
)
from galv_constructs.frontend.source import RESERVED_PREFIXES
from galv_constructs.frontend.source import RESERVED_VARIABLES as FRONTEND_RESERVED_VARIABLES
from galv_constructs.network import NetworkPreset
from galv_constructs.web_acl._credential_rules import check_credential_paths
from galv_constructs.web_acl._managed_rules import MANAGED_GROUPS
from galv_constructs.web_acl.web_acl import by_version, check_counted_rules

Json = Mapping[str, Any]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_LABELS = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html: "letters,
# spaces, and numbers representable in UTF-8, and the following characters: _ . : / = + - @", and no
# `aws:` at the start.
_TAG_SIGNS = "_.:/=+-@"
_TAG_LENGTH = 256
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
# The place in a list, in a message of the constructs' checks.
_INDEX = re.compile(r"^\[\d+\]")
_ZONE_ID = re.compile(r"Z[A-Z0-9]{1,31}")
_VPC_ID = re.compile(r"vpc-[0-9a-f]{8,17}")
_SUBNET_ID = re.compile(r"subnet-[0-9a-f]{8,17}")
# The parts of a network, each with the number of subnets that it needs: the load balancer and the
# database want two Availability Zones.
_SUBNETS_OF = {"loadBalancer": 2, "tasks": 1, "database": 2}
CERTIFICATE_ARN = re.compile(
    r"arn:aws[a-z-]*:acm:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):certificate/[0-9a-f-]{36}"
)
# EventBridge Scheduler's longest rate would be years; a month is as good as off.
LONGEST_INTERVAL = 44640
LARGEST_QUOTA = 1024**2
# What autoscaling starts at most, unless `GalvBackend` is told otherwise.
MOST_TASKS = 4
LAST_ROTATION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value: how it is read, and how editors check it."""

    words: str
    """What is allowed, to follow "must be"."""

    read: Callable[[Any], Any]
    """Turns a value of the context into ours, or raises a `ValueError` that starts with "must"."""

    schema: Json
    """JSON Schema of the value."""

    empty_is_unset: bool = True
    """Whether an empty text means the same as no value."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One context key."""

    name: str
    """Name in `cdk.json`."""

    kind: Kind
    meaning: str
    """What it does, in one line."""

    default: str
    """What happens without it, in words."""

    required: bool = False
    ours: bool = field(default=False)
    """Whether this project added it to the documented keys."""


def from_text(value: object) -> object:
    """Read JSON text as what it means: `--context` passes everything as text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _text(value: object) -> str:
    if not isinstance(value, str) or value != value.strip() or not value:
        raise ValueError(f"must be text, got {value!r}")
    return value


def _matching(pattern: re.Pattern[str], words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {words}, got {value!r}")
        return value

    return read


def _authority_file(value: object) -> str:
    read_authority(value)
    return str(value)


def _boolean(value: object) -> bool:
    value = from_text(value.lower() if isinstance(value, str) else value)
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r}")
    return value


def _whole(value: object, words: str) -> int:
    number = from_text(value)
    if not isinstance(number, int | float) or isinstance(number, bool) or number % 1 != 0:
        raise ValueError(f"must be {words}, got {value!r}")
    return int(number)


def _minutes(value: object) -> int:
    number = _whole(value, "a whole number of minutes")
    if not 0 <= number <= LONGEST_INTERVAL:
        raise ValueError(f"must be from 0 (off) to {LONGEST_INTERVAL} (31 days), got {value!r}")
    return number


def _gibibytes(value: object) -> int:
    number = _whole(value, "a whole number of GiB")
    if not 0 <= number <= LARGEST_QUOTA:
        raise ValueError(f"must be from 0 (none) to {LARGEST_QUOTA} (1 PiB), got {value!r}")
    return number


def _tasks(value: object) -> int:
    number = _whole(value, "a whole number of tasks")
    if not 1 <= number <= MOST_TASKS:
        most = f"{MOST_TASKS}, which is the most that autoscaling starts"
        raise ValueError(f"must be from 1 to {most}, got {value!r}")
    return number


def _rotation(value: object) -> int:
    number = _whole(value, "a whole number")
    if not 1 <= number <= LAST_ROTATION:
        raise ValueError(f"must be from 1 to {LAST_ROTATION}, got {value!r}")
    return number


def _checked(check: Callable[[str, object], None]) -> Callable[[object], str]:
    """Use a check of the constructs, whose messages start with the argument's name."""

    def read(value: object) -> str:
        try:
            check("", value)
        except ValueError as error:
            raise ValueError(str(error).strip()) from None
        return str(value)

    return read


def _tag(check: Callable[[str, object], None]) -> Callable[[object], str]:
    """Read a tag; `2.11.4` is the release that is tagged `v2.11.4`."""
    read = _checked(check)
    return lambda value: release_tag(read(value))


def _mail_user(value: object) -> str:
    try:
        check_email("", f"{value}@example.com")
    except ValueError:
        raise ValueError(
            f"must be the part of an address before the @, such as 'galv-no-reply', got {value!r}"
        ) from None
    return _text(value)


# Without ENDPOINTS: the image that the keys name is on GHCR, which no VPC endpoint reaches.
_PRESETS = [preset.value for preset in NetworkPreset if preset is not NetworkPreset.ENDPOINTS]


def _preset(value: object) -> NetworkPreset:
    if value not in _PRESETS:
        raise ValueError(f"must be one of {', '.join(_PRESETS)}, got {value!r}")
    return NetworkPreset(value)


def _secret_name(value: object) -> str:
    name = _matching(_SECRET_NAME, "the name of a secret in Secrets Manager")(value)
    if _GENERATED_SUFFIX.search(name):
        raise ValueError(
            f"must not end in a dash and six characters, got {value!r}: that is the suffix that "
            "Secrets Manager adds in ARNs. Leave it out if it is one; otherwise the secret cannot "
            "be found by its name, and needs another one"
        )
    return name


def _tag_value(value: object) -> str:
    ok = (
        isinstance(value, str)
        and 1 <= len(value) <= _TAG_LENGTH
        and value == value.strip()
        and not value.lower().startswith("aws:")
        and all(c in _TAG_SIGNS or unicodedata.category(c)[0] in "LNZ" for c in value)
    )
    if not ok:
        raise ValueError(f"must be {_TAG_WORDS}, got {value!r}")
    return str(value)


def secret_name_from(tag: str, fallback: str) -> str:
    """Make the start of a secret's name from what is in a tag; its letters, as far as they go."""
    plain = unicodedata.normalize("NFKD", tag).encode("ascii", "ignore").decode()
    return _NOT_IN_SECRET_NAME.sub("-", plain).strip("-") or fallback


def _subnets(value: object) -> dict[str, list[str]]:
    chosen = from_text(value)
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
    _raise(mistakes)
    return dict(chosen)


def _is_subnet(value: object) -> bool:
    return isinstance(value, str) and _SUBNET_ID.fullmatch(value) is not None


def _secret_keys(is_reserved: Callable[[str], bool]) -> Callable[[object], list[str]]:
    def read(value: object) -> list[str]:
        keys = from_text(value)
        if not isinstance(keys, list):
            raise ValueError(f'must be a list of names such as ["SENTRY_DSN"], got {value!r}')
        mistakes = [mistake for key in keys for mistake in _name_mistakes(key, is_reserved)]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            mistakes.append(f"must name each key once, got {', '.join(twice)} more than once")
        _raise(mistakes)
        return keys

    return read


def _variables(
    is_reserved: Callable[[str], bool], secret: str, secret_keys: str
) -> Callable[[object], dict[str, str]]:
    def read(value: object) -> dict[str, str]:
        variables = from_text(value)
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
        _raise(mistakes)
        return given

    return read


def _frontend_variables(value: object) -> dict[str, str]:
    variables = from_text(value)
    if isinstance(variables, Mapping) and variables.get(ANALYTICS_URL_VARIABLE):
        raise ValueError(
            f"must not set {ANALYTICS_URL_VARIABLE}: set frontendAnalyticsUrl, which the content "
            "security policy needs too"
        )
    return _variables(_is_the_builds, "frontendSecretsName", "frontendSecretsKeys")(value)


def _storage_urls(value: object) -> list[str]:
    urls = from_text(value)
    if not isinstance(urls, list):
        raise ValueError(
            f'must be a list of URLs such as ["https://storage.example.org"], got {value!r}'
        )
    return [_checked(check_storage_url)(url) for url in urls]


def _name_mistakes(name: object, is_reserved: Callable[[str], bool]) -> list[str]:
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        words = "letters, digits and '_' that do not start with a digit"
        return [f"must have names of {words}, got {name!r}"]
    if is_reserved(name):
        return [f"must not set {name}, which the deployment sets itself"]
    return []


def _is_the_backends(name: str) -> bool:
    return name in RESERVED_VARIABLES


def _is_the_builds(name: str) -> bool:
    return name in FRONTEND_RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES)


def _counted_rules(value: object) -> Mapping[str, Sequence[str]]:
    rules: Any = from_text(value)
    try:
        check_counted_rules(rules)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("counted_rules").strip()) from None
    return dict(rules)


def _ranges(value: object) -> list[str]:
    ranges: Any = from_text(value)
    try:
        by_version("", ranges)
    except ValueError as error:
        raise ValueError(_INDEX.sub("", str(error)).strip()) from None
    return list(ranges)


def _credential_paths(value: object) -> list[str]:
    paths: Any = from_text(value)
    try:
        check_credential_paths(paths)
    except ValueError as error:
        words = str(error).removeprefix("credential_paths").removeprefix(" are")
        raise ValueError(_INDEX.sub("", words).strip()) from None
    return list(paths)


def _raise(mistakes: Sequence[str]) -> None:
    if mistakes:
        raise ValueError("; ".join(mistakes))


def _schema_of_variables() -> Json:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{_VARIABLE.pattern}$"},
        "additionalProperties": {"type": ["string", "null"]},
    }


_TAG_WORDS = f"letters, digits, spaces and any of '{_TAG_SIGNS}', at most {_TAG_LENGTH}"
_TAG_VALUE = Kind(
    words=_TAG_WORDS,
    read=_tag_value,
    schema={"type": "string", "maxLength": _TAG_LENGTH},
)
_BOOLEAN = Kind(
    words="true or false", read=_boolean, schema={"type": "boolean"}, empty_is_unset=False
)
_STACK_NAME = Kind(
    words="letters, digits and '-', starting with a letter, at most 32",
    read=_matching(_NAME, "letters, digits and '-', starting with a letter, at most 32"),
    schema={"type": "string", "pattern": f"^{_NAME.pattern}$"},
)
_DOMAIN = Kind(
    words="a bare host name in lower case",
    read=_checked(check_domain_name),
    schema={"type": "string"},
)
_SUBDOMAIN = Kind(
    words="a name in lower case such as 'api', or empty for the domain itself",
    read=lambda value: "" if value == "" else _matching(_LABELS, "a name such as 'api'")(value),
    schema={"type": "string", "pattern": f"^({_LABELS.pattern})?$"},
    empty_is_unset=False,
)
_BACKEND_TAG = Kind(
    words="the tag of an image", read=_tag(check_backend_tag), schema={"type": "string"}
)
_FRONTEND_TAG = Kind(
    words="the tag of a release", read=_tag(check_frontend_tag), schema={"type": "string"}
)
_MAIL_USER = Kind(
    words="the part of an address before the @", read=_mail_user, schema={"type": "string"}
)
_MINUTES = Kind(
    words="a whole number of minutes, 0 for off",
    read=_minutes,
    schema={"type": "integer", "minimum": 0, "maximum": LONGEST_INTERVAL},
    empty_is_unset=False,
)
_ROTATION = Kind(
    words="a whole number from 1",
    read=_rotation,
    schema={"type": "integer", "minimum": 1, "maximum": LAST_ROTATION},
)
_GIBIBYTES = Kind(
    words="a whole number of GiB",
    read=_gibibytes,
    schema={"type": "integer", "minimum": 0, "maximum": LARGEST_QUOTA},
    empty_is_unset=False,
)
_TASKS = Kind(
    words=f"a whole number from 1 to {MOST_TASKS}",
    read=_tasks,
    schema={"type": "integer", "minimum": 1, "maximum": MOST_TASKS},
)
_ADDRESS = Kind(words="an e-mail address", read=_checked(check_email), schema={"type": "string"})
_CERTIFICATE = Kind(
    words="the ARN of a certificate in ACM",
    read=_matching(
        CERTIFICATE_ARN,
        "the ARN of a certificate in ACM, such as "
        "'arn:aws:acm:us-east-1:123456789012:certificate/<uuid>'",
    ),
    schema={"type": "string", "pattern": "^arn:aws[a-z-]*:acm:"},
)
_SECRET = Kind(
    words="the name of a secret in Secrets Manager", read=_secret_name, schema={"type": "string"}
)
_KEYS_SCHEMA: Json = {
    "type": "array",
    "items": {"type": "string", "pattern": f"^{_VARIABLE.pattern}$"},
    "uniqueItems": True,
}
_SECRET_KEYS = Kind(words="a list of names", read=_secret_keys(_is_the_builds), schema=_KEYS_SCHEMA)
_BACKEND_SECRET_KEYS = Kind(
    words="a list of names", read=_secret_keys(_is_the_backends), schema=_KEYS_SCHEMA
)
_COUNTED_RULES = Kind(
    words="an object of the WAF's managed groups and lists of their rules",
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
_RANGES = Kind(
    words="a list of IPv4 and IPv6 ranges",
    read=_ranges,
    schema={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
)
_CREDENTIAL_PATHS = Kind(
    words="a list of paths, some with a method before them",
    read=_credential_paths,
    schema={
        "type": "array",
        "items": {"type": "string", "pattern": "^([A-Z]+ )?/.+/$"},
        "uniqueItems": True,
    },
)
_FRONTEND_VARIABLES = Kind(
    words="an object of names and values", read=_frontend_variables, schema=_schema_of_variables()
)
_ANALYTICS_URL = Kind(
    words="an HTTPS URL", read=_checked(check_analytics_url), schema={"type": "string"}
)
_AUTHORITY_FILE = Kind(
    words="a file with certificates", read=_authority_file, schema={"type": "string"}
)
_STORAGE_URLS = Kind(
    words="a list of HTTPS URLs",
    read=_storage_urls,
    schema={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
)
_BACKEND_VARIABLES = Kind(
    words="an object of names and values",
    read=_variables(_is_the_backends, "backendSecretsName", "backendSecretsKeys"),
    schema=_schema_of_variables(),
)
_PRESET = Kind(
    words="one of " + ", ".join(_PRESETS),
    read=_preset,
    schema={"enum": _PRESETS},
)
_MAIL_IDENTITY = Kind(
    words="one of create, existing",
    read=_matching(re.compile("create|existing"), "'create' or 'existing'"),
    schema={"enum": ["create", "existing"]},
)
_ZONE = Kind(
    words="the id of a hosted zone",
    read=_matching(_ZONE_ID, "the id of a hosted zone, such as 'Z0123456789ABCDEFGHIJ'"),
    schema={"type": "string", "pattern": f"^{_ZONE_ID.pattern}$"},
)
_VPC = Kind(
    words="the id of a VPC",
    read=_matching(_VPC_ID, "the id of a VPC, such as 'vpc-0123456789abcdef0'"),
    schema={"type": "string", "pattern": f"^{_VPC_ID.pattern}$"},
)
_SUBNETS = Kind(
    words="an object with lists of ids of subnets",
    read=_subnets,
    schema={
        "type": "object",
        "properties": {
            part: {
                "type": "array",
                "items": {"type": "string", "pattern": f"^{_SUBNET_ID.pattern}$"},
                "minItems": fewest,
            }
            for part, fewest in _SUBNETS_OF.items()
        },
        "additionalProperties": False,
    },
)

KEYS: tuple[Key, ...] = (
    Key(
        name="name",
        kind=_STACK_NAME,
        meaning="A short name that the names of stacks start with",
        default="",
        required=True,
    ),
    Key(
        name="backendVersion",
        kind=_BACKEND_TAG,
        meaning="Tag of the backend's image on GHCR, such as `v2.11.4`, or with its digest, "
        "`v2.11.4@sha256:…`",
        default="`latest`",
    ),
    Key(
        name="frontendVersion",
        kind=_FRONTEND_TAG,
        meaning="Tag of the frontend's release, such as `v2.2.0`, or with the SHA-256 of its "
        "attached files, `v2.2.0@sha256:…`",
        default="`latest`: the newest release",
    ),
    Key(
        name="projectNameTag",
        kind=_TAG_VALUE,
        meaning="Value of the tag `project-name` on everything",
        default="the same as `name`",
    ),
    Key(
        name="isProduction",
        kind=_BOOLEAN,
        meaning="Controls retention and protection, debugging, ECS Exec",
        default="`true`",
    ),
    Key(
        name="removalProtection",
        kind=_BOOLEAN,
        meaning="Overrides retention and protection, such as deletion protection",
        default="the same as `isProduction`",
    ),
    Key(
        name="deletionProtection",
        kind=_BOOLEAN,
        meaning="Whether the deployment refuses to be destroyed; set it to `false` and deploy "
        "before you destroy one whose data is kept",
        default="the same as `removalProtection`",
        ours=True,
    ),
    Key(
        name="mailFromUser",
        kind=_MAIL_USER,
        meaning="Part before the @ of the address that mail comes from",
        default="`galv-no-reply`",
    ),
    Key(
        name="mailFromDomain",
        kind=_DOMAIN,
        meaning="Domain of the address that mail comes from",
        default="`mail.` and `domainName`; with another `frontendSubdomain` than `app`, `mail.` "
        "and the frontend's host name",
    ),
    Key(
        name="frontendEnvironment",
        kind=_FRONTEND_VARIABLES,
        meaning="Variables for the frontend: for its build, and for its `env.template.js`",
        default="none",
    ),
    Key(
        name="backendEnvironment",
        kind=_BACKEND_VARIABLES,
        meaning="Variables for the backend; null and empty ones are left out",
        default="none",
    ),
    Key(
        name="frontendSecretsName",
        kind=_SECRET,
        meaning="Secrets Manager secret with secrets for the build of the frontend",
        default="`name` and `-frontend-secrets`",
    ),
    Key(
        name="frontendSecretsKeys",
        kind=_SECRET_KEYS,
        meaning="Keys of that secret to pass on; what a site is built from is public",
        default="none",
    ),
    Key(
        name="backendSecretsName",
        kind=_SECRET,
        meaning="Secrets Manager secret with secrets for the backend",
        default="`name` and `-backend-secrets`",
    ),
    Key(
        name="backendSecretsKeys",
        kind=_BACKEND_SECRET_KEYS,
        meaning="Keys of that secret to pass on as variables",
        default="none",
    ),
    Key(
        name="monitorIntervalMinutes",
        kind=_MINUTES,
        meaning="How often validations run, in minutes; 0 turns them off",
        default="`5`",
    ),
    Key(
        name="frontendSubdomain",
        kind=_SUBDOMAIN,
        meaning="Subdomain of the frontend; empty for the domain itself",
        default="`app`",
    ),
    Key(
        name="backendSubdomain",
        kind=_SUBDOMAIN,
        meaning="Subdomain of the API; empty for the domain itself",
        default="`api`",
    ),
    Key(
        name="domainName",
        kind=_DOMAIN,
        meaning="Domain of the application, such as `example.com`",
        default="",
        required=True,
    ),
    Key(
        name="isRoute53Domain",
        kind=_BOOLEAN,
        meaning="Whether the domain is managed by Route 53",
        default="`true`, or `false` if `certificateArn` is set",
    ),
    Key(
        name="enableContainerInsights",
        kind=_BOOLEAN,
        meaning="Container Insights for ECS",
        default="the same as `isProduction`",
    ),
    Key(
        name="certificateArn",
        kind=_CERTIFICATE,
        meaning="ARN of a certificate in us-east-1 for a domain outside Route 53",
        default="none",
    ),
    Key(
        name="smtpSecretName",
        kind=_SECRET,
        meaning="Secrets Manager secret with SMTP credentials to use",
        default="credentials are made, in a secret named `projectNameTag` and `-smtp`",
    ),
    Key(
        name="backendCertificateArn",
        kind=_CERTIFICATE,
        meaning="ARN of a certificate for the API in the region of the backend, needed outside "
        "us-east-1 when the domain is not in Route 53",
        default="`certificateArn`",
        ours=True,
    ),
    Key(
        name="hostedZoneName",
        kind=_DOMAIN,
        meaning="Name of the Route 53 zone that the host names are in, such as a domain above "
        "`domainName`",
        default="the same as `domainName`",
        ours=True,
    ),
    Key(
        name="hostedZoneId",
        kind=_ZONE,
        meaning="Id of that zone, where its name alone does not find it",
        default="the public zone of that name in the account",
        ours=True,
    ),
    Key(
        name="networkPreset",
        kind=_PRESET,
        meaning="How tasks reach the internet: `natGateway`, `natInstance`, `public`",
        default="`natGateway`",
        ours=True,
    ),
    Key(
        name="vpcId",
        kind=_VPC,
        meaning="Id of a VPC to use. With `networkPreset` `public` tasks run in its public "
        "subnets, otherwise in its private ones",
        default="a new VPC",
        ours=True,
    ),
    Key(
        name="vpcSubnets",
        kind=_SUBNETS,
        meaning="Ids of subnets of that VPC, where its types of subnets do not say it: an object "
        "with any of `loadBalancer`, `tasks` and `database`",
        default="public subnets for the load balancer, private ones for tasks, isolated or "
        "private ones for the database",
        ours=True,
    ),
    Key(
        name="minTasks",
        kind=_TASKS,
        meaning="How many tasks of the web service run at least. With `2` the API stays up when a "
        "task or an Availability Zone fails",
        default="`1`",
        ours=True,
    ),
    Key(
        name="labStorageQuotaGib",
        kind=_GIBIBYTES,
        meaning="How many GiB each new laboratory may store; beyond it uploads are refused (507)",
        default="`5`",
        ours=True,
    ),
    Key(
        name="alarmEmail",
        kind=_ADDRESS,
        meaning="Address that is told when a run of the validations fails or cannot start, or the "
        "WAF blocks attempts at passwords; it has to confirm a mail of AWS's",
        default="nobody is told",
        ours=True,
    ),
    Key(
        name="wafCountedRules",
        kind=_COUNTED_RULES,
        meaning="Rules of AWS's groups that the WAF only counts requests with, such as "
        '`{"AWSManagedRulesCommonRuleSet": ["NoUserAgent_HEADER"]}`',
        default="those that search bodies: uploads pass, other bodies are blocked",
        ours=True,
    ),
    Key(
        name="wafCredentialPaths",
        kind=_CREDENTIAL_PATHS,
        meaning="Starts of the paths that take passwords and codes, where the WAF lets 30 requests "
        "of an address pass in five minutes, such as `/login/` or `POST /users/`",
        default="those of Galv's API and admin",
        ours=True,
    ),
    Key(
        name="adminCidrs",
        kind=_RANGES,
        meaning="IPv4 and IPv6 ranges that may use Django's admin, below `/admin/`; `[]` is nobody",
        default="all addresses",
        ours=True,
    ),
    Key(
        name="mailIdentity",
        kind=_MAIL_IDENTITY,
        meaning="Whether this deployment creates the SES identity of `mailFromDomain`, or uses the "
        "`existing` one: there is one per domain, account and region",
        default="`create`",
        ours=True,
    ),
    Key(
        name="frontendAnalyticsUrl",
        kind=_ANALYTICS_URL,
        meaning="URL that the frontend loads a counter of visits from",
        default="visits are not counted",
        ours=True,
    ),
    Key(
        name="frontendStorageUrls",
        kind=_STORAGE_URLS,
        meaning="URLs of storage that laboratories brought themselves, for the site to load from",
        default="none",
        ours=True,
    ),
    Key(
        name="databaseRotation",
        kind=_ROTATION,
        meaning="Number of the password that tasks sign in to the database with; raise it by one "
        "for a new one",
        default="`1`",
        ours=True,
    ),
    Key(
        name="databaseCaFile",
        kind=_AUTHORITY_FILE,
        meaning="File with the certificates that tasks check the database by: for Amazon RDS the "
        "bundle of the region",
        default="connections are encrypted, whoever the server is",
        ours=True,
    ),
    Key(
        name="smtpRotation",
        kind=_ROTATION,
        meaning="Number of the SMTP credentials that are made; raise it by one for new ones",
        default="`1`",
        ours=True,
    ),
)


def schema() -> Json:
    """JSON Schema of the application's `cdk.json`, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cdk.json of a Galv deployment",
        "type": "object",
        "properties": {
            "context": {
                "type": "object",
                "properties": {key.name: _schema_of(key) for key in KEYS},
                "required": [key.name for key in KEYS if key.required],
                # CDK's own keys.
                "patternProperties": {"^@|:|^cdk|^aws-cdk|^acknowledged-issue-numbers$": {}},
                "additionalProperties": False,
            }
        },
        "required": ["context"],
    }


def _schema_of(key: Key) -> Json:
    default = "" if key.required else f" Default: {key.default}."
    unset = {"enum": [None, ""] if key.kind.empty_is_unset else [None]}
    return {"description": f"{key.meaning}.{default}", "anyOf": [key.kind.schema, unset]}


def table() -> str:
    """The keys as a table in Markdown."""
    rows = [
        f"| `{key.name}`{' (added)' if key.ours else ''} | {key.meaning} "
        f"| {'**required**' if key.required else key.default} |"
        for key in KEYS
    ]
    return "\n".join(["| key | meaning | default |", "|---|---|---|", *rows])
