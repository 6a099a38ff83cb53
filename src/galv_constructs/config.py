"""The context keys of `cdk.json`, typed and checked."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constructs import Node

from galv_constructs._config_keys import CERTIFICATE_ARN, KEYS
from galv_constructs.edge import EDGE_REGION
from galv_constructs.network import NetworkPreset

# Context that is CDK's own: feature flags, answers to look-ups, settings of the CLI.
_FOREIGN = re.compile(r"@|.*:|cdk|aws-cdk|acknowledged-issue-numbers$|tree-metadata$")


@dataclass(frozen=True, kw_only=True)
class GalvConfig:
    """Configuration of the documented deployment.

    Example:
        ```python
        config = GalvConfig.from_context(app.node)
        ```
    """

    name: str
    """`name`: a short name that the names of stacks start with."""

    project_name_tag: str
    """`projectNameTag`: value of the tag `project-name`."""

    domain_name: str
    """`domainName`: domain of the application."""

    backend_subdomain: str
    """`backendSubdomain`: subdomain of the API; empty for the domain itself."""

    frontend_subdomain: str
    """`frontendSubdomain`: subdomain of the frontend; empty for the domain itself."""

    is_route53_domain: bool
    """`isRoute53Domain`: whether the domain is managed by Route 53."""

    certificate_arn: str | None
    """`certificateArn`: ARN of a certificate in us-east-1 for a domain outside Route 53."""

    backend_certificate_arn: str | None
    """`backendCertificateArn`: ARN of the API's certificate in the region of the backend; where
    that is us-east-1, `certificateArn` if it is not set."""

    backend_version: str
    """`backendVersion`: tag of the backend's image, a release's with its `v`."""

    frontend_version: str
    """`frontendVersion`: tag of the frontend's release, with its `v`."""

    is_production: bool
    """`isProduction`: controls retention and protection, debugging, ECS Exec."""

    removal_protection: bool | None
    """`removalProtection`: overrides retention and protection. `None`: as `is_production`."""

    enable_container_insights: bool | None
    """`enableContainerInsights`: Container Insights for ECS. `None`: as `is_production`."""

    mail_from_user: str
    """`mailFromUser`: part before the @ of the address that mail comes from."""

    mail_from_domain: str
    """`mailFromDomain`: domain of the address that mail comes from."""

    smtp_secret_name: str | None
    """`smtpSecretName`: secret with SMTP credentials to use. `None`: they are made."""

    smtp_rotation: int
    """`smtpRotation`: number of the SMTP credentials that are made."""

    backend_environment: Mapping[str, str]
    """`backendEnvironment`: variables for the backend, without null and empty ones."""

    backend_secrets_name: str
    """`backendSecretsName`: secret with secrets for the backend."""

    backend_secrets_keys: Sequence[str]
    """`backendSecretsKeys`: keys of that secret to pass on as variables."""

    frontend_environment: Mapping[str, str]
    """`frontendEnvironment`: variables for the build of the frontend, without empty ones."""

    frontend_secrets_name: str
    """`frontendSecretsName`: secret with secrets for the build of the frontend."""

    frontend_secrets_keys: Sequence[str]
    """`frontendSecretsKeys`: keys of that secret to pass on."""

    monitor_interval_minutes: int
    """`monitorIntervalMinutes`: how often validations run, in minutes; 0 for never."""

    network_preset: NetworkPreset
    """`networkPreset`: how tasks reach the internet."""

    alarm_email: str | None
    """`alarmEmail`: address that alarms are sent to. `None`: nobody is told."""

    @property
    def backend_domain_name(self) -> str:
        """Host name of the API."""
        return _host(self.backend_subdomain, self.domain_name)

    @property
    def frontend_domain_name(self) -> str:
        """Host name of the frontend."""
        return _host(self.frontend_subdomain, self.domain_name)

    @property
    def mail_sender(self) -> str:
        """Address that mail comes from."""
        return f"{self.mail_from_user}@{self.mail_from_domain}"

    @property
    def default_smtp_secret_name(self) -> str:
        """Name of the secret that SMTP credentials are put in when they are made."""
        return f"{self.project_name_tag}-smtp"

    @classmethod
    def from_context(
        cls, node: Node, *, account: str | None = None, region: str | None = None
    ) -> "GalvConfig":
        """Read the configuration from the context of a construct tree.

        Values from `--context` are always text, so `"false"`, `"5"` and JSON text are read as what
        they mean. Null means "not set", and so does an empty text, but for subdomains. Keys that
        are CDK's own are ignored; any other key that is not known is a mistake.

        Args:
            node: Node whose context is read, such as `app.node`.
            account: Account of the deployment, to check certificates against. Default: they are
                not checked against an account.
            region: Region of the backend, to check certificates against. Default: they are not
                checked against a region.

        Raises:
            ValueError: If anything is wrong; the message lists all mistakes.
        """
        context: Mapping[str, Any] = node.get_all_context() or {}
        mistakes = _unknown(context)
        values: dict[str, Any] = {}
        for key in KEYS:
            value = context.get(key.name)
            if value is None or (value == "" and key.kind.empty_is_unset):
                if key.required:
                    mistakes.append(f"{key.name}: is missing, and must be {key.kind.words}")
                continue
            try:
                values[key.name] = key.kind.read(value)
            except ValueError as error:
                mistakes.append(f"{key.name}: {error}")
        config = cls._from_values(values)
        mistakes += _contradictions(values)
        mistakes += _certificate_mistakes(config, values, account, region)
        if mistakes:
            count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            listed = "".join(f"\n  - {mistake}" for mistake in mistakes)
            raise ValueError(f"{count} in the context (cdk.json or --context):{listed}")
        return config

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> "GalvConfig":
        name = values.get("name", "galv")
        domain_name = values.get("domainName", "example.com")
        certificate_arn = values.get("certificateArn")
        return cls(
            name=name,
            project_name_tag=values.get("projectNameTag", name),
            domain_name=domain_name,
            backend_subdomain=values.get("backendSubdomain", "api"),
            frontend_subdomain=values.get("frontendSubdomain", "app"),
            is_route53_domain=values.get("isRoute53Domain", certificate_arn is None),
            certificate_arn=certificate_arn,
            backend_certificate_arn=values.get("backendCertificateArn", certificate_arn),
            backend_version=values.get("backendVersion", "latest"),
            frontend_version=values.get("frontendVersion", "latest"),
            is_production=values.get("isProduction", True),
            removal_protection=values.get("removalProtection"),
            enable_container_insights=values.get("enableContainerInsights"),
            mail_from_user=values.get("mailFromUser", "galv-no-reply"),
            mail_from_domain=values.get("mailFromDomain", f"mail.{domain_name}"),
            smtp_secret_name=values.get("smtpSecretName"),
            smtp_rotation=values.get("smtpRotation", 1),
            backend_environment=values.get("backendEnvironment", {}),
            backend_secrets_name=values.get("backendSecretsName", f"{name}-backend-secrets"),
            backend_secrets_keys=values.get("backendSecretsKeys", ()),
            frontend_environment=values.get("frontendEnvironment", {}),
            frontend_secrets_name=values.get("frontendSecretsName", f"{name}-frontend-secrets"),
            frontend_secrets_keys=values.get("frontendSecretsKeys", ()),
            monitor_interval_minutes=values.get("monitorIntervalMinutes", 5),
            network_preset=values.get("networkPreset", NetworkPreset.NAT_GATEWAY),
            alarm_email=values.get("alarmEmail"),
        )


