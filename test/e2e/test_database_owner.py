"""A database of the master's is handed over to an owner, on PostgreSQL with the stand-in's tables.

The server is Debian's, and its master may create roles and databases and is no superuser, as that
of RDS. Who signs in does so with a password, over TLS.
"""

import time
from collections.abc import Callable

import pytest
from e2e.owned_database import (
    ADDRESS,
    LOGIN,
    MASTER,
    MIGRATE,
    NAME,
    NEXT_LOGIN,
    OTHER_LOGIN,
    OWN,
    OWNER,
    Database,
)
from e2e.owned_database import make as make  # noqa: PLC0414 - a fixture
from proof import certificates

pytestmark = pytest.mark.smoke
# The variables of another backend's tasks on the same server.
OTHER = {"POSTGRES_DB": "demo", "GALV_DATABASE_OWNER": "demo_owner", "GALV_DATABASE_NEW": "demo"}
# What Galv does not have today, and may have tomorrow.
MORE = """
CREATE EXTENSION pg_trgm;
CREATE SEQUENCE "Loose one";
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (one int, two int);
CREATE DOMAIN percent AS int CHECK (VALUE < 101);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
CREATE PROCEDURE nothing() LANGUAGE sql AS '';
CREATE VIEW labs AS SELECT name FROM galv_lab;
CREATE MATERIALIZED VIEW stored AS SELECT name FROM galv_lab;
INSERT INTO galv_lab (name, quota_bytes) VALUES ('Old lab', 1);
"""
# What a task may leave for whoever signs in as the master and looks names up in `public`. The first
# two suit our calls better than PostgreSQL's own; Django calls the third, for another time zone.
TRAPS = f"""
CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE sql
    AS $$ SELECT 'ALTER ROLE {LOGIN} CREATEDB' $$;
CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql
    AS $$ SELECT 'ALTER ROLE {LOGIN} CREATEDB' $$;
CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN ALTER ROLE {LOGIN} CREATEDB; RETURN $2; END $$;
"""
EARLY = """
ALTER DATABASE galv SET search_path TO public, pg_catalog;
ALTER DATABASE galv SET timezone TO 'Asia/Tokyo';
"""
RIGHTS = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolcanlogin FROM pg_roles WHERE rolname = "


@pytest.fixture(scope="module")
def old(make: Callable[[], Database]) -> Database:
    """The database of a deployment whose tasks are all the master, taken over."""
    database = make()
    code, output = database.task(*MIGRATE, login=MASTER)
    assert code == 0, output
    assert database.ask(MASTER, MORE) == ""
    assert database.owners() == {MASTER}
    web = database.session(MASTER)
    assert web.stdin is not None
    web.stdin.write("SELECT count(*) FROM galv_lab;\n")
    web.stdin.flush()
    wait_for(lambda: sessions(database, MASTER))

    code, output = database.task(*OWN)

    assert code == 0, output
    assert "objects were handed over" in output
    said, _ = web.communicate(
        "INSERT INTO galv_lab (name, quota_bytes) VALUES ('From the old task', 1) RETURNING name;"
        "ALTER TABLE galv_lab ADD COLUMN old_release int; ALTER TABLE galv_lab DROP old_release;",
        timeout=60,
    )
    assert said.split("\n") == ["1", "From the old task", ""]
    return database


def sessions(database: Database, user: str) -> int:
    asked = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'"
    return int(database.server.query(asked)[0][0])


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_takes_over_everything_that_the_master_created(old: Database) -> None:
    assert old.owners() == {OWNER}
    assert old.server.query("SELECT datdba::regrole FROM pg_database WHERE datname = 'galv'") == [
        [OWNER]
    ]
    # Other databases of the server are none of ours.
    assert old.server.query(
        "SELECT datdba::regrole FROM pg_database WHERE datname = 'postgres'"
    ) == [[MASTER]]
    assert old.ask(LOGIN, "SELECT name FROM labs; SELECT twice(4)") == (
        "Old lab\nFrom the old task\n8"
    )


def test_tasks_can_do_what_a_release_does_and_no_more(old: Database) -> None:
    assert old.server.query(RIGHTS + f"'{OWNER}'") == [["f", "f", "f", "f"]]
    assert old.server.query(RIGHTS + f"'{LOGIN}'") == [["f", "f", "f", "t"]]

    code, output = old.task(*MIGRATE)

    assert code == 0, output
    assert old.ask(LOGIN, "CREATE TABLE later (id serial); SELECT current_user") == OWNER
    assert old.owners() == {OWNER}
    for statement in ("CREATE ROLE mine", "CREATE DATABASE mine", f"GRANT {MASTER} TO {LOGIN}"):
        assert old.ask(LOGIN, statement).startswith("ERROR:  "), statement
    assert "permission denied" in old.ask(LOGIN, "SELECT * FROM pg_authid")


