"""The context keys of `cdk.json`, typed and checked."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Node

from galv_constructs._validation import check_domain_name, check_email, check_image_tag
from galv_constructs.network import NetworkPreset


@dataclass(frozen=True, kw_only=True)
class GalvConfig:
    """Configuration of the documented deployment.

    Example:
        ```python
        config = GalvConfig.from_context(app.node)
        ```
    """

    name: str
    """`name`: short name that stack names start with."""

    project_name_tag: str
    """`projectNameTag`: value of the tag `project-name`. Default: the same as `name`."""

    domain_name: str
    """`domainName`: domain of the application, such as `example.com`."""

    backend_subdomain: str
    """`backendSubdomain`: subdomain of the API; empty for the domain itself. Default: `api`."""

    frontend_subdomain: str
    """`frontendSubdomain`: subdomain of the frontend; empty for the domain itself.
    Default: `app`."""

    is_route53_domain: bool
    """`isRoute53Domain`: whether the domain is managed by Route 53. Default: true."""

    certificate_arn: str | None
    """`certificateArn`: ARN of a certificate in us-east-1 for a domain outside Route 53.
    Default: none."""

    backend_certificate_arn: str | None
    """`backendCertificateArn`: ARN of a certificate for the API in the region of the backend,
    needed outside us-east-1. Default: none."""

    backend_version: str
    """`backendVersion`: tag of the backend's image. Default: `latest`."""

    is_production: bool
    """`isProduction`: retention, protection, debugging, ECS Exec. Default: true."""

    removal_protection: bool | None
    """`removalProtection`: overrides what `isProduction` says of retention and protection.
    Default: the same as `isProduction`."""

    enable_container_insights: bool | None
    """`enableContainerInsights`: Container Insights for ECS. Default: the same as
    `isProduction`."""

    mail_from_user: str
    """`mailFromUser`: local part of the address that mail comes from.
    Default: `galv-no-reply`."""

    mail_from_domain: str
    """`mailFromDomain`: domain of the address that mail comes from. Default: `mail.` and
    `domainName`."""

    smtp_secret_name: str
    """`smtpSecretName`: Secrets Manager secret with the SMTP credentials.
    Default: `projectNameTag` and `-smtp`."""

    backend_environment: Mapping[str, str]
    """`backendEnvironment`: variables for the backend; null and empty ones are left out.
    Default: none."""

    backend_secrets_name: str
    """`backendSecretsName`: Secrets Manager secret with secrets for the backend.
    Default: `name` and `-backend-secrets`."""

    backend_secrets_keys: Sequence[str]
    """`backendSecretsKeys`: keys of that secret to pass on as variables. Default: none."""

    monitor_interval_minutes: int
    """`monitorIntervalMinutes`: how often validations run; 0 turns them off. Default: 5."""

    network_preset: NetworkPreset
    """`networkPreset`: `natGateway`, `natInstance`, `public` or `endpoints`.
    Default: `natGateway`."""

    @property
    def backend_domain_name(self) -> str:
        """Host name of the API."""
        return ".".join(filter(None, (self.backend_subdomain, self.domain_name)))

    @property
    def frontend_domain_name(self) -> str:
        """Host name of the frontend."""
        return ".".join(filter(None, (self.frontend_subdomain, self.domain_name)))

    @property
    def mail_sender(self) -> str:
        """Address that mail comes from."""
        return f"{self.mail_from_user}@{self.mail_from_domain}"

    def backend_certificate_arn_in(self, region: str) -> str:
        """ARN of the API's certificate in a region.

        Args:
            region: Region of the backend.

        Raises:
            ValueError: If no key gives a certificate that a load balancer there can use.
        """
        if self.backend_certificate_arn is not None:
            return self.backend_certificate_arn
        if self.certificate_arn is not None and region == "us-east-1":
            return self.certificate_arn
        raise ValueError(
            f"isRoute53Domain is false, and no certificate is given for the API in {region}: "
            f"request one for {self.backend_domain_name} there with `aws acm request-certificate "
            f"--region {region} --domain-name {self.backend_domain_name} --validation-method DNS`, "
            "create the DNS record that it asks for, and set backendCertificateArn to its ARN "
            "(certificateArn, in us-east-1, is for the frontend)"
        )

    @classmethod
    def from_context(cls, node: Node) -> "GalvConfig":
        """Read the configuration from the context of a construct tree.

        Values from `--context` are always text, so `"false"`, `"5"` and JSON text are read as
        what they mean. Null means "not set".

        Args:
            node: Node whose context is read, such as `app.node`.

        Raises:
            ValueError: If keys are missing or malformed; the message lists all of them.
        """
        read = _Reader(node)
        name = read("name", _text, required=True)
        domain_name = read("domainName", _domain, required=True)
        tag = read("projectNameTag", _text, default=name)
        config = {
            "name": name,
            "project_name_tag": tag,
            "domain_name": domain_name,
            "backend_subdomain": read("backendSubdomain", _subdomain, default="api"),
            "frontend_subdomain": read("frontendSubdomain", _subdomain, default="app"),
            "is_route53_domain": read("isRoute53Domain", _boolean, default=True),
            "certificate_arn": read("certificateArn", _text),
            "backend_certificate_arn": read("backendCertificateArn", _text),
            "backend_version": read("backendVersion", _tag, default="latest"),
            "is_production": read("isProduction", _boolean, default=True),
            "removal_protection": read("removalProtection", _boolean),
            "enable_container_insights": read("enableContainerInsights", _boolean),
            "mail_from_user": read("mailFromUser", _mail_user, default="galv-no-reply"),
            "mail_from_domain": read("mailFromDomain", _domain, default=f"mail.{domain_name}"),
            "smtp_secret_name": read("smtpSecretName", _text, default=f"{tag}-smtp"),
            "backend_environment": read("backendEnvironment", _environment, default={}),
            "backend_secrets_name": read(
                "backendSecretsName", _text, default=f"{name}-backend-secrets"
            ),
            "backend_secrets_keys": read("backendSecretsKeys", _keys, default=()),
            "monitor_interval_minutes": read("monitorIntervalMinutes", _minutes, default=5),
            "network_preset": read("networkPreset", _preset, default=NetworkPreset.NAT_GATEWAY),
        }
        read.finish()
        return cls(**config)


