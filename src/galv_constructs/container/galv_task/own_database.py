"""Gives Galv's database to a role without rights of its own, and tasks a login that acts as it.

It signs in as the master, to the database that Galv is configured for, and creates that one where
it is another one of a server (`GALV_DATABASE_NEW`). Each step is left out where
it was done before, so every release can run it. The master stays a member of the role: whatever
still signs in as the master goes on working.

    python -m galv_task.own_database
    python -m galv_task.own_database retire LOGIN SECONDS
"""

import base64
import hashlib
import hmac
import os
import secrets
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import Error
from django.db.utils import ConnectionHandler

# A statement waits this long for a table, and holds up others meanwhile; then it lets them pass.
LOCK_TIMEOUT = "2s"
LOCK_ATTEMPTS = 60
LOCK_NOT_AVAILABLE = "55P03"
# Tasks may create functions and operators in `public`, and may set a path for the database. None of
# theirs may run as the master, so no name is looked up there.
SEARCH_PATH = "pg_catalog, pg_temp"

# What the master owns in the schema of Django, apart from what an extension brought. Views last:
# they read tables with the rights of their owner. A sequence of a column goes with its table.
OBJECTS = """
SELECT format('ALTER %%s %%s OWNER TO %%I', kind, name, %s) FROM (
    SELECT CASE WHEN relkind IN ('v', 'm') THEN 2 ELSE 1 END AS turn, 'TABLE' AS kind,
        oid::regclass::text AS name, 'pg_class'::regclass AS class, oid, relnamespace AS schema,
        relowner AS owner
    FROM pg_class c WHERE relkind IN ('r', 'p', 'f', 'v', 'm') OR relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
    UNION ALL
    SELECT 1, 'TYPE', oid::regtype::text, 'pg_type'::regclass, oid, typnamespace, typowner
    FROM pg_type WHERE typtype IN ('d', 'e', 'r')
        OR typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c'
    UNION ALL
    SELECT 1, 'ROUTINE', oid::regprocedure::text, 'pg_proc'::regclass, oid, pronamespace, proowner
    FROM pg_proc
) AS found
WHERE schema = 'public'::regnamespace AND owner = current_user::regrole AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = found.oid AND d.deptype = 'e')
ORDER BY turn
"""


def own(cursor: Any, *, owner: str, login: str, password: str) -> None:
    """Make both roles, and the first the owner of the database and of all that is in it."""
    if not _ask(cursor, "SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user"):
        sys.exit(
            f"{os.environ['GALV_DATABASE_MASTER_USER']} may not create roles: the secret has to be "
            "that of the database's master; pass owner_role=False to use another role"
        )
    _create_role(cursor, owner)
    # Not only ADMIN, which the creator gets since PostgreSQL 16: rights are to be inherited.
    if not _ask(cursor, "SELECT pg_has_role(%s, 'USAGE')", owner):
        _run(cursor, "GRANT %I TO CURRENT_USER", owner)
    _create_role(cursor, login)
    _run(cursor, "ALTER ROLE %I LOGIN PASSWORD %L VALID UNTIL 'infinity'", login, _hash(password))
    if not _ask(cursor, "SELECT pg_has_role(%s, %s, 'MEMBER')", login, owner):
        _run(cursor, "GRANT %I TO %I", owner, login)
    # What a session creates belongs to the owner, and outlives the login.
    _run(cursor, "ALTER ROLE %I SET role TO %I", login, owner)
    cursor.execute(OBJECTS, [owner])
    statements = [statement for (statement,) in cursor.fetchall()]
    database = "(SELECT datdba FROM pg_database WHERE datname = current_database())"
    if not _ask(cursor, f"SELECT {database} = %s::regrole", owner):
        name = _ask(cursor, "SELECT current_database()")
        # One with tables may have readers, who enter it as anyone does.
        if not statements:
            _close(cursor, name)
        _run(cursor, "ALTER DATABASE %I OWNER TO %I", name, owner)
    if not _ask(cursor, "SELECT has_schema_privilege(%s, 'public', 'CREATE')", owner):
        _run(cursor, "GRANT ALL ON SCHEMA public TO %I", owner)
    for statement in statements:
        _patiently(cursor, statement)
    _drop_expired(cursor, login, owner)
    _say(f"{owner} owns the database, {len(statements)} objects were handed over; {login} acts")


def create(cursor: Any, name: str) -> None:
    """Make a database where the server has none of that name, which nobody else may enter."""
    if not _ask(cursor, "SELECT count(*) FROM pg_database WHERE datname = %s", name):
        # Others may have put something into the usual template.
        _run(cursor, "CREATE DATABASE %I TEMPLATE template0", name)
        _say(f"created the database {name}")
    # Until it is handed over: what people grant later stays.
    if _ask(
        cursor,
        "SELECT datdba = current_user::regrole FROM pg_database WHERE datname = %s",
        name,
    ):
        _close(cursor, name)


def _close(cursor: Any, name: str) -> None:
    """Let only its owner into a database; by default any role may connect and create tables there.

    https://www.postgresql.org/docs/current/ddl-priv.html#PRIVILEGES-SUMMARY-TABLE
    """
    _run(cursor, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)