def test_the_release_before_still_works_as_the_master(old: Database) -> None:
    code, output = old.task(*MIGRATE, login=MASTER)

    assert code == 0, output
    assert old.ask(MASTER, "CREATE TABLE by_the_old_release (id serial); SELECT 1") == "1"
    assert old.owners() == {OWNER, MASTER}
    # And the next one takes over what that made meanwhile.
    assert old.task(*OWN)[0] == 0
    assert old.owners() == {OWNER}


def test_a_second_run_changes_nothing(old: Database) -> None:
    everything = "SELECT rolname, rolcanlogin, rolconfig FROM pg_roles ORDER BY 1"
    before = old.server.query(everything)

    code, output = old.task(*OWN)

    assert code == 0, output
    assert " 0 objects were handed over" in output
    assert old.server.query(everything) == before


@pytest.mark.parametrize("command", [(), ("retire", LOGIN, "600")], ids=["own", "retire"])
@pytest.mark.parametrize("path", ["", EARLY], ids=["better", "earlier"])
def test_code_that_a_task_left_does_not_run_as_the_master(
    old: Database, command: tuple[str, ...], path: str
) -> None:
    assert old.ask(LOGIN, TRAPS + path) == ""
    before = old.server.query(RIGHTS + f"'{LOGIN}'")

    code, output = old.task(*OWN, *command)

    after = old.server.query(RIGHTS + f"'{LOGIN}'")
    old.server.query(f"ALTER ROLE {LOGIN} NOCREATEDB")
    old.server.query("ALTER DATABASE galv RESET ALL")
    for function in ("format(text, text)", "format(text, text, text)"):
        old.server.query(f"DROP FUNCTION public.{function}", "galv")
    old.server.query("DROP FUNCTION public.set_config(text, text, boolean)", "galv")
    assert code == 0, output
    assert after == before


def test_no_log_of_statements_has_the_password(old: Database) -> None:
    old.server.query(f"ALTER ROLE {MASTER} SET log_statement = 'all'")

    assert old.task(*OWN)[0] == 0

    log = (old.server._folder / "log").read_text()
    assert f"ALTER ROLE {LOGIN} LOGIN PASSWORD 'SCRAM-SHA-256$" in log
    assert f"'{old.passwords[LOGIN]}'" not in log


def test_waits_for_a_table_that_is_in_use(old: Database) -> None:
    assert old.ask(MASTER, "ALTER TABLE galv_lab OWNER TO galv; SELECT 1") == "1"
    busy = old.session(MASTER)
    assert busy.stdin is not None
    busy.stdin.write("BEGIN; LOCK TABLE galv_lab; SELECT pg_sleep(4); COMMIT;\n")
    busy.stdin.flush()
    wait_for(lambda: old.server.query("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock'"))

    code, output = old.task(*OWN)

    busy.communicate(timeout=60)
    assert code == 0, output
    assert " 1 objects were handed over" in output
    assert old.owners() == {OWNER}


def test_a_rotation_creates_another_login_and_refuses_the_old_password(old: Database) -> None:
    code, output = old.task(*OWN, login=NEXT_LOGIN)
    assert code == 0, output
    # Both work, until the last old task is gone.
    for login in (LOGIN, NEXT_LOGIN):
        assert old.ask(login, "SELECT current_user") == OWNER
    web = old.session(LOGIN)
    wait_for(lambda: sessions(old, LOGIN))

    code, output = old.task(*OWN, "retire", LOGIN, "0", login=NEXT_LOGIN)

    assert code == 0, output
    assert "password authentication failed" in old.ask(LOGIN, "SELECT 1")
    assert web.communicate("SELECT current_user", timeout=60)[0] == f"{OWNER}\n"
    assert old.ask(NEXT_LOGIN, "SELECT count(*) > 1 FROM galv_lab") == "t"
    # The next release drops it, and all that it made is the owner's.
    assert old.task(*OWN, login=NEXT_LOGIN)[0] == 0
    assert old.server.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{LOGIN}'") == []
    assert old.task(*OWN, "retire", LOGIN, "0") == (0, f"there is no {LOGIN}\n")


def test_objects_that_an_old_login_created_become_those_of_the_owner(old: Database) -> None:
    assert old.task(*OWN, login=LOGIN)[0] == 0
    made = f"GRANT CREATE ON SCHEMA public TO {LOGIN}; SET ROLE NONE; CREATE TABLE kept (id int)"
    assert old.ask(LOGIN, made) == ""
    assert LOGIN in old.owners()
    assert old.task(*OWN, "retire", LOGIN, "0", login=NEXT_LOGIN)[0] == 0

    code, output = old.task(*OWN, login=NEXT_LOGIN)

    assert code == 0, output
    assert old.server.query(RIGHTS + f"'{LOGIN}'") == []
    assert old.ask(NEXT_LOGIN, "SELECT count(*) FROM kept; DROP TABLE kept") == "0"