class _Reader:
    """Reads keys one by one and keeps what is wrong with them for the end."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._mistakes: list[str] = []

    def __call__(
        self,
        key: str,
        parse: Callable[[Any], object],
        *,
        default: object = None,
        required: bool = False,
    ) -> Any:
        value = self._node.try_get_context(key)
        if value is None:
            if required:
                self._mistakes.append(f"{key}: is missing; set it in cdk.json")
            return default
        try:
            return parse(value)
        except ValueError as error:
            self._mistakes.append(f"{key}: {error}")
            return default

    def finish(self) -> None:
        if self._mistakes:
            count = len(self._mistakes)
            headline = "a mistake" if count == 1 else f"{count} mistakes"
            listed = "".join(f"\n  - {mistake}" for mistake in self._mistakes)
            raise ValueError(f"{headline} in the context (cdk.json or --context):{listed}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be text, got {value!r}")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError(f"must be true or false, got {value!r}")


def _minutes(value: Any) -> int:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value != int(value) or not 0 <= value <= 44640:
        raise ValueError(f"must be whole minutes from 0 (off) to 44640 (31 days), got {value!r}")
    return int(value)


def _domain(value: object) -> str:
    check_domain_name("it", value)
    return str(value)


def _subdomain(value: object) -> str:
    if value == "":
        return ""
    if isinstance(value, str):
        check_domain_name("it", f"{value}.example.com")
        return value
    raise ValueError(f"must be text such as 'api', got {value!r}")


def _mail_user(value: object) -> str:
    check_email("with a domain it", f"{value}@example.com")
    return str(value)


def _tag(value: object) -> str:
    check_image_tag("it", value)
    return str(value)


def _preset(value: object) -> NetworkPreset:
    try:
        return NetworkPreset(value)
    except ValueError:
        allowed = ", ".join(preset.value for preset in NetworkPreset)
        raise ValueError(f"must be one of {allowed}, got {value!r}") from None


def _json(value: object) -> object:
    """Read JSON text, which is how `--context` passes objects and lists."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _environment(value: object) -> dict[str, str]:
    value = _json(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"must be an object of names and values, got {value!r}")
    variables = {}
    for name, content in value.items():
        if content is None or content == "":
            continue
        if not isinstance(content, str):
            raise ValueError(f"{name} must be text, got {content!r}: put it in quotes")
        variables[name] = content
    return variables


def _keys(value: object) -> list[str]:
    value = _json(value)
    if not isinstance(value, list) or not all(isinstance(key, str) and key for key in value):
        raise ValueError(f"must be a list of keys, got {value!r}")
    if len(set(value)) != len(value):
        raise ValueError(f"has a key twice: {value!r}")
    return value
