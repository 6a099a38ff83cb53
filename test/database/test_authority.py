"""Tasks check that the server they talk to is their database."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from backends import Refusal, RefusedBackend, Synth, own_database
from containers import Container, Image, container_of, why_not
from frontend_site.programs import skip
from proof import certificates
from proof.certificates import Certificates
from proof.postgres import Postgres, programs
from templates import Json, environment, task_definition

from galv_constructs import GalvDatabase, GalvNetwork

TASKS = ["web", "setup-db", "check-status"]
NAME = "database.example.com"
# Of this run alone.
ADDRESS = f"127.3.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
CONNECT = (
    'exec "$1" --no-psqlrc --tuples-only --no-align --username=galv --dbname=galv --host="$2" '
    '--command="SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"'
)
Connect = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the server's user may enter."""
    path = Path(tempfile.mkdtemp(prefix="authority-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def made(folder: Path) -> Certificates:
    return certificates.create(folder / "tls", [NAME])


@pytest.fixture(scope="module")
def other(folder: Path) -> Certificates:
    """The certificates of somebody else, for the same name."""
    return certificates.create(folder / "other", [NAME])


@pytest.fixture(scope="module")
def server(folder: Path, made: Certificates) -> Iterator[Postgres]:
    if programs() is None:
        skip("PostgreSQL is missing (Debian: postgresql)")
    server = Postgres(folder / "server", ADDRESS, made)
    try:
        server.start(user="galv", password="secret", database="galv")
        yield server
    finally:
        server.stop()


class TestTemplate:
    @pytest.mark.parametrize("name", TASKS)
    def test_tasks_ask_for_tls_alone_by_default(self, default: Json, name: str) -> None:
        variables = environment(default, name)

        assert variables["PGSSLMODE"] == "require"
        assert not {"PGSSLROOTCERT", "GALV_DATABASE_CA"} & set(variables)

    def test_each_task_has_the_certificates_of_the_file(
        self, synth: Synth, made: Certificates, tmp_path: Path
    ) -> None:
        authority = made.authority.read_text().strip()
        file = tmp_path / "bundle.pem"
        file.write_text(f"# Amazon RDS\n{authority}\n\nSubject: another\n{authority}\n")

        template = synth(database=own_database(ca_file=str(file)))

        for name in TASKS:
            variables = environment(template, name)
            assert variables["PGSSLMODE"] == "verify-full"
            assert variables["GALV_DATABASE_CA"] == f"{authority}\n{authority}"

    def test_the_mode_can_be_another(self, synth: Synth, made: Certificates) -> None:
        """The endpoint of a database may not be the name in its certificate."""
        template = synth(
            database=own_database(ca_file=str(made.authority)),
            environment={"PGSSLMODE": "verify-ca"},
        )

        assert environment(template, "web")["PGSSLMODE"] == "verify-ca"

    def test_refuses_a_mode_that_checks_nothing(
        self, refused_backend: RefusedBackend, made: Certificates
    ) -> None:
        database = own_database(ca_file=str(made.authority))

        assert refused_backend(database=database, environment={"PGSSLMODE": "require"}) == (
            "environment sets PGSSLMODE to 'require', with which tasks check no certificate by "
            "the ca_file of database: set verify-full or verify-ca, or drop one of them"
        )

    def test_refuses_another_file_beside_it(
        self, refused_backend: RefusedBackend, made: Certificates
    ) -> None:
        refused = refused_backend(
            database=own_database(ca_file=str(made.authority)),
            environment={"PGSSLROOTCERT": "/other.pem"},
        )

        assert refused == (
            "PGSSLROOTCERT is set by the ca_file of database: remove it from environment and "
            "secrets, or drop ca_file"
        )

    def test_refuses_a_path_that_is_not_a_file(self, stack: Stack, refusal: Refusal) -> None:
        network = GalvNetwork(stack, "Network")
        for value in ("no-such.pem", "/", 5):
            path: Any = value
            make = partial(GalvDatabase, stack, "Database", network=network, ca_file=path)
            assert refusal(make) == (
                f"ca_file must be a file with certificates, and {value!r} is none: for "
                "Amazon RDS take the bundle of the region, such as "
                "https://truststore.pki.rds.amazonaws.com/eu-west-2/eu-west-2-bundle.pem"
            )

    @pytest.mark.parametrize(
        ("make", "expected"),
        [
            (lambda _: "<html>", "must have certificates, and "),
            (lambda made: made.authority.read_text()[:300], "must have certificates, and "),
            (
                lambda made: made.authority.read_text().replace("\nMII", "\nAAA"),
                "must have certificates, and ",
            ),
            (
                lambda made: made.authority.read_text() + made.key.read_text(),
                "must have certificates alone, and ",
            ),
            (
                lambda made: made.certificate.read_text(),
                "must have certificates of an authority, and ",
            ),
            (
                lambda made: made.authority.read_text() * 20,
                "must have at most 16384 bytes of certificates, which each task definition holds, ",
            ),
        ],
        ids=["no text of its", "cut", "altered", "key", "server", "all regions"],
    )
    def test_refuses_a_file_that_checks_nothing(  # noqa: PLR0917 - fixtures
        self,
        stack: Stack,
        refusal: Refusal,
        made: Certificates,
        tmp_path: Path,
        make: Callable[[Certificates], str],
        expected: str,
    ) -> None:
        file = tmp_path / "bundle.pem"
        file.write_text(make(made))

        network = GalvNetwork(stack, "Network")

        text = refusal(lambda: GalvDatabase(stack, "Database", network=network, ca_file=str(file)))

        assert text.startswith(f"ca_file {expected}")
        assert "eu-west-2-bundle.pem" in text

    def test_refuses_the_certificates_as_a_variable(self, refused_backend: RefusedBackend) -> None:
        text = refused_backend(environment={"GALV_DATABASE_CA": "x"})

        assert "pass ca_file to GalvDatabase" in text


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=str(why_not()))
class TestServer:
    """The task's own entry point and variables, and PostgreSQL's own client and server."""

    @pytest.fixture
    def connect(self, server: Postgres, synth: Synth, tmp_path: Path) -> Connect:
        """Connect to a name from setup, which has a file of certificates."""
        found = programs()
        assert found is not None

        def connect(host: str = NAME, **arguments: Any) -> tuple[int, str]:
            definition = container_of(task_definition(synth(**arguments), "setup-db")[1])
            for variable in definition["environment"]:
                # Some are references, which CloudFormation resolves.
                variable["value"] = str(variable["value"])
            application = tmp_path / "application"
            application.mkdir()
            with Container(
                Image(python=Path(sys.executable), application=application),
                definition,
                secrets={one["name"]: "secret" for one in definition["secrets"]},
                environment={"PGPASSWORD": "secret"},
                command=["sh", "-c", CONNECT, "connect", str(found / "psql"), host],
                hosts={host: ADDRESS},
                folder=tmp_path / "container",
            ) as container:
                return container.wait(60), container.output()

        return connect

    def test_is_trusted_for_its_certificate(self, connect: Connect, made: Certificates) -> None:
        assert connect(database=own_database(ca_file=str(made.authority))) == (0, "t\n")

    def test_is_refused_with_that_of_another_authority(
        self, connect: Connect, other: Certificates
    ) -> None:
        code, output = connect(database=own_database(ca_file=str(other.authority)))

        assert code == 2
        assert "certificate verify failed" in output

    def test_is_refused_under_another_name(self, connect: Connect, made: Certificates) -> None:
        code, output = connect(
            "other.example.com", database=own_database(ca_file=str(made.authority))
        )

        assert code == 2
        assert 'does not match host name "other.example.com"' in output

    def test_is_not_checked_by_default(self, connect: Connect) -> None:
        assert connect("other.example.com") == (0, "t\n")