def test_an_old_login_that_cannot_be_dropped_holds_no_release_up(old: Database) -> None:
    assert old.task(*OWN, login=LOGIN)[0] == 0
    # In another database, which is none of ours.
    old.server.query(f"CREATE TABLE elsewhere (); ALTER TABLE elsewhere OWNER TO {LOGIN}")
    assert old.task(*OWN, "retire", LOGIN, "0", login=NEXT_LOGIN)[0] == 0

    for _ in range(2):
        code, output = old.task(*OWN, login=NEXT_LOGIN)

        assert code == 0, output
        assert f"{LOGIN} may not sign in any more, but was not dropped: " in output
        assert "1 object in database postgres" in output
        assert old.server.query(RIGHTS + f"'{LOGIN}'") == [["f", "f", "f", "f"]]

    old.server.query("DROP TABLE elsewhere")
    code, output = old.task(*OWN, login=NEXT_LOGIN)
    assert code == 0, output
    assert "not dropped" not in output
    assert old.server.query(RIGHTS + f"'{LOGIN}'") == []


def test_a_login_that_comes_back_gets_its_new_password(old: Database) -> None:
    assert old.task(*OWN, login=NEXT_LOGIN)[0] == 0
    assert old.task(*OWN, "retire", NEXT_LOGIN, "0")[0] == 0
    old.passwords[NEXT_LOGIN] = "third"

    assert old.task(*OWN, login=NEXT_LOGIN)[0] == 0

    assert old.ask(NEXT_LOGIN, "SELECT current_user") == OWNER
    assert "password authentication failed" in old.ask(NEXT_LOGIN, "SELECT 1", "second")


def test_grace_lets_tasks_that_end_sign_in(old: Database) -> None:
    assert old.task(*OWN, "retire", NEXT_LOGIN, "600", login=LOGIN)[0] == 0

    assert old.ask(NEXT_LOGIN, "SELECT current_user") == OWNER


def test_a_database_with_tables_stays_open_to_whom_it_was(old: Database) -> None:
    old.server.query("CREATE ROLE report LOGIN PASSWORD 'reports'")
    old.server.query("GRANT SELECT ON galv_lab TO report", "galv")

    assert old.ask("report", "SELECT count(*) > 0 FROM galv_lab", "reports") == "t"


def test_refuses_a_master_that_may_not_create_roles(old: Database) -> None:
    old.server.query("CREATE ROLE reader LOGIN PASSWORD 'reads'")

    code, output = old.task(
        *OWN, GALV_DATABASE_MASTER_USER="reader", GALV_DATABASE_MASTER_PASSWORD="reads"
    )

    assert code == 1
    assert "reader may not create roles" in output


def test_reports_a_wrong_master_password_without_printing_it(old: Database) -> None:
    code, output = old.task(*OWN, GALV_DATABASE_MASTER_PASSWORD="hunter2")

    assert code == 1
    assert "password authentication failed" in output
    assert "hunter2" not in output


def test_django_refuses_a_server_that_is_not_the_database(old: Database) -> None:
    """As with `database_ca_file`. PGHOSTADDR stands for what a name server answers."""
    checked = {"PGHOSTADDR": ADDRESS, "PGSSLMODE": "verify-full"}
    authority = str(old.server._certificates.authority)
    other = certificates.create(old.folder / "other", [NAME]).authority

    code, output = old.task(*OWN, POSTGRES_HOST=NAME, PGSSLROOTCERT=authority, **checked)
    assert code == 0, output
    for host, file, reason in (
        (NAME, str(other), "certificate verify failed"),
        ("other.example.com", authority, "does not match host name"),
        (NAME, "/nowhere.pem", "does not exist"),
    ):
        code, output = old.task(*OWN, POSTGRES_HOST=host, PGSSLROOTCERT=file, **checked)
        assert code == 1
        assert reason in output


def test_a_new_database_belongs_to_the_owner_from_the_start(make: Callable[[], Database]) -> None:
    database = make()

    for command in (OWN, MIGRATE):
        code, output = database.task(*command)
        assert code == 0, output

    assert database.owners() == {OWNER}
    assert database.ask(MASTER, "SELECT count(*) FROM galv_lab") == "0"


