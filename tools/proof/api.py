"""Where an API takes what a check sends: Galv's own, or the part of it that a stand-in has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_PERSON = {
    "username": "new-person",
    "email": "new-person@example.com",
    "password": "Correct-horse-battery-7",
    "first_name": "New",
    "last_name": "Person",
}


@dataclass(frozen=True, kw_only=True)
class Api:
    """Paths and fields.

    Attributes:
        has_labs: Whether laboratories and teams are created through it, and tokens are given.
        uploads: Path that takes a form with a file.
        file: What follows the URL of an upload to get at its file.
        mails: Path that sends a mail to whoever is named.
        mail_form: Form that it takes.
    """

    has_labs: bool = True
    uploads: str = "/arbitrary_files/"
    file: str = "file/"
    mails: str = "/users/"
    mail_form: Mapping[str, str] = field(default_factory=lambda: _PERSON)


GALV = Api()
# What test/galv has, where nobody creates a team first and a password comes with each request.
STAND_IN = Api(
    has_labs=False,
    uploads="/partitions/",
    file="",
    mails="/forgot_password/",
    mail_form={"email": "new-person@example.com"},
)
