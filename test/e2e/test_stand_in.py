"""The application that stands in for Galv dies of what Galv dies of.

What each test says of Galv was observed on released images, or on their sources.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from containers import Container, Image, why_not
from frontend_site.programs import skip
from galv.stand_in import make_image

# What the template gives to a task, without storage.
ENVIRONMENT = {
    "DJANGO_SECRET_KEY": "secret",
    "DJANGO_ALLOWED_CIDR_NETS": "10.0.8.0/24",
    "FRONTEND_VIRTUAL_HOST": "https://app.example.com,https://www.example.com",
    "HOME": "/tmp",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "NUMBA_CACHE_DIR": "/tmp/numba",
    "POSTGRES_HOST": "127.0.0.1",
    "POSTGRES_PORT": "1",
    "POSTGRES_USER": "galv",
    "POSTGRES_PASSWORD": "p$'\"w",
    "VIRTUAL_HOST": "api.example.com",
}
STORAGE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-2",
    # Nobody listens there, as without a way to STS.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_MAX_ATTEMPTS": "1",
    "DJANGO_AWS_S3_REGION_NAME": "eu-west-2",
    "DJANGO_AWS_STORAGE_BUCKET_NAME": "media",
}
SETTINGS = ["python", "-c", "from config import settings; print(settings.STORES_ON_S3)"]
CHECK = ["python", "manage.py", "check"]
ASK = """\
import sys, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
for path, host in zip(sys.argv[1::2], sys.argv[2::2]):
    print(path, host, client.get(path, headers={"host": host}).status_code)
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    skip(why_not())
    return make_image(tmp_path_factory.mktemp("image") / "backend_django")


@pytest.fixture
def run(image: Image, tmp_path: Path) -> Run:
    """Run a command in a container with the mounts of a task; `None` unsets a variable."""

    def run(command: list[str], of: Image = image, **changed: str | None) -> tuple[int, str]:
        environment = {**ENVIRONMENT, **changed}
        definition: dict[str, Any] = {
            "name": "task",
            "command": command,
            "environment": [
                {"name": k, "value": v} for k, v in environment.items() if v is not None
            ],
            "readonlyRootFilesystem": True,
            "volumes": [{"name": "tmp"}, {"name": "log"}],
            "mountPoints": [
                {"sourceVolume": "tmp", "containerPath": "/tmp"},
                {"sourceVolume": "log", "containerPath": "/var/log/galv"},
            ],
        }
        with Container(of, definition, folder=tmp_path) as container:
            code = container.wait(60)
        return code, container.output()

    return run


class TestStart:
    def test_starts_with_what_the_template_gives(self, run: Run) -> None:
        code, output = run(CHECK)

        assert code == 0, output

    @pytest.mark.parametrize("command", [CHECK, ["gunicorn", "--check-config", "config.wsgi"]])
    def test_dies_at_import_without_a_place_for_numba(self, command: list[str], run: Run) -> None:
        code, output = run(command, NUMBA_CACHE_DIR=None, HOME=None)

        assert code == 1
        assert "cannot cache function 'smooth': no locator available" in output

    def test_a_home_is_a_place_for_numba(self, run: Run) -> None:
        assert run(CHECK, NUMBA_CACHE_DIR=None)[0] == 0

    @pytest.mark.parametrize(
        "name",
        [
            *("DJANGO_SECRET_KEY", "FRONTEND_VIRTUAL_HOST", "POSTGRES_HOST", "POSTGRES_PORT"),
            *("POSTGRES_USER", "POSTGRES_PASSWORD", "VIRTUAL_HOST"),
        ],
    )
    def test_dies_without_a_variable_that_it_needs(self, name: str, run: Run) -> None:
        code, output = run(SETTINGS, **{name: None})

        assert code == 1
        assert f"KeyError: '{name}'" in output

    @pytest.mark.parametrize(
        "value",
        ["https://app.example.com/", "app.example.com"],
    )
    def test_refuses_every_command_where_the_site_is_misspelled(self, value: str, run: Run) -> None:
        code, output = run(CHECK, FRONTEND_VIRTUAL_HOST=value)

        assert code == 1
        assert "SystemCheckError" in output

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("DJANGO_LAB_STORAGE_QUOTA_BYTES", "invalid literal for int()"),
            ("DJANGO_LOG_LEVEL", "Unable to configure logger"),
        ],
    )
    def test_dies_of_an_empty_value(self, name: str, says: str, run: Run) -> None:
        code, output = run(CHECK, **{name: ""})

        assert code == 1
        assert says in output

    def test_an_empty_time_falls_back(self, run: Run) -> None:
        assert run(SETTINGS, DJANGO_USER_ACTIVATION_TOKEN_EXPIRY_S="")[0] == 0


class TestStorage:
    def test_asks_sts_in_every_process(self, run: Run) -> None:
        code, output = run(SETTINGS, **STORAGE)

        assert code == 1
        assert "EndpointConnectionError" in output

    def test_an_empty_access_list_switches_s3_off(self, run: Run) -> None:
        assert run(SETTINGS, **STORAGE, DJANGO_AWS_DEFAULT_ACL="") == (0, "False\n")


class TestRequests:
    def test_hosts_are_the_api_its_load_balancer_and_the_tasks_subnets(self, run: Run) -> None:
        hosts = {
            "api.example.com": 200,
            "10.0.8.4:8000": 200,
            "balancer.test": 200,
            "10.0.9.4:8000": 400,
            "www.example.com": 400,
        }
        words = [word for host in hosts for word in ("/health/", host)]

        code, output = run(["python", "-c", ASK, *words], DJANGO_ELB_HOST="balancer.test")

        assert code == 0, output
        answered = [line.split()[1:] for line in output.splitlines() if line.startswith("/health")]
        assert {host: int(status) for host, status in answered} == hosts

    def test_health_without_its_slash_is_a_redirect(self, run: Run) -> None:
        assert (
            "/health api.example.com 301"
            in run(["python", "-c", ASK, "/health", "api.example.com"])[1]
        )


class TestLogs:
    FAIL = ("python", "-c", ASK, "/fail/", "api.example.com")

    def test_go_to_files_only(self, run: Run, tmp_path: Path) -> None:
        _, output = run(list(self.FAIL))

        assert output == "/fail/ api.example.com 500\n"
        log = (tmp_path / "volumes" / "log" / "django.log").read_text()
        assert "RuntimeError: the mistake in the code" in log

    def test_go_to_the_console_of_newer_releases(self, run: Run, tmp_path: Path) -> None:
        newer = make_image(tmp_path / "newer", version="v3.0.0", logs_to_console=True)

        assert "RuntimeError: the mistake in the code" in run(list(self.FAIL), newer)[1]

    def test_need_a_place(self, run: Run) -> None:
        code, output = run(CHECK, DJANGO_LOG_DIR="/nowhere")

        assert code == 1
        assert "No such file or directory: '/nowhere/django.log'" in output


class TestCommands:
    def test_old_images_do_not_know_check_status(self, run: Run, tmp_path: Path) -> None:
        older = make_image(tmp_path / "older", has_check_status=False)

        code, output = run(["python", "manage.py", "check_status"], older)

        assert code == 1
        assert "Unknown command: 'check_status'" in output

    def test_drawing_leaves_files_in_the_temporary_folder(self, run: Run, tmp_path: Path) -> None:
        draw = "from galv.preview import preview; print(preview(bytes(100))[1:4])"

        assert run(["python", "-c", draw]) == (0, "b'PNG'\n")

        left = {file.suffix for file in (tmp_path / "volumes" / "tmp").iterdir()}
        assert {".parquet", ".png"} <= left