@pytest.fixture(scope="module")
def shared(make: Callable[[], Database]) -> Database:
    """A server with the databases of two backends."""
    database = make()
    for login, variables in ((LOGIN, {}), (OTHER_LOGIN, OTHER)):
        for command in (OWN, MIGRATE):
            code, output = database.task(*command, login=login, **variables)
            assert code == 0, output
            assert ("created the database demo" in output) is (
                variables == OTHER and command == OWN
            )
    return database


ACCESS = "SELECT datname, datdba::regrole, datacl FROM pg_database ORDER BY 1"
PLACES = [(LOGIN, "galv", OTHER_LOGIN, "demo"), (OTHER_LOGIN, "demo", LOGIN, "galv")]


class TestTwoDatabasesOfAServer:
    """`add_database`: each backend has a database with an owner and a login of its own."""

    @pytest.mark.parametrize(("login", "own", "_", "other"), PLACES)
    def test_a_login_enters_its_own_alone(
        self, shared: Database, login: str, own: str, _: str, other: str
    ) -> None:
        assert shared.owners(own) == {f"{own}_owner"}
        assert shared.ask(login, "SELECT current_user", database=own) == f"{own}_owner"
        assert f'permission denied for database "{other}"' in shared.ask(
            login, "SELECT 1", database=other
        )

    @pytest.mark.parametrize(("login", "own", "other_login", "other"), PLACES)
    def test_a_login_is_nobody_in_the_other(
        self, shared: Database, login: str, own: str, other_login: str, other: str
    ) -> None:
        assert shared.server.query(RIGHTS + f"'{own}_owner'") == [["f", "f", "f", "f"]]
        for statement in (
            f"SET ROLE {other}_owner",
            f"ALTER ROLE {other_login} PASSWORD 'mine'",
            f"GRANT {other}_owner TO {login}",
            f"GRANT CONNECT ON DATABASE {other} TO {login}",
            f"ALTER DATABASE {other} CONNECTION LIMIT 0",
            f"DROP DATABASE {other}",
        ):
            assert shared.ask(login, statement, database=own).startswith("ERROR:  "), statement

    def test_a_second_run_changes_nothing(self, shared: Database) -> None:
        before = shared.server.query(ACCESS)

        code, output = shared.task(*OWN, login=OTHER_LOGIN, **OTHER)

        assert code == 0, output
        assert "created the database" not in output
        assert " 0 objects were handed over" in output
        assert shared.server.query(ACCESS) == before

    @pytest.mark.parametrize(("login", "own", "_", "other"), PLACES)
    def test_what_people_grant_later_stays(
        self, shared: Database, login: str, own: str, _: str, other: str
    ) -> None:
        assert shared.ask(login, f"GRANT CONNECT ON DATABASE {own} TO PUBLIC", database=own) == ""

        variables = OTHER if own == "demo" else {}
        assert shared.task(*OWN, login=login, **variables)[0] == 0

        reader = LOGIN if login == OTHER_LOGIN else OTHER_LOGIN
        assert shared.ask(reader, "SELECT 1", database=own) == "1"
        assert "permission denied" in shared.ask(reader, "SELECT * FROM galv_lab", database=own)
        assert shared.ask(login, f"REVOKE ALL ON DATABASE {own} FROM PUBLIC", database=own) == ""

    def test_a_rotation_of_one_leaves_the_login_of_the_other(self, shared: Database) -> None:
        assert shared.task(*OWN, "retire", LOGIN, "0")[0] == 0

        assert shared.task(*OWN, login=OTHER_LOGIN, **OTHER)[0] == 0

        assert shared.server.query(RIGHTS + f"'{LOGIN}'") == [["f", "f", "f", "t"]]
        assert shared.task(*OWN)[0] == 0
        assert shared.ask(LOGIN, "SELECT current_user") == OWNER

    def test_goes_on_where_a_run_ended_between_two_steps(self, shared: Database) -> None:
        """It has created the database, and nobody owns it but the master."""
        shared.server.query(f"CREATE DATABASE half OWNER {MASTER}")
        variables = {
            "POSTGRES_DB": "half",
            "GALV_DATABASE_OWNER": "half_owner",
            "GALV_DATABASE_NEW": "half",
        }
        shared.passwords["half_tasks_1"] = "third"

        code, output = shared.task(*OWN, login="half_tasks_1", **variables)

        assert code == 0, output
        assert shared.ask("half_tasks_1", "SELECT current_user", database="half") == "half_owner"
        assert "permission denied for database" in shared.ask(LOGIN, "SELECT 1", database="half")

    def test_refuses_an_image_that_uses_another_database(self, shared: Database) -> None:
        before = shared.server.query(ACCESS)

        code, output = shared.task(*OWN, GALV_DATABASE_NEW="nowhere")

        assert code == 1
        assert "this image uses the database galv and not nowhere" in output
        assert shared.server.query(ACCESS) == before
