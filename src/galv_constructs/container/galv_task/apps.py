"""Tells the log of each sign-in of a superuser."""

import sys

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class GalvTask(AppConfig):  # type: ignore[misc]  # Django has no types
    """The application's configuration, which Django finds in this package by itself."""

    name = "galv_task"

    def ready(self) -> None:
        """Listen to Django's own sign-in, and to that of the API, which sends the same signal."""
        user_logged_in.connect(_tell, dispatch_uid="galv_task.sign_in")


def _tell(*, user: object, **_: object) -> None:
    # Not by a logger, which the application's settings could leave out.
    if getattr(user, "is_superuser", False):
        print("galv_task: a superuser signed in", file=sys.stderr, flush=True)  # noqa: T201