def _host(subdomain: str, domain_name: str) -> str:
    return f"{subdomain}.{domain_name}" if subdomain else domain_name


def _unknown(context: Mapping[str, Any]) -> list[str]:
    known = [key.name for key in KEYS]
    mistakes = []
    for name in context:
        if name in known or _FOREIGN.match(name):
            continue
        # Compared without case, which is what is most often wrong.
        lower = {other.lower(): other for other in known}
        near = difflib.get_close_matches(name.lower(), lower, n=1)
        hint = f"did you mean {lower[near[0]]}?" if near else f"known keys: {', '.join(known)}"
        mistakes.append(f"{name}: is not a key of this application; {hint}")
    return mistakes


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    subdomains = [values.get("backendSubdomain", "api"), values.get("frontendSubdomain", "app")]
    if subdomains[0] == subdomains[1]:
        mistakes.append(
            f"backendSubdomain, frontendSubdomain: are both {subdomains[0]!r}; API and frontend "
            "need a host name each"
        )
    for part in ("backend", "frontend"):
        both = sorted(
            set(values.get(f"{part}Environment", ())) & set(values.get(f"{part}SecretsKeys", ()))
        )
        if both:
            mistakes.append(
                f"{part}Environment, {part}SecretsKeys: both have {', '.join(both)}; keep each "
                "name in one of them"
            )
    if "smtpSecretName" in values and "smtpRotation" in values:
        mistakes.append(
            "smtpSecretName, smtpRotation: are both set, and credentials that are given cannot be "
            "made anew; drop smtpRotation, and put new ones in the secret"
        )
    if values.get("isRoute53Domain"):
        mistakes += [
            f"{key}: is set, and isRoute53Domain is true, so that certificates are made; drop "
            "this key, or set isRoute53Domain to false"
            for key in ("certificateArn", "backendCertificateArn")
            if key in values
        ]
    return mistakes


