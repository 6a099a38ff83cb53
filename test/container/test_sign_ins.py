"""The log line of a sign-in, by real Django in the container of the task."""

import sys
from pathlib import Path

import pytest
from containers import Container, Image, why_not

from galv_constructs.backend._container import DIRECTORY, entry_point
from galv_constructs.backend._sign_ins import LINE

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=str(why_not())),
]
SETTINGS = """
import os
SECRET_KEY = "checked"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
LOGGING = {"version": 1, "disable_existing_loggers": True, "root": {"level": "CRITICAL"}}
"""
SIGN_IN = """
import sys
import django
django.setup()
from django.contrib.auth import authenticate, get_user_model, login
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory
create = getattr(get_user_model().objects, sys.argv[1])
create("someone", "someone@example.com", "right")
request = RequestFactory().post("/admin/login/")
request.session = SessionStore()
user = authenticate(request, username="someone", password=sys.argv[2])
if user:
    login(request, user)
print("done")
"""


def sign_in(code: Path, creation: str, password: str = "right", *, tells: bool = True) -> str:
    (code / "config").mkdir()
    (code / "config" / "settings.py").write_text(SETTINGS)
    (code / "sign_in.py").write_text(SIGN_IN)
    command = 'python -m django migrate -v 0; exec python sign_in.py "$@"'
    definition = {
        "name": "web",
        "entryPoint": entry_point(sign_ins=tells),
        "command": ["sh", "-c", command, "sh", creation, password],
        "mountPoints": [{"containerPath": "/tmp", "sourceVolume": "tmp"}],
        "volumes": [{"name": "tmp"}],
        "readonlyRootFilesystem": True,
    }
    image = Image(python=Path(sys.executable), application=code)
    environment = {"PYTHONPATH": image.workdir, "DATABASE": f"{DIRECTORY}/database"}
    with Container(image, definition, environment=environment) as container:
        code_of_exit = container.wait(timeout=60)
        output = container.output()
    assert code_of_exit == 0, output
    assert "done" in output
    return output


@pytest.mark.slow
def test_logs_the_sign_in_of_a_superuser(tmp_path: Path) -> None:
    assert sign_in(tmp_path, "create_superuser").count(LINE) == 1


@pytest.mark.slow
def test_does_not_log_the_sign_in_of_anyone_else(tmp_path: Path) -> None:
    assert LINE not in sign_in(tmp_path, "create_user")


@pytest.mark.slow
def test_does_not_log_a_wrong_password(tmp_path: Path) -> None:
    assert LINE not in sign_in(tmp_path, "create_superuser", "wrong")


@pytest.mark.slow
def test_logs_nothing_by_default(tmp_path: Path) -> None:
    assert LINE not in sign_in(tmp_path, "create_superuser", tells=False)
