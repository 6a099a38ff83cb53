"""The mail server and the address that Galv sends with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aws_cdk import Aws, Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from constructs import Construct

from galv_constructs._core.placement import check_key, check_place
from galv_constructs._core.policy import DeploymentPolicy, check_switches
from galv_constructs._core.regions import SES, check_services
from galv_constructs._core.validation import (
    check_construct,
    check_email,
    check_known,
    check_range,
    check_type,
    is_token,
)
from galv_constructs.mail._identity import (
    DMARC_POLICIES,
    Dmarc,
    MailIdentity,
    check_identity,
    check_mail_domains,
)
from galv_constructs.mail._smtp_credentials import SmtpCredentials, check_secret_name
from galv_constructs.mail.dns_record import DnsRecord
from galv_constructs.network import GalvNetwork, IGalvNetwork
from galv_constructs.preflight._needs import Needs, check_preflight
from galv_constructs.preflight.check import PreflightCheck

# With STARTTLS; what the SMTP endpoint of a network without internet serves.
SMTP_PORT = 587
SMTP_USER_KEY = "DJANGO_EMAIL_HOST_USER"
SMTP_PASSWORD_KEY = "DJANGO_EMAIL_HOST_PASSWORD"  # noqa: S105 - the key in the secret, not a value


SES_HOST = f"email-smtp.{Aws.REGION}.amazonaws.com"


class IGalvMail(Protocol):
    """A way to send mail: a `GalvMail`, or what `GalvMail.from_secret` returns."""

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


class GalvMail(Construct):
    """Mail for Galv, sent through SMTP.

    Defines an Amazon SES identity for the domain of `sender`, with DKIM; a MAIL FROM domain with MX
    and SPF; a DMARC policy; a configuration set that sends over TLS only and counts bounces and
    complaints; an IAM user that may send from `sender` through these, and nothing else; and a
    secret with its SMTP user name and password, which are created during the deployment and are
    nowhere else. With `hosted_zone` the DNS records are created too; otherwise they are in
    `dns_records`, to be created by hand.

    New credentials: raise `rotation` and deploy. The new ones are created first, tasks get them by
    being replaced, and the old ones are deleted at the end; a deployment that fails goes back to
    the old ones. Because of that it has to be in the stack of the backend.

    A new account is in the SES sandbox: it can send to verified addresses only, until AWS lifts
    that on request. The project's `docs/operations.md` says how.

    SES knows one identity per domain, account and region, and every `GalvMail` without `identity`
    creates one. Of several deployments that send from one domain, one creates it, which owns it;
    the others get it as `identity`, and deleting them leaves it alone.

    `GalvMail.from_secret` uses credentials that exist instead, and defines nothing.

    Costs $0.40 a month for the secret, $0.10 per thousand messages, and $0.30 for each of three
    metrics in a month in which mail bounces, is complained about or rejected.

    Example:
        ```python
        mail = GalvMail(self, "Mail", sender="galv@mail.example.com", hosted_zone=zone)
        GalvBackend(self, "Backend", domain_name="api.example.com", hosted_zone=zone, mail=mail)
        ```
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        sender: str,
        identity: ses.IEmailIdentity | None = None,
        hosted_zone: route53.IHostedZone | None = None,
        mail_from_domain: str | None = None,
        dmarc: Dmarc | None = None,
        notification_topic: sns.ITopic | None = None,
        secret_name: str | None = None,
        rotation: int = 1,
        encryption_key: kms.IKey | None = None,
        production: bool = True,
        removal_protection: bool | None = None,
        preflight: bool | Sequence[str] = True,
    ) -> None:
        """Define the identity and the credentials.

        Args:
            scope: Parent of this construct, in the stack of the backend.
            id: Id of this construct in its parent.
            sender: Address that mail comes from.
            identity: SES identity of the domain of `sender`, or of a domain above it, that exists
                in this account and region, such as
                `ses.EmailIdentity.from_email_identity_name(scope, id, "example.com")`. It stays as
                it is, with its DNS records and its configuration set. Default: a new one. If SES
                has one for this domain, the deployment fails and says so.
            hosted_zone: Route 53 zone that the domain of `sender` is in. Default: you create
                `dns_records` yourself.
            mail_from_domain: Subdomain that bounces go to, for nothing else. Default: `bounce.`
                and the domain of `sender`.
            dmarc: Policy of receivers for mail that claims to come from the domain and does not:
                `none`, `quarantine` or `reject`; `off` where the domain has a record already.
                Default: `quarantine` for a new identity.
            notification_topic: Topic that gets bounces and complaints. Default: they are metrics
                in CloudWatch only.
            secret_name: Name of the secret. Default: a generated one.
            rotation: Number of the credentials. Raise it by one to get new ones. Default: 1.
            encryption_key: KMS key for the secret and the log of the handler. Default: keys that
                AWS owns or manages.
            production: Whether people rely on this deployment, which decides how long the log of
                the handler is kept. Default: true.
            removal_protection: Whether that log, and a new identity with its DNS records and
                configuration set, outlive the stack, so that whatever sends through them goes on
                sending; the credentials go with the stack. Default: the same as `production`.
            preflight: Whether a deployment first asks whether the identity, its records and the
                account are as mail needs them: see `GalvPreflight`. A list leaves out checks, by
                their kinds or ids, such as `["mail-sandbox"]`. Default: true.

        Raises:
            ValueError: If an argument is malformed or out of range, the domain of `sender` is not
                in `hosted_zone` or not that of `identity`, or `identity` is given with what is for
                a new one.
        """
        check_email("sender", sender)
        if is_token(sender):
            raise ValueError("sender must be known at synthesis, got a token: pass a plain address")
        domain = sender.partition("@")[2]
        check_identity(
            domain,
            identity,
            hosted_zone=hosted_zone,
            mail_from_domain=mail_from_domain,
            dmarc=dmarc,
            notification_topic=notification_topic,
        )
        check_mail_domains(domain, mail_from_domain, hosted_zone)
        if dmarc is not None and dmarc not in DMARC_POLICIES:
            raise ValueError(f"dmarc must be one of {', '.join(DMARC_POLICIES)}, got {dmarc!r}")
        check_construct(
            "notification_topic",
            notification_topic,
            "aws_sns.ITopic",
            "sns.Topic.from_topic_arn(scope, id, arn)",
        )
        if secret_name is not None:
            check_secret_name("secret_name", secret_name)
        check_range("rotation", rotation, 1, 1_000_000)
        check_known("rotation", rotation)
        check_switches(production, removal_protection=removal_protection)
        check_preflight(preflight)
        check_place(scope, "identity", identity)
        check_place(scope, "notification_topic", notification_topic)
        check_key(scope, encryption_key)
        check_services(
            scope,
            [(SES, "use GalvMail.from_secret(secret, host='email-smtp.<another region>.…', …)")],
        )
        super().__init__(scope, id)
        self._sender = sender
        self._new_identity: MailIdentity | None = None
        policy = DeploymentPolicy.of(production=production, removal_protection=removal_protection)
        if identity is None:
            self._new_identity = MailIdentity(
                self,
                "Identity",
                domain=domain,
                mail_from_domain=mail_from_domain or f"bounce.{domain}",
                dmarc=dmarc or "quarantine",
                hosted_zone=hosted_zone,
                notification_topic=notification_topic,
                policy=policy,
            )
            identity = self._new_identity.identity
        self._email_identity = identity
        self._credentials = SmtpCredentials(
            self,
            "Credentials",
            sender=sender,
            configuration_set_arn=self._configuration_set_arn,
            new_identity=None if self._new_identity is None else domain,
            secret_name=secret_name,
            rotation=rotation,
            encryption_key=encryption_key,
            policy=policy,
        )
        self._ask(
            Needs(
                self,
                preflight=preflight,
                production=production,
                removal_protection=removal_protection,
                encryption_key=encryption_key,
            ),
            domain,
            hosted_zone,
        )
        if self._new_identity is not None:
            # It says what to do about an identity that exists.
            self._new_identity.identity.node.add_dependency(self._credentials.resource)

    @property
    def host(self) -> str:
        """Host name of the SMTP server: Amazon SES in the region of the stack."""
        return SES_HOST

    @property
    def port(self) -> int:
        """Port of the SMTP server: 587, with STARTTLS."""
        return SMTP_PORT

    @property
    def sender(self) -> str:
        """Address that mail comes from unless the application says otherwise."""
        return self._sender

    @property
    def user(self) -> ecs.Secret:
        """SMTP user name."""
        return self._field(SMTP_USER_KEY)

    @property
    def password(self) -> ecs.Secret:
        """SMTP password."""
        return self._field(SMTP_PASSWORD_KEY)

    @property
    def secret(self) -> secretsmanager.ISecret:
        """Secret with the keys `DJANGO_EMAIL_HOST_USER` and `DJANGO_EMAIL_HOST_PASSWORD`."""
        return self._credentials.secret

    @property
    def iam_user(self) -> iam.IUser:
        """The user that sends."""
        return self._credentials.user

    @property
    def identity(self) -> ses.IEmailIdentity:
        """The SES identity that mail is sent from: the new one, or the given one."""
        return self._email_identity

    @property
    def configuration_set(self) -> ses.IConfigurationSet | None:
        """The configuration set that mail goes through.

        None for a given identity, which has one of its own, or none.
        """
        return None if self._new_identity is None else self._new_identity.configuration_set

    @property
    def dns_records(self) -> Sequence[DnsRecord]:
        """Records of a new identity: created in `hosted_zone`, otherwise yours to create."""
        return [] if self._new_identity is None else list(self._new_identity.dns_records)

    @property
    def records(self) -> Sequence[route53.RecordSet]:
        """The records that are created in `hosted_zone`."""
        return [] if self._new_identity is None else list(self._new_identity.records)

    @property
    def log_group(self) -> logs.ILogGroup:
        """Log group of the function that creates the credentials."""
        return self._credentials.log_group

    @property
    def _configuration_set_arn(self) -> str:
        if self._new_identity is not None:
            return self._new_identity.configuration_set_arn
        # SES asks for the right to use the default configuration set of the identity, whose name
        # only its owner knows. Who may send as whom stays fixed by the sender's address.
        return Stack.of(self).format_arn(
            service="ses", resource="configuration-set", resource_name="*"
        )

    def _ask(self, needs: Needs, domain: str, hosted_zone: route53.IHostedZone | None) -> None:
        """Ask for the identity, the records that come with it, and the account."""
        new = self._new_identity
        name = domain if new is not None else self._email_identity.email_identity_name
        needs.ask("Identity", PreflightCheck.mail_identity(name, exists=new is None))
        needs.ask("Sandbox", PreflightCheck.mail_sandbox())
        if new is not None and hosted_zone is not None:
            # Those of DKIM have names that only SES knows.
            names = [
                f"{record.type} {record.name}"
                for record in new.dns_records
                if not is_token(record.name)
            ]
            needs.ask(
                "HostedZone", PreflightCheck.hosted_zone(hosted_zone, [domain], certificate=False)
            )
            needs.ask("Records", PreflightCheck.records(hosted_zone, names))
        needs.hold(self._credentials.resource)

    def _field(self, key: str) -> ecs.Secret:
        # The version is part of a task definition, so that new credentials replace the tasks, and
        # a rollback goes back to the old ones.
        return ecs.Secret.from_secrets_manager_version(
            self._credentials.secret,
            ecs.SecretVersionInfo(version_id=self._credentials.version_id),
            key,
        )

    @staticmethod
    def from_secret(
        secret: secretsmanager.ISecret,
        *,
        sender: str,
        host: str | None = None,
        port: int = SMTP_PORT,
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
            host=SES_HOST if host is None else host,
            port=port,
            sender=sender,
            user=ecs.Secret.from_secrets_manager(secret, SMTP_USER_KEY),
            password=ecs.Secret.from_secrets_manager(secret, SMTP_PASSWORD_KEY),
        )