def _certificate_mistakes(
    config: GalvConfig, values: Mapping[str, Any], account: str | None, region: str | None
) -> list[str]:
    if config.is_route53_domain:
        return []
    frontend, backend = [config.frontend_domain_name], [config.backend_domain_name]
    # One certificate serves both where the load balancer is in CloudFront's region.
    shared = "backendCertificateArn" not in values and region in (EDGE_REGION, None)
    if shared:
        return _mistakes_of("certificateArn", frontend + backend, values, account, EDGE_REGION)
    return [
        *_mistakes_of("certificateArn", frontend, values, account, EDGE_REGION),
        *_mistakes_of("backendCertificateArn", backend, values, account, region),
    ]


def _mistakes_of(
    key: str,
    hosts: Sequence[str],
    values: Mapping[str, Any],
    account: str | None,
    region: str | None,
) -> list[str]:
    arn = values.get(key)
    if arn is None:
        return [f"{key}: is missing. {_instructions(key, hosts, region)}"]
    match = CERTIFICATE_ARN.fullmatch(arn)
    mistakes = []
    if match and region is not None and match["region"] != region:
        mistakes.append(
            f"{key}: must be in {region}, got one in {match['region']}. "
            f"{_instructions(key, hosts, region)}"
        )
    if match and account is not None and match["account"] != account:
        mistakes.append(
            f"{key}: must be in the account of the deployment, {account}, got one in "
            f"{match['account']}"
        )
    return mistakes


def _instructions(key: str, hosts: Sequence[str], region: str | None) -> str:
    where = region or "<region of the backend>"
    host, *others = hosts
    also = f" --subject-alternative-names {' '.join(others)}" if others else ""
    return (
        f"The domain is not in Route 53, so {' and '.join(hosts)} need{'' if others else 's'} a "
        f"certificate in {where}:\n"
        f"      aws acm request-certificate --region {where} --domain-name {host}{also} "
        "--validation-method DNS\n"
        f"      aws acm describe-certificate --region {where} --certificate-arn ARN "
        "--query 'Certificate.DomainValidationOptions[].ResourceRecord'\n"
        "    Create the CNAME records that the second command shows, wait until the certificate is "
        f"issued, and set {key} to its ARN"
    )
