"""How Galv sends e-mail."""

from dataclasses import dataclass
from typing import Protocol

from aws_cdk import Aws
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_secretsmanager as secretsmanager

from galv_constructs._validation import (
    check_construct,
    check_email,
    check_known,
    check_range,
    check_type,
)

SMTP_USER_KEY = "DJANGO_EMAIL_HOST_USER"
SMTP_PASSWORD_KEY = "DJANGO_EMAIL_HOST_PASSWORD"  # noqa: S105 - the key in the secret, not a value


class IGalvMail(Protocol):
    """A way to send mail: what `GalvMail.from_secret` returns."""

    @property
    def host(self) -> str:
        """Host name of the SMTP server."""

    @property
    def port(self) -> int:
        """Port of the SMTP server."""

    @property
    def sender(self) -> str:
        """Address that mail comes from unless the application says otherwise."""

    @property
    def user(self) -> ecs.Secret:
        """SMTP user name."""

    @property
    def password(self) -> ecs.Secret:
        """SMTP password."""


@dataclass(frozen=True, kw_only=True)
class _SmtpServer:
    host: str
    port: int
    sender: str
    user: ecs.Secret
    password: ecs.Secret


class GalvMail:
    """Mail for Galv, sent through SMTP."""

    @staticmethod
    def from_secret(
        secret: secretsmanager.ISecret,
        *,
        sender: str,
        host: str | None = None,
        port: int = 587,
    ) -> IGalvMail:
        """Send through an SMTP server whose credentials are in an existing secret.

        Args:
            secret: A Secrets Manager secret with the keys `DJANGO_EMAIL_HOST_USER` and
                `DJANGO_EMAIL_HOST_PASSWORD`. For Amazon SES these are SMTP credentials, which
                are not an IAM access key:
                https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
            sender: Address that mail comes from. With Amazon SES it belongs to a verified
                identity.
            host: Host name of the SMTP server. Default: Amazon SES in the region of the stack.
            port: Port of the SMTP server. On 465 TLS starts with the connection, on every other
                port by STARTTLS. Default: 587.

        Raises:
            ValueError: If `sender` is no e-mail address, or another argument has the wrong type
                or is out of range.
        """
        check_construct(
            "secret",
            secret,
            "aws_secretsmanager.ISecret",
            "secretsmanager.Secret.from_secret_name_v2(scope, id, name)",
        )
        check_email("sender", sender)
        if host is not None:
            check_type("host", host, str, "a host name")
        check_range("port", port, 1, 65535)
        check_known("port", port)
        return _SmtpServer(
            host=f"email-smtp.{Aws.REGION}.amazonaws.com" if host is None else host,
            port=port,
            sender=sender,
            user=ecs.Secret.from_secrets_manager(secret, SMTP_USER_KEY),
            password=ecs.Secret.from_secrets_manager(secret, SMTP_PASSWORD_KEY),
        )
