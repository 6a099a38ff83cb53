"""Names that a server has for itself, or that RDS refuses for a new one.

"Can't be a reserved word for the chosen database engine" is all that AWS says of them:
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

import re

from galv_constructs._core.validation import is_token

# The reserved key words of https://www.postgresql.org/docs/current/sql-keywords-appendix.html, for
# which RDS answers "cannot be used as it is a reserved word used by the engine".
_KEY_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create current_catalog current_date current_role current_time current_timestamp
    current_user default deferrable desc distinct do else end except false fetch for foreign
    from grant group having in initially intersect into lateral leading limit localtime
    localtimestamp not null offset on only or order placing primary references returning
    select session_user some symmetric system_user table then to trailing true union unique
    user using variadic when where window with
    """,
    )
)
# `admin` is a reserved word of RDS alone, and `rdsadmin` its own role and database, as was tried on
# AWS for https://github.com/aws-cloudformation/cfn-lint/pull/4425.
_OF_RDS = frozenset({"admin", "rdsadmin"})
# https://www.postgresql.org/docs/current/sql-createrole.html: "public" and "none" are no roles.
_NO_ROLES = frozenset({"none", "public"})
_THERE = frozenset({"postgres", "rdsadmin", "template0", "template1"})
# "role names starting with "pg_" are reserved"; those of RDS are there already.
_ROLE_PREFIXES = ("pg_", "rds_")
_BEGIN = re.compile(r"[A-Za-z]")


def check_master_username(argument: str, name: str) -> None:
    """Refuse a name that RDS does not create a master with."""
    _check_begin(argument, name)
    if name.lower() in _KEY_WORDS | _OF_RDS | _NO_ROLES or name.lower().startswith(_ROLE_PREFIXES):
        raise ValueError(
            f"{argument} must not be {name!r}, which RDS for PostgreSQL reserves, as it does "
            "'admin', 'rdsadmin', key words of SQL, and what starts with 'pg_' or 'rds_': pass "
            "another name, such as 'galv'"
        )


def check_new_database(argument: str, name: str) -> None:
    """Refuse a name that RDS creates no database of a new server with."""
    _check_begin(argument, name)
    # A new server may have `postgres` for its first one.
    if name.lower() in _KEY_WORDS | _OF_RDS | (_THERE - {"postgres"}):
        raise ValueError(
            f"{argument} must not be {name!r}, which RDS for PostgreSQL reserves, as it does "
            "'admin', 'rdsadmin', 'template0', 'template1' and key words of SQL: pass another "
            "name, such as 'galv'"
        )


def check_added_database(argument: str, name: str) -> None:
    """Refuse the name of a database that each server has already, for its own use."""
    if name.lower() in _THERE:
        raise ValueError(
            f"{argument} must not be {name!r}: each server has one of its own, as it has "
            f"{', '.join(sorted(_THERE - {name.lower()}))}; pass another name"
        )


def check_role_prefix(argument: str, name: str) -> None:
    """Refuse a name that roles cannot start with."""
    if not is_token(name) and name.startswith(_ROLE_PREFIXES):
        raise ValueError(
            f"{argument} must not start with 'pg_' or 'rds_', which PostgreSQL and RDS keep for "
            f"their own roles, got {name!r}: roles are named after it; pass another one, or "
            "owner_role=False"
        )


def _check_begin(argument: str, name: str) -> None:
    if not is_token(name) and not _BEGIN.match(name):
        raise ValueError(
            f"{argument} must start with a letter, as RDS wants it, got {name!r}: pass another name"
        )
