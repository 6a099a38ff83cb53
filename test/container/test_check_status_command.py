"""The library's own check_status, run by real Django in the container of the task."""

import json
import shutil
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import Container, Image, Network, why_no_network, why_not
from proof import certificates

from galv_constructs.backend._container import DIRECTORY, entry_point

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=str(why_not())),
    pytest.mark.skipif(bool(why_no_network()), reason=str(why_no_network())),
]
SES = "email-smtp.eu-west-2.amazonaws.com"
SENDER = "galv@mail.example.com"
SETTINGS = """
import os
SECRET_KEY = "checked"
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", *os.environ.get("APPS", "").split(),
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
EMAIL_HOST, EMAIL_PORT = os.environ.get("DJANGO_EMAIL_HOST"), 587
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = "user", os.environ.get("PASSWORD", "right")
DEFAULT_FROM_EMAIL = "Galv <galv@mail.example.com>"
"""
OWN = """
from django.core.management.base import BaseCommand
class Command(BaseCommand):
    def handle(self, **options):
        print("the application's own")
"""
# Of user and password, as PLAIN writes them.
RIGHT = "AHVzZXIAcmlnaHQ="
ANSWERS = {
    "EHLO": "250-here\r\n250 AUTH PLAIN",
    "DATA": "354 go on",
    "QUIT": "221 bye",
}


class Mail(socketserver.ThreadingTCPServer):
    """A mail server that knows one user, and takes mail from one sender."""

    sender = SENDER

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.lines: list[str] = []


class _Session(socketserver.StreamRequestHandler):
    server: Mail

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            text = line.decode().strip()
            self.server.lines.append(text)
            self.wfile.write(f"{self._answer(text)}\r\n".encode())

    def _answer(self, text: str) -> str:
        verb = text.split(" ", maxsplit=1)[0].upper()
        if verb == "AUTH":
            return "235 in" if text.endswith(RIGHT) else "535 Authentication Credentials Invalid"
        if verb == "MAIL":
            known = f"<{self.server.sender}>" in text
            return "250 yes" if known else "554 Email address is not verified"
        if verb == "DATA":
            self.wfile.write(b"354 go on\r\n")
            while self.rfile.readline().strip() != b".":
                pass
            return "250 taken"
        return ANSWERS.get(verb, "250 yes")


@pytest.fixture
def mail() -> Iterator[Mail]:
    with Mail() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


class Task:
    """The task that checks, with a database of its own."""

    def __init__(self, network: Network, code: Path, mail: Mail) -> None:
        self.network = network
        self.code = code
        (code / "config").mkdir()
        (code / "config" / "settings.py").write_text(SETTINGS)
        self.hosts = {SES: network.serve(587, ("127.0.0.1", mail.server_address[1]))}
        self.migrated = True

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        migrate = "python -m django migrate -v 0; " if self.migrated else ""
        definition: dict[str, Any] = {
            "name": "check-status",
            "entryPoint": entry_point(check_status=True),
            "command": ["sh", "-c", migrate + 'exec python -m django check_status "$@"', "sh"],
            "mountPoints": [{"containerPath": "/tmp", "sourceVolume": "tmp"}],
            "volumes": [{"name": "tmp"}],
            "readonlyRootFilesystem": True,
        }
        definition["command"] += arguments
        image = Image(python=Path(sys.executable), application=self.code)
        environment = {"DATABASE": f"{DIRECTORY}/database", **variables}
        with Container(
            image,
            definition,
            network=self.network,
            hosts=self.hosts,
            environment={"PYTHONPATH": image.workdir, **environment},
        ) as container:
            code = container.wait(timeout=60)
            return code, container.output()

    def report(self, **variables: str) -> dict[str, dict[str, str]]:
        code, output = self.run("--json", **variables)
        checks = json.loads(output)
        assert code == int(any(check["status"] == "ERROR" for check in checks))
        return {check.pop("check"): check for check in checks}


@pytest.fixture
def task(network: Network, tmp_path: Path, mail: Mail) -> Task:
    return Task(network, tmp_path, mail)