def retire(cursor: Any, login: str, seconds: int) -> None:
    """Refuse the password of a login from some seconds on; sessions go on."""
    if not _ask(cursor, "SELECT count(*) FROM pg_roles WHERE rolname = %s", login):
        _say(f"there is no {login}")
        return
    until = _ask(cursor, "SELECT now() + make_interval(secs => %s)", seconds)
    _run(cursor, "ALTER ROLE %I VALID UNTIL %L", login, until)
    _say(f"the password of {login} is refused from {until} on")


def _drop_expired(cursor: Any, login: str, owner: str) -> None:
    """Drop what was retired: logins that differ from the one in use in their number."""
    cursor.execute(
        "SELECT rolname FROM pg_roles WHERE rolvaliduntil < now() AND rolname <> %s "
        "AND regexp_replace(rolname, '[0-9]+$', '') = regexp_replace(%s, '[0-9]+$', '')",
        [login, login],
    )
    for (name,) in cursor.fetchall():
        _drop(cursor, name, owner)


def _drop(cursor: Any, login: str, owner: str) -> None:
    """Drop a login, and give the owner what it has created as itself."""
    try:
        if not _ask(cursor, "SELECT pg_has_role(%s, 'USAGE')", login):
            cursor.execute(_quote(cursor, "GRANT %I TO CURRENT_USER", login))
        # Without patience: the next release tries again.
        cursor.execute(_quote(cursor, "REASSIGN OWNED BY %I TO %I", login, owner))
        # Its privileges; it owns nothing any more.
        cursor.execute(_quote(cursor, "DROP OWNED BY %I", login))
        cursor.execute(_quote(cursor, "DROP ROLE %I", login))
    except Error as error:
        # Whoever has the login may give it something that keeps it. No release waits for that.
        _run(cursor, "ALTER ROLE %I NOLOGIN", login)
        reason = " ".join(str(error).split())
        _say(f"{login} may not sign in any more, but was not dropped: {reason}")


def _create_role(cursor: Any, name: str) -> None:
    if not _ask(cursor, "SELECT count(*) FROM pg_roles WHERE rolname = %s", name):
        _run(cursor, "CREATE ROLE %I", name)


def _ask(cursor: Any, query: str, *values: object) -> Any:
    cursor.execute(query, values)
    return cursor.fetchone()[0]


def _run(cursor: Any, statement: str, *values: object) -> None:
    _patiently(cursor, _quote(cursor, statement, *values))


def _quote(cursor: Any, statement: str, *values: object) -> Any:
    """Return a statement, in which `%I` is a name and `%L` a value, quoted by the server."""
    places = ", %s::text" * len(values)
    return _ask(cursor, f"SELECT format(%s{places})", statement, *values)


def _patiently(cursor: Any, statement: str) -> None:
    for _ in range(LOCK_ATTEMPTS):
        if _is_done(cursor, statement):
            return
        time.sleep(1)
    cursor.execute(statement)


def _is_done(cursor: Any, statement: str) -> bool:
    """Run a statement, unless the lock that it takes is held for too long."""
    try:
        cursor.execute(statement)
    except Error as error:
        cause = error.__cause__
        # psycopg's name for it, and psycopg2's.
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if state != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _hash(password: str) -> str:
    """Hash a password as the server would, so that no log of statements has it.

    https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (
        base64.b64encode(part).decode() for part in (salt, stored, server)
    )
    parts = ("SCRAM-SHA-256", f"{rounds}:{salt_text}", f"{stored_text}:{server_text}")
    return "$".join(parts)


@contextmanager
def _session(database: dict[str, Any]) -> Iterator[Any]:
    with ConnectionHandler({"default": database})["default"].cursor() as cursor:
        # What stands between may have dropped the option.
        cursor.execute(f"SET search_path TO {SEARCH_PATH}")
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        yield cursor


def main(arguments: list[str]) -> None:
    """Do what the command line asks for."""
    # No model is used, so none has to be loaded.
    warnings.filterwarnings("ignore", message="Accessing the database during app")
    database = settings.DATABASES["default"]
    master = {
        **database,
        "USER": os.environ["GALV_DATABASE_MASTER_USER"],
        "PASSWORD": os.environ["GALV_DATABASE_MASTER_PASSWORD"],
        # From the start: Django asks for something itself when it has connected. The client's path
        # goes before that of `ALTER DATABASE` and `ALTER ROLE`.
        # https://www.postgresql.org/docs/current/config-setting.html
        "OPTIONS": {
            **database.get("OPTIONS", {}),
            "options": f"-c search_path={SEARCH_PATH.replace(' ', '')}",
        },
    }
    new = os.environ.get("GALV_DATABASE_NEW")
    if new and database["NAME"] != new:
        sys.exit(
            f"this image uses the database {database['NAME']} and not {new}, and cannot share a "
            "server with another Galv: give it a GalvDatabase of its own"
        )
    try:
        if arguments[:1] == ["retire"]:
            with _session(master) as cursor:
                retire(cursor, arguments[1], int(arguments[2]))
        else:
            if new:
                # RDS has this one, whatever else there is.
                with _session({**master, "NAME": "postgres"}) as cursor:
                    create(cursor, new)
            with _session(master) as cursor:
                own(
                    cursor,
                    owner=os.environ["GALV_DATABASE_OWNER"],
                    login=os.environ["POSTGRES_USER"],
                    password=os.environ["POSTGRES_PASSWORD"],
                )
    except Error as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
