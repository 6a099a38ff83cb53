"""A mail server as Amazon SES has it: STARTTLS first, then a name and a password."""

import ssl
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from proof.certificates import Certificates

_PORT = 587


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A message that was accepted."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str


class MailServer:
    """Accepts messages from one user, and keeps them."""

    def __init__(
        self, address: str, certificates: Certificates, *, user: str, password: str
    ) -> None:
        """Prepare it; nothing runs before `start()`."""
        self.messages: list[Mail] = []
        self.refused: list[str] = []
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)

        def authenticate(
            _server: Any, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
        ) -> AuthResult:
            given = (data.login, data.password) if isinstance(data, LoginPassword) else ()
            accepted = given == (user.encode(), password.encode())
            if not accepted:
                self.refused.append(str(given[:1]))
            return AuthResult(success=accepted)

        self._controller = Controller(
            self,
            hostname=address,
            port=_PORT,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=authenticate,
        )

    def start(self) -> None:
        """Start it."""
        self._controller.start()

    def stop(self) -> None:
        """End it."""
        self._controller.stop(no_assert=True)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a message."""
        content = envelope.content or b""
        data = content.encode() if isinstance(content, str) else content
        message = message_from_bytes(data, policy=policy.default)
        body = message.get_body(("plain",))
        self.messages.append(
            Mail(
                sender=envelope.mail_from or "",
                recipients=tuple(map(str, envelope.rcpt_tos)),
                subject=str(message["Subject"]),
                text=body.get_content() if body else "",
            )
        )
        return "250 OK"