def check_mail(scope: Construct, mail: IGalvMail | None, network: IGalvNetwork | None) -> None:
    """Check that tasks can reach the mail server, and that new credentials reach tasks."""
    check_construct("mail", mail, "IGalvMail", "GalvMail.from_secret(secret, sender=…)")
    if mail is None:
        return
    check_place(scope, "mail, its secret", mail.password.arn)
    if isinstance(mail, GalvMail) and Stack.of(mail).node.path != Stack.of(scope).node.path:
        raise ValueError(
            f"mail ({mail.node.path}) must be in the stack of the backend, "
            f"{Stack.of(scope).node.path!r}: in another one old credentials are deleted before "
            "tasks have got new ones"
        )
    if mail.host == SES_HOST:
        check_services(
            scope, [(SES, "pass host='email-smtp.<another region>.amazonaws.com' to from_secret")]
        )
    # Other networks without internet may have endpoints of their own.
    if isinstance(network, GalvNetwork) and not network.has_internet:
        regions = (Aws.REGION, Stack.of(scope).region)
        at_ses = [f"email-smtp.{region}.amazonaws.com" for region in regions]
        elsewhere = mail.host not in at_ses and not is_token(mail.host)
        if elsewhere or mail.port != SMTP_PORT:
            raise ValueError(
                "network has no internet, and its only way to send mail is Amazon SES in the "
                f"region of the stack on port {SMTP_PORT}, not {mail.host}:{mail.port}: use that, "
                "or choose another NetworkPreset"
            )