@pytest.mark.slow
def test_lets_ses_take_a_message_from_the_sender(task: Task, mail: Mail) -> None:
    assert task.report(DJANGO_EMAIL_HOST=SES)["SMTP"] == {
        "status": "OK",
        "detail": f"{SES} took a message from Galv <{SENDER}>",
    }
    assert "rcpt TO:<success@simulator.amazonses.com>" in mail.lines


@pytest.mark.slow
def test_says_that_a_sender_may_not_send(task: Task, mail: Mail) -> None:
    mail.sender = "other@example.com"

    found = task.report(DJANGO_EMAIL_HOST=SES)["SMTP"]

    assert found["status"] == "ERROR"
    assert "554" in found["error"]
    assert "is not verified" in found["error"]


@pytest.mark.slow
def test_reports_a_wrong_password_without_printing_it(task: Task) -> None:
    found = task.report(DJANGO_EMAIL_HOST=SES, PASSWORD="hunter2")["SMTP"]

    assert found["status"] == "ERROR"
    assert "Credentials Invalid" in found["error"]
    assert "hunter2" not in found["error"]


@pytest.mark.slow
def test_only_signs_in_where_mail_is_not_sent_by_ses(task: Task, mail: Mail) -> None:
    task.hosts["mx.example.org"] = task.hosts[SES]

    assert task.report(DJANGO_EMAIL_HOST="mx.example.org")["SMTP"]["status"] == "OK"
    assert not [line for line in mail.lines if line.startswith("mail")]


@pytest.mark.slow
def test_leaves_out_what_is_not_configured(task: Task) -> None:
    found = task.report()

    assert found["SMTP"] == found["S3"] == {"status": "SKIPPED"}
    assert found["Django config"] == {"status": "OK"}
    assert found["Database"]["status"] == "OK"


@pytest.mark.slow
def test_continues_without_a_database(task: Task) -> None:
    task.migrated = False

    found = task.report(DATABASE="/nowhere/database", DJANGO_EMAIL_HOST=SES)

    assert found["Database"]["status"] == "ERROR"
    assert "unable to open database file" in found["Database"]["error"]
    assert found["SMTP"]["status"] == "OK"


@pytest.mark.slow
def test_reports_missing_migrations(task: Task) -> None:
    task.migrated = False

    assert "migrations have not run" in task.report()["Database"]["error"]


@pytest.mark.slow
def test_is_a_table_for_people(task: Task) -> None:
    code, output = task.run()

    assert code == 0
    assert output.splitlines()[0] == "Django config  OK"
    assert "SMTP           SKIPPED" in output.splitlines()


@pytest.mark.slow
def test_the_application_s_own_command_comes_first(task: Task) -> None:
    commands = task.code / "own" / "management" / "commands"
    commands.mkdir(parents=True)
    (task.code / "own" / "__init__.py").touch()
    (commands / "check_status.py").write_text(OWN)

    assert task.run(APPS="own") == (0, "the application's own\n")


class TlsMail(Mail):
    """A mail server that speaks TLS from the start."""

    def __init__(self, made: certificates.Certificates) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        return self._context.wrap_socket(connection, server_side=True), address


@pytest.mark.parametrize("trusted", [True, False])
def test_speaks_tls_from_the_start_where_the_settings_say_so(
    network: Network, tmp_path: Path, *, trusted: bool
) -> None:
    made = certificates.create(tmp_path / "tls", [SES])
    code = tmp_path / "code"
    code.mkdir()
    with TlsMail(made) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        task = Task(network, code, server)
        with (code / "config" / "settings.py").open("a") as settings:
            settings.write("EMAIL_USE_SSL = True\n")
        shutil.copy(made.authority, code / "authority.pem")
        authority = f"{Image(python=Path(sys.executable), application=code).workdir}/authority.pem"
        variables = {"SSL_CERT_FILE": authority} if trusted else {}

        found = task.report(DJANGO_EMAIL_HOST=SES, **variables)["SMTP"]

        server.shutdown()
    if trusted:
        assert found["detail"] == f"{SES} took a message from Galv <{SENDER}>"
    else:
        assert "CERTIFICATE_VERIFY_FAILED" in found["error"]
        assert not server.lines
